"""The tables of a race's section: both sides, the floor, the sweep, the trials. Each number links to its source."""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from pennyweight.core.race import SIDES, STEP_SECONDS, Trial
from pennyweight.report import figures
from pennyweight.report.evidence import Evidence, speed_ratio
from pennyweight.report.pieces import Cell, Group, Table, receipt_link
from pennyweight.report.sentences import equality_name, scores
from pennyweight.report.words import amount, level, moment, number, outcome, points, score, seeds, size, span, times

PAIRED = 0.95
"""The confidence of `arrays.statistics.median`, which pairs timed in turn are given."""

Row = Sequence[Cell]


# --- both sides ---


def sides_table(race: Evidence) -> Table:
    """Quality, size and cost, speed and recall of both sides, and the idea over the rival."""
    result = race.result
    groups = [Group(title=f"{result.metric}, test split", rows=_quality_rows(race))]
    if all(result.figures.get(side) for side in SIDES):
        plain = [n for n in result.figures["idea"] if not n.startswith("recall") and n in result.figures["rival"]]
        groups.append(Group(title="size and cost", rows=[_figure_row(race, name) for name in plain]))
    if result.speeds:
        rows = [_speed_row(race, name, speed) for name, speed in result.speeds.items()]
        groups.append(Group(title="speed, measured on both in turn", rows=rows))
    if recall := _recall_rows(race):
        groups.append(Group(title=_recall_title(race), rows=recall))
    return Table(
        caption=f"Both sides, at {equality_name(result.equality, result.trial_budget)}",
        columns=[
            Cell(""),
            *(Cell(race.names[s], "", s) for s in SIDES),
            Cell("idea over rival", note="interval"),
        ],
        groups=groups,
        below=(
            f"Intervals hold {level(result.confidence)}; those of speeds other than training, medians of pairs timed in"
            f" turn, {level(PAIRED)}. Ratios without one compare counts, or one seed with one."
        ),
    )


def _quality_rows(race: Evidence) -> list[Row]:
    result = race.result
    rows: list[Row] = []
    values = {side: scores(result, side) for side in SIDES}
    if all(values.values()):
        cells = [Cell(score(fmean(values[s])), race.group(s), "chosen") for s in SIDES]
        ratio = result.ratio
        relation = Cell(times(ratio.value), race.record, "", span(ratio)) if ratio else Cell("")
        rows.append((Cell(f"mean of {seeds(len(result.seeds))}"), *cells, relation))
    for seed in result.seeds:
        pair = {t.side: t for t in result.trials if t.seed == seed}
        cells = [Cell(outcome(pair[s].value), receipt_link(pair[s].run)) for s in SIDES]
        rows.append((Cell(f"seed {seed}"), *cells, _relation(*(pair[s].value for s in SIDES))))
    return rows


def _figure_row(race: Evidence, name: str) -> Row:
    idea, rival = (race.result.figures[side][name] for side in SIDES)
    show = size if "bytes" in name else moment if name == STEP_SECONDS else number
    label = "training step, mean of the trials" if name == STEP_SECONDS else name
    # Parameters and seconds stand in the receipts; what else was measured on the models in the race's document.
    known = {"parameters": race.first, STEP_SECONDS: race.group}
    places = [known[name](side) if name in known else race.record for side in SIDES]
    return (Cell(label), Cell(show(idea), places[0]), Cell(show(rival), places[1]), _relation(idea, rival))


def _speed_row(race: Evidence, name: str, speed: Mapping[str, Any]) -> Row:
    ratio = speed_ratio(speed)
    places = [race.group(side) if name == "training" else race.record for side in SIDES]
    return (
        Cell(name, note=speed["unit"]),
        *(Cell(number(speed[side]), place) for side, place in zip(SIDES, places, strict=True)),
        Cell(times(ratio.value), race.record, "", span(ratio)),
    )


def _recall_rows(race: Evidence) -> list[Row]:
    points = [figures.recall_points(race.result.figures.get(side, {})) for side in SIDES]
    if not all(points):
        return []
    rows: list[Row] = []
    for pair in zip(*points, strict=True):
        cells = [
            Cell(score(accuracy, 3), race.record, "", "" if math.isnan(floor) else f"floor {score(floor, 2)}")
            for _, accuracy, floor in pair
        ]
        rows.append((Cell(f"at {pair[0][0]:,} tokens"), *cells, _gap(race, f"recall at {pair[0][0]}")))
    return rows


