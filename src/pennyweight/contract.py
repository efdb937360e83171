"""What every method promises, as checks that anybody can run on theirs.

``for check in CHECKS: check(subject)``: each raises `AssertionError` and says what was promised and what was seen.
A method of another distribution is checked in the same way; so are ours, in ``tests/contract``.
"""

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file

from pennyweight.core import distributed, randomness, registry
from pennyweight.core.budget import Budget
from pennyweight.core.fit import Trainer, begin, fit, load_task, resume
from pennyweight.core.race import SIDES, Lineup, Side
from pennyweight.core.recipe import Config, override
from pennyweight.core.registry import Method
from pennyweight.core.run import Run
from pennyweight.core.stack import Stack
from pennyweight.core.task import Task, scalar, to_tensors

_STACK = "cpu/torch/fp32/1t"
_STEPS = 6


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A method under its contract: settings that make its default recipe quick, and where to write."""

    method: Method
    folder: Path
    cache: Path
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def recipe(self) -> str:
        """The default recipe's full name."""
        return f"{self.method.name}/{self.method.recipe_names()[0]}"

    def config(self, **more: Any) -> Config:
        """The default recipe with the subject's settings, few validations and a fixed batch."""
        base = self.method.recipe(self.method.recipe_names()[0])
        return override(base, {"fit.validations": 1, **self.settings, **more})

    def trainer(self, name: str, budget: Budget, **more: Any) -> Trainer:
        """A trainer in a new run below ``folder/name``."""
        registry.register(self.method.name, self.method.package)
        return begin(
            self.recipe,
            self.config(**more),
            runs=self.folder / name,
            cache=self.cache,
            budget=budget,
            stack=Stack.parse(_STACK),
        )

    def samples(self, steps: int = _STEPS) -> Budget:
        """A budget of so many steps."""
        return Budget(samples=steps * self.config().fit.batch)


Check = Callable[[Subject], None]


def builds_from_its_default_recipe(subject: Subject) -> None:
    """The default recipe makes a task with parameters, a metric, turns and data that says what it is."""
    task = subject.method.build(subject.config(), cache=subject.cache)
    assert task.num_parameters() > 0, "the task has no parameters"
    assert task.metric.name, "the task's metric has no name"
    assert task.turns(subject.config().fit.optimizer), "the task has no turns"
    missing = {"name", "sha256", "split"} - set(task.data_receipt())
    assert not missing, f"the data receipt lacks {sorted(missing)}"


def one_step_lowers_the_loss_on_a_fixed_batch(subject: Subject) -> None:
    """For every turn: a small step on its own parameters lowers its own loss on the batch it was made on."""
    config = subject.config()
    randomness.seed_all(config.fit.seed)
    task = subject.method.build(config, cache=subject.cache).train()
    for turn in task.turns(config.fit.optimizer):
        numbers = np.arange(config.fit.batch, dtype=np.int64)
        batch = to_tensors(task.source(turn.stream, seed=0).batch(numbers), torch.device("cpu"))
        optimizer = turn.optimizer.build([(n, p) for n, p in task.named_parameters() if n.startswith(turn.parameters)])
        for group in optimizer.param_groups:
            group["lr"] = turn.optimizer.lr / 10
        states = randomness.capture()
        before = scalar(task(batch, turn.name))
        task.zero_grad()
        torch.autograd.backward(before)
        optimizer.step()
        randomness.restore(states)
        after = scalar(task(batch, turn.name))
        assert after < before, f"turn {turn.name}: the loss went from {before.item():.6g} to {after.item():.6g}"


def the_same_seed_gives_the_same_numbers(subject: Subject) -> None:
    """Two runs of one configuration have equal losses and equal weights, to the bit."""
    curves, weights = zip(*(_trained(subject, f"same-{index}") for index in range(2)), strict=True)
    assert curves[0] == curves[1], f"the losses differ: {curves[0]} and {curves[1]}"
    _assert_equal(weights[0], weights[1])


def it_saves_and_reloads_bit_equal(subject: Subject) -> None:
    """What is read back from a finished run has the trained weights and the same evaluation."""
    trainer = subject.trainer("reload", subject.samples())
    with trainer.run.locked():
        fit(trainer, cache=subject.cache, floors=False)
    loaded = load_task(trainer.run, cache=subject.cache).state_dict()
    with trainer.engine.evaluating():
        trained = {name: tensor.clone() for name, tensor in trainer.task.state_dict().items()}
    _assert_equal(trained, loaded)


def it_stops_inside_its_budget(subject: Subject) -> None:
    """Training time is over by at most 5 % or one step, and the last step has the final learning rate."""
    budget = Budget(seconds=2.0)
    trainer = subject.trainer("budget", budget)
    with trainer.run.locked():
        receipt = fit(trainer, cache=subject.cache, floors=False)
    steps = trainer.run.metrics("step")
    times = [0.0, *(record["seconds"] for record in steps)]
    longest = max(after - before for before, after in itertools.pairwise(times))
    over = receipt.spent.train_seconds - 2.0
    assert over <= max(0.05 * 2.0, longest), f"asked for 2 s, {over:.2f} s over; the longest step took {longest:.2f} s"
    fitted = subject.config().fit
    final = fitted.optimizer.lr * fitted.schedule.final
    assert abs(steps[-1]["lr"] - final) < 1e-12, f"the last step had lr {steps[-1]['lr']:.3g}, expected {final:.3g}"


