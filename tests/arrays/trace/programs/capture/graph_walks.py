"""Graphs three ways: breadth-first layers by masks, scipy.sparse, union-find in a loop, power iteration."""

from collections import defaultdict, deque

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components, shortest_path

rng = np.random.default_rng(77)
N = 600
edges = np.unique(np.sort(rng.integers(0, N, (700, 2)), axis=1), axis=0)
edges = edges[edges[:, 0] != edges[:, 1]]
u, v = edges.T
adjacency = np.zeros((N, N), dtype=bool)
adjacency[u, v] = adjacency[v, u] = True


def layers(adjacency, start):
    """Breadth first, one layer at a time."""
    distance = np.full(len(adjacency), -1)
    front = np.zeros(len(adjacency), dtype=bool)
    front[start] = True
    step = 0
    while front.any():
        distance[front] = step
        front = adjacency[front].any(axis=0) & (distance < 0)
        step += 1
    return distance


def plain_layers(pairs, start):
    neighbours = defaultdict(list)
    for a, b in pairs:
        neighbours[a].append(b)
        neighbours[b].append(a)
    distance, queue = {start: 0}, deque([start])
    while queue:
        here = queue.popleft()
        for there in neighbours[here]:
            if there not in distance:
                distance[there] = distance[here] + 1
                queue.append(there)
    return distance


def union_find(pairs):
    parent = list(range(N))

    def root(a):
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        return a

    for a, b in pairs:
        parent[root(b)] = root(a)
    return np.array([root(a) for a in range(N)])


start = int(u[0])
distance = layers(adjacency, start)
assert plain_layers(edges.tolist(), start) == {i: d for i, d in enumerate(distance.tolist()) if d >= 0}
sparse = sp.coo_matrix((np.ones(len(u)), (u, v)), shape=(N, N))
sparse = (sparse + sparse.T).tocsr()
far = shortest_path(sparse, unweighted=True, indices=start)
assert np.array_equal(np.where(np.isinf(far), -1, far).astype(int), distance)
count, label = connected_components(sparse, directed=False)
print(
    "parts",
    count,
    len(set(union_find(edges.tolist()).tolist())),
    "farthest",
    distance.max(),
    "reached",
    (distance >= 0).sum(),
)

degree = np.asarray(sparse.sum(axis=0)).ravel()
print("degrees", np.bincount(degree.astype(int)), degree.argmax(), sparse.nnz, sparse[start].indices)
x = np.ones(N) / np.sqrt(N)
for _ in range(200):
    x = sparse @ x + 0.5 * x
    x /= np.linalg.norm(x)
print(
    f"eigenvalue {x @ (sparse @ x):.5f}",
    np.argsort(x)[::-1][:4],
    f"dense {np.linalg.eigvalsh(adjacency.astype(float))[-1]:.5f}",
)
triangles = np.trace(np.linalg.matrix_power(adjacency.astype(np.int64), 3)) // 6
print("triangles", triangles, int((sparse @ sparse).multiply(sparse).sum()) // 6)

transition = sp.diags(1 / np.maximum(degree, 1)) @ sparse
position = np.repeat(start, 500)
walk = [position]
dense = transition.toarray().cumsum(axis=1)
for _ in range(20):
    draw = rng.random(len(position))
    position = np.array([np.searchsorted(dense[p], d) for p, d in zip(position, draw, strict=True)])
    position = np.minimum(position, N - 1)
    walk.append(position)
walk = np.array(walk)
print(
    walk.shape,
    len(np.unique(walk)),
    np.unique(walk[-1], return_counts=True)[1].max(),
    (label[walk] == label[start]).all(),
)
components, sizes = np.unique(label, return_counts=True)
hist = {int(size): int((sizes == size).sum()) for size in np.unique(sizes)}
print(hist, components[sizes.argmax()] == label[start], np.triu(adjacency).sum() == len(edges))
