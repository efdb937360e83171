"""A whole search at the smallest scale: its stages, what survives a kill, what it says, what is loaded afterwards."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from pennyweight.blocks.pattern import Pattern
from pennyweight.core import fit as fitting
from pennyweight.core import randomness
from pennyweight.core.budget import Budget
from pennyweight.core.cost import FIXED, Rate, Use
from pennyweight.core.errors import UserError
from pennyweight.core.run import Run, find_runs
from pennyweight.core.stack import Stack
from pennyweight.methods.par.config import ParConfig
from pennyweight.methods.par.search import study as module
from pennyweight.methods.par.search.plan import Plan, Wish, keep_plan, load_plan, make_plan, wished_limits
from pennyweight.methods.par.search.result import SearchResult
from pennyweight.methods.par.search.study import BY_BLOCKS, BY_SUPERNET, REFERENCE, Study
from pennyweight.methods.par.task import LanguageModel, build
from pennyweight.report.search import load_search, search_section
from tests.methods.par.test_scoring import a_config

STACK, OTHER = Stack.parse("cpu/torch/fp32/1t"), Stack.parse("cpu/torch/bf16/1t")
LETTERS = ("a", "f", "f1", "i")
SAMPLES = {"parent": "160samples", "scoring": "80samples", "supernet": "80samples", "candidates": "40samples"}
WISH = Wish(limits={"train latency": "0.7x", "parameters": "1x"}, reference="(af)*2", letters=LETTERS)


class MadeUp:
    """Instruments that know what blocks cost: attention is dear on one stack, feed-forward on the other."""

    blocks: Mapping[str, Mapping[str, float]] = {
        str(STACK): {"a": 4e-3, "w": 3e-3, "f": 1e-3, "f2": 7e-4, "f1": 4e-4, "i": 0.0},
        str(OTHER): {"a": 1e-3, "w": 1e-3, "f": 4e-3, "f2": 3e-3, "f1": 2e-3, "i": 0.0},
    }

    def costs(self, stack: Stack, use: Use) -> Mapping[str, Rate]:
        values = {**self.blocks[str(stack)], FIXED: 2e-3}
        return {name: Rate(value=value, low=0.9 * value, high=1.1 * value) for name, value in values.items()}

    def steps(self, stack: Stack, use: Use, patterns: Sequence[str]) -> Mapping[str, Rate]:
        found = {}
        for text in patterns:
            value = 2.1e-3 + sum(self.blocks[str(stack)][spec.letter] for spec in Pattern.parse(text))
            found[text] = Rate(value=value, low=0.9 * value, high=1.1 * value)
        return found


class Place:
    """A folder with a little text, and searches in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config: ParConfig = a_config(folder / "text")
        self.settings = {
            "pattern": "interleaved",
            "num_blocks": "4",
            "width": "32",
            "num_heads": "2",
            "context": "48",
            "data.path": str(folder / "text"),
            "data.tokenizer": "bytes",
            "fit.batch": "8",
            "fit.optimizer.lr": "0.005",
        }

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def task(self) -> LanguageModel:
        randomness.seed_all(self.config.fit.seed)
        return build(self.config, cache=self.cache)

    def plan(self, wish: Wish = WISH, *, budget: str = "10min", samples: Mapping[str, str] = SAMPLES) -> Plan:
        """A plan in samples instead of seconds, so that a search which goes on ends as one that was not stopped."""
        plan = make_plan(
            self.task(),
            self.config,
            recipe="par/tiny",
            settings=self.settings,
            wish=wish,
            budget=Budget.parse(budget),
            stack=STACK,
            beside=[OTHER],
            instruments=MadeUp(),
        )
        return replace(plan, budgets=dict(samples), num_windows=6)

    def study(self, folder: Path, report: module.Report = lambda stage, done: None) -> Study:
        task = self.task()
        plan = load_plan(folder)
        return Study(folder, plan, task, self.config, instruments=MadeUp(), cache=self.cache, report=report)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("search"))


@pytest.fixture(scope="module")
def searched(place: Place) -> tuple[Path, SearchResult]:
    """A finished search."""
    folder = keep_plan(place.plan(), place.folder / "runs")
    return folder, place.study(folder).run()


def by_name(result: SearchResult) -> dict[str, float]:
    return {one.name: one.after for one in result.candidates}