def it_resumes_to_the_same_curve(subject: Subject) -> None:
    """A run that stopped half-way and went on equals one that was never stopped, to the bit."""
    curve, weights = _trained(subject, "whole")
    trainer = subject.trainer("halves", subject.samples())
    with trainer.run.locked():
        for _ in range(_STEPS // 2):
            trainer.step()
        trainer.save()
    again = resume(Run.open(trainer.run.folder), cache=subject.cache)
    with again.run.locked():
        fit(again, cache=subject.cache, floors=False)
    assert _losses(again.run) == curve, f"the losses differ: {_losses(again.run)} and {curve}"
    _assert_equal(load_file(again.run.weights), weights)


def two_processes_equal_one(subject: Subject) -> None:
    """With the same batch, two processes (DDP on gloo) have the losses of one to 1e-5."""
    curve, _ = _trained(subject, "one")
    request = {
        "name": subject.method.name,
        "package": subject.method.package,
        "folder": str(subject.folder / "two"),
        "cache": str(subject.cache),
        "settings": dict(subject.settings),
    }
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*torchrun, "-m", "pennyweight.contract", json.dumps(request)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"two processes failed:\n{done.stderr[-6000:]}"
    (folder,) = (subject.folder / "two").iterdir()
    pairs = zip(curve, _losses(Run(folder)), strict=True)
    apart = max(abs(a[name] - b[name]) / max(1.0, abs(a[name])) for a, b in pairs for name in a)
    assert apart <= 1e-5, f"losses of one and of two processes are {apart:.2g} apart"


def its_card_is_complete(subject: Subject) -> None:
    """The card has a machine-readable head and all sections."""
    missing = subject.method.card().missing()
    assert not missing, f"card.md lacks {missing}"


def both_sides_of_its_race_build(subject: Subject) -> None:
    """The claim is stated, and idea and rival are different configurations of one recipe that both build."""
    contest = subject.method.contest()
    assert contest.claim, "the contest states no claim"
    registry.register(subject.method.name, subject.method.package)
    method, name = registry.find_recipe(contest.recipe)
    configs = []
    for side in SIDES:
        settings = (contest.idea if side == "idea" else contest.rival).settings
        configs.append(override(override(method.recipe(name), subject.settings), settings))
        method.build(configs[-1], cache=subject.cache)
    assert configs[0] != configs[1], "idea and rival are the same configuration"


def its_equalities_are_what_they_say(subject: Subject) -> None:
    """Each kind of equality that its race offers names itself and gives two sides that differ and build."""
    contest = subject.method.contest()
    registry.register(subject.method.name, subject.method.package)
    method, name = registry.find_recipe(contest.recipe)

    def configure(side: Side) -> Config:
        return override(override(method.recipe(name), subject.settings), side.settings)

    def build(side: Side) -> Task:
        return method.build(configure(side), cache=subject.cache)

    lineup = Lineup(
        idea=contest.idea,
        rival=contest.rival,
        configure=configure,
        build=build,
        step_seconds=lambda idea, rival: ([1.0], [1.5]),  # whatever the rival's size: no search may rely on an end
    )
    for kind, equalise in contest.equalisers.items():
        match = equalise(lineup)
        assert match.equality.kind == kind, f"the equaliser for {kind} says that it made {match.equality.kind} equal"
        assert match.equality.ratio is not None, f"{kind}: how equal the sides are is not said"
        assert configure(match.idea) != configure(match.rival), f"{kind} leaves no difference between the sides"
        for side in (match.idea, match.rival):
            build(side)


CHECKS: tuple[Check, ...] = (
    builds_from_its_default_recipe,
    one_step_lowers_the_loss_on_a_fixed_batch,
    the_same_seed_gives_the_same_numbers,
    it_saves_and_reloads_bit_equal,
    it_stops_inside_its_budget,
    it_resumes_to_the_same_curve,
    two_processes_equal_one,
    its_card_is_complete,
    both_sides_of_its_race_build,
    its_equalities_are_what_they_say,
)


def _trained(subject: Subject, name: str) -> tuple[list[dict[str, float]], dict[str, torch.Tensor]]:
    trainer = subject.trainer(name, subject.samples())
    with trainer.run.locked():
        fit(trainer, cache=subject.cache, floors=False)
    return _losses(trainer.run), load_file(trainer.run.weights)


def _losses(run: Run) -> list[dict[str, float]]:
    named = {"kind", "step", "samples", "seconds", "fraction", "lr"}
    return [{key: record[key] for key in record if key not in named} for record in run.metrics("step")]


def _assert_equal(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys(), f"different tensors: {sorted(one.keys() ^ other.keys())}"
    different = [name for name in one if not torch.equal(one[name], other[name])]
    assert not different, f"not bit-equal: {different}"


def _train_as_one_of_two(request: dict[str, Any]) -> None:
    """What each process of `two_processes_equal_one` does."""
    subject = Subject(
        method=registry.register(request["name"], request["package"]),
        folder=Path(request["folder"]),
        cache=Path(request["cache"]),
        settings=request["settings"],
    )
    stack = Stack.parse(_STACK)
    world = distributed.join_world(stack)
    trainer = begin(
        subject.recipe,
        subject.config(),
        runs=subject.folder,
        cache=subject.cache,
        budget=subject.samples(),
        stack=stack,
        world=world,
    )
    with ExitStack() as locks:
        if world.leads:
            locks.enter_context(trainer.run.locked())
        fit(trainer, cache=subject.cache, floors=False)
    distributed.leave_world(finished=True)


if __name__ == "__main__":
    _train_as_one_of_two(json.loads(sys.argv[1]))
