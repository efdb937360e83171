"""Correlations of many pairs of samples at once: Pearson's, Spearman's, Kendall's, and the distance of two rankings.

Kendall's tau between the order of ideas on two stacks is what the lottery reports, so ties must be right. Ranks and
tau compare all pairs of values, block by block: quadratic in the number of values, made for a few thousand at most.

Legend: ``n`` values in a sample; the axes before are different samples, and those of x and y broadcast.
"""
# mypy: disable-error-code="no-any-return"
# (what a namespace's functions return is Any: a namespace is a module)

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

from jaxtyping import Float

from pennyweight.arrays.namespace import A, namespace, portable, stretches

_MEMORY_BYTES = 2**26
_STEPS = {"gradient": "ranks move in steps: the derivative is zero wherever there is one"}


@portable()
def pearson(x: Float[A, "*#pairs n"], y: Float[A, "*#pairs n"]) -> Float[A, "*pairs"]:
    """Pearson's correlation; NaN for a sample that is constant or holds NaN.

    >>> import numpy as np
    >>> pearson(np.array([[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]]), np.array([1.0, 2.0, 3.0])).tolist()
    [1.0, 0.5]
    """
    xp = _checked(x, y)
    a, b = _deviations(xp, x), _deviations(xp, y)
    squares = xp.sum(a * a, axis=-1) * xp.sum(b * b, axis=-1)
    varied = _varied(xp, x) & _varied(xp, y)
    # The root is taken of 1 where it is not used, so that its derivative there does not spoil the others'.
    r = xp.sum(a * b, axis=-1) / xp.sqrt(xp.where(varied, squares, 1.0))
    return xp.where(varied, xp.clip(r, -1.0, 1.0), math.nan)


@portable(without=_STEPS)
def spearman(x: Float[A, "*#pairs n"], y: Float[A, "*#pairs n"]) -> Float[A, "*pairs"]:
    """Spearman's correlation: Pearson's of the ranks, equal values sharing theirs. NaN as for `pearson`."""
    return pearson(ranks(x), ranks(y))


@portable(without=_STEPS)
def kendall(x: Float[A, "*#pairs n"], y: Float[A, "*#pairs n"]) -> Float[A, "*pairs"]:
    """Kendall's tau-b, corrected for ties (Kendall 1945); NaN as for `pearson`.

    >>> import numpy as np
    >>> round(float(kendall(np.array([1.0, 2.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0]))), 4)
    0.9129
    """
    xp = _checked(x, y)
    agreement, untied_x, untied_y = _pairs(xp, x, y)
    varied = _varied(xp, x) & _varied(xp, y)
    scale = xp.sqrt(xp.astype(untied_x, x.dtype)) * xp.sqrt(xp.astype(untied_y, x.dtype))
    tau = xp.astype(agreement, x.dtype) / xp.where(varied, scale, 1.0)
    return xp.where(varied, xp.clip(tau, -1.0, 1.0), math.nan)


@portable(without=_STEPS)
def kendall_distance(x: Float[A, "*#pairs n"], y: Float[A, "*#pairs n"]) -> Float[A, "*pairs"]:
    """The share of pairs that x and y put in opposite orders: ``(1 - tau_a) / 2``; a pair tied in either counts half.

    0 for equal orders, 1 for opposite ones, 1/2 in expectation for unrelated ones. NaN where a sample holds NaN.
    """
    xp = _checked(x, y)
    agreement, _, _ = _pairs(xp, x, y)
    n = x.shape[-1]
    distance = 0.5 - xp.astype(agreement, x.dtype) / (2 * n * (n - 1))
    missing = xp.any(xp.isnan(x), axis=-1) | xp.any(xp.isnan(y), axis=-1)
    return xp.where(missing, math.nan, distance)


@portable(without=_STEPS)
def ranks(x: Float[A, "*samples n"]) -> Float[A, "*samples n"]:
    """The rank of each value in its sample, the smallest 1; equal values share the mean of theirs, NaN gets NaN.

    >>> import numpy as np
    >>> ranks(np.array([10.0, 30.0, 10.0, 20.0])).tolist()
    [1.5, 4.0, 1.5, 3.0]
    """
    xp = _checked(x, x)

    def rank(mine: Any, others: Any) -> Any:
        # Twice the rank, less one: a value counts once as not above itself, and the rest of its ties half.
        return _count(xp, others < mine) + _count(xp, others <= mine)

    ranked = 0.5 + xp.astype(_against_all(xp, rank, x), x.dtype) / 2
    return xp.where(xp.isnan(x), x, ranked)


def _pairs(xp: ModuleType, x: Any, y: Any) -> tuple[Any, Any, Any]:
    """Over ordered pairs: concordant less discordant ones, those not tied in x, those not tied in y."""
    x, y = xp.broadcast_arrays(x, y)

    def signs(mine: Any, others: Any) -> Any:
        # Not the sign of a difference: that of two large or tiny numbers may overflow or vanish.
        return xp.astype(mine > others, xp.int8) - xp.astype(mine < others, xp.int8)

    def agreement(mine_x: Any, others_x: Any, mine_y: Any, others_y: Any) -> Any:
        return xp.sum(signs(mine_x, others_x) * signs(mine_y, others_y), axis=-1)

    def untied(mine: Any, others: Any) -> Any:
        return _count(xp, mine != others)

    return (
        xp.sum(_against_all(xp, agreement, x, y), axis=-1),
        xp.sum(_against_all(xp, untied, x), axis=-1),
        xp.sum(_against_all(xp, untied, y), axis=-1),
    )


def _against_all(xp: ModuleType, compare: Callable[..., Any], *samples: Any) -> Any:
    """``compare`` each value with all of its sample and reduce the last axis, a block of values at a time."""
    shape = samples[0].shape
    per_value = 16 * max(1, math.prod(shape))  # bytes of the comparisons and of what they turn into
    results = []
    for block in stretches(shape[-1], max(1, _MEMORY_BYTES // per_value)):
        arguments = [part for sample in samples for part in (sample[..., block, None], sample[..., None, :])]
        results.append(compare(*arguments))
    return xp.concat(results, axis=-1)


def _count(xp: ModuleType, condition: Any) -> Any:
    return xp.sum(xp.astype(condition, xp.int8), axis=-1)


def _deviations(xp: ModuleType, x: Any) -> Any:
    """Deviations from the mean in units of the largest, so that squares neither overflow nor vanish."""
    deviations = x - xp.mean(x, axis=-1, keepdims=True)
    largest = xp.max(xp.abs(deviations), axis=-1, keepdims=True)
    return deviations / xp.where(largest > 0, largest, 1.0)


def _varied(xp: ModuleType, x: Any) -> Any:
    """Whether a sample has more than one value, and no NaN."""
    return xp.any(x != x[..., :1], axis=-1) & ~xp.any(xp.isnan(x), axis=-1)


def _checked(x: Any, y: Any) -> ModuleType:
    xp = namespace(x, y)
    if not (xp.isdtype(x.dtype, "real floating") and xp.isdtype(y.dtype, "real floating")):
        raise TypeError(f"samples of {x.dtype} and {y.dtype}: expected floats")
    if x.ndim < 1 or y.ndim < 1 or x.shape[-1] != y.shape[-1] or x.shape[-1] < 2:
        raise ValueError(f"samples of shape {tuple(x.shape)} and {tuple(y.shape)}: expected as many values, at least 2")
    return xp
