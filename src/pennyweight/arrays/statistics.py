"""Intervals for the comparisons that this product prints: differences, ratios, medians, ratios of sums."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike, NDArray
from scipy import special


class Estimate(NamedTuple):
    """A value with the ends of its confidence interval."""

    value: float
    low: float
    high: float


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


def ratio_of_means(a: ArrayLike, b: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Geometric mean of ``a`` over that of ``b``, all values positive: Welch's interval on the logarithms."""
    x, y = _values(a), _values(b)
    if (x <= 0).any() or (y <= 0).any():
        raise ValueError("a ratio of means needs positive values")
    return Estimate(*np.exp(difference_of_means(np.log(x), np.log(y), confidence=confidence)).tolist())


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


def _values(values: ArrayLike) -> Float[NDArray[np.float64], " n"]:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or len(array) == 0:
        raise ValueError(f"one-dimensional values expected, given shape {array.shape}")
    return array
