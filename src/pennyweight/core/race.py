"""What a race is, as data: an idea and its rival under one budget, the trials, and the verdict. Types only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pennyweight.core.recipe import Config
    from pennyweight.core.stack import Stack
    from pennyweight.core.task import Task

Verdict = Literal["idea", "rival", "undecided"]
SideName = Literal["idea", "rival"]
SIDES: tuple[SideName, SideName] = ("idea", "rival")
STEP_SECONDS = "seconds of a training step"
"""The figure that says so of a side."""


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
class Interval:
    """A ratio or difference with its confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Equality:
    """What a race made equal and how well; unless told otherwise both sides are as they are and get equal time.

    ``idea`` and ``rival`` say how much of ``quantity`` each has, ``ratio`` is the rival's over the idea's. A
    ``clocked`` quantity is seconds on the race's stack and its ratio has an interval (95 %); a count has none.
    ``within`` is how far from 1 the ratio may be (0: as near as the rival's sizes come), ``change`` what was done to
    the rival ("" for nothing), ``budget`` in what each trial is measured out when the race is given a time.
    """

    kind: str = "time"
    quantity: str = ""
    idea: float = 0.0
    rival: float = 0.0
    ratio: Interval | None = None
    within: float = 0.0
    change: str = ""
    clocked: bool = False
    budget: Literal["seconds", "samples"] = "seconds"


@dataclass(frozen=True, kw_only=True)
class Lineup:
    """Both sides before their race, and what an equaliser may ask of them on the race's stack.

    ``configure`` and ``build`` make the configuration and the task of any side. ``step_seconds`` times training
    steps of two sides in turn, as pairs.
    """

    idea: Side
    rival: Side
    configure: Callable[[Side], "Config"]
    build: Callable[[Side], "Task"]
    step_seconds: Callable[[Side, Side], tuple[Sequence[float], Sequence[float]]]


@dataclass(frozen=True, kw_only=True)
class Match:
    """The two sides as they will race, and in what they are equal."""

    idea: Side
    rival: Side
    equality: Equality


Equaliser = Callable[[Lineup], Match]
"""Makes the sides of a line-up equal in one thing. `pennyweight.core.equality` has the search for a size."""


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


def no_probe(task: "Task", stack: "Stack") -> Mapping[str, float]:
    """For methods that have no second thing to score a trained task by."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Contest:
    """A method's claim, made testable. All that the race engine needs of a method.

    ``claim`` is the paper's claim in one sentence with its figure and source. Both sides start from
    ``recipe``; ``tuned`` names a numeric setting and ``factors`` what the recipe's value of it is multiplied
    by in the sweep that each side is given alike. ``traits`` is called once per side on its first trained
    task, ``probe`` on every trained task for scores that differ by seed, both inside the stack's precision.
    ``traits`` must do with untrained tasks too, whose plain figures a plan prints. ``equalisers`` are the kinds of
    equality offered beside ``time``. ``differ`` names the setting in which the sides differ, where it is one: another
    idea or rival can then be named by its value.
    """

    claim: str
    recipe: str
    idea: Side
    rival: Side
    tuned: str = "fit.optimizer.lr"
    factors: tuple[float, ...] = (0.5, 1.0, 2.0)
    traits: Callable[["Task", "Stack"], Traits] = no_traits
    probe: Callable[["Task", "Stack"], Mapping[str, float]] = no_probe
    equalisers: Mapping[str, Equaliser] = field(default_factory=dict)
    differ: str = ""


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
class RaceResult:
    """A finished race. ``ratio`` is idea over rival of the metric's mean at an equal budget.

    ``time_to_equal`` is the training time of the idea over the rival's to the quality that both reach.
    Both are None where a trial diverged. ``sides`` are the two as they raced, made equal as ``equality`` says.
    ``probes`` has the probe's scores of each side by name, one a trained seed (``figures`` has their means);
    ``gaps`` the idea's mean less the rival's, where both have two seeds or more.
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
    equality: Equality = Equality()
    probes: Mapping[str, Mapping[str, tuple[float, ...]]] = field(default_factory=dict)
    gaps: Mapping[str, Interval] = field(default_factory=dict)
