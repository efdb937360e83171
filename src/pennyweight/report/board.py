"""The two figures of a lottery: the board of ranks across stacks, and every loss in its two parts."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pennyweight.lottery.holding.card import Board, Card, Loss, Place
from pennyweight.report.canvas import IDEA, INK, LINE, MUTED, NARROW, RIVAL, canvas, place_axes
from pennyweight.report.lottery_words import factor, short
from pennyweight.report.words import number, plain

_ROW, _LOSS_ROW = 34, 25
_GAP = 0.07
"""Of the way between two stacks, left free around the numbers."""
_REACH = 3.0
"""How many times beyond the other losses a bar is drawn before it is cut."""


def rank_board(card: Card, board: Board, *, width: int = 720, key: str = "") -> Markup | None:
    """Stacks from left to right, the fastest idea of each on top, a line for each idea; ties stand on one ground.

    The pair that changes places most is coloured. What was not ranked on a stack stands below, crossed out. None
    where nothing was ranked.
    """
    if not board.places:
        return None
    ideas = [idea.name for idea in card.ideas]
    columns = [[p for p in board.places if p.stack == stack] for stack in card.stacks]
    deepest = max(map(len, columns))
    missing = [[idea for idea in ideas if idea not in {p.idea for p in column}] for column in columns]
    lowest = deepest + (1 + max(map(len, missing)) if any(missing) else 0)
    narrow = width < NARROW
    with canvas(width, 66 + _ROW * lowest + (22 if narrow else 0)) as (figure, finish):
        side = 92 if narrow else 118
        axes = place_axes(figure, left=side, right=26 if narrow else side, top=10, bottom=56 + (22 if narrow else 0))
        axes.set_xlim(-0.25, len(columns) - 0.75)
        axes.set_ylim(lowest - 0.5, -0.5)
        colours = _colours(card, board)
        for number_, column in enumerate(columns):
            _ties(axes, number_, column)
        for idea in ideas:
            _line(axes, idea, columns, colours.get(idea, MUTED))
        if any(missing):
            _missing(axes, missing, deepest, colours)
        _names(axes, columns, colours, both=not narrow)
        _stacks(axes, card.stacks, split=narrow or len(columns) > 4)
        spoken = "; ".join(
            f"on {short(stack)} {', '.join(f'{p.rank}. {p.idea}' for p in column)}"
            for stack, column in zip(card.stacks, columns, strict=True)
        )
        return finish(f"Ranks at {board.size}: {spoken}.", key)


def _colours(card: Card, board: Board) -> dict[str, str]:
    """The two ideas of the largest flip at this size."""
    flips = [flip for flip in (card.results.flips if card.results else ()) if flip.size == board.size]
    return {flips[0].ahead: IDEA, flips[0].behind: RIVAL} if flips else {}


def _ties(axes: Axes, where: int, column: Sequence[Place]) -> None:
    """A ground below ideas that share a rank."""
    for rank in {place.rank for place in column}:
        rows = [row for row, place in enumerate(column) if place.rank == rank]
        if len(rows) > 1:
            axes.plot([where] * 2, [rows[0], rows[-1]], color=LINE, linewidth=19, solid_capstyle="round", zorder=1)


def _line(axes: Axes, idea: str, columns: Sequence[Sequence[Place]], colour: str) -> None:
    """An idea from stack to stack; where it is missing on one, the line is broken."""
    rows = [next((row for row, p in enumerate(column) if p.idea == idea), None) for column in columns]
    told = colour != MUTED
    for where in range(len(rows) - 1):
        here, there = rows[where], rows[where + 1]
        if here is not None and there is not None:
            ends = [here + _GAP * (there - here), there - _GAP * (there - here)]
            axes.plot([where + _GAP, where + 1 - _GAP], ends, color=colour, linewidth=2.6 if told else 1.2, zorder=2)
    for where, row in enumerate(rows):
        if row is not None:
            rank = str(columns[where][row].rank)
            axes.text(
                where,
                row,
                rank,
                color=colour if told else INK,
                ha="center",
                va="center",
                fontsize=13,
                fontweight="bold" if told else "normal",
                zorder=4,
            )


def _missing(axes: Axes, missing: Sequence[Sequence[str]], deepest: int, colours: Mapping[str, str]) -> None:
    axes.axhline(deepest + 0.1, color=LINE, linewidth=1)
    for where, ideas in enumerate(missing):
        for row, idea in enumerate(ideas):
            level = deepest + 1 + row
            axes.plot([where], [level], color=colours.get(idea, MUTED), marker="x", markersize=8, markeredgewidth=2)
            axes.text(where, level - 0.42, idea, ha="center", va="bottom", fontsize=10, color=MUTED)
    axes.text(-0.02, deepest + 0.5, "not ranked", transform=axes.get_yaxis_transform(), ha="right", color=MUTED)


def _names(axes: Axes, columns: Sequence[Sequence[Place]], colours: Mapping[str, str], *, both: bool) -> None:
    """Names beside the first column, and beside the last where there is room, else beside where each begins."""
    for column, at, align in ((columns[0], -0.02, "right"), (columns[-1], 1.02, "left")):
        if align == "left" and not both:
            continue
        for row, place in enumerate(column):
            colour = colours.get(place.idea)
            axes.text(
                at,
                row,
                place.idea,
                transform=axes.get_yaxis_transform(),
                ha=align,
                va="center",
                color=colour or INK,
                fontweight="bold" if colour else "normal",
            )
    if not both:
        _late_names(axes, columns, colours)


def _late_names(axes: Axes, columns: Sequence[Sequence[Place]], colours: Mapping[str, str]) -> None:
    """Names of the ideas that the first column lacks, beside their first rank."""
    named = {place.idea for place in columns[0]}
    for where, column in enumerate(columns):
        for row, place in enumerate(column):
            if place.idea not in named:
                axes.annotate(
                    place.idea,
                    (where, row),
                    xytext=(-9, 0),
                    textcoords="offset points",
                    ha="right",
                    va="center",
                    color=colours.get(place.idea, INK),
                )
                named.add(place.idea)


def _stacks(axes: Axes, stacks: Sequence[str], *, split: bool) -> None:
    axes.xaxis.set_major_locator(FixedLocator(list(range(len(stacks)))))
    names = [short(stack) for stack in stacks]
    axes.set_xticklabels([name.replace(" ", "\n").replace("xr", "x-\nr") if split else name for name in names])
    axes.tick_params(axis="x", length=0, labelcolor=MUTED, labelsize=11, pad=6)
    axes.yaxis.set_major_locator(NullLocator())
    axes.spines["bottom"].set_visible(False)


def loss_parts(losses: Sequence[Loss], *, width: int = 720, key: str = "") -> Markup | None:
    """Each loss from 1 on a logarithmic axis: first the hardware's part, from where that ends the software's.

    The dot is the ratio measured, where the two end together. Losses without parts are left out; None where all are.
    """
    known = [loss for loss in losses if loss.hardware is not None and loss.software is not None]
    if not known:
        return None
    stacks = list(dict.fromkeys(loss.stack for loss in known))
    ordered = [loss for stack in stacks for loss in known if loss.stack == stack]
    narrow = width < NARROW
    ends = sorted(max(loss.ratio.value, loss.hardware or 1.0) for loss in ordered)
    most = min(ends[-1], _REACH * ends[-2]) if len(ends) > 1 else ends[-1]
    least = min(1.0, *(loss.hardware or 1.0 for loss in ordered))
    rows = len(ordered) + len(stacks)
    with canvas(width, 54 + _LOSS_ROW * rows) as (figure, finish):
        axes = place_axes(figure, left=98 if narrow else 118, right=62 if narrow else 172, top=4, bottom=48)
        axes.set_xscale("log")
        axes.set_xlim(least / 1.15, most * 1.15)
        axes.set_ylim(rows - 0.4, -0.6)
        axes.axvline(1, color=MUTED, linewidth=1)
        row, spoken = 0, []
        for stack in stacks:
            axes.text(0, row + 0.1, short(stack), transform=axes.get_yaxis_transform(), va="center", color=MUTED)
            row += 1
            for loss in (one for one in ordered if one.stack == stack):
                _bar(axes, row, loss, most * 1.15, narrow=narrow)
                spoken.append(_spoken(loss))
                row += 1
        _ratio_axis(axes)
        return finish(f"Losses in their parts: {'; '.join(spoken)}.", key)


def _bar(axes: Axes, row: int, loss: Loss, end: float, *, narrow: bool) -> None:
    assert loss.hardware is not None
    ratio = min(loss.ratio.value, end)
    hardware = min(loss.hardware, end)
    axes.plot([1, hardware], [row - 0.13] * 2, color=IDEA, linewidth=5, solid_capstyle="butt")
    axes.plot([hardware, ratio], [row + 0.13] * 2, color=RIVAL, linewidth=5, solid_capstyle="butt")
    cut = loss.at_least or loss.ratio.value > end
    axes.plot([ratio], [row], color=INK, marker=">" if cut else "o", markersize=6, clip_on=False)
    across = axes.get_yaxis_transform()
    axes.text(-0.02, row, loss.idea, transform=across, ha="right", va="center")
    text = plain(factor(loss.ratio.value, at_least=loss.at_least)).replace("over ", ">")
    beside = [(f"{text}", 10, "left", INK, 12.0)]
    if not narrow:
        beside.append((f"{factor(loss.hardware)} · {factor(loss.software or 1.0)}", 168, "right", MUTED, 11.0))
    for words, offset, align, colour, fontsize in beside:
        axes.annotate(
            words,
            (1, row),
            xycoords=across,
            xytext=(offset, 0),
            textcoords="offset points",
            ha=align,
            va="center",
            color=colour,
            fontsize=fontsize,
            annotation_clip=False,
        )


def _spoken(loss: Loss) -> str:
    return (
        f"{loss.idea} on {short(loss.stack)} {factor(loss.ratio.value, at_least=loss.at_least)} behind {loss.winner},"
        f" hardware {factor(loss.hardware or 1.0)}, software {factor(loss.software or 1.0)}"
    )


def _ratio_axis(axes: Axes) -> None:
    low, high = axes.get_xlim()
    steps = [0.01, 0.1, 1.0, 10.0, 100.0, 1000.0, 10000.0]
    inside = [step for step in steps if low <= step <= high]
    if len(inside) < 3:
        inside = [step for step in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0) if low <= step <= high]
    axes.xaxis.set_major_locator(FixedLocator(inside))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{number(value)}×"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(NullLocator())
    axes.tick_params(axis="x", color=MUTED, labelcolor=MUTED, labelsize=11)
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel("times the time of the stack's fastest", color=MUTED, fontsize=11, labelpad=4)
