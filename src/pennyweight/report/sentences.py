"""What a race and a run came to, in sentences: the same on a page and in a terminal, and made of numbers alone.

They know nothing of pages, so that a verb can speak without loading templates and drawings.
"""

from collections.abc import Mapping
from statistics import fmean

from pennyweight.core.budget import Budget
from pennyweight.core.race import SIDES, STEP_SECONDS, Equality, Interval, RaceResult, SideName
from pennyweight.core.run import Run
from pennyweight.report.words import (
    SPACE,
    amount,
    bound,
    bounded,
    change,
    duration,
    level,
    moment,
    number,
    percent,
    points,
    score,
    scored,
    times,
)

_RECALL = "recall at "
_POINT = 0.01

# --- races ---


def scores(result: RaceResult, side: SideName) -> list[float]:
    """The test values of the trials of a side that did not diverge."""
    return [trial.value for trial in result.trials if trial.side == side and trial.value is not None]


def verdict_sentence(result: RaceResult) -> str:
    """The verdict in words, from the numbers of the race alone."""
    roles = {side: f"the {side} ({result.sides[side].name})" for side in SIDES}
    if result.ratio is None:
        return _diverged_sentence(result, roles)
    means = {side: score(fmean(scores(result, side))) for side in SIDES}
    after = f"after {amount(result.trial_budget)} of training each"
    interval = f"{level(result.confidence)} interval"
    if result.verdict == "undecided":
        ratio = result.ratio
        start = (
            f"Undecided: {after}, {roles['idea']} has {change(ratio.value, result.metric)} than {roles['rival']},"
            f" {means['idea']} against {means['rival']}, but "
        )
        if not bounded(ratio.low, ratio.high):
            return start + "one seed tells nothing of the spread."
        reach = f"the {interval} reaches from {change(ratio.low)} to {change(ratio.high)}"
        if ratio.low <= 1 <= ratio.high:
            return start + reach + "."
        return start + f"{len(result.seeds)} seeds are too few to name a winner; {reach}."
    won, lost = SIDES if result.verdict == "idea" else SIDES[::-1]
    ratio = result.ratio if won == "idea" else _inverse(result.ratio)
    ends = sorted(abs(end - 1) for end in (ratio.low, ratio.high))
    return (
        f"Here {roles[won]} wins: {change(ratio.value, result.metric)} than {result.sides[lost].name},"
        f" {means[won]} against {means[lost]}, {after} ({interval} {percent(ends[0])} to {percent(ends[1])})."
    )


def _inverse(ratio: Interval) -> Interval:
    return Interval(value=1 / ratio.value, low=1 / ratio.high, high=1 / ratio.low)


def _diverged_sentence(result: RaceResult, roles: Mapping[SideName, str]) -> str:
    total = {side: sum(trial.side == side for trial in result.trials) for side in SIDES}
    lost = {side: total[side] - len(scores(result, side)) for side in SIDES}
    if result.verdict == "undecided":
        counts = " and ".join(f"{lost[side]} of {total[side]} of {roles[side]}" for side in SIDES)
        return f"Undecided: trials diverged on both sides, {counts}. There is no ratio to give."
    won, other = SIDES if result.verdict == "idea" else SIDES[::-1]
    return (
        f"Here {roles[won]} wins: {lost[other]} of the {total[other]} trials of {roles[other]} diverged and none of"
        " its own. There is no ratio to give."
    )


def time_sentence(result: RaceResult) -> str:
    """The training time to equal quality in words."""
    ratio, quality = result.time_to_equal, result.equal_quality
    if ratio is None or quality is None:
        reason = "a trial diverged" if result.ratio is None else "a side never got better than it began"
        return f"Time to equal quality is not known: {reason}."
    text = (
        f"The idea reaches {scored(quality, result.metric)}, the validation quality that both reach, in"
        f" {times(ratio.value)} the rival's training time"
    )
    if not bounded(ratio.low, ratio.high):
        return f"{text} (one seed, no interval)."
    text += f" ({level(result.confidence)} interval {bound(ratio.low)}× to {bound(ratio.high)}×)"
    if ratio.low <= 1 <= ratio.high:
        return f"{text}; equal time is inside the interval."
    return f"{text}: {percent(abs(ratio.value - 1))} {'less' if ratio.value < 1 else 'more'} time."


def equality_name(equality: Equality, trial_budget: str) -> str:
    """Of what both sides got the same: ``equal time``, ``equal parameters``."""
    if not equality.quantity:
        return "equal time" if Budget.parse(trial_budget).seconds is not None else "equal samples"
    return f"equal {'FLOPs' if equality.kind == 'flops' else equality.kind}"


