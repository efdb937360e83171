"""Many timings in turns: short slices in rounds over the whole of a time, and what they say together.

Taken one after another, two things would be compared across minutes of drift. In rounds each is met by
whatever the machine did at any time, and the spread of its slices tells how much that was.
"""

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

from pennyweight.core.cost import Rate
from pennyweight.core.machine import BusyWatch

SLICE_SECONDS, SHORTEST_SLICE = 0.025, 0.003
MOST_ROUNDS, FEWEST_ROUNDS = 12, 4
SELDOM = 3
"""What takes longer than its share of a round runs in every third of them."""
_CALM, _WANDER, _WIDEST = 1.1, 1.05, 2.0


@dataclass(kw_only=True)
class Series:
    """One thing that is timed again and again.

    ``take`` spends about as many seconds as it is given and returns those of one call, or None when it can
    no longer be timed. ``call_seconds`` is about what a call takes; ``slices`` what was taken so far.
    """

    take: Callable[[float], float | None]
    call_seconds: float
    slices: list[float] = field(default_factory=list)
    ended: bool = False


def least_seconds(series: Sequence[Series]) -> float:
    """The shortest time in which `measure` gets useful slices of all these."""
    fewest = math.ceil(FEWEST_ROUNDS / SELDOM)
    return sum(max(FEWEST_ROUNDS * SHORTEST_SLICE, 1.2 * fewest * one.call_seconds) for one in series)


def measure(
    series: Sequence[Series],
    *,
    seconds: float,
    report: Callable[[float], None] = lambda done: None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Add to the slices of all series, in rounds that fill ``seconds`` and go through them in another order each.

    When time runs short the last rounds stay incomplete; each series gets one slice whatever it takes.
    """
    begun = clock()
    rounds = min(MOST_ROUNDS, max(FEWEST_ROUNDS, int(seconds / (SLICE_SECONDS * max(1, len(series))))))
    share = seconds / (rounds * max(1, len(series)))
    turns: list[Series] = []
    for number in range(rounds):
        due = [one for one in series if one.call_seconds <= share or number % SELDOM == 0]
        turns += random.Random(number).sample(due, len(due))
    long = [one.call_seconds for one in turns if one.call_seconds > share]
    short_share = max(SHORTEST_SLICE, (seconds - sum(long)) / max(1, len(turns) - len(long)))
    weights = [max(short_share, one.call_seconds) for one in turns]
    weight_left = math.fsum(weights)
    for one, weight in zip(turns, weights, strict=True):
        left = begun + seconds - clock()
        if not one.ended and (left > 0 or not one.slices):
            taken = one.take(max(0.0, left * weight / weight_left))
            one.ended = taken is None
            one.slices += [] if taken is None else [taken]
        weight_left -= weight
        report(min(1.0, (clock() - begun) / seconds))


def estimate(slices: Sequence[float], *, busy: float = 0.0) -> Rate:
    """Seconds of a call out of its slices, with the band in which another run should fall.

    What disturbs only slows, and often for several slices together. So the value is the median of the calm
    slices, those within a tenth of the lower quartile. The band goes from the fastest slice to the slowest
    calm one (of all, where most are not calm) and on both sides further by 5 %, which clocks and neighbours
    wander between runs, and by half of what lies between the quartiles. On a machine of which others took the
    part ``busy`` it goes up to the slowest slice of all, and down as far as if their part had been ours.
    """
    ordered = sorted(slices)
    lower, upper = (ordered[part * len(ordered) // 4] for part in (1, 3))
    calm = [one for one in ordered if one <= _CALM * lower]
    disturbed = busy > BusyWatch.LIMIT
    slowest = ordered[-1] if disturbed or 2 * len(calm) < len(ordered) else calm[-1]
    beyond = _WANDER * min(math.sqrt(upper / lower), _WIDEST)
    return Rate(
        value=median(calm),
        low=ordered[0] * (1 - busy if disturbed else 1.0) / beyond,
        high=slowest * beyond,
    )