def test_what_is_found_keeps_the_limits_and_is_the_best_on_validation(searched: tuple[Path, SearchResult]) -> None:
    folder, result = searched
    within = [one for one in result.candidates if one.origin != "reference"]
    for one in within:
        for quantity, most in result.most.items():
            assert one.costs[quantity] <= most * (1 + 1e-9), one.name
    found = next(one for one in result.candidates if one.name == result.found)
    assert found.after == min(one.after for one in within)
    names = "; ".join(one.name for one in within)
    assert all(word in names for word in (BY_BLOCKS, BY_SUPERNET, "random 1", "random 2", "most parameters", "PAR"))
    assert load_search(folder) == result


def test_the_scores_are_of_validation_and_say_that_nothing_of_the_parents_changes(
    searched: tuple[Path, SearchResult],
) -> None:
    _, result = searched
    assert result.scores.own == ("a", "f", "a", "f")
    assert len(result.scores.added) == 4 * (len(LETTERS) - 1)
    reference = next(one for one in result.candidates if one.origin == "reference")
    assert reference.name == REFERENCE
    assert reference.foreseen == 0.0
    costs = [point.cost for point in result.front]
    assert costs == sorted(costs)
    assert all(a.foreseen >= b.foreseen - 1e-12 for a, b in zip(result.front, result.front[1:], strict=False))


def test_candidates_begin_with_what_they_inherit(searched: tuple[Path, SearchResult]) -> None:
    """The reference inherits everything: before its training it is as good as the parent after its own."""
    folder, result = searched
    parent = Run(folder / result.parent)
    reference = next(one for one in result.candidates if one.origin == "reference")
    assert reference.before == pytest.approx(parent.metrics("validation")[-1]["value"], rel=1e-6)
    healed = {one.name: one.after - one.before for one in result.candidates if one.origin != "reference"}
    assert min(healed.values()) < 0


def test_the_other_stack_has_its_own_choice(searched: tuple[Path, SearchResult]) -> None:
    _, result = searched
    here, there = result.stacks
    assert (here.stack, there.stack) == (str(STACK), str(OTHER))
    counts = [Pattern.parse(one.pattern).count("attention") for one in result.stacks]
    assert counts[0] <= counts[1]
    assert here.pattern != there.pattern


