"""The figure of a program's memory: bytes of all arrays alive, over its operations."""

from collections.abc import Sequence

from markupsafe import Markup
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pennyweight.report.canvas import IDEA, LINE, MUTED, NARROW, RIVAL, canvas, place_axes, write_title
from pennyweight.report.words import number, plain, size


def live_bytes(
    timeline: Sequence[tuple[int, int]], *, peak_line: int, operations: int, width: int = 720, key: str = ""
) -> Markup | None:
    """Bytes alive over the operations of a program, the peak marked with its line; None without two points."""
    if len(timeline) < 2:
        return None
    where = [point[0] for point in timeline]
    alive = [point[1] for point in timeline]
    top = max(range(len(alive)), key=alive.__getitem__)
    with canvas(width, 200 if width < NARROW else 240) as (figure, finish):
        axes = place_axes(figure, left=54, right=16, top=34, bottom=40)
        write_title(axes, "bytes alive")
        axes.fill_between(where, 0, alive, step="post", color=IDEA, alpha=0.22, linewidth=0)
        axes.step(where, alive, where="post", color=IDEA, linewidth=1.4)
        axes.plot([where[top]], [alive[top]], marker="o", color=RIVAL, markersize=6)
        left = where[top] < 0.6 * operations
        axes.annotate(
            f"{plain(size(alive[top]))} at line {peak_line}",
            (where[top], alive[top]),
            xytext=(9 if left else -9, 4),
            textcoords="offset points",
            ha="left" if left else "right",
            color=RIVAL,
            fontweight="bold",
            annotation_clip=False,
        )
        axes.set_xlim(0, max(where[-1], 1))
        axes.set_ylim(0, max(alive) * 1.12 or 1)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 6)))
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain(size(value))))
        axes.tick_params(axis="x", color=MUTED, labelcolor=MUTED, labelsize=11)
        axes.tick_params(axis="y", length=0, labelcolor=MUTED, labelsize=11)
        axes.set_xlabel("operations", color=MUTED, fontsize=11)
        axes.grid(axis="y", color=LINE, linewidth=0.8)
        axes.set_axisbelow(True)
        most = f"at most {plain(size(alive[top]))} at line {peak_line}"
        return finish(f"Bytes of all arrays alive over {operations:,} operations; {most}.", key)
