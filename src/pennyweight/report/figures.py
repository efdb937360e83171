"""Figures of races and runs, drawn on a `canvas`: one drawing for a desk and a narrower one for a phone."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from pennyweight.core.race import SIDES, Trial
from pennyweight.report.canvas import IDEA, LINE, MUTED, NARROW, RIVAL, canvas, place_axes, spread, write_title
from pennyweight.report.words import bound, bounded, number, score

_SIDE_COLOURS = {"idea": IDEA, "rival": RIVAL}
_MAX_POINTS = 300


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Idea over rival with its interval, and in which direction it is good ("" where neither is).

    ``confidence`` is given where it is not that of the whole figure.
    """

    name: str
    value: float
    low: float
    high: float
    better: Literal["lower", "higher", ""] = ""
    confidence: float | None = None

    @property
    def bounded(self) -> bool:
        """Whether there is an interval at all; one seed tells nothing of the spread."""
        return bounded(self.low, self.high)

    @property
    def winner(self) -> Literal["idea", "rival", ""]:
        """The side that is better, where the interval leaves out 1."""
        if not self.better or self.low <= 1 <= self.high:
            return ""
        return "idea" if (self.high < 1) == (self.better == "lower") else "rival"


# --- the four figures ---


def race_curves(
    trials: Sequence[Trial],
    metric: str,
    baselines: Mapping[str, float],
    *,
    names: Mapping[str, str] | None = None,
    width: int = 720,
    key: str = "",
) -> Markup:
    """The validation metric over training seconds: a line a side, the mean of its seeds, in their range.

    Trials that diverged are drawn alone, thin, with a cross at their end. Baselines inside the frame are
    dashed. The steep first tenth does not widen the frame. ``key`` keeps the ids of equal drawings apart.
    """
    names = names or {side: side for side in SIDES}
    narrow = width < NARROW
    whole = [trial for trial in trials if trial.value is not None and len(trial.curve) > 1]
    frame = _frame([trial.curve for trial in whole] or [trial.curve for trial in trials if trial.curve])
    spoken, labels = [], []
    with canvas(width, 250 if narrow else 340) as (figure, finish):
        axes = place_axes(figure, left=40, right=112 if narrow else 158, top=30, bottom=40)
        write_title(axes, f"{metric}, validation")
        for side in SIDES:
            colour = _SIDE_COLOURS[side]
            own = [trial for trial in whole if trial.side == side]
            for trial in trials:
                if trial.side == side and trial.value is None and trial.curve:
                    seconds, values = np.array(trial.curve).T
                    axes.plot(seconds, values, color=colour, linewidth=0.9, alpha=0.7)
                    axes.plot(seconds[-1:], values[-1:], color=colour, marker="x", markersize=7)
            if not own:
                labels.append((frame[1], f"{names[side]} (diverged)", "", colour))
                continue
            grid, low, mean, high = _band([trial.curve for trial in own])
            axes.fill_between(grid, low, high, color=colour, alpha=0.16, linewidth=0)
            axes.plot(grid, mean, color=colour, linewidth=2, solid_joinstyle="round")
            labels.append((float(mean[-1]), names[side], score(float(mean[-1])), colour))
            spoken.append(f"{names[side]} ends at {score(float(mean[-1]))} after {number(float(grid[-1]))} s")
        axes.set_xlim(0, max((s for trial in trials for s, _ in trial.curve), default=1.0))
        axes.set_ylim(*frame)
        if frame[0] > 0 and frame[1] / frame[0] > 4:
            axes.set_yscale("log")
        inside = {name: value for name, value in baselines.items() if frame[0] < value < frame[1]}
        _reference_lines(axes, inside)
        _time_axis(axes)
        _value_axis(axes)
        _line_labels(axes, labels, columns=15 if narrow else 21)
        for name, value in inside.items():
            spoken.append(f"{name} stands at {score(value)}")
        return finish(f"{metric} on validation data over training time. {'; '.join(spoken)}.", key)


