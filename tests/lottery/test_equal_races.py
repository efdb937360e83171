"""Races at each kind of equality, for real and small: the sides are equal in it, and stay what they are on resume."""

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

from pennyweight.core.budget import Budget
from pennyweight.core.errors import UserError
from pennyweight.core.fit import load_task
from pennyweight.core.race import SIDES, STEP_SECONDS, Contest, RaceResult, Side
from pennyweight.core.recipe import from_document
from pennyweight.core.run import Run, read_document
from pennyweight.core.stack import Stack
from pennyweight.lottery.racing.lineup import StepClock, choose_sides, require_equality, side_config
from pennyweight.lottery.racing.plan import Plan, keep_plan, load_plan, make_plan, plan_config, plan_sides
from pennyweight.lottery.racing.race import Race
from pennyweight.methods.par.race import CONTEST
from pennyweight.methods.par.task import LanguageModel
from pennyweight.report.page import render
from pennyweight.report.race import race_section
from pennyweight.report.sentences import equality_sentence
from tests.plugins.reversal.race import CONTEST as REVERSAL

STACK = Stack.parse("cpu/torch/fp32/1t")
SETTINGS = {
    "num_blocks": "6",
    "width": "32",
    "num_heads": "2",
    "context": "96",
    "data.tokenizer": "bytes",
    "fit.batch": "4",
}
UNSWEPT = replace(CONTEST, factors=(1.0,))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for number in range(30):
        (folder / f"{number}.txt").write_text(" ".join(f"word{(number * k) % 89}" for k in range(300)))
    return folder


def planned(corpus: Path, equal: str, *, budget: str = "64samples", seeds: int = 2, **more: Any) -> Plan:
    settings = {**SETTINGS, "data.path": str(corpus), **more.pop("settings", {})}
    return make_plan(
        more.pop("contest", UNSWEPT),
        name="par",
        settings=settings,
        budget=Budget.parse(budget),
        seeds=seeds,
        stack=STACK,
        equal=equal,
        cache=corpus.parent / "cache",
        **more,
    )


@pytest.fixture(scope="module")
def races(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Plan, RaceResult]]:
    """A race at a kind of equality, run when it is first asked for."""

    @cache
    def race(kind: str) -> tuple[Path, Plan, RaceResult]:
        plan = planned(corpus, kind)
        folder = keep_plan(plan, tmp_path_factory.mktemp(kind))
        return folder, plan, Race(folder, UNSWEPT, load_plan(folder), cache=corpus.parent / "cache").run()

    return race


@pytest.mark.parametrize("kind", ["time", "latency", "parameters", "flops"])
def test_a_race_at_each_kind_of_equality_says_what_its_trained_models_are(
    kind: str, races: Callable[[str], tuple[Path, Plan, RaceResult]], tmp_path: Path
) -> None:
    folder, plan, result = races(kind)
    assert result.equality == plan.equality
    assert result.equality.kind == kind
    models = {}
    for trial in result.trials:
        task = load_task(Run(folder / trial.run), cache=tmp_path)
        assert isinstance(task, LanguageModel)
        models[trial.side] = task
    measured = {
        "parameters": {side: float(models[side].num_parameters()) for side in SIDES},
        "flops": {side: models[side].model.config.flops(1, 96) / 96 for side in SIDES},
    }
    assert {side: result.figures[side]["parameters"] for side in SIDES} == measured["parameters"]
    assert {side: result.figures[side]["FLOPs per token"] for side in SIDES} == measured["flops"]
    assert all(result.figures[side][STEP_SECONDS] > 0 for side in SIDES)
    samples = {read_document(folder / trial.receipt)["spent"]["samples"] for trial in result.trials}
    assert len(samples) == 1, "equal samples for all"
    if kind in measured:
        assert measured[kind] == {"idea": result.equality.idea, "rival": result.equality.rival}
        assert result.equality.ratio is not None
        assert abs(result.equality.ratio.value - 1) < 0.1, "a step of the width is two heads: 8 of 32 at the most"
    if kind == "time":
        assert plan_sides(plan, UNSWEPT) == {side: getattr(CONTEST, side) for side in SIDES}
    page = render("A race", [race_section(folder)])
    assert equality_sentence(result.equality, result.trial_budget).replace("'", "&#39;") in page


def test_recall_is_probed_on_every_seed_and_its_difference_has_an_interval(
    corpus: Path, races: Callable[[str], tuple[Path, Plan, RaceResult]]
) -> None:
    folder, plan, result = races("time")
    for side in SIDES:
        assert set(result.probes[side]) == {f"recall{floor} at {d}" for d in (64, 80) for floor in ("", " floor")}
        for name, values in result.probes[side].items():
            assert len(values) == 2
            assert result.figures[side][name] == pytest.approx(sum(values) / 2)
    gap = result.gaps["recall at 64"]
    assert gap.low <= gap.value <= gap.high
    assert gap.value == pytest.approx(result.figures["idea"]["recall at 64"] - result.figures["rival"]["recall at 64"])
    race = Race(folder, UNSWEPT, plan, cache=corpus.parent / "cache")
    assert race._gaps({side: {"recall at 64": (0.5,)} for side in SIDES}) == {}, "one seed says nothing of the spread"


