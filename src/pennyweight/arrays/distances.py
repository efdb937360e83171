"""How far apart two sets of features are: kernel distance and Fréchet distance, the judges of generated images.

The kernel distance (maximum mean discrepancy, Gretton et al. 2012; with the cubic kernel it is KID, Bińkowski et al.
2018) is unbiased at every number of samples. The Fréchet distance between Gaussians (FID, Heusel et al. 2017) is not:
between two halves of one set it falls with their size, so print that floor beside it.

Legend: ``n``, ``m`` samples, ``d`` features.
"""
# mypy: disable-error-code="no-any-return"
# (what a namespace's functions return is Any: a namespace is a module)

import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, get_args

import numpy as np
from array_api_compat import device
from jaxtyping import Float
from numpy.typing import NDArray
from scipy import special

from pennyweight.arrays.namespace import A, float64_of, library, namespace, portable, stretches, to_host
from pennyweight.arrays.statistics import Estimate

Kernel = Literal["cubic", "gaussian"]
_BLOCK = 4096  # rows whose products with all others, or whose moments, are taken at a time
_ON_HOST = {"jit": "the result is numbers on the host", "gradient": "the result is numbers on the host"}


@portable()
def kernel_distance(
    x: Float[A, "n d"],
    y: Float[A, "m d"],
    *,
    kernel: Kernel = "cubic",
    bandwidth: float | None = None,
    memory_bytes: int = 2**26,
) -> Float[A, ""]:
    """The unbiased squared maximum mean discrepancy (Gretton et al. 2012, lemma 6).

    ``"cubic"`` is KID's kernel ``(x.y / d + 1)^3``, ``"gaussian"`` is ``exp(-|x - y|^2 / (2 bandwidth^2))``. Between
    two sets from one source it is zero in expectation, so by chance below zero. Means over pairs are subtracted from
    one another: with float32 expect an error of about 1e-6 of those. About ``memory_bytes`` are taken at a time.
    Raises ValueError for fewer than two samples.
    """
    xp, value = namespace(x, y), _kernel(kernel, bandwidth)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(x.shape[0], y.shape[0]) < 2:
        raise ValueError(
            f"features of {tuple(x.shape)} and {tuple(y.shape)}: expected two matrices of 2 rows or more, of one width"
        )

    def mean(a: Any, b: Any, *, same: bool) -> Any:
        itemsize = xp.finfo(a.dtype).bits // 8
        rows = max(1, memory_bytes // (4 * itemsize * b.shape[0]))
        columns = xp.arange(b.shape[0], device=device(b))
        sums = []
        for block in stretches(a.shape[0], rows):
            values = value(xp, a[block, :], b)
            if same:
                values = xp.where(columns[block, None] == columns[None, :], 0.0, values)
            sums.append(xp.sum(values, axis=1) / (b.shape[0] - same))
        return xp.mean(xp.concat(sums, axis=0), keepdims=True)

    value = mean(x, x, same=True) + mean(y, y, same=True) - 2 * mean(x, y, same=False)
    return xp.reshape(value, ())  # from one axis, because NumPy's numbers are not arrays


@portable(host=True, without={**_ON_HOST, "dask": "blocks are drawn from everywhere; persist a sample of the features"})
def kernel_distance_interval(
    x: Float[A, "n d"],
    y: Float[A, "m d"],
    *,
    block: int = 200,
    seed: int,
    confidence: float = 0.95,
    kernel: Kernel = "cubic",
    bandwidth: float | None = None,
) -> Estimate:
    """The mean of `kernel_distance` over disjoint random blocks, with Student's interval (Zaremba et al. 2013).

    The blocks share no sample, so their distances are independent: overlapping subsets, as often printed with KID,
    make an interval look narrower than it is. Smaller blocks cost less and widen it. Raises ValueError unless there
    are two blocks.

    >>> import numpy as np
    >>> x = np.random.default_rng(0).normal(size=(600, 4))
    >>> low, high = kernel_distance_interval(x[:300], x[300:] + 1, block=50, seed=0)[1:]
    >>> 0 < low < high
    True
    """
    xp, count = namespace(x, y), min(x.shape[0], y.shape[0]) // block
    if count < 2:
        raise ValueError(f"blocks of {block} from {x.shape[0]} and {y.shape[0]} samples: expected two blocks or more")
    generator = np.random.Generator(np.random.Philox(key=seed))
    drawn = [xp.asarray(generator.permutation(z.shape[0])[: count * block], device=device(z)) for z in (x, y)]
    a, b = (xp.take(z, chosen, axis=0) for z, chosen in zip((x, y), drawn, strict=True))
    values = [
        float(kernel_distance(a[part, :], b[part, :], kernel=kernel, bandwidth=bandwidth))
        for part in stretches(count * block, block)
    ]
    value = float(np.mean(values))
    reach = float(special.stdtrit(count - 1, (1 + confidence) / 2) * np.std(values, ddof=1) / math.sqrt(count))
    return Estimate(value, value - reach, value + reach)


def _kernel(kernel: Kernel, bandwidth: float | None) -> Any:
    if kernel not in get_args(Kernel):
        raise ValueError(f"kernel {kernel!r}: expected 'cubic' or 'gaussian'")
    if (kernel == "gaussian") != (bandwidth is not None):
        raise ValueError(f"kernel {kernel!r} with bandwidth {bandwidth}: expected one with 'gaussian' alone")
    if bandwidth is None:
        return _cubic
    if not 0 < bandwidth < math.inf:
        raise ValueError(f"bandwidth {bandwidth}: expected a positive number")
    return lambda xp, a, b: _gaussian(xp, a, b, bandwidth)


def _cubic(xp: ModuleType, a: Any, b: Any) -> Any:
    base = a @ xp.matrix_transpose(b) / a.shape[1] + 1
    return base * base * base


def _gaussian(xp: ModuleType, a: Any, b: Any, bandwidth: float) -> Any:
    squares = xp.sum(a * a, axis=1)[:, None] + xp.sum(b * b, axis=1)[None, :] - 2 * (a @ xp.matrix_transpose(b))
    return xp.exp(xp.clip(squares, 0.0, None) * (-0.5 / bandwidth**2))


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Number, mean and scatter (summed squares and products of the deviations) of samples, in float64 on the host."""

    count: int
    mean: Float[NDArray[np.float64], " d"]
    scatter: Float[NDArray[np.float64], "d d"]

    @property
    def covariance(self) -> Float[NDArray[np.float64], "d d"]:
        """The unbiased covariance; needs two samples."""
        if self.count < 2:
            raise ValueError(f"the covariance of {self.count} samples: expected 2 or more")
        return self.scatter / (self.count - 1)

    def __add__(self, other: "Moments") -> "Moments":
        """The moments of both sets together (Chan, Golub and LeVeque 1983)."""
        count = self.count + other.count
        shift = other.mean - self.mean
        return Moments(
            count=count,
            mean=self.mean + shift * (other.count / count),
            scatter=self.scatter + other.scatter + np.outer(shift, shift) * (self.count * other.count / count),
        )


@portable(host=True, without={**_ON_HOST, "lazy": "chunk after chunk is computed, so that one is in memory at a time"})
def moments(features: Float[A, "n d"]) -> Moments:
    """The moments of all rows, a block at a time, for `frechet_distance`; add those of several streams with ``+``.

    Sums are of float64 where the device has it (else each block's are in the features' type), deviations are
    taken within blocks, and blocks are merged in float64.
    """
    if features.ndim != 2 or 0 in features.shape:
        raise ValueError(f"features of {tuple(features.shape)}: expected a matrix of samples in rows")
    found = None
    for block in _row_blocks(features):
        part = _block_moments(block)
        found = part if found is None else found + part
    assert found is not None
    return found


def _row_blocks(features: Any) -> Iterator[Any]:
    if library(features) == "dask":
        for size, stop in zip(features.chunks[0], np.cumsum(features.chunks[0]), strict=True):
            yield from _row_blocks(features[stop - size : stop].compute())
        return
    for stretch in stretches(features.shape[0], _BLOCK):
        yield features[stretch, :]


def _block_moments(block: Any) -> Moments:
    xp, wide = namespace(block), float64_of(block)
    if wide is not None:
        block = xp.astype(block, wide)
    mean = xp.mean(block, axis=0)
    deviations = block - mean
    scatter = to_host(xp.matrix_transpose(deviations) @ deviations).astype(np.float64)
    return Moments(count=block.shape[0], mean=to_host(mean).astype(np.float64), scatter=scatter)


@portable(
    without={
        "dask": "Dask has no eigenvalues",
        "gradient": "the eigenvectors of equal eigenvalues have no derivative",
    }
)
def frechet_distance(
    mean_x: Float[A, " d"], covariance_x: Float[A, "d d"], mean_y: Float[A, " d"], covariance_y: Float[A, "d d"]
) -> Float[A, ""]:
    """The squared Fréchet (Wasserstein-2) distance of two Gaussians (Dowson and Landau 1982), as FID takes it.

    ``|mean_x - mean_y|^2 + tr X + tr Y - 2 tr (X^1/2 Y X^1/2)^1/2``. The last trace is taken as the sum of the singular
    values of ``A^T B``, where ``X = A A^T`` and ``Y = B B^T`` come from eigenvalues (those below zero by rounding count
    as zero). So no product of covariances is formed, whose condition is squared, and no root of a general matrix.

    >>> import numpy as np
    >>> one = np.eye(2)
    >>> float(frechet_distance(np.zeros(2), one, np.array([3.0, 0.0]), 4 * one))
    11.0
    """
    xp, d = namespace(mean_x, covariance_x, mean_y, covariance_y), mean_x.shape[0]
    if not tuple(covariance_x.shape) == tuple(covariance_y.shape) == (d, d) or mean_y.shape[0] != d:
        shapes = [tuple(z.shape) for z in (mean_x, covariance_x, mean_y, covariance_y)]
        raise ValueError(f"means and covariances of {shapes}: expected (d,), (d, d), (d,), (d, d)")
    roots = []
    for covariance in (covariance_x, covariance_y):
        values, vectors = xp.linalg.eigh((covariance + xp.matrix_transpose(covariance)) / 2)
        roots.append(vectors * xp.sqrt(xp.clip(values, 0.0, None)))
    traces = [xp.sum(root * root) for root in roots]
    overlap = xp.sum(xp.linalg.svdvals(xp.matrix_transpose(roots[0]) @ roots[1]))
    shift = mean_x - mean_y
    value = xp.sum(shift * shift, keepdims=True) + xp.clip(traces[0] + traces[1] - 2 * overlap, 0.0, None)
    return xp.reshape(value, ())  # from one axis, because NumPy's numbers are not arrays
