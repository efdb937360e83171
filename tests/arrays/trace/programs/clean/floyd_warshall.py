"""All shortest paths of an undirected graph; the distance matrix is symmetric, so rows stand in for columns."""

import numpy as np

NODES = 320


def random_graph(rng):
    distance = np.full((NODES, NODES), np.inf)
    heads = rng.integers(0, NODES, size=5 * NODES)
    tails = rng.integers(0, NODES, size=5 * NODES)
    lengths = rng.integers(1, 50, size=5 * NODES)
    np.minimum.at(distance, (heads, tails), lengths)
    np.minimum.at(distance, (tails, heads), lengths)
    ring = np.arange(NODES)
    distance[ring, ring - 1] = distance[ring - 1, ring] = 60.0
    np.fill_diagonal(distance, 0.0)
    return distance


def close(distance):
    """Relax every pair through every node, in place."""
    detour = np.empty_like(distance)
    for row in distance:
        np.add(row[:, np.newaxis], row[np.newaxis, :], out=detour)
        np.minimum(distance, detour, out=distance)
    return distance


paths = close(random_graph(np.random.default_rng(43)))
print(f"diameter {paths.max():.0f} mean {paths.mean():.4f} symmetric {np.array_equal(paths, paths.T)}")
