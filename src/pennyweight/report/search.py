"""The section of a search: the answer, the front, which blocks stayed and why, two stacks side by side, receipts."""

from collections.abc import Sequence
from pathlib import Path

from pennyweight.blocks.pattern import Pattern
from pennyweight.core.recipe import from_document
from pennyweight.core.run import read_document
from pennyweight.methods.par.search.result import Candidate, SearchResult
from pennyweight.report import search_figures as figures
from pennyweight.report.pieces import (
    Banner,
    Cell,
    Facts,
    Group,
    Notes,
    Piece,
    Record,
    Records,
    Section,
    Table,
    Tile,
    Tiles,
    drawing,
    receipt_link,
    section,
    titled,
    whole_document,
)
from pennyweight.report.receipt import receipt_record
from pennyweight.report.search_words import (
    WORDS,
    candidate_of,
    found_sentence,
    orders_agree,
    priced,
    ranked,
    reference_of,
    rivals_sentence,
    stacks_sentence,
    why_sentences,
)
from pennyweight.report.words import amount, duration, listed, moment, number, percent, score, size, times

_DRIFT = 0.1
"""From so much on the machine is said to have changed between pricing and timing."""


def load_search(folder: Path) -> SearchResult:
    """The result of a finished search."""
    return from_document(SearchResult, read_document(folder / "search.json"))


def search_section(folder: Path) -> Section:
    """A finished search: what was found, against whom, why, what it would be elsewhere, and every receipt."""
    result = load_search(folder)
    anchor = folder.name
    pieces: list[Piece] = [
        Banner(
            label=f"Found: {candidate_of(result, result.found).pattern}",
            sentence=found_sentence(result),
            more=[*filter(None, [rivals_sentence(result), stacks_sentence(result)])],
            tone="idea",
        ),
        _tiles(result),
        *drawing(
            lambda width: figures.front_figure(result, width=width, key=anchor),
            "Everything that was trained, for the same time: circles were searched for, squares are rivals within the"
            " limit, the diamond is the reference.",
        ),
        _candidates(result),
        *drawing(
            lambda width: figures.places_figure(result, width=width, key=anchor),
            f"What one block alone, put into the trained reference, adds to its loss on {result.scores.num_windows}"
            " held-out samples, in thousandths of a nat per prediction: the darker, the more. Dots are the reference's"
            " own blocks, frames those of what was found.",
        ),
        Facts(title="Why these blocks", items=why_sentences(result)),
        _budgets(result),
        *_latencies(result),
        _stacks(result),
        *_distances(result),
        _facts(result),
        *([Notes(items=result.notes)] if result.notes else []),
        *_receipts(folder, result),
        whole_document("Record of the search", folder, "search.json", anchor),
    ]
    return section(titled(f"Search: {result.recipe}", folder), anchor, pieces)


def _link(one: Candidate) -> str:
    return receipt_link(one.run)


def _tiles(result: SearchResult) -> Tiles:
    found, reference = candidate_of(result, result.found), reference_of(result)
    tiles = [
        Tile(label=f"{result.metric}, found", value=Cell(score(found.value), _link(found), "idea", "test")),
        Tile(label="reference", value=Cell(score(reference.value), _link(reference), "rival", "the same time")),
    ]
    for quantity in result.limits:
        use = quantity.partition(" ")[0]
        if use in found.measured:
            ratio = found.measured[use].value / reference.measured[use].value
            tiles.append(Tile(label=quantity, value=Cell(times(ratio), _link(found), "", "measured")))
    ratio = found.parameters / reference.parameters
    tiles.append(Tile(label="parameters", value=Cell(times(ratio), _link(found), "", number(found.parameters))))
    if reference.cache_bytes:
        ratio = found.cache_bytes / reference.cache_bytes
        tiles.append(Tile(label="cache", value=Cell(times(ratio), _link(found), "", size(found.cache_bytes))))
    return Tiles(tiles=tiles)


def _candidates(result: SearchResult) -> Table:
    """All candidates, the best on validation first."""
    heal = "healing" if result.heal else "training"
    distances = [*reference_of(result).recall]
    columns = ["pattern", f"before {heal}", "after", "test", "foreseen rise", "parameters"]
    rows = [
        [
            Cell(one.name, _link(one), "idea" if one.name == result.found else ""),
            Cell(one.pattern),
            Cell(score(one.before)),
            Cell(score(one.after), _link(one)),
            Cell(score(one.value), _link(one), "", f"{score(one.low, 3)}–{score(one.high, 3)}"),
            Cell(number(one.foreseen, 2)),
            Cell(number(one.parameters)),
            *(Cell(percent(one.recall[distance])) for distance in distances),
        ]
        for one in ranked(result)
    ]
    tau = orders_agree(result)
    told = "" if tau is None else f" Kendall's tau of the order before and after {heal}: {number(tau, 2)}."
    return Table(
        caption=f"Candidates by {result.metric} on validation",
        columns=[Cell(""), *map(Cell, columns), *(Cell(f"recall {distance}") for distance in distances)],
        groups=[Group(rows=rows)],
        below=(
            f"Each was trained for {amount(result.candidate_budget)}, one seed. Before and after are on validation; the"
            " foreseen rise is the sum of what its blocks add, one at a time, in nats per prediction." + told
        ),
    )


def _budgets(result: SearchResult) -> Table:
    """How the exact choice changes with the budget."""
    quantity = next(iter(result.limits))
    whole = reference_of(result).costs[quantity]
    seen: dict[str, Sequence[Cell]] = {}
    for point in result.front:
        seen.setdefault(
            point.pattern,
            [Cell(times(point.cost / whole)), Cell(number(point.foreseen, 2)), Cell(point.pattern)],
        )
    return Table(
        caption=f"The choice at other budgets of {quantity}",
        columns=[Cell("over the reference's"), Cell("foreseen rise"), Cell("pattern")],
        groups=[Group(rows=[*seen.values()])],
        below="Exact for the scores above; nothing is trained again. The rise is in nats per prediction.",
    )