def test_a_time_is_measured_out_in_samples_that_both_sides_fit_into(corpus: Path) -> None:
    plan = planned(corpus, "parameters", budget="60s")
    assert plan.trial_budget.endswith("samples")
    samples = Budget.parse(plan.trial_budget).samples
    assert samples is not None
    assert samples % 4 == 0
    steps = samples / 4
    seconds = 2 * steps * sum(plan.figures[side][STEP_SECONDS] for side in SIDES)
    assert 12 < seconds + plan.setup_seconds < 60, "two seeds a side fill the time and fit into it"
    timed = Budget.parse(planned(corpus, "latency", budget="60s", seeds=1).trial_budget)
    assert timed.samples is None
    assert timed.seconds is not None


def test_the_clock_gives_pairs_of_real_steps_and_a_larger_network_takes_longer(corpus: Path) -> None:
    settings = {**SETTINGS, "data.path": str(corpus)}
    clock = StepClock(
        lambda side: side_config("par/tiny", side, settings),
        recipe="par/tiny",
        stack=STACK,
        cache=corpus.parent / "cache",
        patience=0.1,
    )
    large = replace(CONTEST.rival, settings={"pattern": "interleaved", "width": 128})
    small, larger = clock(CONTEST.rival, large)
    assert len(small) == len(larger) >= 7
    assert sorted(larger)[len(larger) // 2] > 1.5 * sorted(small)[len(small) // 2]


def race_in_child(folder: str, cache: str) -> None:
    Race(Path(folder), UNSWEPT, load_plan(Path(folder)), cache=Path(cache)).run()


def test_a_killed_race_goes_on_with_the_very_sides_that_it_began_with(
    corpus: Path, tmp_path: Path, processes: ForkServerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    contest = choose_sides(UNSWEPT, "par", SETTINGS, idea="ffffff", rival="aaaaaa")
    plan = planned(corpus, "latency", budget="640samples", contest=contest)
    folder = keep_plan(plan, tmp_path / "runs")
    arguments = (str(folder), str(corpus.parent / "cache"))
    child = processes.Process(target=race_in_child, args=arguments)
    child.start()
    until = time.monotonic() + 60
    while not (folder / "trials.jsonl").exists() and child.is_alive() and time.monotonic() < until:
        time.sleep(0.02)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    kept = (folder / "trials.jsonl").read_text().splitlines()
    assert kept
    assert not (folder / "race.json").exists()

    def untimed(*sides: Side) -> None:
        raise AssertionError("the sides are those of the plan")

    monkeypatch.setattr(StepClock, "__call__", untimed)
    race_in_child(*arguments)
    result = read_document(folder / "race.json")
    assert (folder / "trials.jsonl").read_text().splitlines()[: len(kept)] == kept
    assert result["sides"] == {side: asdict(plan.sides[side]) for side in SIDES}
    assert result["equality"] == json.loads(json.dumps(asdict(plan.equality)))
    assert result["sides"]["idea"]["settings"] == {"pattern": "ffffff"}
    assert result["sides"]["rival"]["settings"]["pattern"] == "aaaaaa"
    for trial in result["trials"]:
        config = read_document(folder / trial["run"] / "config.json")["config"]
        wanted = plan.sides[trial["side"]].settings
        assert {key: config[key] for key in wanted} == wanted


def test_a_plan_of_before_there_were_kinds_of_equality_is_the_contest_at_equal_time(
    corpus: Path, tmp_path: Path
) -> None:
    folder = keep_plan(planned(corpus, "time"), tmp_path)
    document = read_document(folder / "plan.json")
    for name in ("sides", "equality", "figures"):
        del document[name]
    old = from_document(Plan, document)
    assert old.equality.kind == "time"
    assert plan_sides(old, CONTEST) == {"idea": CONTEST.idea, "rival": CONTEST.rival}
    assert plan_config(old, CONTEST, "idea") != plan_config(old, CONTEST, "rival")


def test_a_method_offers_time_and_what_it_has_and_nothing_else() -> None:
    for kind in ("time", "latency", "parameters", "flops"):
        require_equality(CONTEST, "par", kind)
    require_equality(REVERSAL, "reversal", "time")
    with pytest.raises(UserError, match=r"--equal latency with reversal: expected one of time$"):
        require_equality(REVERSAL, "reversal", "latency")


@pytest.mark.parametrize(
    ("contest", "asked", "said"),
    [
        (REVERSAL, {"idea": "x"}, "--idea with reversal: expected reversal's own sides"),
        (CONTEST, {"rival": "(af"}, "--rival: pattern"),
        (CONTEST, {"idea": "interleaved"}, "interleaved against itself"),
    ],
)
def test_other_sides_are_refused_where_they_make_no_race(contest: Contest, asked: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said.replace("(", r"\(")):
        choose_sides(contest, "par" if contest is CONTEST else "reversal", {}, **asked)


def test_other_sides_are_named_by_what_they_are_and_the_own_ones_keep_their_names() -> None:
    changed = choose_sides(CONTEST, "par", {"num_blocks": "6"}, idea="(aff)*2", rival="interleaved")
    assert changed.idea == Side(name="(aff)*2", settings={"pattern": "(aff)*2"})
    assert changed.rival == CONTEST.rival
    assert choose_sides(CONTEST, "par", {}) is CONTEST
