"""What the numbers of a race say: a ratio with its interval, a verdict, the time to equal quality."""

import math
from collections.abc import Sequence
from typing import Literal

from pennyweight.arrays.statistics import Estimate, ratio_of_means
from pennyweight.core.race import Interval, Trial, Verdict


def judge(
    idea: Sequence[float | None],
    rival: Sequence[float | None],
    *,
    better: Literal["lower", "higher"],
    confidence: float,
) -> tuple[Interval | None, Verdict]:
    """The ratio of the means, idea over rival, and who is better when its interval leaves out 1.

    None stands for a trial that diverged; a side with one loses to a side without, and no ratio is given.
    """
    a, b = [v for v in idea if v is not None], [v for v in rival if v is not None]
    if len(a) < len(idea) or len(b) < len(rival):
        if len(a) < len(idea) and len(b) < len(rival):
            return None, "undecided"
        return None, "rival" if len(a) < len(idea) else "idea"
    ratio = as_interval(ratio_of_means(a, b, confidence=confidence))
    if ratio.high < 1:
        return ratio, "idea" if better == "lower" else "rival"
    if ratio.low > 1:
        return ratio, "rival" if better == "lower" else "idea"
    return ratio, "undecided"


def time_to_equal_quality(
    trials: Sequence[Trial], *, better: Literal["lower", "higher"], confidence: float
) -> tuple[Interval | None, float | None]:
    """Training time of the idea over that of the rival to the quality that both reach, seed by seed.

    That quality is the weaker of the two final validations of a seed; times are read off the validation
    curves, linearly between two validations. None when some trial diverged.
    """
    sign = 1.0 if better == "lower" else -1.0
    times: dict[str, list[float]] = {"idea": [], "rival": []}
    targets = []
    for seed in sorted({trial.seed for trial in trials}):
        pair = [trial for trial in trials if trial.seed == seed]
        if any(trial.value is None or not trial.curve for trial in pair):
            return None, None
        curves = {t.side: [(s, sign * v) for s, v in t.curve] for t in pair}
        target = max(curve[-1][1] for curve in curves.values())
        targets.append(sign * target)
        for side, curve in curves.items():
            times[side].append(_reached(curve, target))
    if not targets or min(times["idea"] + times["rival"]) <= 0:
        return None, None
    ratio = as_interval(ratio_of_means(times["idea"], times["rival"], confidence=confidence))
    return ratio, sum(targets) / len(targets)


def _reached(curve: Sequence[tuple[float, float]], target: float) -> float:
    """When a falling curve first came down to the target; its end is at or below it."""
    before_time, before_value = curve[0]
    for seconds, value in curve:
        if value <= target:
            if value == before_value:
                return seconds
            return before_time + (seconds - before_time) * (before_value - target) / (before_value - value)
        before_time, before_value = seconds, value
    return curve[-1][0]


def as_interval(estimate: Estimate) -> Interval:
    """An estimate as a document can hold it: JSON has no infinity (one seed tells nothing of the spread)."""
    low, high = (estimate.low, estimate.high) if math.isfinite(estimate.high) else (0.0, 1e9)
    return Interval(value=estimate.value, low=low, high=high)
