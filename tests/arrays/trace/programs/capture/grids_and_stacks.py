"""Making, joining and re-cutting arrays: grids, tiles, stacks, blocks, pads, the newer array-API names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray


def sample(
    f: Callable[..., NDArray[np.float64]], *axes: NDArray[np.float64], sparse: bool = False
) -> NDArray[np.float64]:
    """A function of several variables on the grid of its axes."""
    return f(*np.meshgrid(*axes, indexing="ij", sparse=sparse))


x, y = np.linspace(-2, 2, 161), np.linspace(-1, 1, 81)
field = sample(lambda a, b: np.exp(-(a**2) - 3 * b**2), x, y)
assert np.allclose(field, sample(lambda a, b: np.exp(-(a**2) - 3 * b**2), x, y, sparse=True))
dx, dy = np.gradient(field, x, y)
curvature = np.gradient(dx, x, axis=0, edge_order=2) + np.gradient(dy, y, axis=1, edge_order=2)
print(
    field.shape,
    np.unravel_index(field.argmax(), field.shape),
    np.hypot(dx, dy).max().round(5),
    curvature.min().round(4),
)
print(
    np.trapezoid(np.trapezoid(field, y, axis=1), x).round(6),
    np.diff(field, n=2, axis=0).shape,
    np.diff(x, prepend=-2.5)[:2],
)

rows, columns = np.ogrid[:4, :5]
print(
    (rows * 10 + columns)[2],
    np.mgrid[0:1:3j, 0:2][1].tolist(),
    np.r_[1:4, 0, 9, 0:1:3j],
    np.c_[np.arange(2), [5, 6]].tolist(),
    np.fromfunction(lambda i, j: i == j, (2, 2)),
)
print(
    np.tile([1, 2], (2, 2)).tolist(),
    np.repeat([[1, 2]], [2, 1], axis=1),
    np.kron(np.eye(2, dtype=int), [[1, 1]]).tolist(),
    np.full((2, 2), [7, 8]).tolist(),
)
print(
    np.geomspace(1, 1000, 4),
    np.logspace(0, 2, 3),
    np.arange(5, 0, -2),
    np.identity(2)[0],
    np.full_like(x, 3, dtype=int)[:2],
    np.zeros_like(field, shape=(2,)),
)

a, b = np.arange(6).reshape(2, 3), -np.arange(6).reshape(2, 3)
print(
    np.concatenate([a, b], axis=1).shape,
    np.concatenate((a, b), axis=None),
    np.stack([a, b], axis=-1)[0, 0],
    np.vstack([a, b[:1]]).shape,
)
print(
    np.hstack(([1, 2], [3])),
    np.column_stack([[1, 2], [3, 4]]).tolist(),
    np.dstack([a, b]).shape,
    np.block([[a, b], [b, a]]).sum(),
    np.append(a, [[9, 9, 9]], axis=0)[-1],
)
print(
    [p.shape for p in np.array_split(np.arange(10), 3)],
    [p.shape for p in np.hsplit(a, 3)],
    np.vsplit(a, 2)[0].shape,
    np.split(np.arange(9), [2, 5])[1],
    np.dsplit(a[None], 3)[0].shape,
)
print(
    np.pad([1, 2, 3], (2, 1), mode="wrap"),
    np.pad(a, ((0, 0), (1, 1)), constant_values=9)[0],
    np.pad([1, 5], 2, mode="edge"),
    np.pad([1, 3], 1, "linear_ramp", end_values=0),
)
print(
    np.roll(a, 1),
    np.roll(a, -1, axis=1)[0],
    np.rot90(a).tolist(),
    np.flipud(a)[0],
    np.rollaxis(np.ones((2, 3, 4)), 2).shape,
    np.moveaxis(np.ones((2, 3, 4)), [0, 1], [-1, -2]).shape,
)
print(
    np.broadcast_shapes((3, 1), (1, 4)),
    [v.shape for v in np.broadcast_arrays(rows, columns)],
    np.broadcast(rows, columns).size,
    np.atleast_1d(3.0, [4])[1],
    np.expand_dims(a, (0, 3)).shape,
)

# the array-API spellings
print(
    np.concat([a, b]).shape,
    np.permute_dims(a, (1, 0)).shape,
    np.matrix_transpose(a).shape,
    a.mT.shape,
    np.astype(a, np.float32).dtype,
    np.unstack(a)[1],
    np.cumulative_sum(a[0]),
)
print(
    np.pow(a, 2)[1],
    np.acos(0.5).round(6),
    np.vecdot(a, b),
    np.matvec(a, [1, 0, 1]),
    np.linalg.vector_norm(a).round(5),
    np.unique_counts([3, 3, 1]).counts,
    np.isdtype(a.dtype, "integral"),
)
print(
    np.asarray(a, copy=False) is a,
    np.array([a, b]).shape,
    np.array([[1, 2.5], [True, 3]]).dtype,
    np.array([[1], [2, 3]], dtype=object).shape,
    np.array("text").dtype,
    np.empty((0, 3)).sum(axis=0),
)

histogram, xe, ye = np.histogram2d(*np.random.default_rng(6).normal(size=(2, 5000)), bins=[10, np.linspace(-3, 3, 7)])
print(
    histogram.sum(),
    xe.shape,
    ye,
    histogram.sum(axis=0),
    np.histogram([1, 2, 2, 9], bins="sturges")[0],
    np.histogram_bin_edges([0, 1, 5], 2),
)
checker = np.indices((8, 8)).sum(axis=0) % 2
spiral = []
board = np.arange(20).reshape(4, 5)
while board.size:
    spiral.extend(board[0].tolist())
    board = np.rot90(board[1:])
print(checker[::4, :3].tolist(), spiral, np.packbits(checker.astype(bool), axis=-1).ravel())
magic = np.zeros((5, 5), dtype=int)
k = np.arange(25)
magic[(k // 5 * 2 - k % 5 + 5 + 1) % 5, (k // 5 * 3 + k % 5 * 1) % 5] = k + 1
print(sorted(magic.ravel().tolist()) == list(range(1, 26)), magic.T.tolist()[0], magic.swapaxes(0, 1)[0, 1])