def ratio_interval(ratio: Ratio | Sequence[Ratio], confidence: float, *, width: int = 720, key: str = "") -> Markup:
    """Ratios, idea over rival, as points with their intervals around 1, and in words which side is better.

    The axis is logarithmic and symmetric about 1; an interval that leaves it ends in an arrow.
    """
    ratios = [ratio] if isinstance(ratio, Ratio) else list(ratio)
    narrow = width < NARROW
    row = 46 if narrow else 34
    reach = max([1.02, *(max(r.value, 1 / r.value) for r in ratios)])
    ends = [end for r in ratios if r.bounded for end in (r.high, 1 / r.low)]
    reach = min(max([reach, *ends]), max(reach**3, 1.3)) ** 1.08
    spoken = []
    with canvas(width, row * len(ratios) + 30) as (figure, finish):
        axes = place_axes(figure, left=8 if narrow else 176, right=8 if narrow else 214, top=2, bottom=28)
        axes.set_xscale("log")
        axes.set_xlim(1 / reach, reach)
        axes.set_ylim(len(ratios) - 0.5, -0.5)
        axes.axvline(1, color=MUTED, linewidth=1)
        for index, r in enumerate(ratios):
            colour = _SIDE_COLOURS.get(r.winner, MUTED)
            low, high = max(r.low, 1 / reach), min(r.high, reach)
            level = index + (0.2 if narrow else 0)
            axes.plot([low, high], [level, level], color=colour, linewidth=2 if r.bounded else 0.8)
            for end, cut, marker in ((low, r.low < low, 4), (high, r.high > high, 5)):
                axes.plot([end], [level], color=colour, marker=marker if cut else "|", markersize=7, clip_on=False)
            axes.plot([r.value], [level], color=colour, marker="o", markersize=8)
            words, interval = _verdict_words(r), _interval_words(r)
            spoken.append(f"{r.name} {score(r.value, 3)} ({interval}), {words}")
            across = axes.get_yaxis_transform()
            if narrow:
                axes.text(0, index - 0.22, r.name, transform=across, va="center", fontsize=12)
                text = f"{score(r.value, 3)}×  {words}"
                axes.text(1, index - 0.22, text, transform=across, va="center", ha="right", color=colour)
            else:
                axes.text(-0.03, index, r.name, transform=across, va="center", ha="right")
                axes.text(1.03, index - 0.18, f"{score(r.value, 3)}×", transform=across, va="center", color=colour)
                axes.texts[-1].set_fontweight("bold")
                axes.text(1.24, index - 0.18, words, transform=across, va="center", color=colour)
                axes.text(1.03, index + 0.24, interval, transform=across, va="center", fontsize=10.5, color=MUTED)
        _ratio_axis(axes, reach)
        return finish(
            f"Ratios, idea over rival, with {number(100 * confidence)} % intervals: {'; '.join(spoken)}.", key
        )


def run_curves(
    metrics: Sequence[Mapping[str, Any]], *, metric: str = "value", width: int = 720, key: str = ""
) -> Markup | None:
    """One run over its training seconds: loss (raw thin, smoothed thick), validation value, learning rate.

    ``metrics`` are the records of ``metrics.jsonl``. None before the first finite step.
    """
    steps = [r for r in metrics if r["kind"] == "step" and math.isfinite(r.get("loss", math.nan))]
    checks = [r for r in metrics if r["kind"] == "validation" and math.isfinite(r["value"])]
    if not steps:
        return None
    seconds, loss = np.array([r["seconds"] for r in steps]), np.array([r["loss"] for r in steps])
    rate = np.array([r["lr"] for r in steps])
    kept = np.unique(np.linspace(0, len(steps) - 1, _MAX_POINTS).round().astype(int))
    smooth = _moving_mean(loss, max(1, len(loss) // 40))
    panels = 2 if len(checks) > 1 else 1
    spoken = f"Training loss falls from {score(loss[0])} to {score(float(smooth[-1]))}"
    plot, gap = 150, 34
    height = 28 + panels * (plot + gap) + 46 + 34
    with canvas(width, height) as (figure, finish):
        top = 28
        axes = place_axes(figure, left=46, right=64, top=top, height=plot)
        write_title(axes, "training loss")
        axes.plot(seconds[kept], loss[kept], color=MUTED, linewidth=0.7, alpha=0.55)
        axes.plot(seconds[kept], smooth[kept], color=IDEA, linewidth=2)
        axes.set_ylim(*_frame([list(zip(seconds[kept], loss[kept], strict=True))]))
        _end_label(axes, seconds[-1], float(smooth[-1]), score(float(smooth[-1])), IDEA)
        drawn = [axes]
        if panels == 2:
            top += plot + gap
            axes = place_axes(figure, left=46, right=64, top=top, height=plot)
            write_title(axes, f"{metric}, validation")
            when, value = np.array([(r["seconds"], r["value"]) for r in checks]).T
            axes.plot(when, value, color=RIVAL, linewidth=2, marker="o", markersize=4)
            axes.set_ylim(*_frame([list(zip(when, value, strict=True))]))
            _end_label(axes, when[-1], float(value[-1]), score(float(value[-1])), RIVAL)
            spoken += f"; {metric} on validation data goes from {score(value[0])} to {score(value[-1])}"
            drawn.append(axes)
        for above in drawn:
            _value_axis(above)
        axes = place_axes(figure, left=46, right=64, top=top + plot + gap, height=46)
        write_title(axes, "learning rate")
        axes.fill_between(seconds[kept], 0, rate[kept], color=MUTED, alpha=0.25, linewidth=0)
        axes.plot(seconds[kept], rate[kept], color=MUTED, linewidth=1.2)
        axes.set_ylim(0, rate.max() * 1.15 or 1.0)
        axes.yaxis.set_major_locator(FixedLocator([float(rate.max())]))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 2)))
        axes.tick_params(axis="y", length=0, labelcolor=MUTED, labelsize=11)
        for above in drawn:
            above.set_xlim(0, seconds[-1])
            _time_axis(above, labelled=False)
        axes.set_xlim(0, seconds[-1])
        _time_axis(axes)
        return finish(f"{spoken}, over {number(seconds[-1])} s of training.", key)


