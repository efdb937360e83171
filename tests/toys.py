"""Three small tasks, registered as a plug-in would be, and what other processes do with them.

``python -m torch.distributed.run ... -m tests.toys REQUEST.json`` trains the runs of a request one after the other.
"""

import errno
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pennyweight.core import checkpoint, distributed, randomness, registry
from pennyweight.core.budget import Budget
from pennyweight.core.distributed import ALONE, World
from pennyweight.core.errors import UserError, WorkFailed
from pennyweight.core.fit import Interrupted, Trainer, begin, fit, resume
from pennyweight.core.recipe import Config, override
from pennyweight.core.registry import Method
from pennyweight.core.run import Run
from pennyweight.core.stack import Stack

REGRESSION = Method("regression", "tests.plugins.regression")
ENCODER_DECODER = Method("reversal", "tests.plugins.reversal")
ADVERSARIAL = Method("adversarial", "tests.plugins.adversarial")
TOYS = (REGRESSION, ENCODER_DECODER, ADVERSARIAL)

STACK = Stack.parse("cpu/torch/fp32/1t")

REPOSITORY = Path(__file__).parent.parent

_CODES: tuple[tuple[type[BaseException], int], ...] = ((WorkFailed, 1), (UserError, 2), (Interrupted, 130))


def register() -> None:
    """Make the toys known to this process."""
    for toy in TOYS:
        registry.register(toy.name, toy.package)


@contextmanager
def registered() -> Iterator[None]:
    """Inside, the toys are known."""
    before = dict(registry.METHODS)
    register()
    try:
        yield
    finally:
        registry.METHODS.clear()
        registry.METHODS.update(before)
        registry.methods.cache_clear()


def configure(recipe: str, settings: Mapping[str, Any] | None = None) -> Config:
    """A toy's recipe with settings."""
    method, name = registry.find_recipe(recipe)
    return override(method.recipe(name), settings or {})


def start(
    runs: Path,
    recipe: str,
    *,
    budget: str = "",
    steps: int = 0,
    settings: Mapping[str, Any] | None = None,
    world: World = ALONE,
    **more: Any,
) -> Trainer:
    """A trainer in a new run below ``runs``, for a budget or a number of steps."""
    config = configure(recipe, settings)
    wanted = Budget(samples=steps * config.fit.batch) if steps else Budget.parse(budget or config.fit.budget)
    return begin(recipe, config, runs=runs, cache=runs / "cache", budget=wanted, stack=STACK, world=world, **more)


def losses(run: Run) -> list[dict[str, float]]:
    """The losses of each step."""
    named = {"kind", "step", "samples", "seconds", "fraction", "lr"}
    return [{key: record[key] for key in record if key not in named} for record in run.metrics("step")]


def train_in_child(runs: str, recipe: str, budget: str, settings: Mapping[str, Any], resumed: str = "") -> None:
    """Train a run to its end, or go on with one, as a process of its own; exits as the command line does."""
    register()
    try:
        if resumed:
            run = Run.open(Path(resumed))
            with run.locked():
                fit(resume(run, cache=run.folder.parent / "cache"), cache=Path(runs))
            return
        trainer = start(Path(runs), recipe, budget=budget, settings=settings)
        with trainer.run.locked():
            fit(trainer, cache=Path(runs))
    except (WorkFailed, UserError, Interrupted) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(next(code for kind, code in _CODES if isinstance(error, kind)))


def train_together(requests: Sequence[Mapping[str, Any]]) -> None:
    """In each of torchrun's processes: train the requested runs in turn.

    ``stop_after`` steps a run ends as a kill after a checkpoint would end it; ``resumed`` names the folder of
    the run to go on with; ``refused`` says on which process the disk refuses the first checkpoint.
    """
    register()
    world = distributed.join_world(STACK)
    for request in requests:
        runs = Path(request["runs"])
        with ExitStack() as locks:
            if request.get("resumed"):
                (folder,) = (path.parent for path in Path(request["resumed"]).glob("*/config.json"))
                trainer = resume(Run.open(folder), cache=runs / "cache", world=world)
            else:
                trainer = start(
                    runs, request["recipe"], steps=request["steps"], settings=request["settings"], world=world
                )
            if world.leads:
                locks.enter_context(trainer.run.locked())
            for _ in range(request.get("stop_after", 0)):
                trainer.step()
            if request.get("stop_after") or "refused" in request:
                with refusing_disk(world.rank == request.get("refused")):
                    trainer.save()
            if not request.get("stop_after"):
                fit(trainer, cache=runs / "cache", floors=False)
    distributed.leave_world(finished=True)


@contextmanager
def refusing_disk(refused: bool) -> Iterator[None]:
    """Inside, this process cannot write its part of a checkpoint, where ``refused`` says so."""
    capture = randomness.capture

    def full() -> dict[str, Any]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if refused:
        checkpoint.randomness.capture = full
    try:
        yield
    finally:
        checkpoint.randomness.capture = capture


if __name__ == "__main__":
    train_together(json.loads(Path(sys.argv[1]).read_text()))
