"""PageRank by power iteration on a graph in compressed rows; one gather and one reduceat per round."""

import numpy as np

NODES, DAMPING, ROUNDS = 40_000, 0.85, 40


def random_links(rng):
    """Sources of the links into each node, row after row, and where the rows begin; no row is empty."""
    into = rng.integers(1, 12, size=NODES)
    begin = np.zeros(NODES, dtype=np.intp)
    np.cumsum(into[:-1], out=begin[1:])
    # a power of a uniform number prefers small node numbers as sources
    source = (NODES * rng.random(into.sum()) ** 3).astype(np.intp)
    return source, begin


def rank(source, begin):
    outgoing = np.bincount(source, minlength=NODES)
    dangling = outgoing == 0
    weight = 1.0 / np.maximum(outgoing, 1)
    now = np.full(NODES, 1.0 / NODES)
    new, share, carried = np.empty(NODES), np.empty(NODES), np.empty(len(source))
    for _ in range(ROUNDS):
        np.multiply(now, weight, out=share)
        np.take(share, source, out=carried, mode="clip")
        np.add.reduceat(carried, begin, out=new)
        new += now.sum(where=dangling) / NODES
        new *= DAMPING
        new += (1 - DAMPING) / NODES
        np.subtract(new, now, out=share)
        np.abs(share, out=share)
        now, new = new, now
        if share.sum() < 1e-10:
            break
    return now


source, begin = random_links(np.random.default_rng(71))
ranks = rank(source, begin)
leaders = np.argpartition(ranks, -5)[-5:]
print(f"total {ranks.sum():.10f}")
for node in sorted(leaders.tolist(), key=lambda node: -ranks[node]):
    print(node, f"{ranks[node]:.4e}")
