"""What a run may spend: seconds of training, samples, peak bytes, joules. The interface of the whole product."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from pennyweight.core.errors import UserError, WorkFailed

_UNITS: dict[str, tuple[str, float]] = {
    "ms": ("seconds", 1e-3),
    "s": ("seconds", 1.0),
    "sec": ("seconds", 1.0),
    "min": ("seconds", 60.0),
    "h": ("seconds", 3600.0),
    "sample": ("samples", 1.0),
    "samples": ("samples", 1.0),
    "ksamples": ("samples", 1e3),
    "msamples": ("samples", 1e6),
    "b": ("bytes", 1.0),
    "kb": ("bytes", 1e3),
    "mb": ("bytes", 1e6),
    "gb": ("bytes", 1e9),
    "kib": ("bytes", 2.0**10),
    "mib": ("bytes", 2.0**20),
    "gib": ("bytes", 2.0**30),
    "j": ("joules", 1.0),
    "kj": ("joules", 1e3),
    "wh": ("joules", 3600.0),
    "kwh": ("joules", 3.6e6),
}
_TERM = re.compile(r"([0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?)([a-z]+)")
_EXPECTED = "an amount with a unit, such as 90s, 10min, 2h, 200000samples, 4GB or 500J, joined by commas"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Limits on one run; the first that is reached ends it. ``bytes`` bounds the memory and ends nothing.

    ``seconds`` is wall time from the first training step to the last; ``bytes`` is the peak of resident
    memory of the process on a CPU, and of allocated device memory on a GPU.
    """

    seconds: float | None = None
    samples: int | None = None
    bytes: int | None = None
    joules: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``"10min"``, ``"2h,4GB"``, ``"1h30min"``; spaces and case are ignored.

        >>> Budget.parse("1h30min, 4GB")
        Budget(seconds=5400.0, samples=None, bytes=4000000000, joules=None)
        """
        limits: dict[str, float] = {}
        for part in text.lower().replace(" ", "").replace("_", "").split(","):
            kinds = set()
            total = 0.0
            position = 0
            while match := _TERM.match(part, position):
                kind, scale = _UNITS.get(match[2], ("", 0.0))
                if not kind:
                    raise UserError(f"budget {text!r} has the unit {match[2]!r}", expected=_EXPECTED)
                kinds.add(kind)
                total += float(match[1]) * scale
                position = match.end()
            if position != len(part) or len(kinds) != 1:
                raise UserError(f"budget {text!r}", expected=_EXPECTED)
            kind = kinds.pop()
            if kind in limits:
                raise UserError(f"budget {text!r} limits {kind} twice", expected="one limit of a kind")
            if not 0 < total < float("inf") or (kind in ("samples", "bytes") and total < 1):
                raise UserError(f"budget {text!r}", expected=f"more than zero {kind}")
            limits[kind] = total
        return cls(
            seconds=limits.get("seconds"),
            samples=_whole(limits.get("samples")),
            bytes=_whole(limits.get("bytes")),
            joules=limits.get("joules"),
        )

    def __str__(self) -> str:
        parts = []
        if self.seconds is not None:
            parts.append(f"{_shortest(self.seconds)}s")
        if self.samples is not None:
            parts.append(f"{self.samples}samples")
        if self.bytes is not None:
            parts.append(f"{self.bytes}B")
        if self.joules is not None:
            parts.append(f"{_shortest(self.joules)}J")
        return ",".join(parts)

    @property
    def ends(self) -> bool:
        """Whether any limit ever ends a run."""
        return self.seconds is not None or self.samples is not None or self.joules is not None

    def or_default(self, default: "Budget") -> "Budget":
        """This budget, with the default's ending limits where it has none of its own (``"4GB"`` alone)."""
        if self.ends:
            return self
        return Budget(seconds=default.seconds, samples=default.samples, bytes=self.bytes, joules=default.joules)


def _shortest(amount: float) -> str:
    """The shortest text that is read back as the same number."""
    text = f"{amount:.12g}"
    return text if float(text) == amount else repr(amount)


def _whole(amount: float | None) -> int | None:
    return None if amount is None else int(amount)


class Pace:
    """Where a run stands in its budget, and whether the step about to run is its last.

    Schedules follow the fraction *at the end* of the coming step, so that the last step runs at exactly
    1.0. For seconds and joules that end is predicted from the recent steps: a step is the last one when
    another of the same size would end more than half a step too late. When one step turns out so slow
    that the budget is over before a last step was announced, one more short step is run at 1.0.
    """

    def __init__(self, budget: Budget, *, batch: int, step_seconds: float, joules: Callable[[], float | None]) -> None:
        if not budget.ends:
            raise UserError(f"budget {str(budget)!r}", expected="a limit that ends a run: seconds, samples or joules")
        if budget.joules is not None and joules() is None:
            raise UserError(
                f"budget of {budget.joules:g} joules",
                expected="a machine whose energy counter can be read",
                hint="give seconds or samples",
            )
        self.budget = budget
        self.batch = batch
        self.step_seconds = step_seconds
        self.fraction = 0.0
        self._joules = joules
        self._joules_of_step = 0.0
        self._num_steps = None if budget.samples is None else max(1, budget.samples // batch)

    def next(self, *, step: int, seconds: float) -> tuple[float, bool]:
        """Fraction of the budget spent when step number ``step`` (from 0) ends, and whether it is the last."""
        fractions = [0.0]
        last = False
        if self._num_steps is not None:
            fractions.append((step + 1) / self._num_steps)
            last = step + 1 >= self._num_steps
        if self.budget.seconds is not None:
            fractions.append((seconds + self.step_seconds) / self.budget.seconds)
            last = last or seconds + 1.5 * self.step_seconds >= self.budget.seconds
        if self.budget.joules is not None:
            spent = self._joules()
            if spent is None:
                raise WorkFailed("the energy counter can no longer be read, so a budget of joules has no end")
            fractions.append((spent + self._joules_of_step) / self.budget.joules)
            last = last or spent + 1.5 * self._joules_of_step >= self.budget.joules
        self.fraction = 1.0 if last else min(max(self.fraction, *fractions), 1.0)
        return self.fraction, last

    def record(self, seconds: float, joules: float | None = None) -> None:
        """Note what the last step took; the estimate is a running mean that follows drift in about ten steps."""
        self.step_seconds += 0.2 * (seconds - self.step_seconds)
        if joules is not None:
            self._joules_of_step += 0.2 * (joules - self._joules_of_step)

    def samples_ahead(self, *, step: int, seconds: float) -> int:
        """How many samples the rest of the budget will buy at the present speed."""
        steps = []
        if self._num_steps is not None:
            steps.append(self._num_steps - step)
        if self.budget.seconds is not None:
            steps.append(max(1, round((self.budget.seconds - seconds) / self.step_seconds)))
        return max(0, min(steps)) * self.batch if steps else 0

    def seconds_ahead(self, *, step: int, seconds: float) -> float:
        """How long the rest of the budget will take at the present speed."""
        ahead = []
        if self._num_steps is not None:
            ahead.append((self._num_steps - step) * self.step_seconds)
        if self.budget.seconds is not None:
            ahead.append(self.budget.seconds - seconds)
        return max(0.0, min(ahead)) if ahead else float("nan")
