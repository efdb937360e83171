"""What a race is, as data: an idea and its rival under one budget, the trials, and the verdict. Types only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pennyweight.core.stack import Stack
    from pennyweight.core.task import Task

Verdict = Literal["idea", "rival", "undecided"]
SideName = Literal["idea", "rival"]
SIDES: tuple[SideName, SideName] = ("idea", "rival")


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of a race: a name for people and the settings that make it what it is.

    Both sides get the same seeds. A thing raced against itself needs others on one side, or it would be
    trained twice: ``seed_offset`` is added to them.
    """

    name: str
    settings: Mapping[str, Any]
    seed_offset: int = 0


@dataclass(frozen=True, kw_only=True)
class Timed:
    """A piece of work to be timed on both sides in turn; ``amount`` of ``unit`` per call gives a speed."""

    work: Callable[[], object]
    amount: float
    unit: str


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What a method measures on a trained task beside its metric: plain figures, and work to be timed."""

    figures: Mapping[str, float] = field(default_factory=dict)
    timed: Mapping[str, Timed] = field(default_factory=dict)


def no_traits(task: "Task", stack: "Stack") -> Traits:
    """For methods that measure nothing beside their metric."""
    return Traits()


@dataclass(frozen=True, kw_only=True)
class Contest:
    """A method's claim, made testable. All that the race engine needs of a method.

    ``claim`` is the paper's claim in one sentence with its figure and source. Both sides start from
    ``recipe``; ``tuned`` names a numeric setting and ``factors`` what the recipe's value of it is multiplied
    by in the sweep that each side is given alike. ``traits`` is called once per side on its first trained
    task, inside the stack's precision.
    """

    claim: str
    recipe: str
    idea: Side
    rival: Side
    tuned: str = "fit.optimizer.lr"
    factors: tuple[float, ...] = (0.5, 1.0, 2.0)
    traits: Callable[["Task", "Stack"], Traits] = no_traits


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One training run of one side: where its receipt lies and what it scored (None: its loss diverged)."""

    side: SideName
    seed: int
    tuned: float
    run: str
    seconds: float
    value: float | None
    curve: tuple[tuple[float, float], ...]
    receipt: str = ""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A ratio or difference with its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class RaceResult:
    """A finished race. ``ratio`` is idea over rival of the metric's mean at an equal budget.

    ``time_to_equal`` is the training time of the idea over the rival's to the quality that both reach.
    Both are None where a trial diverged.
    """

    name: str
    claim: str
    recipe: str
    sides: Mapping[str, Side]
    metric: str
    unit: str
    better: Literal["lower", "higher"]
    stack: str
    stack_seconds: Mapping[str, float]
    asked: str
    trial_budget: str
    spent_seconds: float
    confidence: float
    seeds: tuple[int, ...]
    data: Mapping[str, str]
    tuned: str
    chosen: Mapping[str, float]
    sweep: tuple[Trial, ...]
    trials: tuple[Trial, ...]
    ratio: Interval | None
    verdict: Verdict
    time_to_equal: Interval | None
    equal_quality: float | None
    figures: Mapping[str, Mapping[str, float]]
    speeds: Mapping[str, Mapping[str, Any]]
    baselines: Mapping[str, float]
    notes: tuple[str, ...] = ()
