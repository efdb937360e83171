"""The roofline of weighed stacks: what arithmetic can reach at each ratio of operations to bytes, in bands.

Williams, Waterman and Patterson, Roofline (CACM 52(4), 2009). The memory's roof and that of the fastest cache
rise to the ceiling of matrix products; each family of operations stands at its own ratio as it was measured
in cache, so that its distance from the roofs shows what else it waits for.
"""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from pennyweight.core.cost import CostTable, Rate
from pennyweight.report.canvas import IDEA, INK, LINE, MUTED, NARROW, RIVAL, canvas, place_axes, spread, write_title
from pennyweight.report.costs import column, own_dtype
from pennyweight.report.words import number

_FAMILIES = ("elementwise", "transcendental", "reduction", "scan", "fft", "linalg", "contraction")
_FEWEST, _MOST = 1 / 32, 512.0
_PANEL, _ROW = 206, 276


def roofline(tables: Sequence[CostTable], *, width: int = 720, key: str = "") -> Markup | None:
    """A panel for each stack that has a rate of matrix products, two in a row where there is room.

    None where there is no such stack. ``key`` keeps the ids of equal drawings apart.
    """
    shown = [table for table in tables if f"contraction/{own_dtype(table)}" in table.rates]
    if not shown:
        return None
    beside = 1 if width < NARROW else 2
    each = width / beside
    limits = _limits(shown)
    spoken = []
    with canvas(width, _ROW * -(-len(shown) // beside)) as (figure, finish):
        for index, table in enumerate(shown):
            row, place = divmod(index, beside)
            axes = place_axes(
                figure,
                left=40 + place * each,
                right=14 + (beside - 1 - place) * each,
                top=28 + row * _ROW,
                height=_PANEL,
            )
            write_title(axes, f"{column(table)}, GFLOP/s")
            spoken.append(_panel(axes, table, limits))
        return finish(f"Rooflines: {'; '.join(spoken)}.", key)


def _limits(tables: Sequence[CostTable]) -> tuple[float, float]:
    """The same ends for all panels: below the lowest family, above the highest ceiling."""
    rates = [rate for table in tables for _, _, rate in _families(table)]
    return min(rate.low for rate in rates) / 2, max(rate.high for rate in rates) * 2


def _families(table: CostTable) -> list[tuple[str, float, Rate]]:
    """Name, operations per byte and rate of the families that compute."""
    names = [(family, f"{family}/{own_dtype(table)}") for family in _FAMILIES]
    return [(f, table.intensities[n], table.rates[n]) for f, n in names if n in table.rates and n in table.intensities]


def _panel(axes: Axes, table: CostTable, limits: tuple[float, float]) -> str:
    """Draw one stack and say what is seen."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(_FEWEST, _MOST)
    axes.set_ylim(*limits)
    peak = table.rates[f"contraction/{own_dtype(table)}"]
    caches = {level: rate.value for level, rate in table.bandwidth.items() if level != "memory"}
    cache = max(caches, key=lambda level: caches[level], default="")
    said = [f"{column(table)} reaches {number(peak.value / 1e9)} GFLOP/s in matrix products"]
    for level, colour, above in ((cache, RIVAL, True), ("memory", IDEA, False)):
        if level:
            said.append(_roof(axes, level, table.bandwidth[level], peak, colour, above=above))
    families = _families(table)
    for _, intensity, rate in families:
        axes.plot([intensity] * 2, [rate.low, rate.high], color=INK, linewidth=1.2)
        axes.plot([intensity], [rate.value], color=INK, marker="o", markersize=4)
    _name(axes, families)
    said += [f"{family} {number(rate.value / 1e9)}" for family, _, rate in families]
    _scales(axes)
    return ", ".join(said)


def _roof(axes: Axes, level: str, bandwidth: Rate, peak: Rate, colour: str, *, above: bool) -> str:
    """A level's roof up to the ceiling, in its band, with its name along it."""
    ends = ((bandwidth.low, peak.low), (bandwidth.value, peak.value), (bandwidth.high, peak.high))
    x = np.array(sorted({_FEWEST, _MOST, *(ceiling / slope for slope, ceiling in ends)}))
    low, middle, high = (np.minimum(x * slope, ceiling) for slope, ceiling in ends)
    axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
    axes.plot(x, middle, color=colour, linewidth=1.8)
    text = f"{level} {number(bandwidth.value / 1e9)} GB/s"
    ridge = peak.value / bandwidth.value
    axes.annotate(
        text,
        (ridge, peak.value),
        xytext=(-6, 4) if above else (-8, -14),
        textcoords="offset points",
        rotation=_slope(axes),
        rotation_mode="anchor",
        ha="right",
        va="bottom" if above else "top",
        color=colour,
        fontsize=10.5,
    )
    return text


def _slope(axes: Axes) -> float:
    """The angle at which a line that doubles from octave to octave rises in this panel."""
    (x0, y0), (x1, y1) = axes.transData.transform([(1.0, 1e9), (2.0, 2e9)])
    return float(np.degrees(np.arctan2(y1 - y0, x1 - x0)))


def _name(axes: Axes, families: Sequence[tuple[str, float, Rate]]) -> None:
    """Names beside the points; those of the crowd that computes little for a byte are moved apart."""
    tall = axes.get_window_extent().height
    to_axes = axes.transData + axes.transAxes.inverted()
    heights = [float(to_axes.transform((intensity, rate.value))[1]) for _, intensity, rate in families]
    crowd = [index for index, (_, intensity, _) in enumerate(families) if intensity < 1]
    for index, level in zip(crowd, spread([heights[index] for index in crowd], 13 / tall), strict=True):
        heights[index] = level
    for (family, intensity, _), height in zip(families, heights, strict=True):
        last = family == "contraction"
        axes.annotate(
            family,
            (intensity, height),
            xycoords=axes.get_xaxis_transform(),
            xytext=(-4, -9) if last else (6, -1),
            textcoords="offset points",
            fontsize=10,
            va="center",
            ha="right" if last else "left",
        )


def _scales(axes: Axes) -> None:
    low, high = axes.get_ylim()
    axes.xaxis.set_major_locator(FixedLocator([1 / 16, 1.0, 16.0, 256.0]))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: number(value) if value >= 1 else f"1/{1 / value:.0f}")
    )
    axes.yaxis.set_major_locator(FixedLocator([10.0**power for power in range(6, 17) if low <= 10.0**power <= high]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value / 1e9)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
    axes.tick_params(axis="x", color=MUTED, labelcolor=MUTED, labelsize=11)
    axes.tick_params(axis="y", length=0, labelcolor=MUTED, labelsize=11)
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_xlabel("operations for each byte", color=MUTED, fontsize=11, labelpad=2)
