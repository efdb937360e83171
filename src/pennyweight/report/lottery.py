"""The section of a lottery: verdict, board of ranks, flips, every loss in two parts, other devices, the card."""

from collections.abc import Sequence
from pathlib import Path

from pennyweight.core.race import Interval
from pennyweight.core.recipe import from_document
from pennyweight.core.run import read_document
from pennyweight.lottery.holding.card import Board, Card, Results
from pennyweight.report.board import loss_parts, rank_board
from pennyweight.report.heats import heats_section
from pennyweight.report.lottery_words import (
    NEVER,
    counterfactual,
    elsewhere,
    elsewhere_sentence,
    factor,
    failures,
    index_sentence,
    interval,
    parts_words,
    regret_sentence,
    short,
    shown,
    verdict,
)
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
    Tile,
    Tiles,
    drawing,
    section,
    slug,
    titled,
    whole_document,
)
from pennyweight.report.words import duration, moment, number, percent, score

_FLIPS, _SURPRISES = 12, 10


def load_card(folder: Path) -> Card:
    """The document of a lottery of array functions, from its folder."""
    return from_document(Card, read_document(folder / "lottery.json"))


def lottery_section(folder: Path) -> Section:
    """A lottery from its folder: of array functions, or of a method's races."""
    document = read_document(folder / "lottery.json")
    if "heats" in document:
        return heats_section(folder)
    card = load_card(folder)
    anchor = slug(folder.name)
    record = f"#record-{anchor}"
    pieces: list[Piece] = [_banner(card), *_tiles(card, record), *_boards(card, record, anchor)]
    if card.results is not None:
        pieces += [*_flips(card.results, record), *_losses(card, card.results, record, anchor)]
        pieces += [*_surprises(card.results, record), *_elsewhere(card, card.results)]
    pieces += [_ideas(card), *_notes(card), _facts(card)]
    pieces.append(whole_document("The card", folder, "lottery.json", anchor))
    return section(titled(f"Lottery: {card.name}", folder), folder.name, pieces)


def _banner(card: Card) -> Banner:
    more = []
    if card.results is not None:
        more = [text for text in (index_sentence(card.results), regret_sentence(card.results)) if text]
    label = "Refused" if card.status == "refused" else "What a stack decides"
    return Banner(label=label, sentence=verdict(card), more=more, tone="rival" if card.status == "refused" else "idea")


def _tiles(card: Card, record: str) -> list[Tiles]:
    results = card.results
    if results is None:
        return []
    timed = sum(cell.status == "ok" for cell in card.cells)
    flipped = {frozenset((flip.ahead, flip.behind)) for flip in results.flips}
    tiles = [
        Tile(label="cells timed", value=Cell(f"{timed} of {len(card.cells)}", record, "", "ideas × stacks × sizes")),
        Tile(label="pairs that change places", value=Cell(str(len(flipped)), record, "idea", "both orders are clear")),
    ]
    if results.index is not None:
        told = interval(results.index, 2)
        tiles.insert(0, Tile(label="lottery index", value=Cell(score(results.index.value, 2), record, "idea", told)))
    parts = [loss for loss in results.losses if loss.software is not None]
    if parts:
        software = sum((loss.software or 1.0) > max(1.0, loss.hardware or 1.0) for loss in parts)
        value = Cell(f"{software} of {len(parts)}", record, "", "by the larger part")
        tiles.append(Tile(label="losses that are the software's", value=value))
    return [Tiles(tiles=tiles)]


# --- the boards ---


def _boards(card: Card, record: str, anchor: str) -> list[Piece]:
    boards: dict[str, Board | None] = dict.fromkeys(card.sizes)
    boards |= {board.size: board for board in (card.results.boards if card.results else ())}
    pieces: list[Piece] = []
    first = boards[card.sizes[0]]
    if first is not None:
        pieces += drawing(
            lambda width: rank_board(card, first, width=width, key=anchor),
            f"Ranks on each stack at {first.size}, the fastest on top. Ideas on one ground share their rank: their"
            " order is not clear at 95 %. In colour the pair that changes places most. Crosses: no rank there.",
        )
    pieces += [_times(card, board, size, record) for size, board in boards.items()]
    return pieces


def _times(card: Card, board: Board | None, size: str, record: str) -> Table:
    rows = []
    for idea in card.ideas:
        row = [Cell(idea.name)]
        for stack in card.stacks:
            told = shown(card, board, size, stack, idea.name)
            ranked = f"{told.rank}." if told.rank else ""
            note = " ".join(part for part in (ranked, told.behind) if part)
            first = told.place is not None and told.place.rank == 1
            row.append(Cell(told.time, record if told.place else "", "chosen" if first else "", note))
        rows.append(row)
    marked = " (not to be compared: the machine was busy)" if board is None else ""
    return Table(
        caption=f"{size}: the time of a call{marked}",
        columns=[Cell(""), *(Cell(short(stack)) for stack in card.stacks)],
        groups=[Group(rows=rows)],
        below=""
        if board is None
        else "The median of the rounds; behind it the rank with its 95 % interval where it has"
        " one, and how many times the time of the stack's fastest.",
    )


