"""A race's verdict is right where it must be: nothing wins against itself, a crippled rival loses, swapping swaps."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pennyweight.console import Output
from pennyweight.core.budget import Budget
from pennyweight.core.files import write_json
from pennyweight.core.race import SIDES, Contest, RaceResult, Side, SideName, Verdict
from pennyweight.core.stack import Stack
from pennyweight.lottery.racing.plan import keep_plan, make_plan
from pennyweight.lottery.racing.race import Race
from pennyweight.lottery.racing.verdict import judge
from pennyweight.report.page import render
from pennyweight.report.race import race_section
from pennyweight.verbs.race import _close

STACK = Stack.parse("cpu/torch/fp32/1t")
SETTINGS = {
    "num_blocks": "6",
    "width": "32",
    "num_heads": "2",
    "context": "64",
    "data.tokenizer": "bytes",
    "fit.batch": "4",
}
SAME = Contest(
    claim="A pattern is as good as itself.",
    recipe="par/tiny",
    idea=Side(name="first", settings={"pattern": "interleaved"}),
    rival=Side(name="second", settings={"pattern": "interleaved"}, seed_offset=1000),
    factors=(1.0,),
)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    generator = np.random.default_rng(0)
    words = ["".join(chr(97 + c) for c in generator.integers(0, 26, generator.integers(2, 8))) for _ in range(200)]
    for number in range(60):
        chosen = generator.zipf(1.5, 300) % len(words)
        (folder / f"{number}.txt").write_text(" ".join(words[index] for index in chosen))
    return folder


def run_race(contest: Contest, text: Path, folder: Path, *, steps: int, seed: int = 0) -> RaceResult:
    settings = {**SETTINGS, "data.path": str(text), "fit.seed": str(seed)}
    trials = 6 * (2 if len(contest.factors) > 1 else 1)
    plan = make_plan(
        contest,
        name="par",
        settings=settings,
        budget=Budget(samples=4 * steps * trials),
        seeds=3,
        stack=STACK,
        cache=folder / "cache",
    )
    return Race(keep_plan(plan, folder / "runs"), contest, plan, cache=folder / "cache").run()


def test_a_crippled_rival_loses_and_swapped_sides_swap_the_verdict(text: Path, tmp_path: Path) -> None:
    crippled = replace(SAME, rival=Side(name="lr / 30", settings={"fit.optimizer.lr": 1e-4}, seed_offset=1000))
    won = run_race(crippled, text, tmp_path, steps=60)
    assert won.verdict == "idea"
    swapped = replace(crippled, idea=crippled.rival, rival=crippled.idea)
    lost = run_race(swapped, text, tmp_path, steps=60)
    assert lost.verdict == "rival"
    assert won.ratio is not None
    assert lost.ratio is not None
    assert won.ratio.value * lost.ratio.value == pytest.approx(1.0, rel=1e-9), "the same six numbers, turned round"
    untrained = won.baselines["untrained idea"]
    assert all(trial.value is not None and trial.value < untrained for trial in won.trials)


@pytest.mark.parametrize("side", SIDES)
def test_a_side_whose_trials_diverge_loses_and_the_page_says_so(side: SideName, text: Path, tmp_path: Path) -> None:
    sides = {other: Side(name=other, settings=getattr(SAME, other).settings) for other in SIDES}
    sides[side] = Side(name="exploding", settings={"fit.optimizer.lr": 1e30}, seed_offset=1000)
    result = run_race(replace(SAME, **sides), text, tmp_path, steps=10)
    assert result.verdict == ("idea" if side == "rival" else "rival")
    assert result.ratio is None
    assert [trial.value for trial in result.trials if trial.side == side] == [None, None, None]
    (folder,) = (tmp_path / "runs").iterdir()
    assert "diverged" in render("Race", [race_section(folder)])
    _close(Output("race", as_json=False), folder, result)


def test_a_diverged_side_loses_and_two_diverged_sides_are_undecided() -> None:
    assert judge([1.0, 1.1, 1.2], [None, 1.0, 1.0], better="lower", confidence=0.99) == (None, "idea")
    assert judge([1.0, None, 1.2], [0.1, 1.0, 1.0], better="lower", confidence=0.99) == (None, "rival")
    assert judge([None], [None], better="lower", confidence=0.99) == (None, "undecided")


@pytest.mark.parametrize(
    ("idea", "better", "expected"),
    [
        ([1.00, 1.01, 0.99], "lower", "idea"),
        ([1.00, 1.01, 0.99], "higher", "rival"),
        ([3.00, 3.01, 2.99], "lower", "rival"),
        ([3.00, 3.01, 2.99], "higher", "idea"),
        ([2.00, 2.01, 1.99], "lower", "undecided"),
    ],
)
def test_the_verdict_follows_the_direction_of_the_metric(idea: list[float], better: Any, expected: Verdict) -> None:
    assert judge(idea, [2.0, 2.01, 1.99], better=better, confidence=0.99)[1] == expected


def test_equal_sides_are_undecided_in_99_of_100_simulated_races() -> None:
    """Three seeds a side of log-normal scores with one mean: Welch at 99 % may err once in a hundred."""
    generator = np.random.default_rng(7)
    wrong = sum(
        judge(*generator.lognormal(0.5, 0.02, (2, 3)).tolist(), better="lower", confidence=0.99)[1] != "undecided"
        for _ in range(2000)
    )
    assert wrong <= 30, f"{wrong} of 2000 races named a winner among equals"


def test_a_difference_of_ten_spreads_is_found_in_most_simulated_races() -> None:
    generator = np.random.default_rng(8)
    found = sum(
        judge(
            generator.lognormal(0.5 - 0.2, 0.02, 3).tolist(),
            generator.lognormal(0.5, 0.02, 3).tolist(),
            better="lower",
            confidence=0.99,
        )[1]
        == "idea"
        for _ in range(500)
    )
    assert found >= 400


@pytest.mark.slow
def test_the_same_pattern_against_itself_is_undecided_in_19_of_20_races(text: Path, tmp_path: Path) -> None:
    verdicts = [run_race(SAME, text, tmp_path, steps=120, seed=10 * repeat).verdict for repeat in range(20)]
    write_json(tmp_path / "verdicts.json", verdicts)
    assert verdicts.count("undecided") >= 19, json.dumps(verdicts)
