"""Pages made from runs and races: one HTML document that needs no network and no script.

A page is sections, a section is pieces (sentence, tiles, table, figure, notes, text, receipts), and a piece is
plain data that one macro of ``templates/pieces.html`` draws. Whatever comes out of a run is escaped there;
only the drawings of `figures` are taken as markup. Numbers link to the receipt that they come from.
"""

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import pennyweight
from pennyweight.core.budget import Budget
from pennyweight.core.errors import UserError
from pennyweight.core.race import SIDES, Interval, RaceResult, SideName, Trial
from pennyweight.core.recipe import from_document
from pennyweight.core.run import Run, read_document
from pennyweight.report import figures
from pennyweight.report.figures import Ratio, bound, number, score

_WIDE, _NARROW = 760, 358
_PAIRED = 0.95  # the confidence of `arrays.statistics.median`, which pairs timed in turn are given
_SPACE = "\u00a0"  # between a number and its unit: they must not part at the end of a line


# --- pieces ---


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a page, drawn already: title, the id by which a link finds it, and its markup."""

    title: str
    anchor: str
    html: Markup


@dataclass(frozen=True)
class Cell:
    """A number or word, where it comes from (a link), how it is set, and a small remark behind it.

    ``tone`` is ``idea``, ``rival``, ``chosen``, or "".
    """

    text: str
    href: str = ""
    tone: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Prose:
    """A paragraph under a small label."""

    kind: ClassVar = "prose"
    text: str
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Banner:
    """A verdict: the sentence that a reader takes away, in the colour of the side it names."""

    kind: ClassVar = "banner"
    label: str
    sentence: str
    more: Sequence[str] = ()
    tone: str = ""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A key figure."""

    label: str
    value: Cell


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """Key figures in a row."""

    kind: ClassVar = "tiles"
    tiles: Sequence[Tile]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Rows of a table under a title of their own; the first cell of a row names it and tones all of it."""

    rows: Sequence[Sequence[Cell]]
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table whose first column names the rows and whose others hold numbers, set to the right."""

    kind: ClassVar = "table"
    caption: str
    columns: Sequence[Cell]
    groups: Sequence[Group]
    below: str = ""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure in two widths, for a desk and for a phone; the markup comes from `figures`."""

    kind: ClassVar = "drawing"
    wide: Markup
    narrow: Markup
    caption: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Labels and what they stand for, under a title."""

    kind: ClassVar = "facts"
    title: str
    items: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Notes:
    """What a reader should know before trusting the numbers."""

    kind: ClassVar = "notes"
    items: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """A text shown as it is, such as what a model wrote."""

    kind: ClassVar = "exhibit"
    text: str
    caption: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """A document (a receipt, mostly) to be unfolded: lines for people, and the JSON below them."""

    anchor: str
    title: str
    name: str
    groups: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    raw: str


@dataclass(frozen=True, kw_only=True)
class Records:
    """Documents under a title, which a link can find as a group."""

    kind: ClassVar = "records"
    title: str
    anchor: str
    records: Sequence[Record]


Piece = Prose | Banner | Tiles | Table | Drawing | Facts | Notes | Exhibit | Records


def section(title: str, anchor: str, pieces: Sequence[Piece]) -> Section:
    """A section out of pieces, in their order; ``anchor`` is made fit for an id."""
    html = _environment().get_template("section.html").render(pieces=pieces)
    return Section(title=title, anchor=slug(anchor), html=Markup(html))


def text_section(title: str, caption: str, text: str) -> Section:
    """A section that shows a text as it is, its line breaks kept."""
    # Two runs may write under one title.
    distinct = hashlib.sha256(f"{caption}\n{text}".encode()).hexdigest()[:6]
    return section(title, f"{slug(title)}-{distinct}", [Exhibit(text=text, caption=caption)])


