"""The section of a race: claim, verdict, curves, ratios, tables, how it was run, receipts."""

from collections.abc import Mapping
from pathlib import Path
from statistics import fmean

from pennyweight.core.race import SIDES, RaceResult, Trial
from pennyweight.core.run import read_document
from pennyweight.report import figures
from pennyweight.report.evidence import Evidence, load_evidence, speed_ratio
from pennyweight.report.figures import Ratio
from pennyweight.report.pieces import (
    Banner,
    Cell,
    Drawing,
    Facts,
    Notes,
    Piece,
    Prose,
    Record,
    Records,
    Section,
    Tile,
    Tiles,
    drawing,
    readable,
    receipt_link,
    section,
    titled,
)
from pennyweight.report.race_tables import PAIRED, floor_table, sides_table, sweep_table, trials_table
from pennyweight.report.receipt import receipt_record
from pennyweight.report.sentences import (
    best_floor,
    equality_name,
    equality_sentence,
    pace_sentence,
    recall_sentence,
    scores,
    time_sentence,
    verdict_sentence,
)
from pennyweight.report.words import amount, duration, level, listed, number, score, scored, seeds, times


def race_section(folder: Path) -> Section:
    """A finished race: claim, verdict, time to equal quality, curves, tables, notes, receipts."""
    race = load_evidence(folder)
    result = race.result
    facts = _facts(result)
    pieces: list[Piece] = [
        Prose(label="The paper's claim", text=result.claim),
        _banner(result),
        _tiles(race),
        *_curves(race),
        *_ratios(race),
        sides_table(race),
        *_recall(race),
        *floor_table(race),
        *sweep_table(race),
        trials_table(race),
        facts,
        *([Notes(items=result.notes)] if result.notes else []),
        *_receipts(race),
        _own_record(race, facts),
    ]
    title = f"Race: {result.name}, {equality_name(result.equality, result.trial_budget)}"
    return section(titled(title, folder), race.anchor, pieces)


def _banner(result: RaceResult) -> Banner:
    label = "undecided" if result.verdict == "undecided" else f"the {result.verdict} wins"
    tone = "" if result.verdict == "undecided" else result.verdict
    equality = f"{equality_sentence(result.equality, result.trial_budget)} {pace_sentence(result)}".rstrip()
    more = [equality, time_sentence(result), *filter(None, [recall_sentence(result)])]
    return Banner(label=f"Verdict: {label}", sentence=verdict_sentence(result), more=more, tone=tone)


def _tiles(race: Evidence) -> Tiles:
    result = race.result
    tiles = []
    for side in SIDES:
        values = scores(result, side)
        text = score(fmean(values)) if values else "diverged"
        cell = Cell(text, race.group(side), side, f"{race.names[side]}, {seeds(len(values))}")
        tiles.append(Tile(label=f"{side}, {result.metric}", value=cell))
    if floor := best_floor(result.baselines, result.better):
        tiles.append(Tile(label="best floor", value=Cell(score(floor[1]), race.group("idea"), "", floor[0])))
    if result.time_to_equal:
        cell = Cell(times(result.time_to_equal.value), race.record, "", "idea over rival, training time")
        tiles.append(Tile(label="time to equal quality", value=cell))
    return Tiles(tiles=tiles)


# --- drawings ---


def _curves(race: Evidence) -> list[Drawing]:
    result = race.result
    return drawing(
        lambda width: figures.race_curves(
            result.trials,
            result.metric,
            result.baselines,
            names=race.names,
            width=width,
            key=race.anchor,
        ),
        f"{result.metric[0].upper()}{result.metric[1:]} on the validation split ({result.better} is better):"
        " the mean of the seeds, and their range as a band. Floors that lie in the frame are dashed (test split)."
        " The frame is set by what comes after the first tenth of the time.",
    )