def equality_sentence(equality: Equality, trial_budget: str) -> str:
    """What was made equal, by what, how well, and what each trial is given."""
    name = equality_name(equality, trial_budget)
    title = name[0].upper() + name[1:]
    ratio = equality.ratio
    if ratio is None:
        return f"{title}: both sides as they are, {amount(trial_budget)} of training each."
    how = f"with {equality.change}" if equality.change else "as it is"
    if equality.clocked:
        ends = " to ".join(times(end) for end in (ratio.low, ratio.high))
        text = (
            f"{title}: {how}, a training step of the rival takes {times(ratio.value)} the idea's"
            f" {moment(equality.idea)} (timed in turn before the race, 95{SPACE}% interval {ends})"
        )
    else:
        text = f"{title}: {how}, the rival has {equality.rival:,.0f} {equality.quantity}, "
        text += f"{_apart(ratio.value)} the idea's {equality.idea:,.0f}"
    if equality.within and abs(ratio.value - 1) > equality.within:
        text += f". That is more than {percent(equality.within)} off; no size that was timed came nearer"
    return f"{text}. Each side gets {amount(trial_budget)} of training."


def _apart(ratio: float) -> str:
    return "as much as" if ratio == 1 else f"{percent(abs(ratio - 1))} {'less' if ratio < 1 else 'more'} than"


def pace_sentence(result: RaceResult) -> str:
    """Whether steps that were timed as equal before the race were so in it; "" where nothing was timed."""
    known = [result.figures.get(side, {}).get(STEP_SECONDS, 0.0) for side in SIDES]
    if not result.equality.clocked or not all(known):
        return ""
    idea, rival = known
    return (
        f"In the trials themselves a step of the rival took {moment(rival)}, {_apart(rival / idea)} the idea's"
        f" {moment(idea)}."
    )


def recall_sentence(result: RaceResult) -> str:
    """What the sides recall of what they read: at its floor, or where they differ most and by how much; "" if unknown.

    A point is a hundredth of the tokens that were to be repeated.
    """
    distances = sorted(int(name.removeprefix(_RECALL)) for name in result.gaps if name.startswith(_RECALL))
    if not distances or not all(result.figures.get(side) for side in SIDES):
        return ""
    above = {
        side: [result.figures[side][f"{_RECALL}{d}"] - result.figures[side][f"recall floor at {d}"] for d in distances]
        for side in SIDES
    }
    if max(max(values) for values in above.values()) < _POINT:
        return (
            "Recall is within a point of its floor on both sides, at every distance: what attention is worth there,"
            " so short a training does not tell."
        )
    widest = max(distances, key=lambda d: abs(result.gaps[f"{_RECALL}{d}"].value))
    gap = result.gaps[f"{_RECALL}{widest}"]
    shares = {side: percent(result.figures[side][f"{_RECALL}{widest}"]) for side in SIDES}
    inside = "; no difference is inside the interval" if gap.low <= 0 <= gap.high else ""
    return (
        f"Recall differs most at {widest:,} tokens: {shares['idea']} of the idea, {shares['rival']} of the rival,"
        f" {points(gap.value)} ({level(result.confidence)} interval {points(gap.low)} to {points(gap.high)}){inside}."
    )


# --- runs ---


def run_sentence(run: Run) -> str:
    """A run's result in words; of an unfinished one, how far it is and how to go on."""
    receipt = run.receipt
    if receipt is None:
        return _unfinished_sentence(run)
    result = receipt["result"]
    reached, trained = scored(result["value"], result["metric"]), duration(receipt["spent"]["train_seconds"])
    text = (
        f"{reached[:1].upper()}{reached[1:]} on the test split ({result['interval']}:"
        f" {score(result['low'])} to {score(result['high'])}) after {trained} of training"
    )
    floor = best_floor(receipt["baselines"], result["better"])
    if floor is None or floor[1] <= 0:
        return f"{text}."
    name, value = floor
    if result["low"] <= value <= result["high"]:
        return f"{text}. Its best floor, {name} ({score(value)}), lies inside of that interval."
    verb = "clears" if (result["value"] < value) == (result["better"] == "lower") else "does not clear"
    return f"{text}. It {verb} its best floor: {change(result['value'] / value)} than {name} ({score(value)})."


def _unfinished_sentence(run: Run) -> str:
    asked = run.document["budget"]
    last = (run.metrics() or [{"fraction": 0.0, "seconds": 0.0, "samples": 0}])[-1]
    spent = (
        f"{percent(last['fraction']) if last['fraction'] else f'0{SPACE}%'} of {amount(asked)} is spent"
        f" ({duration(last['seconds'])}, {number(last['samples'])} samples)"
    )
    if run.status == "running":
        return f"Still running: {spent}. There is no result yet."
    return f"Not finished: {spent}. Go on with: pennyweight fit --resume {run.folder}"


def best_floor(baselines: Mapping[str, float], better: str) -> tuple[str, float] | None:
    """Name and value of the baseline that is the hardest to beat; None where there is none."""
    pick = min if better == "lower" else max
    return pick(baselines.items(), key=lambda item: item[1], default=None)