def render(title: str, sections: Sequence[Section], *, lead: str = "", facts: Mapping[str, str] | None = None) -> str:
    """One self-contained HTML document: styles and drawings inline, no script, no request to any network.

    ``lead`` is a sentence under the title, ``facts`` labels and values under that. A section given twice
    stands once; two that differ and share an anchor raise `UserError`.
    """
    environment = _environment()
    by_anchor: dict[str, Section] = {}
    for one in sections:
        if by_anchor.setdefault(one.anchor, one) != one:
            raise UserError(
                f"two different sections with the anchor {one.anchor!r}",
                expected="runs and races with names of their own",
                hint="rename one of the folders",
            )
    return environment.get_template("page.html").render(
        title=title,
        sections=list(by_anchor.values()),
        lead=lead,
        facts=dict(facts or {}),
        css=Markup(environment.get_template("page.css").render()),
        version=pennyweight.__version__,
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("pennyweight.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def slug(text: str) -> str:
    """An id made of letters, digits, dots and dashes; texts that lose something keep apart by a short hash."""
    kept = re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-")
    if kept == text:
        return kept
    return f"{kept.lower()}-{hashlib.sha256(text.encode()).hexdigest()[:6]}".lstrip("-")


# --- numbers and words ---


def size(num_bytes: float) -> str:
    """Bytes in the unit that leaves one to three digits before the point (1 kB is 1,000 bytes)."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= 0.9995 * scale:
            return f"{number(num_bytes / scale)}{_SPACE}{unit}"
    return f"{num_bytes:.0f}{_SPACE}B"


def duration(seconds: float) -> str:
    """Seconds up to two minutes, then minutes and seconds, then hours and minutes."""
    if seconds < 120:
        return f"{number(seconds)}{_SPACE}s"
    units = (("h", 3600), ("min", 60)) if seconds >= 7200 else (("min", 60), ("s", 1))
    (large, many), (small, one) = units
    whole, rest = divmod(round(seconds / one), many // one)
    return f"{whole}{_SPACE}{large}" + (f" {rest}{_SPACE}{small}" if rest else "")


def percent(share: float) -> str:
    """A share (0 to 1, or more) in per cent with two significant digits: 3.1 %, 29 %, 0.04 %."""
    value = 100 * share
    return f"{score(value, 2 if abs(value) < 99.5 else 3)}{_SPACE}%"


def amount(budget: str) -> str:
    """What a budget limits, for a sentence: ``"63.00s"`` is 63 s, ``"20000samples"`` 20,000 samples."""
    limits = Budget.parse(budget)
    parts = []
    if limits.seconds is not None:
        parts.append(duration(limits.seconds))
    if limits.samples is not None:
        parts.append(f"{limits.samples:,}{_SPACE}samples")
    if limits.bytes is not None:
        parts.append(size(limits.bytes))
    if limits.joules is not None:
        parts.append(f"{number(limits.joules)}{_SPACE}J")
    return " and ".join(parts)


def _times(ratio: float) -> str:
    return f"{score(ratio, 3)}×"


def _scored(value: float, metric: str) -> str:
    """``2.013 bits per byte``, ``accuracy 0.812``: what counts something per something reads as a unit."""
    text = score(value)
    return f"{text}{_SPACE}{metric}" if " per " in metric else f"{metric}{_SPACE}{text}"


def _change(ratio: float, metric: str = "") -> str:
    """``3.1 % fewer bits per byte``, ``3.1 % higher accuracy``; without a metric ``3.1 % lower``.

    Beyond 99 % lower and ten times as much, which a few seeds cannot tell apart, it says no more than that.
    """
    if " per " in metric:
        word = "fewer" if ratio < 1 else "more"
    else:
        word = "lower" if ratio < 1 else "higher"
    share = abs(ratio - 1)
    told = f"over 99{_SPACE}%" if ratio < 0.01 else f"over 900{_SPACE}%" if ratio > 10 else percent(share)
    return f"{told} {word} {metric}".strip()


def _bounded(interval: Interval) -> bool:
    return interval.low > 0 and interval.high < 1e9


def _span(interval: Interval) -> str:
    return f"{bound(interval.low)}–{bound(interval.high)}" if _bounded(interval) else "no interval"


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


# --- races ---


def load_race(folder: Path) -> RaceResult:
    """The result of a finished race from its folder."""
    if not (folder / "race.json").is_file():
        raise UserError(
            f"{folder} is no finished race",
            expected="a folder with a race.json",
            hint=f"go on with: pennyweight race --resume {folder}",
        )
    return from_document(RaceResult, read_document(folder / "race.json"))


def scores(result: RaceResult, side: SideName) -> list[float]:
    """The test values of the trials of a side that did not diverge."""
    return [trial.value for trial in result.trials if trial.side == side and trial.value is not None]


def verdict_sentence(result: RaceResult) -> str:
    """The verdict in words, from the numbers of the race alone."""
    roles = {side: f"the {side} ({result.sides[side].name})" for side in SIDES}
    if result.ratio is None:
        return _diverged_sentence(result, roles)
    means = {side: score(_mean(scores(result, side))) for side in SIDES}
    level = _level(result)
    after = f"after {amount(result.trial_budget)} of training each"
    if result.verdict == "undecided":
        ratio = result.ratio
        start = (
            f"Undecided: {after}, {roles['idea']} has {_change(ratio.value, result.metric)} than {roles['rival']},"
            f" {means['idea']} against {means['rival']}, but "
        )
        if not _bounded(ratio):
            return start + "one seed tells nothing of the spread."
        span = f"the {level} interval reaches from {_change(ratio.low)} to {_change(ratio.high)}"
        if ratio.low <= 1 <= ratio.high:
            return start + span + "."
        return start + f"{len(result.seeds)} seeds are too few to name a winner; {span}."
    won, lost = SIDES if result.verdict == "idea" else SIDES[::-1]
    ratio = result.ratio if won == "idea" else _inverse(result.ratio)
    ends = sorted(abs(end - 1) for end in (ratio.low, ratio.high))
    return (
        f"Here {roles[won]} wins: {_change(ratio.value, result.metric)} than {result.sides[lost].name},"
        f" {means[won]} against {means[lost]}, {after} ({level} interval {percent(ends[0])} to {percent(ends[1])})."
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
        f"The idea reaches {_scored(quality, result.metric)}, the validation quality that both reach, in"
        f" {_times(ratio.value)} the rival's training time"
    )
    if not _bounded(ratio):
        return f"{text} (one seed, no interval)."
    text += f" ({_level(result)} interval {bound(ratio.low)}× to {bound(ratio.high)}×)"
    if ratio.low <= 1 <= ratio.high:
        return f"{text}; equal time is inside the interval."
    return f"{text}: {percent(abs(ratio.value - 1))} {'less' if ratio.value < 1 else 'more'} time."


def race_section(folder: Path) -> Section:
    """A finished race: claim, verdict, time to equal quality, curves, tables, notes, receipts."""
    race = _Race(folder)
    pieces = [
        Prose(label="The paper's claim", text=race.result.claim),
        race.banner(),
        race.tiles(),
        *race.curves(),
        *race.ratios(),
        race.sides_table(),
        *race.recall(),
        *race.baselines_table(),
        *race.sweep_table(),
        race.trials_table(),
        race.facts(),
        *([Notes(items=race.result.notes)] if race.result.notes else []),
        *race.records(),
    ]
    return section(_titled(f"Race: {race.result.name}", folder), race.anchor, pieces)


class _Race:
    """A race's folder, read once, and the pieces of its section."""

    def __init__(self, folder: Path) -> None:
        self.result = load_race(folder)
        self.folder = folder
        self.anchor = slug(folder.name)
        self.names: dict[str, str] = {side: self.result.sides[side].name for side in SIDES}
        self.receipts = {
            trial.run: read_document(folder / trial.receipt) for trial in self.result.trials if trial.receipt
        }

    # where numbers come from

    def group(self, name: str) -> str:
        """Link to a group of receipts: of a side, or of the sweep."""
        return f"#receipts-{self.anchor}-{name}"

    @property
    def record(self) -> str:
        """Link to the race's own document."""
        return f"#record-{self.anchor}"

    def first(self, side: SideName) -> str:
        """Link to the trial whose model was measured."""
        return next((_link(t.run) for t in self.result.trials if t.side == side and t.receipt), self.record)

    # the pieces

    def banner(self) -> Banner:
        result = self.result
        label = "undecided" if result.verdict == "undecided" else f"the {result.verdict} wins"
        tone = "" if result.verdict == "undecided" else result.verdict
        return Banner(
            label=f"Verdict: {label}", sentence=verdict_sentence(result), more=[time_sentence(result)], tone=tone
        )

    def tiles(self) -> Tiles:
        result = self.result
        tiles = []
        for side in SIDES:
            values = scores(result, side)
            text = score(_mean(values)) if values else "diverged"
            cell = Cell(text, self.group(side), side, f"{self.names[side]}, {_seeds(len(values))}")
            tiles.append(Tile(label=f"{side}, {result.metric}", value=cell))
        if result.baselines:
            name, value = self.sorted_baselines()[0]
            tiles.append(Tile(label="best floor", value=Cell(score(value), self.group("idea"), "", name)))
        if result.time_to_equal:
            cell = Cell(_times(result.time_to_equal.value), self.record, "", "idea over rival, training time")
            tiles.append(Tile(label="time to equal quality", value=cell))
        return Tiles(tiles=tiles)

    def curves(self) -> list[Drawing]:
        result = self.result
        return _drawing(
            lambda width: figures.race_curves(
                result.trials,
                result.metric,
                result.baselines,
                names=self.names,
                width=width,
                key=self.anchor,
            ),
            f"{result.metric[0].upper()}{result.metric[1:]} on the validation split ({result.better} is better):"
            " the mean of the seeds, and their range as a band. Floors that lie in the frame are dashed (test split)."
            " The frame is set by what comes after the first tenth of the time.",
        )

    def ratios(self) -> list[Drawing]:
        result = self.result
        found = []
        if result.ratio:
            found.append(Ratio(name=result.metric, **vars(result.ratio), better=result.better))
        if result.time_to_equal:
            found.append(Ratio(name="time to equal quality", **vars(result.time_to_equal), better="lower"))
        for name, speed in result.speeds.items():
            level = None if name == "training" else _PAIRED
            found.append(Ratio(name=f"{name} speed", **_parts(speed["ratio"]), better="higher", confidence=level))
        if not found:
            return []
        return _drawing(
            lambda width: figures.ratio_interval(found, result.confidence, width=width, key=self.anchor),
            f"Idea over rival, with {_level(result)} intervals unless another level is printed: speeds timed in turn"
            " are medians of pairs.",
        )

    def sides_table(self) -> Table:
        result = self.result
        quality = []
        values = {side: scores(result, side) for side in SIDES}
        if all(values.values()):
            cells = [Cell(score(_mean(values[s])), self.group(s), "chosen") for s in SIDES]
            relation = Cell(_times(result.ratio.value), self.record, "", _span(result.ratio)) if result.ratio else None
            quality.append((Cell(f"mean of {_seeds(len(result.seeds))}"), *cells, relation or Cell("")))
        for seed in result.seeds:
            pair = {t.side: t for t in result.trials if t.seed == seed}
            scored = [pair[s].value for s in SIDES]
            cells = [Cell(_value(pair[s].value), _link(pair[s].run)) for s in SIDES]
            quality.append((Cell(f"seed {seed}"), *cells, _relation(*scored)))
        groups = [Group(title=f"{result.metric}, test split", rows=quality)]
        if all(result.figures.get(side) for side in SIDES):
            plain = [n for n in result.figures["idea"] if not n.startswith("recall") and n in result.figures["rival"]]
            rows = [self.figure_row(name) for name in plain]
            groups.append(Group(title="size and cost", rows=rows))
        if result.speeds:
            rows = [self.speed_row(name, speed) for name, speed in result.speeds.items()]
            groups.append(Group(title="speed, measured on both in turn", rows=rows))
        points = {side: figures.recall_points(result.figures.get(side, {})) for side in SIDES}
        if all(points.values()):
            rows = []
            for idea, rival in zip(points["idea"], points["rival"], strict=True):
                floors = ["" if math.isnan(p[2]) else f"floor {score(p[2], 2)}" for p in (idea, rival)]
                cells = [
                    Cell(score(p[1], 3), self.record, "", floor) for p, floor in zip((idea, rival), floors, strict=True)
                ]
                rows.append((Cell(f"at {idea[0]:,} tokens"), *cells, Cell("")))
            groups.append(Group(title="recall: accuracy of repeating what stood some tokens ago", rows=rows))
        return Table(
            caption="Both sides",
            columns=[
                Cell(""),
                *(Cell(self.names[s], "", s) for s in SIDES),
                Cell("idea over rival", note="interval"),
            ],
            groups=groups,
            below=(
                f"Intervals hold {_level(result)}; those of speeds other than training, medians of pairs timed in turn,"
                f" {number(100 * _PAIRED)}{_SPACE}%. Ratios without one compare counts, or one seed with one."
            ),
        )

    def figure_row(self, name: str) -> tuple[Cell, ...]:
        idea, rival = (self.result.figures[side][name] for side in SIDES)
        show = size if "bytes" in name else number
        # Parameters stand in the receipts; what else was measured on the models stands in the race's document.
        places = [self.first(side) if name == "parameters" else self.record for side in SIDES]
        return (Cell(name), Cell(show(idea), places[0]), Cell(show(rival), places[1]), _relation(idea, rival))

    def speed_row(self, name: str, speed: Mapping[str, Any]) -> tuple[Cell, ...]:
        ratio = Interval(**_parts(speed["ratio"]))
        places = [self.group(side) if name == "training" else self.record for side in SIDES]
        return (
            Cell(name, note=speed["unit"]),
            *(Cell(number(speed[side]), place) for side, place in zip(SIDES, places, strict=True)),
            Cell(_times(ratio.value), self.record, "", _span(ratio)),
        )

    def recall(self) -> list[Drawing]:
        return _drawing(
            lambda width: figures.recall_curves(self.result.figures, names=self.names, width=width, key=self.anchor),
            "How often the model repeats what it saw so many tokens ago. Dotted: the floor, the same tokens where"
            " they cannot be known.",
        )

    def sorted_baselines(self) -> list[tuple[str, float]]:
        """The best first."""
        sign = 1 if self.result.better == "lower" else -1
        return sorted(self.result.baselines.items(), key=lambda item: sign * item[1])

    def baselines_table(self) -> list[Piece]:
        result = self.result
        if not result.baselines:
            return []
        rows = [(Cell(name), value, self.group("idea")) for name, value in result.baselines.items()]
        for side in SIDES:
            if values := scores(result, side):
                rows.append((Cell(f"{side}: {self.names[side]}", "", side), _mean(values), self.group(side)))
        rows.sort(key=lambda row: row[1] if result.better == "lower" else -row[1])
        return [
            Table(
                caption="The floor",
                columns=[Cell("best first"), Cell(f"{result.metric}, test split")],
                groups=[Group(rows=[(label, Cell(score(value), href)) for label, value, href in rows])],
                below="What the same held-out data is worth without either side; both must clear it.",
            )
        ]

    def sweep_table(self) -> list[Piece]:
        result = self.result
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
                chosen = result.chosen[side] == tuned
                tone, note = ("chosen", "✓ chosen") if chosen else ("", "")
                row.append(Cell(_value(trial.value), _link(trial.run), tone, note))
                row.append(Cell(score(trial.seconds, 3), _link(trial.run)))
            rows.append(row)
        columns = [Cell(result.tuned)]
        for side in SIDES:
            columns += [Cell(self.names[side], "", side), Cell("seconds")]
        return [
            Table(
                caption="The sweep that each side was given",
                columns=columns,
                groups=[Group(rows=rows)],
                below=f"{result.metric[0].upper()}{result.metric[1:]} on the validation split, seed {result.seeds[0]}.",
            )
        ]

    def trials_table(self) -> Table:
        groups = []
        for side in SIDES:
            rows = []
            for trial in self.result.trials:
                if trial.side != side:
                    continue
                receipt, link = self.receipts.get(trial.run), _link(trial.run)
                row = [Cell(f"seed {trial.seed}"), Cell(_value(trial.value), link)]
                if receipt:
                    spent, test = receipt["spent"], receipt["result"]
                    interval = f"{score(test['low'])}–{score(test['high'])}"
                    texts = [
                        interval,
                        score(spent["train_seconds"], 3),
                        number(spent["samples"]),
                        number(spent["steps"]),
                    ]
                    row += [Cell(text, link) for text in (*texts, size(spent["peak_bytes"]))]
                else:
                    row += [Cell(""), Cell(score(trial.seconds, 3), link), Cell(""), Cell(""), Cell("")]
                rows.append(row)
            groups.append(Group(title=f"{side}: {self.names[side]}", rows=rows))
        heads = (self.result.metric, "its interval", "training, s", "samples", "steps", "peak memory")
        return Table(
            caption="The trials",
            columns=[Cell(""), *(Cell(head) for head in heads)],
            groups=groups,
            below=f"Each was asked to train for {amount(self.result.trial_budget)}.",
        )

    def facts(self) -> Facts:
        result = self.result
        items = [
            ("asked", f"{amount(result.asked)} in all"),
            ("spent", f"{duration(result.spent_seconds)} of wall time, everything included"),
            ("recipe", result.recipe),
            *((f"the {side} sets", _settings(result.sides[side].settings)) for side in SIDES),
            ("stack", result.stack),
        ]
        if len(result.stack_seconds) > 1:
            steps = (f"{name} {number(1000 * seconds)} ms" for name, seconds in result.stack_seconds.items())
            items.append(("a step of both took", ", ".join(steps)))
        items.append(("data", _data(result.data)))
        items.append(("seeds", ", ".join(map(str, result.seeds))))
        return Facts(title="How it was run", items=items)

    def records(self) -> list[Piece]:
        found: list[Piece] = []
        for side in SIDES:
            own = [self.trial_record(trial) for trial in self.result.trials if trial.side == side]
            title = f"Receipts of the {side}: {self.names[side]}"
            found.append(Records(title=title, anchor=self.group(side)[1:], records=own))
        if self.result.sweep:
            own = [self.trial_record(trial) for trial in self.result.sweep]
            found.append(Records(title="Records of the sweep", anchor=self.group("sweep")[1:], records=own))
        document = read_document(self.folder / "race.json")
        record = Record(
            anchor=self.record[1:],
            title="race.json",
            name=self.folder.name,
            groups=[("race", self.facts().items)],
            raw=_json(document),
        )
        found.append(Records(title="Record of the race", anchor=f"race-{self.anchor}", records=[record]))
        return found

    def trial_record(self, trial: Trial) -> Record:
        """The receipt of a trial; of one that has none (swept, diverged), what is known of it."""
        result, name = self.result, trial.run.rpartition("/")[2]
        title = f"{trial.side}, seed {trial.seed}, {result.tuned} {number(trial.tuned)}"
        if trial.run in self.receipts:
            return receipt_record(self.receipts[trial.run], name=name, title=title)
        config = self.folder / trial.run / "config.json"
        known = read_document(config) if config.is_file() else {}
        asked = known.get("budget", "")
        lines = [
            ("asked", amount(asked) if asked else "unknown"),
            ("trained", f"{number(trial.seconds)} s"),
            ("last validation", "its loss diverged" if trial.value is None else _scored(trial.value, result.metric)),
        ]
        return Record(
            anchor=_link(trial.run)[1:],
            title=title,
            name=name,
            groups=[("trial without a receipt", lines)],
            raw=_json({"trial": vars(trial), "config.json": known}),
        )


def _drawing(draw: Callable[[int], Markup | None], caption: str) -> list[Drawing]:
    """A figure drawn in both widths, or nothing where there is nothing to draw."""
    wide, narrow = draw(_WIDE), draw(_NARROW)
    return [Drawing(wide=wide, narrow=narrow, caption=caption)] if wide and narrow else []


def _titled(title: str, folder: Path) -> str:
    """With the four digits that end the names of runs: several may stand on a page."""
    ending = folder.name.rpartition("-")[2]
    return f"{title} ({ending})" if re.fullmatch("[0-9a-f]{4}", ending) else title


def _link(run: str) -> str:
    return f"#receipt-{slug(run.rpartition('/')[2])}"


def _level(result: RaceResult) -> str:
    return f"{number(100 * result.confidence)}{_SPACE}%"


def _seeds(count: int) -> str:
    return f"{count}{_SPACE}seed{'' if count == 1 else 's'}"


def _value(value: float | None) -> str:
    return "diverged" if value is None else score(value)


def _relation(idea: float | None, rival: float | None) -> Cell:
    return Cell(_times(idea / rival) if idea is not None and rival else "")


def _parts(ratio: Mapping[str, float] | Interval) -> dict[str, float]:
    return dict(vars(ratio)) if isinstance(ratio, Interval) else {k: ratio[k] for k in ("value", "low", "high")}


def _settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {value}" for key, value in settings.items()) or "nothing"


def _data(data: Mapping[str, str]) -> str:
    parts = [data.get("name", ""), data.get("split", "")]
    if data.get("sha256"):
        parts.insert(1, f"sha256 {data['sha256'][:12]}")
    return ", ".join(filter(None, parts)) or "unknown"


def _json(document: Any) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False, default=str)


# --- runs ---


def section_of(run: Run) -> Section:
    """The section of what lies in a folder of runs: a race or a run."""
    return race_section(run.folder) if run.document.get("kind") == "race" else run_section(run)


def run_sentence(run: Run) -> str:
    """A run's result in words; of an unfinished one, how far it is and how to go on."""
    receipt = run.receipt
    if receipt is None:
        return _unfinished_sentence(run)
    result = receipt["result"]
    scored, trained = _scored(result["value"], result["metric"]), duration(receipt["spent"]["train_seconds"])
    text = (
        f"{scored[:1].upper()}{scored[1:]} on the test split ({result['interval']}:"
        f" {score(result['low'])} to {score(result['high'])}) after {trained} of training"
    )
    floor = _best(receipt["baselines"], result["better"])
    if floor is None or floor[1] <= 0:
        return f"{text}."
    name, level = floor
    if result["low"] <= level <= result["high"]:
        return f"{text}. Its best floor, {name} ({score(level)}), lies inside of that interval."
    verb = "clears" if (result["value"] < level) == (result["better"] == "lower") else "does not clear"
    return f"{text}. It {verb} its best floor: {_change(result['value'] / level)} than {name} ({score(level)})."


def _unfinished_sentence(run: Run) -> str:
    asked = run.document["budget"]
    last = (run.metrics() or [{"fraction": 0.0, "seconds": 0.0, "samples": 0}])[-1]
    spent = (
        f"{percent(last['fraction']) if last['fraction'] else f'0{_SPACE}%'} of {amount(asked)} is spent"
        f" ({duration(last['seconds'])}, {number(last['samples'])} samples)"
    )
    if run.status == "running":
        return f"Still running: {spent}. There is no result yet."
    return f"Not finished: {spent}. Go on with: pennyweight fit --resume {run.folder}"


def run_section(run: Run) -> Section:
    """One run: what was asked, spent and reached, the floors, the curves, notes, receipt."""
    receipt, link = run.receipt, _link(run.name)
    pieces: list[Piece] = []
    if receipt is None:
        pieces.append(Banner(label=f"Run, {run.status}", sentence=run_sentence(run)))
    else:
        pieces.append(Banner(label="Result", sentence=run_sentence(run), tone="idea"))
        pieces.append(_run_tiles(receipt, link))
        pieces += _run_floors(receipt, link)
    metric = receipt["result"]["metric"] if receipt else "metric"
    records = run.metrics()
    pieces += _drawing(
        lambda width: figures.run_curves(records, metric=metric, width=width, key=run.name),
        "Above: the training loss of each step, thin, and its running mean over a fortieth of the run. Below: the"
        " validation split and the learning rate. The axes leave out the first descent.",
    )
    if receipt and receipt["notes"]:
        pieces.append(Notes(items=receipt["notes"]))
    if receipt:
        own = receipt_record(receipt, name=run.name, title="receipt.json")
        pieces.append(Records(title="Receipt", anchor=f"receipts-{slug(run.name)}", records=[own]))
    return section(_titled(f"Run: {run.recipe}", run.folder), run.name, pieces)


def _run_tiles(receipt: Mapping[str, Any], link: str) -> Tiles:
    result, spent = receipt["result"], receipt["spent"]
    interval = f"{score(result['low'])}–{score(result['high'])}"
    tiles = [Tile(label=result["metric"], value=Cell(score(result["value"]), link, "idea", interval))]
    if floor := _best(receipt["baselines"], result["better"]):
        tiles.append(Tile(label="best floor", value=Cell(score(floor[1]), link, "", floor[0])))
    asked = f"asked {amount(receipt['asked'])}"
    tiles += [
        Tile(label="trained for", value=Cell(duration(spent["train_seconds"]), link, "", asked)),
        Tile(label="samples", value=Cell(number(spent["samples"]), link, "", f"{number(spent['steps'])} steps")),
        Tile(label="peak memory", value=Cell(size(spent["peak_bytes"]), link, "", f"on {receipt['stack']}")),
        Tile(label="parameters", value=Cell(number(receipt["parameters"]), link)),
    ]
    return Tiles(tiles=tiles)


def _run_floors(receipt: Mapping[str, Any], link: str) -> list[Piece]:
    result = receipt["result"]
    if not receipt["baselines"]:
        return []
    own = result["value"]
    rows = [(Cell("this run", "", "idea"), own), *((Cell(n), v) for n, v in receipt["baselines"].items())]
    rows.sort(key=lambda row: row[1] if result["better"] == "lower" else -row[1])
    shown = [(label, Cell(score(v), link), Cell(_change(own / v) if v and own != v else "")) for label, v in rows]
    columns = [Cell("best first"), Cell(f"{result['metric']}, test split"), Cell("this run against it")]
    return [Table(caption="Against the floor", columns=columns, groups=[Group(rows=shown)])]


def _best(baselines: Mapping[str, float], better: str) -> tuple[str, float] | None:
    pick = min if better == "lower" else max
    return pick(baselines.items(), key=lambda item: item[1], default=None)


# --- receipts ---


def receipt_record(receipt: Mapping[str, Any], *, name: str, title: str) -> Record:
    """A receipt to be unfolded, with the anchor ``receipt-<name>``: ``receipt`` is what receipt.json holds."""
    spent, result, machine = receipt["spent"], receipt["result"], receipt["machine"]
    estimates = receipt["estimates"]
    accounts = [
        (label, duration(spent[key]))
        for label, key in (
            ("training", "train_seconds"),
            ("  of which lost to interruptions", "lost_seconds"),
            ("validation", "validation_seconds"),
            ("saving", "saving_seconds"),
            ("calibration", "calibration_seconds"),
        )
        if spent[key] or key != "lost_seconds"
    ]
    accounts += [
        ("steps", number(spent["steps"])),
        ("samples", number(spent["samples"])),
        ("peak memory", size(spent["peak_bytes"])),
    ]
    scored = [
        (result["metric"], score(result["value"])),
        (result["interval"], f"{score(result['low'])} to {score(result['high'])}"),
        *((label, score(value)) for label, value in result["details"].items()),
    ]
    where = [("stack", receipt["stack"])]
    where += [(key.replace("_", " "), _machine(key, value)) for key, value in machine.items() if value not in ("", {})]
    groups = [
        (
            "asked",
            [("budget", amount(receipt["asked"])), ("recipe", receipt["recipe"]), ("seed", str(receipt["seed"]))],
        ),
        ("spent", accounts),
        ("energy", _estimates(estimates)),
        ("on", where),
        ("data", [(key, value[:12] if key == "sha256" else value) for key, value in receipt["data"].items()]),
        ("result", [*scored, ("parameters", number(receipt["parameters"]))]),
        ("floor", [(label, score(value)) for label, value in receipt["baselines"].items()]),
        ("notes", [("", text) for text in receipt["notes"]]),
    ]
    return Record(
        anchor=_link(name)[1:],
        title=title,
        name=name,
        groups=[(group, lines) for group, lines in groups if lines],
        raw=_json(receipt),
    )


def _estimates(estimates: Mapping[str, Any]) -> list[tuple[str, str]]:
    def known(value: float | str, unit: str) -> str:
        return value if isinstance(value, str) else f"{number(value)} {unit}".strip()

    return [
        ("energy", known(estimates["joules"], "J")),
        ("known from", estimates["joules_from"]),
        ("money", known(estimates["money"], "")),
        ("CO2", known(estimates["co2_grams"], "g")),
    ]


def _machine(key: str, value: Any) -> str:
    if key == "memory_bytes":
        return size(value)
    return _settings(value) if isinstance(value, Mapping) else str(value)
