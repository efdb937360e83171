"""Figures are stable, themable and accessible, and their numbers are those they were given."""

import math
import re
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from pennyweight.core.race import SIDES, SideName, Trial
from pennyweight.report import canvas, figures
from pennyweight.report.figures import Ratio

BASELINES = {"trigrams": 2.39, "xz": 2.7, "untrained": 3.7}
RATIOS = [
    Ratio(name="bits per byte", value=0.969, low=0.95, high=0.988, better="lower"),
    Ratio(name="speed", value=0.8, low=0.7, high=0.9, better="higher"),
    Ratio(name="time", value=0.9, low=0.0, high=1e9, better="lower"),
]
RECALL = {
    "idea": {"recall at 64": 0.7, "recall floor at 64": 0.01, "recall at 256": 0.4, "recall floor at 256": 0.01},
    "rival": {"recall at 64": 0.9, "recall floor at 64": 0.02, "recall at 256": 0.8, "recall floor at 256": 0.02},
}


def trial(side: SideName, seed: int, *values: float, value: float | None = 2.0, seconds: float = 60.0) -> Trial:
    times = np.linspace(0, seconds, len(values))
    curve = tuple(zip(times.tolist(), values, strict=True))
    return Trial(side=side, seed=seed, tuned=0.003, run=f"{side}{seed}", seconds=seconds, value=value, curve=curve)


def trials() -> list[Trial]:
    return [
        trial(side, seed, 3.7, 2.8 + lift, 2.3 + lift, 2.1 + lift + seed / 100, 2.0 + lift + seed / 100)
        for side, lift in (("idea", 0.0), ("rival", 0.1))
        for seed in range(3)
    ]


def metrics(num_steps: int = 500) -> list[dict[str, object]]:
    steps: list[dict[str, object]] = [
        {"kind": "step", "seconds": 0.1 * n, "loss": 2 + 5 / n, "lr": 1e-3 * (1 - n / num_steps)}
        for n in range(1, num_steps + 1)
    ]
    return steps + [{"kind": "validation", "seconds": 10.0 * n, "value": 3 - 0.2 * n} for n in range(6)]


DRAWINGS: dict[str, Callable[[int, str], Markup | None]] = {
    "race": lambda width, key: figures.race_curves(trials(), "bits per byte", BASELINES, width=width, key=key),
    "ratio": lambda width, key: figures.ratio_interval(RATIOS, 0.99, width=width, key=key),
    "run": lambda width, key: figures.run_curves(metrics(), metric="bits per byte", width=width, key=key),
    "recall": lambda width, key: figures.recall_curves(RECALL, width=width, key=key),
}


@pytest.mark.parametrize("name", DRAWINGS)
@pytest.mark.parametrize("width", [358, 760])
def test_drawing_twice_gives_the_same_bytes(name: str, width: int) -> None:
    assert DRAWINGS[name](width, "") == DRAWINGS[name](width, "")


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_is_an_accessible_element_in_the_colours_of_its_page(name: str) -> None:
    text = DRAWINGS[name](358, "") or Markup()
    root = ElementTree.fromstring(text)
    assert root.tag == "svg"
    assert root.get("role") == "img"
    assert root.get("aria-label") == root.findtext("title")
    assert root.get("viewBox", "").split()[:3] == ["0", "0", "358"]
    colours = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", text))
    assert colours <= {"none", "currentColor", *(f"var(--{v})" for v in ("idea", "rival", "muted", "line"))}
    assert len(colours) > 2
    assert "<style" not in text
    assert "http" not in text
    assert "DejaVu" not in text


@pytest.mark.parametrize("name", DRAWINGS)
def test_ids_of_drawings_on_one_page_do_not_clash(name: str) -> None:
    texts = [DRAWINGS[name](width, key) or Markup() for width in (358, 760) for key in ("a", "b")]
    ids = [re.findall(r' id="([^"]+)"', text) for text in texts]
    everything = [one for found in ids for one in found]
    assert everything
    assert len(everything) == len(set(everything))
    for text, own in zip(texts, ids, strict=True):
        assert set(re.findall(r'(?:href="|url\()#([^")]+)', text)) == set(own)


def test_lines_carry_the_mean_of_the_last_validations_and_the_names() -> None:
    names = {"idea": "PAR rule", "rival": "interleaved"}
    root = ElementTree.fromstring(figures.race_curves(trials(), "bits per byte", BASELINES, names=names))
    words = ["".join(element.itertext()) for element in root.iter("text")]
    # Seeds 0, 1 and 2 end at 2.00, 2.01 and 2.02, the rival's a tenth above.
    for word in ("PAR rule", "2.010", "interleaved", "2.110"):
        assert any(word in text for text in words), word
    assert any("trigrams 2.390" in text for text in words)
    assert not any("untrained" in text for text in words), "a floor outside of the frame widened it"


