"""What came of a search, as data. Types only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pennyweight.core.cost import Rate

Origin = Literal["searched", "rival", "reference"]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A pattern that was trained, who proposed it, what it was foreseen to cost and lose, and what it does.

    ``foreseen`` is the rise in nats per token that the scores of its blocks add up to. ``before`` and ``after`` are the
    metric on validation before and after its training; ``value`` (``low`` to ``high``) that on the test split after it.
    ``costs`` are foreseen by quantity, ``measured`` the seconds of a step by use. ``recall`` is the part of tokens
    repeated right by distance, with its floor; ``run`` and ``receipt`` lie below the folder of the search.
    """

    name: str
    origin: Origin
    pattern: str
    foreseen: float
    before: float
    after: float
    value: float
    low: float
    high: float
    costs: Mapping[str, float]
    measured: Mapping[str, Rate]
    parameters: int
    cache_bytes: int
    recall: Mapping[str, float]
    run: str
    receipt: str


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What replacing one block adds to the parent's loss, in nats per prediction, by letter and place (``"w at 3"``).

    ``own`` are the letters of the parent, ``errors`` the standard errors over ``num_windows`` held-out samples.
    """

    own: tuple[str, ...]
    added: Mapping[str, float]
    errors: Mapping[str, float]
    num_windows: int
    run: str


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """What the super-network came to in so many ``steps``: the chance of each kind at each place (``surest`` is the
    largest where it is least), and what being made single costs."""

    chances: tuple[tuple[float, ...], ...]
    gap: float
    surest: float
    steps: int
    run: str


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """The choice under the same limits at the prices of a stack: "" with the reason where it is out of reach."""

    stack: str
    pattern: str
    blocks: Mapping[str, float]
    fixed: float
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Point:
    """A pattern of the front: what it costs of the first limit, and its foreseen rise in nats per token."""

    cost: float
    foreseen: float
    pattern: str


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """A finished search. ``found`` names the candidate that is best on validation within the limits.

    ``most`` are the limits as numbers in ``units``, ``distances`` how far each attention block of the reference and of
    what was found looks back, in tokens by place, and ``even_distance`` what
    full attention would give that looks evenly. ``parent`` is the folder of its run, below that of the search.
    """

    recipe: str
    settings: Mapping[str, str]
    limits: Mapping[str, str]
    most: Mapping[str, float]
    units: Mapping[str, str]
    reference: str
    menu: tuple[str, ...]
    heal: bool
    metric: str
    unit: str
    better: Literal["lower", "higher"]
    stack: str
    seed: int
    asked: str
    spent_seconds: float
    data: Mapping[str, str]
    parent: str
    scores: Scores
    architecture: Architecture
    candidates: tuple[Candidate, ...]
    found: str
    front: tuple[Point, ...]
    stacks: tuple[Elsewhere, ...]
    distances: Mapping[str, Mapping[str, float]]
    even_distance: float
    candidate_budget: str
    notes: tuple[str, ...] = ()
