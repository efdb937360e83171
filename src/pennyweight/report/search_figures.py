"""The two figures of a search: quality by latency of all that was trained, and what each block would cost elsewhere."""

import textwrap
from collections.abc import Mapping, Sequence
from statistics import median

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from pennyweight.blocks.pattern import Pattern
from pennyweight.methods.par.search.result import Candidate, SearchResult
from pennyweight.report.canvas import IDEA, INK, LINE, MUTED, NARROW, RIVAL, canvas, place_axes, spread, write_title
from pennyweight.report.search_words import WORDS, candidate_of, cost_of, reference_of, short_name
from pennyweight.report.words import number, score

_ROW = 26
_TOLD_BELOW = 17
"""From so many places on there is no room for a number in each."""


def front_figure(result: SearchResult, *, width: int = 720, key: str = "") -> Markup:
    """Every trained candidate: its cost in the first limit, as a part of the reference's, and its quality."""
    narrow = width < NARROW
    quantity = next(iter(result.limits))
    reference = reference_of(result)
    whole = cost_of(reference, quantity)
    points = [(cost_of(one, quantity) / whole, one.value, one) for one in result.candidates]
    limit = result.most[quantity] / reference.costs[quantity]
    with canvas(width, 300 if narrow else 340) as (figure, finish):
        axes = place_axes(figure, left=44, right=120 if narrow else 190, top=30, bottom=40)
        write_title(axes, f"{result.metric}, test")
        axes.axvline(limit, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.annotate(
            "limit",
            (limit, 0),
            xycoords=("data", "axes fraction"),
            xytext=(4, 6),
            textcoords="offset points",
            color=MUTED,
            fontsize=11,
        )
        shown = _within_reach(points, result)
        for cost, value, one in shown:
            axes.plot([cost], [value], color=_colour(one, result), marker=_marker(one), markersize=8, zorder=3)
        low, high = min(value for _, value, _ in shown), max(value for _, value, _ in shown)
        margin = 0.08 * (high - low) or 0.01
        axes.set_ylim(low - margin, high + margin)
        if result.better == "higher":
            axes.invert_yaxis()
        if beyond := [f"{short_name(point[2].name)} {score(point[1])}" for point in points if point not in shown]:
            text = f"beyond: {', '.join(beyond)}"
            axes.text(0, 0.98, text, transform=axes.transAxes, va="top", color=MUTED, fontsize=11)
        _names(axes, shown, result, columns=18 if narrow else 30)
        axes.tick_params(length=0, labelsize=11, labelcolor=MUTED)
        axes.yaxis.grid(True, color=LINE, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.set_xlabel(f"{quantity} over the reference's", color=MUTED, fontsize=11)
        told = "; ".join(f"{one.name} {number(cost)} times, {score(value)}" for cost, value, one in points)
        return finish(f"{result.metric} by {quantity}: {told}.", key)


def _within_reach(
    points: Sequence[tuple[float, float, Candidate]], result: SearchResult
) -> list[tuple[float, float, Candidate]]:
    """Without those so far off that they would squeeze all others together: four times the median from the best."""
    values = sorted(value for _, value, _ in points)
    best = values[0] if result.better == "lower" else values[-1]
    usual = median(abs(value - best) for value in values)
    return [point for point in points if abs(point[1] - best) <= 4 * usual or point[2].name == result.found]


def _names(axes: Axes, points: Sequence[tuple[float, float, Candidate]], result: SearchResult, *, columns: int) -> None:
    """Names to the right of the frame, level with their points as far as they do not collide."""
    low, high = sorted(axes.get_ylim())
    tall = axes.get_window_extent().height
    order = sorted(points, key=lambda point: point[1])
    texts = [textwrap.shorten(short_name(one.name), columns, placeholder="…") for _, _, one in order]
    for (cost, value, one), level, text in zip(
        order, spread([value for _, value, _ in order], 14 * (high - low) / tall), texts, strict=True
    ):
        colour = _colour(one, result)
        axes.annotate(
            text,
            (cost, value),
            xycoords="data",
            xytext=(1.03, level),
            textcoords=("axes fraction", "data"),
            va="center",
            fontsize=11,
            color=INK if colour == MUTED else colour,
            arrowprops={"arrowstyle": "-", "color": LINE, "linewidth": 0.8, "shrinkB": 5},
            annotation_clip=False,
        )


def _colour(one: Candidate, result: SearchResult) -> str:
    if one.name == result.found:
        return IDEA
    return RIVAL if one.origin == "reference" else MUTED


def _marker(one: Candidate) -> str:
    return {"searched": "o", "rival": "s", "reference": "D"}[one.origin]


def places_figure(result: SearchResult, *, width: int = 720, key: str = "") -> Markup:
    """For each place and kind what putting it there adds to the parent's loss; what was found is ringed."""
    found = Pattern.parse(candidate_of(result, result.found).pattern)
    own, letters = result.scores.own, result.menu
    added = {**result.scores.added, **{f"{letter} at {place}": 0.0 for place, letter in enumerate(own)}}
    largest = max(max(added.values()), 1e-9)
    narrow = width < NARROW
    with canvas(width, 64 + _ROW * len(letters)) as (figure, finish):
        axes = place_axes(figure, left=34 if narrow else 196, right=8, top=10, bottom=44)
        axes.set_xlim(-0.5, len(own) - 0.5)
        axes.set_ylim(len(letters) - 0.5, -0.5)
        for row, letter in enumerate(letters):
            for place, spec in enumerate(found):
                more = added[f"{letter} at {place}"]
                _cell(axes, place, row, more / largest, chosen=spec.letter == letter)
                if own[place] == letter:
                    axes.plot([place], [row], marker="o", markersize=4, color=RIVAL, zorder=4)
                elif len(own) < _TOLD_BELOW and not narrow:
                    axes.text(
                        place, row, _thousandths(more), ha="center", va="center", fontsize=9.5, color=INK, zorder=4
                    )
        axes.set_yticks(range(len(letters)), [letter if narrow else f"{WORDS[letter]}  {letter}" for letter in letters])
        step = 1 if len(own) < _TOLD_BELOW else 4
        axes.set_xticks(range(0, len(own), step), [str(place) for place in range(0, len(own), step)])
        axes.tick_params(length=0, labelsize=11, labelcolor=INK)
        axes.spines["bottom"].set_visible(False)
        axes.set_xlabel("place", color=MUTED, fontsize=11)
        return finish(_spoken(result, added, found), key)


def _cell(axes: Axes, place: int, row: int, part: float, *, chosen: bool) -> None:
    share = min(1.0, max(0.0, part)) ** 0.5
    box = (place - 0.46, row - 0.44)
    axes.add_patch(Rectangle(box, 0.92, 0.88, facecolor=RIVAL, alpha=0.06 + 0.5 * share, linewidth=0, zorder=1))
    if chosen:
        axes.add_patch(Rectangle(box, 0.92, 0.88, fill=False, edgecolor=IDEA, linewidth=2.2, zorder=3))


def _thousandths(added: float) -> str:
    return f"{round(1000 * added)}".replace("-", "−")


def _spoken(result: SearchResult, added: Mapping[str, float], found: Pattern) -> str:
    costs = [f"{spec.letter} at {place}" for place, spec in enumerate(found)]
    told = ", ".join(f"{name} {_thousandths(added[name])}" for name in costs)
    return f"Found {result.found}: thousandths of a nat that each of its blocks adds to the parent's loss: {told}."