def _latencies(result: SearchResult) -> list[Table]:
    """Foreseen against measured latencies."""
    uses = [quantity for quantity in result.limits if quantity.partition(" ")[0] in reference_of(result).measured]
    groups = []
    for quantity in uses:
        rows = []
        for one in ranked(result):
            rate, told = one.measured[quantity.partition(" ")[0]], one.costs[quantity]
            band = f"{moment(rate.low)}–{moment(rate.high)}"
            difference = percent(told / rate.value - 1)
            rows.append([Cell(one.pattern), Cell(moment(told)), Cell(moment(rate.value), note=band), Cell(difference)])
        groups.append(Group(title=quantity, rows=rows))
    if not groups:
        return []
    return [
        Table(
            caption="Latency, foreseen and measured",
            columns=[Cell(""), Cell("sum of blocks"), Cell("measured", note="band"), Cell("difference")],
            groups=groups,
            below=(
                "Whole models, timed in turns after the search, beside the sum of the fixed part and their blocks."
                + _drift(result)
            ),
        )
    ]


def _drift(result: SearchResult) -> str:
    """Said where the machine itself became faster or slower between pricing and timing: all models differ alike."""
    reference = reference_of(result)
    told = []
    for quantity in result.limits:
        rate = reference.measured.get(quantity.partition(" ")[0])
        if rate and abs(drift := rate.value / reference.costs[quantity] - 1) > _DRIFT:
            told.append(f"{quantity} {times(1 + drift)}")
    if not told:
        return ""
    return f" The reference took other times than foreseen ({', '.join(told)}); what is over the reference's says more."


def _stacks(result: SearchResult) -> Table:
    """Prices and choices on each stack."""
    first = next(iter(result.limits))
    unit = result.units[first]
    show = moment if unit == "s" else (size if unit == "B" else number)
    rows = [
        [Cell(f"{letter}, {WORDS[letter]}"), *(Cell(show(one.blocks[letter])) for one in result.stacks)]
        for letter in result.menu
        if letter != "i"
    ]
    rows.append([Cell("all else"), *(Cell(show(one.fixed)) for one in result.stacks)])
    rows.append([Cell("attention costs"), *(Cell(priced(one.blocks)) for one in result.stacks)])
    chosen = [[Cell("pattern"), *(Cell(one.pattern or one.reason) for one in result.stacks)]]
    kept = [Pattern.parse(one.pattern).count("attention") if one.pattern else None for one in result.stacks]
    chosen.append([Cell("attention blocks"), *(Cell("" if count is None else str(count)) for count in kept)])
    return Table(
        caption="The same scores and limits at each stack's prices",
        columns=[Cell(""), *(Cell(one.stack) for one in result.stacks)],
        groups=[Group(title=f"{first} of a block", rows=rows), Group(title="the choice", rows=chosen)],
    )


def _distances(result: SearchResult) -> list[Table]:
    """How far each attention block looks back."""
    columns = {name: far for name, far in result.distances.items() if far}
    if not columns:
        return []
    places = sorted({int(place) for far in columns.values() for place in far})
    rows = [
        [
            Cell(f"place {place}"),
            *(Cell(number(far[str(place)]) if str(place) in far else "") for far in columns.values()),
        ]
        for place in places
    ]
    return [
        Table(
            caption="Attention distance, in tokens",
            columns=[Cell(""), *map(Cell, columns)],
            groups=[Group(rows=rows)],
            below=(
                "The mean distance of what a block attends to, over heads and positions of held-out text. Looking"
                f" evenly at all that is visible would give about {number(result.even_distance)} in full attention."
            ),
        )
    ]


def _facts(result: SearchResult) -> Facts:
    items = [
        ("asked", f"{amount(result.asked)} in all"),
        ("spent", f"{duration(result.spent_seconds)} of wall time, everything included"),
        ("limits", listed(result.limits)),
        ("reference", result.reference),
        ("menu", ", ".join(result.menu)),
        ("super-network", _supernet(result)),
        ("stack", result.stack),
        ("seed", str(result.seed)),
        ("data", result.data.get("name", "")),
    ]
    if result.settings:
        items.append(("settings", listed(result.settings)))
    return Facts(title="How it was searched", items=items)


def _supernet(result: SearchResult) -> str:
    one = result.architecture
    return (
        f"{one.steps:,} steps (the paper's has 40,000), begun with the parent's blocks and their substitutes;"
        f" the least sure place gives its kind a chance of {percent(one.surest)};"
        f" made single it is {score(one.gap, 2)} {result.unit} worse than its mixture"
    )


def _receipts(folder: Path, result: SearchResult) -> list[Records]:
    own = [
        ("parent", result.parent),
        ("scores of blocks", result.scores.run),
        ("super-network", result.architecture.run),
    ]
    stages = [record for title, run in own if (record := _record(folder, run, title))]
    candidates = [record for one in ranked(result) if (record := _record(folder, one.run, one.name))]
    return [
        Records(title="Receipts of the stages", anchor=f"stages-{folder.name}", records=stages),
        Records(title="Receipts of the candidates", anchor=f"candidates-{folder.name}", records=candidates),
    ]


def _record(folder: Path, run: str, title: str) -> Record | None:
    path = folder / run / "receipt.json"
    if not path.is_file():
        return None  # a parent of somebody's own may have been moved
    return receipt_record(read_document(path), name=run.rpartition("/")[2], title=title)
