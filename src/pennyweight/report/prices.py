"""The section about the price of attention: how many feed-forward blocks it costs here, by length, and what follows."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pennyweight.core.cost import Rate
from pennyweight.methods.par.search.kept import KeptScores
from pennyweight.report.canvas import IDEA, INK, LINE, MUTED, NARROW, RIVAL, canvas, place_axes, write_title
from pennyweight.report.pieces import Banner, Cell, Group, Piece, Section, Table, drawing, section
from pennyweight.report.words import moment, number, percent, score

_COLOURS = (IDEA, RIVAL, MUTED)


@dataclass(frozen=True, kw_only=True)
class Priced:
    """The seconds that a training step takes for attention and for a feed-forward block at one length on one stack.

    ``pattern`` is what kept scores choose at these prices.
    """

    stack: str
    length: int
    attention: Rate
    feedforward: Rate
    fixed: Rate
    pattern: str

    @property
    def ratio(self) -> float:
        """Attention in feed-forward blocks."""
        return self.attention.value / self.feedforward.value


def price_sentence(rows: Sequence[Priced]) -> str:
    """Where attention is cheapest and where dearest, and the pattern that each leads to."""
    low, high = min(rows, key=lambda row: row.ratio), max(rows, key=lambda row: row.ratio)
    return (
        f"attention costs {score(low.ratio, 2)} feed-forward blocks on {low.stack} at {low.length:,} tokens and"
        f" {score(high.ratio, 2)} on {high.stack} at {high.length:,}; at the same part of the interleaved"
        f" model's time the first leads to {low.pattern}, the second to {high.pattern}"
    )


def prices_section(rows: Sequence[Priced], scores: KeptScores, part: float, *, anchor: str) -> Section:
    """Prices by length on each stack, and the pattern that follows from each."""
    sentence = price_sentence(rows)
    pieces: list[Piece] = [
        Banner(label="The price of attention", sentence=f"{sentence[0].upper()}{sentence[1:]}.", tone="idea"),
        *drawing(
            lambda width: _figure(rows, width=width, key=anchor),
            "Training time of an attention block over that of a feed-forward block, by length of the text, as measured"
            " here. Below 1 attention is the cheaper block, and replacing it saves nothing.",
        ),
        _table(rows, scores, part),
    ]
    return section("The price of attention here", anchor, pieces)


def _figure(rows: Sequence[Priced], *, width: int, key: str) -> Markup:
    narrow = width < NARROW
    stacks = list(dict.fromkeys(row.stack for row in rows))
    with canvas(width, 230 if narrow else 270) as (figure, finish):
        axes = place_axes(figure, left=40, right=112 if narrow else 158, top=30, bottom=40)
        write_title(axes, "feed-forward blocks for one attention block")
        axes.axhline(1.0, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        for stack, colour in zip(stacks, _COLOURS, strict=False):
            own = [row for row in rows if row.stack == stack]
            axes.plot([row.length for row in own], [row.ratio for row in own], color=colour, linewidth=2.2, marker="o")
            axes.annotate(
                stack.replace("/", "/\n", 2) if narrow else stack,
                (own[-1].length, own[-1].ratio),
                xytext=(9, 0),
                textcoords="offset points",
                va="center",
                fontsize=11,
                color=colour if colour != MUTED else INK,
                annotation_clip=False,
            )
        lengths = sorted({row.length for row in rows})
        axes.set_xscale("log", base=2)
        axes.set_xticks(lengths, [f"{length:,}" for length in lengths])
        axes.minorticks_off()
        axes.set_ylim(bottom=0)
        axes.tick_params(length=0, labelsize=11, labelcolor=MUTED)
        axes.yaxis.grid(True, color=LINE, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.set_xlabel("tokens", color=MUTED, fontsize=11)
        told = "; ".join(f"{row.stack} at {row.length}: {number(row.ratio)}" for row in rows)
        return finish(f"Attention in feed-forward blocks: {told}.", key)


def _table(rows: Sequence[Priced], scores: KeptScores, part: float) -> Table:
    stacks = list(dict.fromkeys(row.stack for row in rows))
    groups = [
        Group(
            title=stack,
            rows=[
                [
                    Cell(f"{row.length:,} tokens"),
                    Cell(moment(row.attention.value), note=_band(row.attention)),
                    Cell(moment(row.feedforward.value), note=_band(row.feedforward)),
                    Cell(score(row.ratio, 2)),
                    Cell(row.pattern),
                ]
                for row in rows
                if row.stack == stack
            ],
        )
        for stack in stacks
    ]
    return Table(
        caption="Prices of a training step, and the pattern that follows",
        columns=[Cell(""), Cell("attention"), Cell("feed-forward"), Cell("ratio"), Cell("pattern")],
        groups=groups,
        below=(
            f"The pattern of {len(scores.own)} blocks that would lose least at {percent(part)} of the interleaved"
            f" model's time, by scores measured once ({scores.recipe} on {scores.data}; {scores.trained}) and these"
            " prices. pennyweight search measures scores of your own."
        ),
    )


def _band(rate: Rate) -> str:
    return f"{moment(rate.low)}–{moment(rate.high)}"