def _ratios(race: Evidence) -> list[Drawing]:
    result = race.result
    found = []
    if result.ratio:
        found.append(Ratio(name=result.metric, **vars(result.ratio), better=result.better))
    if result.time_to_equal:
        found.append(Ratio(name="time to equal quality", **vars(result.time_to_equal), better="lower"))
    for name, speed in result.speeds.items():
        confidence = None if name == "training" else PAIRED
        ratio = vars(speed_ratio(speed))
        found.append(Ratio(name=f"{name} speed", **ratio, better="higher", confidence=confidence))
    if not found:
        return []
    return drawing(
        lambda width: figures.ratio_interval(found, result.confidence, width=width, key=race.anchor),
        f"Idea over rival, with {level(result.confidence)} intervals unless another level is printed: speeds timed in"
        " turn are medians of pairs.",
    )


def _recall(race: Evidence) -> list[Drawing]:
    return drawing(
        lambda width: figures.recall_curves(race.result.figures, names=race.names, width=width, key=race.anchor),
        "How often the model repeats what it saw so many tokens ago"
        f"{', the mean of the seeds' if race.result.probes else ''}. Dotted: the floor, the same tokens where they"
        " cannot be known.",
    )


# --- how it was run ---


def _facts(result: RaceResult) -> Facts:
    items = [
        ("asked", f"{amount(result.asked)} in all"),
        ("spent", f"{duration(result.spent_seconds)} of wall time, everything included"),
        ("recipe", result.recipe),
        *((f"the {side} sets", listed(result.sides[side].settings)) for side in SIDES),
        ("stack", result.stack),
    ]
    if len(result.stack_seconds) > 1:
        steps = (f"{name} {number(1000 * seconds)} ms" for name, seconds in result.stack_seconds.items())
        label = "a step of both took" if not result.equality.change else "a step of both took, before they were equal,"
        items.append((label, ", ".join(steps)))
    items.append(("data", _data(result.data)))
    items.append(("seeds", ", ".join(map(str, result.seeds))))
    return Facts(title="How it was run", items=items)


def _data(data: Mapping[str, str]) -> str:
    parts = [data.get("name", ""), data.get("split", "")]
    if data.get("sha256"):
        parts.insert(1, f"sha256 {data['sha256'][:12]}")
    return ", ".join(filter(None, parts)) or "unknown"


def _receipts(race: Evidence) -> list[Records]:
    found = []
    for side in SIDES:
        own = [_trial_record(race, trial) for trial in race.result.trials if trial.side == side]
        title = f"Receipts of the {side}: {race.names[side]}"
        found.append(Records(title=title, anchor=race.group(side)[1:], records=own))
    if race.result.sweep:
        own = [_trial_record(race, trial) for trial in race.result.sweep]
        found.append(Records(title="Records of the sweep", anchor=race.group("sweep")[1:], records=own))
    return found


def _trial_record(race: Evidence, trial: Trial) -> Record:
    """The receipt of a trial; of one that has none (swept, diverged), what is known of it."""
    result, name = race.result, trial.run.rpartition("/")[2]
    title = f"{trial.side}, seed {trial.seed}, {result.tuned} {number(trial.tuned)}"
    if trial.run in race.receipts:
        return receipt_record(race.receipts[trial.run], name=name, title=title)
    config = race.folder / trial.run / "config.json"
    known = read_document(config) if config.is_file() else {}
    asked = known.get("budget", "")
    lines = [
        ("asked", amount(asked) if asked else "unknown"),
        ("trained", f"{number(trial.seconds)} s"),
        ("last validation", "its loss diverged" if trial.value is None else scored(trial.value, result.metric)),
    ]
    return Record(
        anchor=receipt_link(trial.run)[1:],
        title=title,
        name=name,
        groups=[("trial without a receipt", lines)],
        raw=readable({"trial": vars(trial), "config.json": known}),
    )


def _own_record(race: Evidence, facts: Facts) -> Records:
    record = Record(
        anchor=race.record[1:],
        title="race.json",
        name=race.folder.name,
        groups=[("race", facts.items)],
        raw=readable(read_document(race.folder / "race.json")),
    )
    return Records(title="Record of the race", anchor=f"race-{race.anchor}", records=[record])
