"""Viterbi decoding of a hidden Markov chain; the trellis is stored by destination so that maxima run along rows."""

from itertools import pairwise

import numpy as np

STATES, SYMBOLS, LENGTH = 64, 40, 3000


def log_model(rng):
    stay = np.eye(STATES) * 20
    arrive = rng.random((STATES, STATES)) ** 4 + stay
    arrive /= arrive.sum(axis=0)
    emit = rng.random((SYMBOLS, STATES)) ** 6 + 1e-6
    emit /= emit.sum(axis=0)
    np.log(arrive, out=arrive)
    np.log(emit, out=emit)
    return arrive, emit


def decode(arrive, emit, seen):
    """``arrive[to, from]`` and ``emit[symbol, state]`` are logarithms; returns the likeliest states."""
    back = np.empty((len(seen), STATES), dtype=np.intp)
    score = emit[seen[0]] - np.log(STATES)
    trellis = np.empty((STATES, STATES))
    for step in range(1, len(seen)):
        np.add(arrive, score, out=trellis)
        np.argmax(trellis, axis=1, out=back[step])
        np.max(trellis, axis=1, out=score)
        score += emit[seen[step]]
    state = int(score.argmax())
    path = [state]
    # following pointers is sequential: each one says where the next is
    for step in range(len(seen) - 1, 0, -1):
        state = int(back[step, state])
        path.append(state)
    path.reverse()
    return path, float(score.max())


rng = np.random.default_rng(53)
arrive, emit = log_model(rng)
seen = rng.integers(0, SYMBOLS, size=LENGTH).tolist()
path, likelihood = decode(arrive, emit, seen)
changes = sum(a != b for a, b in pairwise(path))
print(f"log-likelihood {likelihood:.3f} changes {changes} visited {len(set(path))}")