def test_a_band_spans_the_seeds_and_its_line_is_their_mean() -> None:
    grid, low, mean, high = figures._band([[(0.0, 4.0), (10.0, 2.0)], [(0.0, 2.0), (20.0, 2.0)]])
    assert grid.tolist() == [0.0, 10.0]
    assert (low.tolist(), mean.tolist(), high.tolist()) == ([2.0, 2.0], [3.0, 2.0], [4.0, 2.0])
    # A time that one curve alone has is read off the other between its neighbours.
    grid, _, mean, _ = figures._band([[(0.0, 4.0), (10.0, 2.0)], [(0.0, 4.0), (5.0, 2.0), (10.0, 2.0)]])
    assert grid.tolist() == [0.0, 5.0, 10.0]
    assert mean.tolist() == [4.0, 2.5, 2.0]


def test_trials_that_diverged_are_drawn_apart_from_the_mean() -> None:
    lost = trial("idea", 3, 3.7, 9.0, value=None, seconds=30.0)
    with_lost = figures.race_curves([*trials(), lost], "bits per byte", BASELINES)
    assert "ends at 2.010 after 60 s" in with_lost
    alone = figures.race_curves([lost, *(t for t in trials() if t.side == "rival")], "bits per byte", {})
    assert "idea (diverged)" in " ".join("".join(e.itertext()) for e in ElementTree.fromstring(alone).iter("text"))


def test_a_race_without_any_validation_can_still_be_drawn() -> None:
    assert figures.race_curves([trial(side, 0, value=None) for side in SIDES], "accuracy", {})


@pytest.mark.parametrize(
    ("low", "high", "better", "winner"),
    [
        (0.9, 0.99, "lower", "idea"),
        (0.9, 0.99, "higher", "rival"),
        (1.01, 1.1, "lower", "rival"),
        (1.01, 1.1, "higher", "idea"),
        (0.9, 1.1, "lower", ""),
        (0.9, 0.99, "", ""),
    ],
)
def test_a_ratio_names_the_better_side_where_its_interval_leaves_out_one(
    low: float, high: float, better: str, winner: str
) -> None:
    ratio = Ratio(name="r", value=math.sqrt(low * high), low=low, high=high, better=better)  # type: ignore[arg-type]
    assert ratio.winner == winner
    text = figures.ratio_interval(ratio, 0.95)
    assert (f"{winner} better" in text) == bool(winner)
    assert ("undecided" in text) == (not winner and bool(better))


def test_an_interval_without_bounds_is_said_to_be_none() -> None:
    assert "no interval" in figures.ratio_interval(RATIOS[2], 0.99)


def test_a_run_without_steps_has_no_curves() -> None:
    assert figures.run_curves([]) is None
    assert figures.run_curves([{"kind": "step", "seconds": 0.1, "loss": math.nan, "lr": 1e-3}]) is None


def test_a_single_step_can_be_drawn() -> None:
    assert figures.run_curves(metrics(500)[:1])


def test_a_long_run_does_not_make_a_heavy_drawing() -> None:
    text = figures.run_curves(metrics(20_000)) or Markup()
    assert len(text) < 60_000


def test_the_running_mean_looks_back_only() -> None:
    values = np.array([5.0, 1.0, 3.0, 8.0])
    assert figures._moving_mean(values, 1).tolist() == [5.0, 3.0, 2.0, 5.5]


def test_recall_needs_both_sides() -> None:
    assert figures.recall_curves({}) is None
    assert figures.recall_curves({"idea": RECALL["idea"], "rival": {"parameters": 3.0}}) is None
    assert figures.recall_points(RECALL["idea"]) == [(64, 0.7, 0.01), (256, 0.4, 0.01)]


def test_labels_of_lines_at_the_bottom_do_not_cover_the_axis() -> None:
    low = {side: {"recall at 64": 0.001, "recall at 128": 0.001} for side in SIDES}
    root = ElementTree.fromstring(figures.recall_curves(low, width=358) or "")
    heights = {
        "".join(e.itertext()): float(re.findall(r"[\d.]+", e.get("transform", "") or e.get("y", ""))[-1])
        for e in root.iter("text")
    }
    assert heights["idea"] < heights["128"]
    assert heights["rival"] < heights["128"]


@pytest.mark.parametrize("name", ["$x_1$ <b>", "日本語", '&lt; "quoted" \'id="a"\'', "#010203"])
def test_names_are_shown_as_they_are(name: str) -> None:
    root = ElementTree.fromstring(figures.race_curves(trials(), name, {name: 2.3}, names={"idea": name, "rival": "b"}))
    words = ["".join(element.itertext()) for element in root.iter("text")]
    assert f"{name}, validation" in words
    assert f"{name} 2.300" in words


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0.01, 0.1))
@settings(deadline=None, max_examples=100)
def test_labels_keep_their_order_and_their_distance(levels: list[float], least: float) -> None:
    moved = canvas.spread(levels, least)
    order = sorted(range(len(levels)), key=lambda index: levels[index])
    gaps = np.diff([moved[index] for index in order])
    assert (gaps > 0.9 * least).all()
    assert sum(moved) == pytest.approx(sum(levels))
