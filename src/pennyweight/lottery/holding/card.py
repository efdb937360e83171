"""What a lottery is, as data: ideas on stacks at sizes, what each cell took, and what may be concluded. Types only.

Hooker (The Hardware Lottery, CACM 64(12), 2021) asks for the cost of running an idea on several stacks at once, as a
number. `pennyweight.lottery.holding.hold` measures the cells; `board`, `parts` and `outlook` conclude, without a clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pennyweight.core.race import Interval
from pennyweight.lottery.weighing.work import Step

Status = Literal["ok", "wrong", "too slow", "not available", "failed", "lost", "skipped"]
"""``wrong``: beyond the tolerance; ``not available``: the stack lacks what it needs; ``lost``: its process died."""


# --- what is measured ---


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one call must do: its steps, and the bytes that any program for it must move: inputs once, outputs once."""

    steps: tuple[Step, ...]
    num_bytes: float


@dataclass(frozen=True, kw_only=True)
class Idea:
    """A rival: its name, what it is in one sentence, and where its number of operations comes from."""

    name: str
    what: str
    counted: str = ""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One idea on one stack at one size.

    ``slices`` are seconds of a call, one a round; ``bound`` is what a call took at least where it was stopped;
    ``error`` is that of the result, relative to the reference. ``work`` is None where it is not known.
    """

    stack: str
    size: str
    idea: str
    status: Status
    reason: str = ""
    statement: str = ""
    first_seconds: float | None = None
    slices: tuple[float, ...] = ()
    bound: float | None = None
    error: float | None = None
    work: Work | None = None


# --- what is concluded ---


@dataclass(frozen=True, kw_only=True)
class Place:
    """A cell on the board: its time, its rank on its stack (1 is the fastest, ties share one), the rank's interval.

    ``at_least``: the time is a lower bound, and the cell is last because all others are below it.
    """

    stack: str
    idea: str
    time: Interval
    rank: int
    low: int
    high: int
    at_least: bool = False


@dataclass(frozen=True, kw_only=True)
class Board:
    """All that was ranked at one size. ``index`` is None where no two stacks order two ideas."""

    size: str
    places: tuple[Place, ...]
    index: Interval | None


@dataclass(frozen=True, kw_only=True)
class Flip:
    """A pair of ideas that two stacks order oppositely: ``ahead`` wins on ``stack``, ``behind`` on ``elsewhere``.

    ``by`` and ``back`` are how many times faster the winner is on each, or at least so many; ``extent`` is their
    product. The counts say on how many stacks each is clearly the faster.
    """

    size: str
    ahead: str
    behind: str
    stack: str
    elsewhere: str
    by: Interval
    back: Interval
    by_at_least: bool
    back_at_least: bool
    extent: float
    num_ahead: int
    num_behind: int


@dataclass(frozen=True, kw_only=True)
class Regret:
    """What choosing the winner of one stack costs on another: times slower than that one's own winner.

    ``factor`` is None where the choice does not run there.
    """

    size: str
    chosen_on: str
    run_on: str
    idea: str
    factor: float | None


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A loss against the stack's winner, split: ``ratio`` = ``hardware`` x ``software``.

    ``hardware`` is the ratio of the device's limits for the two ideas, ``software`` that of the shares of the limit
    that they reach (the winner's over the loser's). ``needed`` is the share at which the loser would draw level;
    beyond 1 it cannot win on this device. All four are None where a limit is not known.
    """

    size: str
    stack: str
    idea: str
    winner: str
    ratio: Interval
    at_least: bool
    hardware: float | None = None
    software: float | None = None
    reached: float | None = None
    winner_reached: float | None = None
    needed: float | None = None


@dataclass(frozen=True, kw_only=True)
class Surprise:
    """A cell that took ``factor`` times what its stack's cost table predicts for its steps."""

    size: str
    stack: str
    idea: str
    seconds: float
    predicted: float
    factor: float


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """An idea against the baseline on a device of the catalogue: time over time, never as a point.

    ``hardware`` is the ratio of the device's limits; ``low`` and ``high`` take in the software of the stacks here.
    """

    device: str
    name: str
    idea: str
    hardware: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Results:
    """All conclusions. ``index`` is the mean over sizes."""

    boards: tuple[Board, ...]
    index: Interval | None
    flips: tuple[Flip, ...]
    regrets: tuple[Regret, ...]
    losses: tuple[Loss, ...]
    surprises: tuple[Surprise, ...]
    forecasts: tuple[Forecast, ...]
    software: Mapping[str, Interval] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Card:
    """The whole document. ``results`` is None where the machine was too busy for any conclusion (``refused``)."""

    name: str
    status: Literal["done", "refused"]
    refusal: str
    asked: str
    spent_seconds: float
    measured: str
    busy: float
    machine: Mapping[str, Any]
    fingerprint: str
    software: Mapping[str, Mapping[str, str]]
    quality: str
    stacks: tuple[str, ...]
    sizes: tuple[str, ...]
    ideas: tuple[Idea, ...]
    cells: tuple[Cell, ...]
    results: Results | None
    notes: tuple[str, ...] = ()
