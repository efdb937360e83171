"""A method's races on several stacks, in words, as rows, and as a section: whether the verdict holds on all of them."""

from pathlib import Path
from typing import NamedTuple

from pennyweight.core.race import Interval
from pennyweight.core.recipe import from_document
from pennyweight.core.run import read_document
from pennyweight.lottery.holding.heats import TRAINING, Heats, Turn
from pennyweight.report.figures import Ratio, ratio_interval
from pennyweight.report.lottery_words import short
from pennyweight.report.pieces import (
    Banner,
    Cell,
    Facts,
    Group,
    Notes,
    Piece,
    Prose,
    Section,
    Table,
    drawing,
    section,
    slug,
    titled,
    whole_document,
)
from pennyweight.report.words import duration, level, span, times


def load_heats(folder: Path) -> Heats:
    """The document of a lottery of races, from its folder."""
    return from_document(Heats, read_document(folder / "lottery.json"))


def heats_section(folder: Path) -> Section:
    """Races beside one another: what stays and what turns, the metric on each stack, speeds in their parts."""
    told = load_heats(folder)
    anchor = slug(folder.name)
    ratios = [
        Ratio(name=name, **vars(heat.ratio), better=told.better)
        for name, heat in zip(names(told), told.heats, strict=True)
        if heat.ratio
    ]
    pieces: list[Piece] = [
        Prose(label="The paper's claim", text=told.claim),
        Banner(label="Across stacks", sentence=holds(told), more=[turn_sentence(told, turn) for turn in told.turns]),
    ]
    if ratios:
        pieces += drawing(
            lambda width: ratio_interval(ratios, told.confidence, width=width, key=anchor),
            f"{told.metric}, {told.sides['idea']} over {told.sides['rival']}, with {level(told.confidence)} intervals.",
        )
    pieces += [_table(told), *_notes(told)]
    pieces.append(
        Facts(
            title="How it was held",
            items=[
                ("asked", f"{told.asked} in all" if told.asked else "to set finished races beside one another"),
                ("spent", f"{duration(told.spent_seconds)}, everything included"),
                ("idea", told.sides["idea"]),
                ("rival", told.sides["rival"]),
                *(
                    (name, f"{heat.race}, on {heat.machine}")
                    for name, heat in zip(names(told), told.heats, strict=True)
                ),
            ],
        )
    )
    pieces.append(whole_document("The card", folder, "lottery.json", anchor))
    return section(titled(f"Lottery: {told.name}", folder), folder.name, pieces)


def names(told: Heats) -> list[str]:
    """A name for each heat: its stack, with the machine where there are several."""
    several = len({heat.machine for heat in told.heats}) > 1
    return [f"{short(heat.stack)}, {heat.machine}" if several else short(heat.stack) for heat in told.heats]


def holds(told: Heats) -> str:
    """Whether the verdict is the same on all stacks."""
    verdicts = {heat.verdict for heat in told.heats}
    clear = verdicts - {"undecided"}
    stacks = f"{len(told.heats)} stacks"
    everywhere = "both stacks" if len(told.heats) == 2 else f"all {stacks}"
    if len(clear) > 1:
        return f"The verdict depends on the stack: of {stacks} the idea wins on some, the rival on others."
    if not clear:
        return f"The race is undecided on {everywhere}."
    (winner,) = clear
    name = told.sides[winner]
    if verdicts == clear:
        return f"{name} (the {winner}) wins on {everywhere}."
    won = sum(heat.verdict == winner for heat in told.heats)
    return f"{name} (the {winner}) wins on {won} of {stacks}; the rest are undecided."


def turn_sentence(told: Heats, turn: Turn) -> str:
    """What two stacks say oppositely."""
    idea, rival = told.sides["idea"], told.sides["rival"]
    if turn.what == "verdict":
        return f"{idea} wins on {short(turn.stack)}, {rival} on {short(turn.elsewhere)}."
    return f"At {turn.what}, {idea} is faster on {short(turn.stack)} and {rival} on {short(turn.elsewhere)}."


class Row(NamedTuple):
    """A quantity, and what it is on each stack: texts with their intervals."""

    name: str
    cells: list[tuple[str, str]]


def rows(told: Heats) -> list[Row]:
    """The verdict, the metric, and the speeds with their parts; ratios are idea over rival."""
    others = dict.fromkeys(name for heat in told.heats for name in heat.speeds if name != TRAINING)
    return [
        Row("verdict", [(heat.verdict, "") for heat in told.heats]),
        Row(told.metric, [_ratio(heat.ratio) for heat in told.heats]),
        Row("training speed", [_ratio(heat.speeds.get(TRAINING)) for heat in told.heats]),
        Row("the hardware's part", [_part(heat.hardware) for heat in told.heats]),
        Row("the software's part", [_part(heat.software) for heat in told.heats]),
        *(Row(f"{name} speed", [_ratio(heat.speeds.get(name)) for heat in told.heats]) for name in others),
    ]


def _ratio(ratio: Interval | None) -> tuple[str, str]:
    return ("", "") if ratio is None else (times(ratio.value), span(ratio))


def _part(part: float | None) -> tuple[str, str]:
    return ("" if part is None else times(part), "")


def _table(told: Heats) -> Table:
    return Table(
        caption=f"{told.sides['idea']} over {told.sides['rival']}",
        columns=[Cell(""), *map(Cell, names(told))],
        groups=[
            Group(
                rows=[[Cell(row.name), *(Cell(text, "", "", note) for text, note in row.cells)] for row in rows(told)]
            )
        ],
        below=f"Of {told.metric} {told.better} is better, of speeds higher. The training speed is the hardware's part,"
        " what the device's limits allow of a training step of each side, times the software's.",
    )


def _notes(told: Heats) -> list[Notes]:
    reasons = [f"{name}: {heat.unsplit}" for name, heat in zip(names(told), told.heats, strict=True) if heat.unsplit]
    noted = [f"{name}: {note}" for name, heat in zip(names(told), told.heats, strict=True) for note in heat.notes]
    said = [*told.notes, *reasons, *noted]
    return [Notes(items=said)] if said else []
