"""A method's race on several stacks: whether its verdict holds on each, and which part of its speed is the device's.

A heat is one finished race. It is judged as every race is (`pennyweight.lottery.racing.race`); here heats are set
beside one another. The hardware's part of a speed is what the device's limits say of one training step of each side,
traced.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pennyweight.core.cost import CostTable
from pennyweight.core.errors import UserError
from pennyweight.core.race import SIDES, Interval, RaceResult, SideName, Verdict
from pennyweight.core.recipe import from_document
from pennyweight.core.run import read_document
from pennyweight.core.stack import Stack
from pennyweight.lottery.devices.catalogue import recognise
from pennyweight.lottery.holding.card import Work
from pennyweight.lottery.holding.limits import limits_of
from pennyweight.lottery.holding.outlook import device_seconds

if TYPE_CHECKING:
    from pennyweight.core.engine import Engine
    from pennyweight.core.task import Source

TRAINING = "training"

Report = Callable[[str, float], None]


@dataclass(frozen=True, kw_only=True)
class Heat:
    """One finished race on a stack of a machine.

    ``ratio`` is idea over rival of the metric, ``speeds`` idea over rival by their names. ``hardware`` is the rival's
    least time for a training step over the idea's, ``software`` the rest of the training speed; both None, with the
    reason in ``unsplit``, where the limits are not known.
    """

    stack: str
    machine: str
    race: str
    ratio: Interval | None
    verdict: Verdict
    speeds: Mapping[str, Interval]
    hardware: float | None = None
    software: float | None = None
    unsplit: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What two heats say oppositely: ``"verdict"``, or the name of a speed; ``idea`` is ahead on ``stack``."""

    what: str
    stack: str
    elsewhere: str


@dataclass(frozen=True, kw_only=True)
class Heats:
    """The document of a lottery of races."""

    name: str
    claim: str
    metric: str
    better: Literal["lower", "higher"]
    confidence: float
    sides: Mapping[str, str]
    asked: str
    spent_seconds: float
    measured: str
    heats: tuple[Heat, ...]
    turns: tuple[Turn, ...]
    notes: tuple[str, ...] = ()


def load_heat(folder: Path) -> tuple[RaceResult, str]:
    """A finished race, and the machine that it ran on; UserError where there is none."""
    if not (folder / "race.json").is_file():
        raise UserError(f"{folder} is no finished race", expected="a folder with a race.json", hint="pennyweight race")
    result = from_document(RaceResult, read_document(folder / "race.json"))
    receipts = [trial.receipt for trial in result.trials if trial.receipt]
    machine = read_document(folder / receipts[0]).get("machine", {}) if receipts else {}
    accelerated = result.stack.startswith("cuda")
    return result, str(machine.get("accelerator" if accelerated else "processor") or "unknown")


def heat(folder: Path, result: RaceResult, machine: str, seconds: Mapping[SideName, float] | str) -> Heat:
    """A race as a heat; ``seconds`` are the least ones of a training step of each side, or why they are not known."""
    speeds = {name: _interval(speed["ratio"]) for name, speed in result.speeds.items() if speed.get("ratio")}
    parts: dict[str, Any] = {}
    if isinstance(seconds, str):
        parts["unsplit"] = seconds
    elif TRAINING in speeds:
        hardware = seconds["rival"] / seconds["idea"]
        parts = {"hardware": hardware, "software": speeds[TRAINING].value / hardware}
    return Heat(
        stack=result.stack,
        machine=machine,
        race=folder.name,
        ratio=result.ratio,
        verdict=result.verdict,
        speeds=speeds,
        notes=result.notes,
        **parts,
    )


def _interval(ratio: Mapping[str, Any]) -> Interval:
    return Interval(value=float(ratio["value"]), low=float(ratio["low"]), high=float(ratio["high"]))


def turns(heats: Sequence[Heat]) -> list[Turn]:
    """Verdicts and speeds that are beyond doubt on two stacks, and opposite."""
    found = []
    for one, other in combinations(heats, 2):
        for what in ("verdict", *(name for name in one.speeds if name in other.speeds)):
            sides = [_ahead(heat, what) for heat in (one, other)]
            if set(sides) == {"idea", "rival"}:
                first, second = (one, other) if sides[0] == "idea" else (other, one)
                found.append(Turn(what=what, stack=first.stack, elsewhere=second.stack))
    return found


def _ahead(heat: Heat, what: str) -> str:
    if what == "verdict":
        return heat.verdict
    speed = heat.speeds[what]
    return "idea" if speed.low > 1 else "rival" if speed.high < 1 else "undecided"