def recall_curves(
    figures: Mapping[str, Mapping[str, float]],
    *,
    names: Mapping[str, str] | None = None,
    width: int = 720,
    key: str = "",
) -> Markup | None:
    """How often each side repeats what stood ``N`` tokens ago, over N, with the floor of what cannot be known.

    Reads ``recall at N`` and ``recall floor at N`` from the figures of a race; None where a side has none.
    """
    names = names or {side: side for side in SIDES}
    known = {side: recall_points(figures.get(side, {})) for side in SIDES}
    if not all(known.values()):
        return None
    narrow = width < NARROW
    distances = sorted({point[0] for points in known.values() for point in points})
    spoken, labels = [], []
    with canvas(width, 230 if narrow else 280) as (figure, finish):
        axes = place_axes(figure, left=40, right=112 if narrow else 158, top=30, bottom=42)
        write_title(axes, "accuracy of repeating")
        for side in SIDES:
            where, accuracy, floor = np.array(known[side]).T
            colour = _SIDE_COLOURS[side]
            axes.plot(where, floor, color=colour, linewidth=1, linestyle=(0, (2, 3)), clip_on=False)
            axes.plot(where, accuracy, color=colour, linewidth=2, marker="o", markersize=5, clip_on=False)
            labels.append((float(accuracy[-1]), names[side], score(float(accuracy[-1]), 3), colour))
            said = ", ".join(f"{score(a, 3)} at {number(d)}" for d, a, _ in known[side])
            spoken.append(f"{names[side]} {said}")
        axes.set_ylim(0, 1)
        if len(distances) > 1:
            axes.set_xscale("log")
            axes.set_xlim(distances[0], distances[-1])
        axes.xaxis.set_major_locator(FixedLocator(_apart(distances, 0.12)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
        axes.set_xlabel("tokens ago", color=MUTED, fontsize=11)
        axes.tick_params(axis="x", color=MUTED, labelcolor=MUTED, labelsize=11)
        _value_axis(axes)
        _line_labels(axes, labels, columns=15 if narrow else 21)
        return finish(f"Accuracy of repeating what stood some tokens ago: {'; '.join(spoken)}.", key)


def recall_points(figures: Mapping[str, float]) -> list[tuple[int, float, float]]:
    """``(distance, accuracy, floor)`` in the order of distance, out of one side's figures."""
    prefix = "recall at "
    distances = sorted(int(name.removeprefix(prefix)) for name in figures if name.startswith(prefix))
    return [(d, figures[f"{prefix}{d}"], figures.get(f"recall floor at {d}", math.nan)) for d in distances]


# --- numbers behind the drawings ---


def _band(
    curves: Sequence[Sequence[tuple[float, float]]],
) -> tuple[Float[NDArray[np.float64], " t"], ...]:
    """Grid, lowest, mean and highest of curves, on all their times between the last start and the first end."""
    start, end = max(curve[0][0] for curve in curves), min(curve[-1][0] for curve in curves)
    times = np.unique([s for curve in curves for s, _ in curve])
    grid = times[(times >= start) & (times <= end)]
    values = np.stack([np.interp(grid, *np.array(curve).T) for curve in curves])
    return grid, values.min(0), values.mean(0), values.max(0)


def _frame(curves: Sequence[Sequence[tuple[float, float]]]) -> tuple[float, float]:
    """Ends of the value axis: all that is seen after the first tenth of the time, and a margin."""
    end = max((curve[-1][0] for curve in curves), default=0.0)
    values = [v for curve in curves for s, v in curve if s >= end / 10] or [0.0]
    low, high = min(values), max(values)
    margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def _moving_mean(values: Float[NDArray[np.float64], " n"], reach: int) -> Float[NDArray[np.float64], " n"]:
    """The mean of each value and up to ``reach`` before it, so that the last point says how it stands now."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(ends - reach - 1, 0)
    smooth: Float[NDArray[np.float64], " n"] = (sums[ends] - sums[starts]) / (ends - starts)
    return smooth


def _apart(positions: Sequence[float], share: float) -> list[float]:
    """Those positions, on a logarithmic axis, that stand at least this share of its length apart."""
    least = share * math.log(positions[-1] / positions[0]) if len(positions) > 1 else 0.0
    kept = list(positions[-1:])
    for position in positions[-2::-1]:
        if math.log(kept[-1] / position) >= least:
            kept.append(position)
    return kept


def _interval_words(ratio: Ratio) -> str:
    if not ratio.bounded:
        return "no interval"
    level = f" ({number(100 * ratio.confidence)} %)" if ratio.confidence else ""
    return f"{bound(ratio.low)}–{bound(ratio.high)}{level}"


def _verdict_words(ratio: Ratio) -> str:
    if not ratio.better:
        return ""
    return f"{ratio.winner} better" if ratio.winner else "undecided"


# --- parts of drawings ---


def _value_axis(axes: Axes) -> None:
    if axes.get_yscale() == "log":
        low, high = axes.get_ylim()
        nice = [m * 10.0**e for e in range(-9, 13) for m in (1, 2, 5)]
        axes.yaxis.set_major_locator(FixedLocator([tick for tick in nice if low <= tick <= high]))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.10g}".replace("-", "−")))
    axes.tick_params(axis="y", length=0, labelcolor=MUTED, labelsize=11)
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)


def _time_axis(axes: Axes, *, labelled: bool = True) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.tick_params(axis="x", color=MUTED, labelcolor=MUTED, labelsize=11, labelbottom=labelled)
    if labelled:
        axes.set_xlabel("training seconds", color=MUTED, fontsize=11)


def _ratio_axis(axes: Axes, reach: float) -> None:
    for fine in (5.0, 2.0, 1.25, 1.1, 1.05, 1.02, 1.01, 1.005):
        if fine < reach**0.85:
            break
    axes.xaxis.set_major_locator(FixedLocator([1 / fine, 1.0, fine]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{number(value)}×" if value != 1 else "equal"))
    axes.tick_params(axis="x", color=MUTED, labelcolor=MUTED, labelsize=11)
    axes.yaxis.set_visible(False)


def _reference_lines(axes: Axes, values: Mapping[str, float]) -> None:
    """Thin dashed lines with their names on them at the left, where curves are steep and leave room."""
    if not values:
        return
    tall = axes.get_window_extent().height
    levels = [float(axes.transAxes.inverted().transform(axes.transData.transform((0, v)))[1]) for v in values.values()]
    for (name, value), level in zip(values.items(), spread(levels, 14 / tall), strict=True):
        axes.axhline(value, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.annotate(
            f"{name} {score(value)}",
            (0, level),
            xycoords="axes fraction",
            xytext=(3, 3),
            textcoords="offset points",
            fontsize=10.5,
            color=MUTED,
        )


def _line_labels(axes: Axes, labels: Sequence[tuple[float, str, str, str]], *, columns: int) -> None:
    """Names and last values at the right ends of lines, moved apart where they would touch."""
    tall = axes.get_window_extent().height
    texts = ["\n".join([*textwrap.wrap(name, columns, max_lines=3), value]).strip() for _, name, value, _ in labels]
    to_axes = axes.transData + axes.transAxes.inverted()
    levels = [min(1.0, float(to_axes.transform((axes.get_xlim()[1], label[0]))[1])) for label in labels]
    least = max(15 * (text.count("\n") + 1) + 4 for text in texts) / tall
    moved = spread(levels, least)
    lift = max(0.0, least / 2 - min(moved))  # below the axis stands its own text
    for level, text, label in zip(moved, texts, labels, strict=True):
        axes.annotate(
            text,
            (1, level + lift),
            xycoords="axes fraction",
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=label[3],
            fontsize=12,
            fontweight="bold",
        )


def _end_label(axes: Axes, seconds: float, value: float, text: str, colour: str) -> None:
    axes.annotate(
        text,
        (seconds, value),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        color=colour,
        fontweight="bold",
        annotation_clip=False,
    )
