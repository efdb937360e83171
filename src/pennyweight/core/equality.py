"""Make a rival equal to an idea by its size: the search that a method's equalisers share.

PAR's comparison gave the idea a fifth more parameters than its rival. Here a rival of another size is found whose
parameters, operations or seconds are those of the idea. A method says what sizes its rival comes in and counts.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pennyweight.arrays.statistics import Estimate, median
from pennyweight.core.race import STEP_SECONDS, Equality, Interval, Lineup, Match, Side

WITHIN = 0.03
"""How far the seconds of a training step may be apart and still count as equal."""

_TRIES = 7
_SLOPE, _SLOPES = 1.4, (0.3, 2.0)
"""By which power of the scale a step's seconds are taken to grow: at first, and what noise may make of it."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """The rival in one size: how large (in any measure that grows), and what was changed ("" for nothing)."""

    side: Side
    scale: float
    change: str = ""


def match_count(
    lineup: Lineup,
    sizes: Sequence[Size],
    count: Callable[[Side], float],
    *,
    kind: str,
    quantity: str,
    budget: Literal["seconds", "samples"] = "samples",
) -> Match:
    """The rival in the size whose ``count`` is nearest to the idea's; counts are positive and grow with the size."""
    wanted = count(lineup.idea)
    counts = [count(size.side) for size in sizes]
    best = min(range(len(sizes)), key=lambda index: abs(math.log(counts[index] / wanted)))
    ratio = counts[best] / wanted
    return Match(
        idea=lineup.idea,
        rival=sizes[best].side,
        equality=Equality(
            kind=kind,
            quantity=quantity,
            idea=wanted,
            rival=counts[best],
            ratio=Interval(value=ratio, low=ratio, high=ratio),
            change=sizes[best].change,
            budget=budget,
        ),
    )


def match_latency(lineup: Lineup, sizes: Sequence[Size], *, within: float = WITHIN) -> Match:
    """The rival in the size whose training step takes as long as the idea's, both timed in turn.

    ``sizes`` are in order and one of them is the rival as it is, with which the search begins. The nearest one is timed
    again for what is printed: the least of several noisy ratios flatters.
    """
    known: dict[int, float] = {}
    index: int | None = next(index for index, size in enumerate(sizes) if not size.change)
    while index is not None and len(known) < _TRIES:
        known[index] = _timed(lineup, sizes[index].side)[0].value
        index = _next(known, sizes, within)
    best = min(known, key=lambda index: abs(math.log(known[index])))
    ratio, idea, rival = _timed(lineup, sizes[best].side, rounds=2)
    return Match(
        idea=lineup.idea,
        rival=sizes[best].side,
        equality=Equality(
            kind="latency",
            quantity=STEP_SECONDS,
            idea=idea,
            rival=rival,
            ratio=Interval(value=ratio.value, low=ratio.low, high=ratio.high),
            within=within,
            change=sizes[best].change,
            clocked=True,
        ),
    )


def _timed(lineup: Lineup, rival: Side, *, rounds: int = 1) -> tuple[Estimate, float, float]:
    """The rival's seconds over the idea's, as the median of pairs, and the median seconds of both."""
    pairs = [pair for _ in range(rounds) for pair in zip(*lineup.step_seconds(lineup.idea, rival), strict=True)]
    idea_seconds, rival_seconds = zip(*pairs, strict=True)
    ratio = median([rival / idea for idea, rival in pairs])
    return ratio, median(idea_seconds).value, median(rival_seconds).value


def _next(known: dict[int, float], sizes: Sequence[Size], within: float) -> int | None:
    """Which size to time next, from the ratios of those that were; None when none would be nearer."""
    if min(abs(math.log(ratio)) for ratio in known.values()) < within / 3:
        return None
    small = max((index for index, ratio in known.items() if ratio < 1), default=-1)
    large = min((index for index, ratio in known.items() if ratio >= 1), default=len(sizes))
    if large - small < 2:  # neighbours, the end of the sizes, or noise that put them in the wrong order
        return None
    ends = [index for index in (small, large) if index in known]
    if len(ends) == 1:  # beyond the last one, by the slope to the one before it
        ends = sorted(known, key=lambda index: abs(math.log(known[index])))[:2]
    slope = _SLOPE
    if len(ends) == 2:
        a, b = ends
        slope = math.log(known[a] / known[b]) / math.log(sizes[a].scale / sizes[b].scale)
    wanted = math.log(sizes[ends[0]].scale) - math.log(known[ends[0]]) / min(max(slope, _SLOPES[0]), _SLOPES[1])
    return min(range(small + 1, large), key=lambda index: abs(math.log(sizes[index].scale) - wanted))
