"""Local alignment of two sequences by anti-diagonals, so that every step is one array operation."""

import numpy as np

MATCH, MISMATCH, GAP = np.int32(3), np.int32(-2), np.int32(4)


def mutated(rng, letters, rate):
    """A copy with substitutions at ``rate`` and a cut in the middle."""
    copy = letters.copy()
    hit = rng.random(len(copy)) < rate
    copy[hit] = rng.integers(0, 4, size=int(hit.sum()), dtype=np.uint8)
    return np.delete(copy, np.s_[len(copy) // 2 : len(copy) // 2 + 9])


def best_score(a, b):
    """The highest local score; cell i of a diagonal is (i, d - i)."""
    m, n = len(a), len(b)
    # copied so that the loop reads forwards
    reverse = b[::-1].copy()
    before, last, now = np.zeros((3, m + 1), dtype=np.int32)
    same = np.empty(m, dtype=np.bool_)
    best = np.int32(0)
    for d in range(2, m + n + 1):
        low, high = max(1, d - n), min(m, d - 1)
        size = high - low + 1
        cells = now[low : high + 1]
        np.equal(a[low - 1 : high], reverse[n - d + low : n - d + high + 1], out=same[:size])
        np.multiply(same[:size], MATCH - MISMATCH, out=cells)
        cells += MISMATCH
        cells += before[low - 1 : high]
        cells += GAP
        np.maximum(cells, last[low - 1 : high], out=cells)
        np.maximum(cells, last[low : high + 1], out=cells)
        cells -= GAP
        np.maximum(cells, 0, out=cells)
        best = max(best, cells.max())
        now[low - 1] = 0
        if high < m:
            now[high + 1] = 0
        before, last, now = last, now, before
    return int(best)


rng = np.random.default_rng(47)
long = rng.integers(0, 4, size=1200, dtype=np.uint8)
related = mutated(rng, long, 0.1)
unrelated = rng.integers(0, 4, size=1200, dtype=np.uint8)
print("itself", best_score(long, long), "relative", best_score(long, related), "stranger", best_score(long, unrelated))
