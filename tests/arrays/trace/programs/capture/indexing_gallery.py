"""Every kind of index on the left and on the right: fancy, mixed, boolean, np.ix_, take, choose, select, triangles."""

import numpy as np
from numpy import newaxis

rng = np.random.default_rng(31)
x = rng.integers(0, 100, (6, 8))
cube = np.arange(60).reshape(3, 4, 5)

print(
    x[2], x[-1, -1], x[1:4, 2], x[:, newaxis, 3].shape, x[..., 0], cube[1, ..., ::2].shape, cube[..., newaxis, 1].shape
)
print(x[[0, 2, 2]][:, [1, -1]], x[[0, 1, 2], [3, 4, 5]], x[np.ix_([0, 5], [1, 3, 5])], x[[[0, 1], [2, 3]], 4])
print(
    x[x > 90],
    x[x.sum(axis=1) > 400].shape,
    x[:, (x % 2 == 0).any(axis=0)].shape,
    x[np.array([True, False] * 3), 2],
    x[1, [True] * 4 + [False] * 4],
)
print(
    cube[:, [0, 3], 1:3].shape,
    cube[0, :, [1, 2]].shape,
    cube[[0, 1], :, [1, 2]].shape,
    cube[np.s_[::2, 1:, -1]].tolist(),
    cube[()].shape,
    cube[True].shape,
)
key = (slice(None, None, -1), 2)
step = np.int64(2)
print(
    x[key],
    x[1:5:step][:, 0],
    x[slice(step)].shape,
    x[np.uint8(3), np.int32(-2)],
    x[np.array(2)].shape,
    np.index_exp[1:2, ...],
)

rows, columns = np.where(x < 10)
(at,) = np.where(x.ravel() > 95)
print(
    rows,
    columns,
    at,
    np.argwhere(x == x.max())[0],
    np.flatnonzero(x[0] > 50),
    x.nonzero()[0].size,
    np.count_nonzero(x > 50, axis=1),
)
print(
    np.where(x > 50, x, -x)[0],
    np.select([x < 20, x < 60], [0, x], default=99)[0],
    np.clip(x, 20, 60)[1],
    np.choose([0, 1, 2, 1], [[1, 2, 3, 4], [10, 20, 30, 40], 7]),
)
print(
    np.take(x, [1, 3], axis=1)[0],
    x.take([0, 47, 5]),
    np.compress([0, 1, 1], x, axis=0).shape,
    np.extract(x % 17 == 0, x),
    x.compress([True, True], axis=1)[0],
)
order = np.argsort(x, axis=1, kind="stable")
ranked = np.take_along_axis(x, order, axis=1)
assert (ranked == np.sort(x, axis=1)).all()
best = np.expand_dims(x.argmax(axis=1), 1)
marked = x.copy()
np.put_along_axis(marked, best, -1, axis=1)
print(ranked[0], np.take_along_axis(x, best, 1).ravel(), (marked == -1).sum(), np.argpartition(x[0], 3)[:3].size)

low, high = np.tril(x[:6, :6], -1), np.triu_indices(6, k=2)
print(
    low.sum(),
    x[high].size,
    np.diag(x),
    np.diag([1, 2]),
    np.diagonal(x, offset=2),
    np.trace(x),
    np.tri(3, dtype=int)[1],
    np.vander([2, 3], 3),
)
print(
    np.unravel_index([13, 40], x.shape),
    np.ravel_multi_index(([1, 5], [5, 0]), x.shape),
    np.indices((2, 2))[1].tolist(),
    np.mask_indices(3, np.triu)[0],
)

w = np.zeros((5, 5), dtype=int)
w[1:-1, 1:-1] = 1
w[[0, -1], [0, -1]] = [5, 6]
w[2, :] = np.arange(5)
w[w == 0] -= 1
w[:, 4] = w[4, :]
w[np.ix_([0, 1], [3, 4])] = [[7, 8], [9, 10]]
w[np.arange(5) % 2 == 1, 0] += 100
np.add.at(w, ([0, 0, 0], [1, 1, 2]), 1)
w[[1, 1, 1], 2] += 1
print(w)
table = np.array(["red", "green", "blue"])
codes = np.array([[0, 2], [1, 1]])
print(
    table[codes],
    np.eye(3, dtype=int)[codes].shape,
    np.eye(3)[codes.ravel()].sum(0),
    np.array([10, 20, 30])[codes],
    codes[::-1, ::-1].tolist(),
)
lookup = np.empty((2, 2), dtype=object)
lookup[0, 0], lookup[1, 1] = np.arange(3), {"key": x[0, :2]}
lookup[0, 1] = "text"
print([type(v).__name__ for v in lookup.flat], lookup[0, 0].sum(), lookup[1, 1]["key"], lookup[1, 0] is None)
bigger = np.delete(np.insert(x, 1, -5, axis=0), [0, 2], axis=1)
print(
    bigger.shape,
    bigger[1],
    np.delete(x[0], x[0] > 50),
    np.trim_zeros([0, 0, 1, 2, 0]),
    np.searchsorted([1, 3, 5], [0, 3, 9], side="right"),
)
sub = cube[:, 1:3]
sub[sub % 2 == 0] = 0
print(
    cube.sum(),
    sub.base is not None,
    cube.max(axis=(0, 2)),
    cube.argmin(),
    cube[(cube > 20) & (cube < 25) | (cube == 59)],
    np.nonzero(cube[0, 0])[0],
)
