"""Receipts: what was asked, what was spent, on what, and what came out, with an interval and the baselines.

Energy, money and CO2 are stated only from a counter or from assumptions that the receipt repeats; without
either they are ``"unknown"``.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pennyweight.core.errors import UserError

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Where the time and the memory went. ``lost_seconds`` is training that an interruption undid; it is
    part of ``train_seconds``, so that the budget stays true.
    """

    train_seconds: float
    validation_seconds: float
    saving_seconds: float
    calibration_seconds: float
    lost_seconds: float
    steps: int
    samples: int
    peak_bytes: int
    joules: float | None


@dataclass(frozen=True, kw_only=True)
class Result:
    """The metric on the test split after the last step, with its interval."""

    metric: str
    unit: str
    better: str
    value: float
    low: float
    high: float
    interval: str
    details: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Assumptions:
    """What a user states about the machine: watts while training, price and grams of CO2 of a kWh."""

    watts: float | None = None
    price: float | None = None
    co2: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Assumptions":
        """Read ``"watts=65,price=0.30,co2=380"``."""
        known = {}
        for part in filter(None, text.replace(" ", "").split(",")):
            key, _, value = part.partition("=")
            try:
                if key not in ("watts", "price", "co2") or not 0 <= float(value) < math.inf:
                    raise ValueError
                known[key] = float(value)
            except ValueError:
                raise UserError(
                    f"assumption {part!r}", expected="watts=W, price=PER_KWH or co2=GRAMS_PER_KWH"
                ) from None
        return cls(**known)


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The document beside every result."""

    recipe: str
    config: Mapping[str, Any]
    stack: str
    machine: Mapping[str, Any]
    seed: int
    data: Mapping[str, str]
    asked: str
    spent: Spent
    result: Result
    baselines: Mapping[str, float]
    parameters: int
    assumptions: Assumptions = Assumptions()
    notes: tuple[str, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """The receipt as JSON holds it, with energy, money and CO2 worked out or ``"unknown"``."""
        document = asdict(self)
        document["notes"] = list(self.notes)
        joules, source = self.spent.joules, "counter"
        if joules is None and self.assumptions.watts is not None:
            joules, source = self.assumptions.watts * self.spent.train_seconds, "assumed watts"
        kwh = None if joules is None else joules / 3.6e6
        document["estimates"] = {
            "joules": _known(joules),
            "joules_from": source if joules is not None else "no counter, no assumption",
            "money": _known(_times(kwh, self.assumptions.price)),
            "co2_grams": _known(_times(kwh, self.assumptions.co2)),
        }
        return {"schema": SCHEMA, **document}


def _times(amount: float | None, rate: float | None) -> float | None:
    return None if amount is None or rate is None else amount * rate


def _known(value: float | None) -> float | str:
    return "unknown" if value is None else value
