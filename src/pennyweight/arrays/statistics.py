"""Intervals for the comparisons that this product prints: differences, ratios, medians, and any statistic of rows.

The results are a few numbers on the host. What is drawn at random is drawn there too, with NumPy's Philox generator
(counter-based: Salmon et al. 2011) keyed by the seed: the same seed resamples the same rows on every library.
"""
# mypy: disable-error-code="no-any-return"
# (what a namespace's functions return is Any: a namespace is a module)

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from array_api_compat import device
from jaxtyping import Float, Int, Shaped
from numpy.typing import ArrayLike, NDArray
from scipy import special

from pennyweight.arrays.namespace import NUMBERS, A, namespace, portable, stretches, to_host

Method = Literal["percentile", "bca"]


class Estimate(NamedTuple):
    """A value with the ends of its confidence interval."""

    value: float
    low: float
    high: float


@portable(host=True, without=NUMBERS)
def difference_of_means(a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Mean of ``a`` minus mean of ``b`` with Welch's interval (unequal variances, unpaired).

    The degrees of freedom are Welch-Satterthwaite's. With fewer than two values on a side nothing is known
    of the spread and the interval is infinite.

    >>> difference_of_means([3.0, 3.1, 2.9], [1.0, 1.1, 0.9]).low > 1.5
    True
    """
    x, y = _values(a), _values(b)
    difference = float(x.mean() - y.mean())
    if len(x) < 2 or len(y) < 2:
        return Estimate(difference, -np.inf, np.inf)
    variances = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    spread = sum(variances)
    if spread == 0:
        return Estimate(difference, difference, difference)
    freedom = 1 / sum((v / spread) ** 2 / (len(s) - 1) for v, s in zip(variances, (x, y), strict=True))
    reach = float(special.stdtrit(freedom, (1 + confidence) / 2) * np.sqrt(spread))
    return Estimate(difference, difference - reach, difference + reach)


@portable(host=True, without=NUMBERS)
def ratio_of_means(a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Geometric mean of ``a`` over that of ``b``, all values positive: Welch's interval on the logarithms."""
    x, y = _values(a), _values(b)
    if (x <= 0).any() or (y <= 0).any():
        raise ValueError("a ratio of means needs positive values")
    return Estimate(*np.exp(difference_of_means(np.log(x), np.log(y), confidence=confidence)).tolist())


@portable(host=True, without=NUMBERS)
def median(values: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """The median with its distribution-free interval between two order statistics (binomial counts).

    With too few values for the confidence asked, the interval is the whole range of the values.
    """
    x = np.sort(_values(values))
    n = len(x)
    below = np.arange(n // 2 + 1)
    # P(at most k of n values lie below the median) for each k: how often the k-th value (from 0) is too high.
    tails = special.bdtr(below.astype(np.float64), n, 0.5)
    fitting = below[tails <= (1 - confidence) / 2]
    index = int(fitting[-1]) if len(fitting) else 0
    index = min(index, (n - 1) // 2)
    return Estimate(float(np.median(x)), float(x[index]), float(x[n - 1 - index]))


@portable(host=True, without=NUMBERS)
def ratio_of_sums(
    numerators: Float[NDArray[np.float64], " n"],
    denominators: Float[NDArray[np.float64], " n"],
    *,
    confidence: float = 0.95,
    num_resamples: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Sum over sum, as in bits per byte, with a percentile bootstrap over the units (documents, say).

    Resampling whole units respects that the tokens of one document are not independent.
    """
    if len(numerators) != len(denominators) or len(numerators) == 0:
        raise ValueError(f"{len(numerators)} numerators and {len(denominators)} denominators")
    generator = np.random.default_rng(seed)
    counts = generator.multinomial(
        len(numerators), np.full(len(numerators), 1 / len(numerators)), size=num_resamples
    ).astype(np.float64)
    resampled = (counts @ numerators) / np.maximum(counts @ denominators, np.finfo(np.float64).tiny)
    low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(numerators.sum() / denominators.sum()), float(low), float(high))


@portable(host=True, without=NUMBERS)
def paired_difference(
    a: ArrayLike,
    b: ArrayLike,
    *,
    confidence: float = 0.95,
    method: Literal["t", "percentile", "bca"] = "t",
    seed: int | None = None,
    num_resamples: int = 4000,
) -> Estimate:
    """Mean of ``a - b``, the values paired: Student's interval, or a bootstrap over the pairs (which needs a seed).

    With one pair nothing is known of the spread and the interval is infinite.

    >>> 0.7 < paired_difference([5.0, 7.0, 9.0], [4.0, 6.1, 8.1]).low < 0.8
    True
    """
    x, y = _values(a), _values(b)
    if len(x) != len(y):
        raise ValueError(f"{len(x)} and {len(y)} values: expected pairs")
    differences = x - y
    if len(x) < 2:
        return Estimate(float(differences[0]), -np.inf, np.inf)
    if method != "t":
        if seed is None:
            raise ValueError(f"method {method!r} without a seed: expected a seed, so that the result can be had again")
        return bootstrap(
            np.mean, differences, method=method, confidence=confidence, num_resamples=num_resamples, seed=seed
        )
    value = float(differences.mean())
    quantile = float(special.stdtrit(len(x) - 1, (1 + confidence) / 2))
    reach = quantile * float(differences.std(ddof=1) / np.sqrt(len(x)))
    return Estimate(value, value - reach, value + reach)


@portable(host=True, without=NUMBERS)
def paired_ratio(
    a: ArrayLike,
    b: ArrayLike,
    *,
    confidence: float = 0.95,
    method: Literal["t", "percentile", "bca"] = "t",
    seed: int | None = None,
    num_resamples: int = 4000,
) -> Estimate:
    """Geometric mean of ``a / b``, the positive values paired: `paired_difference` of the logarithms."""
    x, y = _values(a), _values(b)
    if (x <= 0).any() or (y <= 0).any():
        raise ValueError("a paired ratio needs positive values")
    logarithms = paired_difference(
        np.log(x), np.log(y), confidence=confidence, method=method, seed=seed, num_resamples=num_resamples
    )
    return Estimate(*np.exp(logarithms).tolist())


@portable(
    host=True,
    without={
        "dask": "a resample reads rows from everywhere",
        "jit": "the result is numbers on the host",
        "gradient": "the result is numbers on the host",
    },
)
def bootstrap(
    statistic: Callable[..., Any],
    *columns: Shaped[A, "rows ..."],
    seed: int,
    method: Method = "bca",
    confidence: float = 0.95,
    num_resamples: int = 4000,
    memory_bytes: int = 2**26,
) -> Estimate:
    """The bootstrap interval of a statistic over rows (Efron and Tibshirani 1993, chapters 13 and 14).

    ``statistic(*columns, axis=1)`` gets every column as ``[resamples, rows, ...]`` and returns ``[resamples]``, as
    ``np.mean`` does; columns are resampled together. ``"percentile"`` takes quantiles of the resampled statistics;
    ``"bca"`` corrects these for bias and skewness, at the price of one more evaluation a row. About ``memory_bytes``
    are taken at a time.

    Raises ValueError for fewer than two rows, columns of different lengths and statistics of another shape.

    >>> import numpy as np
    >>> low, high = bootstrap(np.mean, np.arange(20.0), seed=0)[1:]
    >>> 5 < low < 9.5 < high < 14
    True
    """
    if method not in get_args(Method):
        raise ValueError(f"method {method!r}: expected 'percentile' or 'bca'")
    xp, num_rows = namespace(*columns), columns[0].shape[0]
    if any(column.shape[0] != num_rows for column in columns) or num_rows < 2:
        raise ValueError(f"columns of {[c.shape[0] for c in columns]} rows: expected one number of rows, at least 2")

    def evaluate(rows: Int[NDArray[np.int64], "resamples chosen"]) -> NDArray[np.float64]:
        taken = []
        for column in columns:
            flat = xp.asarray(rows.reshape(-1), device=device(column))
            taken.append(xp.reshape(xp.take(column, flat, axis=0), (*rows.shape, *column.shape[1:])))
        values = statistic(*taken, axis=1)
        if tuple(values.shape) != rows.shape[:1]:
            raise ValueError(
                f"a statistic of shape {tuple(values.shape)} for {len(rows)} resamples: expected ({len(rows)},);"
                " reduce axis 1, and nothing else"
            )
        return to_host(values).astype(np.float64)

    def blocks(total: int) -> Iterator[slice]:
        row_bytes = sum(8 + 8 * int(np.prod(column.shape[1:])) for column in columns)
        return stretches(total, max(1, memory_bytes // (row_bytes * num_rows)))

    generator = np.random.Generator(np.random.Philox(key=seed))
    value = float(evaluate(np.arange(num_rows)[None, :])[0])
    resampled = np.concatenate(
        [
            evaluate(generator.integers(0, num_rows, (block.stop - block.start, num_rows)))
            for block in blocks(num_resamples)
        ]
    )
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    if method == "bca":
        left_out = np.concatenate([evaluate(_all_but(block, num_rows)) for block in blocks(num_rows)])
        tails = _corrected(tails, value, resampled, left_out)
    low, high = np.quantile(resampled, tails)
    return Estimate(value, float(low), float(high))


def _all_but(left_out: slice, num_rows: int) -> Int[NDArray[np.int64], "resamples others"]:
    """For each row of the slice: the numbers of all other rows."""
    others = np.arange(num_rows - 1)
    return others + (others >= np.arange(left_out.start, left_out.stop)[:, None])


def _corrected(
    tails: NDArray[np.float64], value: float, resampled: NDArray[np.float64], left_out: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Which quantiles of the resampled statistics BCa takes (Efron and Tibshirani 1993, equations 14.10 to 14.15)."""
    # A resample that equals the value counts half, which matters to medians and other statistics on a grid.
    below = ((resampled < value).mean() + (resampled <= value).mean()) / 2
    half = 0.5 / len(resampled)
    bias = special.ndtri(np.clip(below, half, 1 - half))
    deviations = left_out.mean() - left_out
    spread = (deviations**2).sum()
    skewness = (deviations**3).sum() / (6 * spread**1.5) if spread > 0 else 0.0
    shifted = bias + special.ndtri(tails)
    return special.ndtr(bias + shifted / (1 - skewness * shifted))


def _values(values: ArrayLike) -> Float[NDArray[np.float64], " n"]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) == 0:
        raise ValueError(f"one-dimensional values expected, given shape {array.shape}")
    return array