def _flips(results: Results, record: str) -> list[Table]:
    if not results.flips:
        return []
    rows = [
        [
            Cell(f"{flip.ahead} / {flip.behind}", record, "", flip.size),
            _faster(flip.by, at_least=flip.by_at_least),
            Cell(short(flip.stack)),
            _faster(flip.back, at_least=flip.back_at_least),
            Cell(short(flip.elsewhere)),
        ]
        for flip in results.flips[:_FLIPS]
    ]
    more = len(results.flips) - _FLIPS
    return [
        Table(
            caption="Pairs that change places",
            columns=[Cell("A / B"), Cell("A faster by"), Cell("on"), Cell("B faster by"), Cell("on")],
            groups=[Group(rows=rows)],
            below="Both orders are clear at 95 %; the largest first."
            + (f" {more} more are in the document." if more > 0 else ""),
        )
    ]


def _faster(ratio: Interval, *, at_least: bool) -> Cell:
    """A ratio with its interval; of a lower bound there is none."""
    return Cell(factor(ratio.value, at_least=at_least), "", "", "" if at_least else interval(ratio))


# --- why ---


def _losses(card: Card, results: Results, record: str, anchor: str) -> list[Piece]:
    own = [loss for loss in results.losses if loss.size == card.sizes[0]]
    pieces: list[Piece] = list(
        drawing(
            lambda width: loss_parts(own, width=width, key=anchor),
            "Every loss against its stack's fastest, in two parts that multiply to it: first what this device's limits"
            " say of the two ideas (blue: the hardware's part), from there how much further from its limit the loser"
            " runs than the winner (orange: the software's part). Blue to the left: the device would favour the loser.",
        )
    )
    groups = []
    for stack in card.stacks:
        rows = [
            [
                Cell(loss.idea, record),
                _faster(loss.ratio, at_least=loss.at_least),
                *map(Cell, (*parts_words(loss), *counterfactual(loss))),
            ]
            for loss in own
            if loss.stack == stack
        ]
        winner = next((loss.winner for loss in own if loss.stack == stack), "")
        groups += [Group(title=f"{short(stack)}, behind {winner}", rows=rows)] if rows else []
    if groups:
        pieces.append(
            Table(
                caption=f"Why they lose, at {card.sizes[0]}",
                columns=[
                    Cell("idea"),
                    Cell("loss"),
                    Cell("hardware"),
                    Cell("software"),
                    Cell("reaches"),
                    Cell("wins at"),
                ],
                groups=groups,
                below="Loss is hardware times software. The limit is the roofline of the best rates that any stack"
                " reached on this device, for the idea's own operations, formats and bytes. Reaches: its share of its"
                f" limit. Wins at: the share at which it would draw level with the winner as it is; {NEVER}, where even"
                " its limit is slower.",
            )
        )
    return pieces


def _surprises(results: Results, record: str) -> list[Table]:
    if not results.surprises:
        return []
    rows = [
        [
            Cell(one.idea, record, "", f"{short(one.stack)}, {one.size}"),
            Cell(moment(one.seconds)),
            Cell(moment(one.predicted)),
            Cell(f"{factor(one.factor)} slower" if one.factor > 1 else f"{factor(1 / one.factor)} faster"),
        ]
        for one in results.surprises[:_SURPRISES]
    ]
    more = len(results.surprises) - _SURPRISES
    return [
        Table(
            caption="Surprises",
            columns=[Cell("idea"), Cell("took"), Cell("foreseen"), Cell("so it is")],
            groups=[Group(rows=rows)],
            below="Beside what the stack's own cost table foresees for the idea's steps; a factor of two is none yet."
            + (f" {more} more are in the document." if more > 0 else ""),
        )
    ]


def _elsewhere(card: Card, results: Results) -> list[Piece]:
    told = elsewhere(results)
    if not told:
        return []
    baseline = card.ideas[0].name
    return [
        Facts(
            title=f"On other devices, beside {baseline}, at {card.sizes[0]}",
            items=[(one.idea, elsewhere_sentence(one, baseline)) for one in told],
        ),
        Prose(
            text="Nothing of this was measured. A range is the ratio of the device's limits, from the catalogue, times"
            " the software met here, from the best stack to the worst. Faster and slower are counted where the whole"
            " range says so."
        ),
    ]


# --- what it is, and on what ---


def _ideas(card: Card) -> Facts:
    return Facts(
        title="The ideas", items=[(idea.name, f"{idea.what}; work counted {idea.counted}") for idea in card.ideas]
    )


def _notes(card: Card) -> list[Piece]:
    said: Sequence[str] = [*failures(card), *card.notes]
    return [Prose(label="Equal means", text=card.quality), *([Notes(items=said)] if said else [])]


def _facts(card: Card) -> Facts:
    machine = card.machine
    variables = ", ".join(f"{name}={value}" for name, value in machine["variables"].items()) or "none"
    items = [
        ("asked", f"{card.asked} in all"),
        ("spent", f"{duration(card.spent_seconds)}, everything included"),
        ("measured", f"{card.measured}; others took {percent(card.busy)} of the machine meanwhile"),
        ("processor", f"{machine['processor']}, {machine['cores']} cores, {machine['system']}"),
        ("variables", variables),
    ]
    items += [(stack, ", ".join(f"{k} {v}" for k, v in card.software.get(stack, {}).items())) for stack in card.stacks]
    firsts = [cell.first_seconds for cell in card.cells if cell.first_seconds is not None]
    if firsts:
        items.append(("first calls", f"{moment(min(firsts))} to {moment(max(firsts))}, kept apart from the rest"))
    slices = [len(cell.slices) for cell in card.cells if cell.slices]
    if slices:
        items.append(("rounds", f"{number(min(slices))} to {number(max(slices))} for each cell, in another order each"))
    return Facts(title="How it was held", items=items)