def test_a_killed_search_goes_on_where_it_was(
    place: Place, searched: tuple[Path, SearchResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in every stage, each time in the middle, it comes to the same numbers as one that was left alone."""

    class Killed(BaseException):
        pass

    monkeypatch.setattr(module, "_CHECKPOINT_SECONDS", 1e-9)
    folder = keep_plan(load_plan(searched[0]), place.folder / "killed")
    stages = ["parent", "scoring blocks", "super-network", "healing random 1", "measuring train latency"]
    for stage in stages:

        def report(told: str, done: float, stage: str = stage) -> None:
            if told == stage and (done >= 0.4 or stage.startswith("measuring")):
                raise Killed

        with pytest.raises(Killed):
            place.study(folder, report).run()
        assert not (folder / "search.json").exists()
    result = place.study(folder).run()
    assert by_name(result) == by_name(searched[1])
    assert result.scores.added == searched[1].scores.added
    assert all(len(find_runs(part)) == 1 for part in (folder / "parent", folder / "scoring", folder / "supernet"))


def test_ctrl_c_ends_after_the_step_and_names_the_search(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = keep_plan(place.plan(), place.folder / "interrupted")
    real = fitting.Trainer.step

    def step(trainer: fitting.Trainer) -> None:
        trainer.stop_requested = trainer.samples >= 80
        real(trainer)

    monkeypatch.setattr(fitting.Trainer, "step", step)
    with pytest.raises(fitting.Interrupted, match=f"pennyweight search --resume {folder}"):
        place.study(folder).run()
    run = find_runs(folder / "parent")[0]
    monkeypatch.undo()
    with pytest.raises(UserError, match=f"is a part of {folder.name}"):
        fitting.resume(run, cache=place.cache)
    assert run.metrics("step")[-1]["samples"] == 80


def test_a_found_model_is_used_without_the_searcher(place: Place, searched: tuple[Path, SearchResult]) -> None:
    """In a fresh process: parameters, cache bytes and loss as printed, no weights of what was not chosen."""
    folder, result = searched
    found = next(one for one in result.candidates if one.name == result.found)
    program = f"""
import json, sys
from pathlib import Path
import torch
from pennyweight.core.fit import load_task
from pennyweight.core.run import Run
task = load_task(Run(Path({str(folder / found.run)!r})), cache=Path({str(place.cache)!r}))
cache = task.model.new_cache(1, task.config.context)
text = task.write("word", num_tokens=5, temperature=0.0, top_k=0, seed=0)
print(json.dumps([task.num_parameters(), cache.num_bytes, len(text), [n for n in sys.modules if "search" in n]]))
"""
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    parameters, cache_bytes, length, modules = json.loads(printed.stdout.splitlines()[-1])
    assert (parameters, cache_bytes) == (found.parameters, found.cache_bytes)
    assert length > 4
    assert [name for name in modules if name.startswith("pennyweight")] == []
    weights = load_file(folder / found.run / "model.safetensors")
    assert sum(tensor.numel() for tensor in weights.values()) == found.parameters


def test_candidates_may_be_trained_from_scratch(place: Place) -> None:
    wish = replace(WISH, heal=False)
    short = {**SAMPLES, "parent": "16samples", "scoring": "16samples", "supernet": "16samples"}
    folder = keep_plan(place.plan(wish, samples=short), place.folder / "scratch")
    result = place.study(folder).run()
    untrained = [one.before for one in result.candidates]
    assert max(untrained) - min(untrained) < 0.3  # blocks begin by adding nothing: all patterns begin alike
    assert min(untrained) > min(one.after for one in result.candidates) + 0.5


def test_a_search_begins_with_a_run_that_is_given(place: Place, searched: tuple[Path, SearchResult]) -> None:
    parent = searched[0] / searched[1].parent
    folder = keep_plan(place.plan(replace(WISH, parent=str(parent))), place.folder / "given")

    class Scored(BaseException):
        pass

    def report(told: str, done: float) -> None:
        if told == "super-network":
            raise Scored

    with pytest.raises(Scored):
        place.study(folder, report).run()
    assert not (folder / "parent").exists()
    before, now = (next((one / "scoring").glob("*/receipt.json")) for one in (searched[0], folder))
    assert json.loads(before.read_text())["result"] == json.loads(now.read_text())["result"]


def test_the_page_says_what_was_found_and_why(searched: tuple[Path, SearchResult]) -> None:
    folder, result = searched
    html = search_section(folder).html
    found = next(one for one in result.candidates if one.name == result.found)
    assert f"Found: {found.pattern}" in html
    assert "undecided until raced" in html
    assert "so under the same limits the first keeps" in html
    for one in result.candidates:
        assert one.pattern in html
    assert html.count("<svg") == 4


def test_a_reference_within_the_limits_may_be_what_is_found(place: Place, searched: tuple[Path, SearchResult]) -> None:
    task = place.study(searched[0])
    task._limits = [replace(limit, most=1e9) for limit in task._limits]
    best = [replace(one, after=0.0) if one.origin == "reference" else one for one in searched[1].candidates]
    assert task._best(best).name == REFERENCE
    task._limits = [replace(limit, most=1e-9 + searched[1].most["train latency"]) for limit in task._limits[:1]]
    assert task._best(best).name == searched[1].found


def test_bad_budgets_say_what_would_do(place: Place) -> None:
    with pytest.raises(UserError, match=r"search budget 1s: expected at least \d+0s here, for \d+ candidates"):
        place.plan(budget="1s")
    with pytest.raises(UserError, match="a total time"):
        place.plan(budget="100samples")
    with pytest.raises(UserError, match=r"train latency 0\.01x: expected at least 0\.17x, which is the lowest"):
        place.plan(replace(WISH, limits={"train latency": "0.01x"}))
    with pytest.raises(UserError, match="together: expected limits that one pattern of the menu can keep"):
        place.plan(replace(WISH, limits={"train latency": "0.55x", "parameters": "1x"}, letters=("a", "f")))


def test_limits_as_they_are_written() -> None:
    assert wished_limits(["0.6x"], "", "") == {"train latency": "0.6x"}
    assert wished_limits(["0.6x", "decode = 2ms"], "0.4x", "1M") == {
        "train latency": "0.6x",
        "decode latency": " 2ms",
        "cache": "0.4x",
        "parameters": "1M",
    }
    with pytest.raises(UserError, match="a search without a limit"):
        wished_limits([], "", "")
    with pytest.raises(UserError, match="train latency given twice"):
        wished_limits(["0.6x", "train=0.5x"], "", "")
    with pytest.raises(UserError, match="latency 'write=2ms': expected"):
        wished_limits(["write=2ms"], "", "")