def _gap(race: Evidence, name: str) -> Cell:
    """How much more the idea recalls, in points, with its interval; nothing of a race that probed one seed."""
    gap = race.result.gaps.get(name)
    if gap is None:
        return Cell("")
    return Cell(points(gap.value), race.record, "", f"{points(gap.low)} to {points(gap.high)}")


def _recall_title(race: Evidence) -> str:
    title = "recall: accuracy of repeating what stood some tokens ago"
    return f"{title}, mean of the seeds; idea less rival" if race.result.gaps else title


def _relation(idea: float | None, rival: float | None) -> Cell:
    return Cell(times(idea / rival) if idea is not None and rival else "")


# --- the floor, the sweep, the trials ---


def floor_table(race: Evidence) -> list[Table]:
    """The baselines and both sides, the best first; nothing where there is no baseline."""
    result = race.result
    if not result.baselines:
        return []
    rows = [(Cell(name), value, race.group("idea")) for name, value in result.baselines.items()]
    for side in SIDES:
        if values := scores(result, side):
            rows.append((Cell(f"{side}: {race.names[side]}", "", side), fmean(values), race.group(side)))
    rows.sort(key=lambda row: row[1] if result.better == "lower" else -row[1])
    return [
        Table(
            caption="The floor",
            columns=[Cell("best first"), Cell(f"{result.metric}, test split")],
            groups=[Group(rows=[(label, Cell(score(value), href)) for label, value, href in rows])],
            below="What the same held-out data is worth without either side; both must clear it.",
        )
    ]


def sweep_table(race: Evidence) -> list[Table]:
    """What each side reached at each value of the tuned setting; nothing where there was no sweep."""
    result = race.result
    if not result.sweep:
        return []
    rows = []
    for tuned in sorted({trial.tuned for trial in result.sweep}):
        row = [Cell(number(tuned))]
        for side in SIDES:
            trial = next((t for t in result.sweep if t.side == side and t.tuned == tuned), None)
            if trial is None:
                row += [Cell(""), Cell("")]
                continue
            tone, note = ("chosen", "✓ chosen") if result.chosen[side] == tuned else ("", "")
            row.append(Cell(outcome(trial.value), receipt_link(trial.run), tone, note))
            row.append(Cell(score(trial.seconds, 3), receipt_link(trial.run)))
        rows.append(row)
    columns = [Cell(result.tuned)]
    for side in SIDES:
        columns += [Cell(race.names[side], "", side), Cell("seconds")]
    return [
        Table(
            caption="The sweep that each side was given",
            columns=columns,
            groups=[Group(rows=rows)],
            below=f"{result.metric[0].upper()}{result.metric[1:]} on the validation split, seed {result.seeds[0]}.",
        )
    ]


def trials_table(race: Evidence) -> Table:
    """Each trial of each side: what it reached, and what it spent as its receipt has it."""
    groups = []
    for side in SIDES:
        rows = [_trial_row(race, trial) for trial in race.result.trials if trial.side == side]
        groups.append(Group(title=f"{side}: {race.names[side]}", rows=rows))
    heads = (race.result.metric, "its interval", "training, s", "samples", "steps", "peak memory")
    return Table(
        caption="The trials",
        columns=[Cell(""), *(Cell(head) for head in heads)],
        groups=groups,
        below=f"Each was asked to train for {amount(race.result.trial_budget)}.",
    )


def _trial_row(race: Evidence, trial: Trial) -> Row:
    receipt, link = race.receipts.get(trial.run), receipt_link(trial.run)
    named = (Cell(f"seed {trial.seed}"), Cell(outcome(trial.value), link))
    if receipt is None:
        return (*named, Cell(""), Cell(score(trial.seconds, 3), link), Cell(""), Cell(""), Cell(""))
    spent, test = receipt["spent"], receipt["result"]
    texts = (
        f"{score(test['low'])}–{score(test['high'])}",
        score(spent["train_seconds"], 3),
        number(spent["samples"]),
        number(spent["steps"]),
        size(spent["peak_bytes"]),
    )
    return (*named, *(Cell(text, link) for text in texts))