def gather(
    races: Sequence[tuple[Path, RaceResult, str]],
    seconds: Sequence[Mapping[SideName, float] | str],
    *,
    asked: str,
    spent_seconds: float,
) -> Heats:
    """Finished races of one method set beside one another; UserError for races of several."""
    first = races[0][1]
    strangers = [result for _, result, _ in races if (result.name, result.metric) != (first.name, first.metric)]
    if strangers:
        raise UserError(
            f"races of {first.name} and {strangers[0].name}",
            expected="races of one method, judged by one metric",
        )
    heats = tuple(heat(*race, least) for race, least in zip(races, seconds, strict=True))
    return Heats(
        name=first.name,
        claim=first.claim,
        metric=first.metric,
        better=first.better,
        confidence=first.confidence,
        sides={side: first.sides[side].name for side in SIDES},
        asked=asked,
        spent_seconds=spent_seconds,
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
        heats=heats,
        turns=tuple(turns(heats)),
        notes=_differences([result for _, result, _ in races]),
    )


def _differences(results: Sequence[RaceResult]) -> tuple[str, ...]:
    """In what the races differ beside their stacks, which a reader of the turns must know."""
    told: dict[str, set[object]] = {
        "recipe": {result.recipe for result in results},
        "data": {result.data.get("sha256", "") for result in results},
        "budget of a trial": {result.trial_budget for result in results},
        "kind of equality": {result.equality.kind for result in results},
        "sides": {tuple(result.sides[side].name for side in SIDES) for result in results},
    }
    named = [name for name, values in told.items() if len(values) > 1]
    return (f"the races differ in their {_series(named)} too",) if named else ()


def _series(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


# --- the least time of a training step ---


def least_seconds(
    works: Mapping[SideName, Work], stack: Stack, machine: str, tables: Sequence[CostTable]
) -> Mapping[SideName, float] | str:
    """Of a step of each side: by this machine's tables where there are any of it, else by the catalogue; or why not."""
    limits = limits_of(stack, tables)
    device = None if limits.tables else recognise(machine)
    if not limits.tables and device is None:
        return f"the limits of {machine} are not known here"
    found = {
        side: limits.seconds(work) if device is None else device_seconds(device, work) for side, work in works.items()
    }
    known = {side: seconds for side, seconds in found.items() if seconds}
    return known if len(known) == len(SIDES) else f"the limits of {machine} lack a rate that a step needs"


def step_work(folder: Path, stack: Stack, *, cache: Path) -> dict[SideName, Work]:
    """The work of one training step of each side of a race, from a trace of its second step on the stack.

    Bytes are those of the tensors that were there before the step, read once, and of weights and the optimiser's
    moments, written once. Attention is traced in the operations that define it. The arithmetic of the optimiser and of
    some losses is not known to the tracer and left out; beside the matrix products it is small.
    """
    from pennyweight.core.registry import find_method
    from pennyweight.lottery.racing.plan import load_plan, plan_config

    plan = load_plan(folder)
    contest = find_method(plan.name).contest()
    return {side: _traced(plan.recipe, plan_config(plan, contest, side), stack, cache=cache) for side in SIDES}


def _traced(recipe: str, config: Any, stack: Stack, *, cache: Path) -> Work:
    from torch.nn.attention import SDPBackend, sdpa_kernel

    from pennyweight.arrays.trace.context import trace
    from pennyweight.core import randomness, registry
    from pennyweight.core.engine import Engine
    from pennyweight.lottery.weighing.work import steps_of

    method, _ = registry.find_recipe(recipe)
    randomness.seed_all(config.fit.seed)
    engine = Engine(method.build(config, cache=cache), config.fit, stack=stack)
    engine.sources = {name: _Remembered(source) for name, source in engine.sources.items()}
    with sdpa_kernel(SDPBackend.MATH):
        engine.step(0, samples=0, fraction=0.5)  # makes the optimiser's state, which a later step finds
        with trace() as tape:
            engine.step(1, samples=0, fraction=0.5)
    read = {
        value.buffer.number: value.buffer.nbytes
        for op in tape.operations
        if op.kind == "source"
        for value in op.outs
        if value.buffer is not None
    }
    steps = steps_of(tape.operations)
    if stack.precision == "bf16":  # under autocast they are, though the definition of attention widens its own
        steps = tuple(replace(step, dtype="bfloat16") if step.matrix else step for step in steps)
    return Work(steps=steps, num_bytes=float(sum(read.values()) + _updated_bytes(engine)))


def _updated_bytes(engine: "Engine") -> int:
    """Bytes of all that a step writes anew: trained weights, and what the optimisers remember of them."""
    import torch

    weights = [parameter for parameter in engine.task.parameters() if parameter.requires_grad]
    states = [state for optimizer in engine.optimizers.values() for state in optimizer.state.values()]
    kept = [value for state in states for value in state.values() if isinstance(value, torch.Tensor)]
    return sum(tensor.numel() * tensor.element_size() for tensor in [*weights, *kept])


class _Remembered:
    """A source that draws each batch once: drawing one again, in NumPy, is no part of the step."""

    def __init__(self, source: "Source") -> None:
        self._source = source
        self._drawn: dict[bytes, Mapping[str, NDArray[Any]]] = {}

    def batch(self, numbers: NDArray[np.int64]) -> Mapping[str, NDArray[Any]]:
        """The samples of these numbers."""
        key = numbers.tobytes()
        if key not in self._drawn:
            self._drawn[key] = self._source.batch(numbers)
        return self._drawn[key]
