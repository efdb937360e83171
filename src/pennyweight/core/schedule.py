"""Learning-rate schedules driven by the fraction of the budget that is spent, never by a number of steps.

The same schedule therefore ends exactly when the budget ends, on a fast machine and on a slow one.
"""

import math
from dataclasses import dataclass
from typing import Literal

from pennyweight.core.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Warm-up, hold, decay, as parts of the budget; the factor on the peak learning rate.

    ``warmup`` and ``decay`` are fractions of the budget, what lies between is held at 1. ``final`` is the
    factor on the last step. The warm-up is linear; the decay is linear or half a cosine.
    """

    warmup: float = 0.05
    decay: float = 0.5
    final: float = 0.02
    shape: Literal["linear", "cosine"] = "linear"

    def __post_init__(self) -> None:
        if not (self.warmup >= 0 and self.decay >= 0 and self.warmup + self.decay <= 1 and self.final >= 0):
            raise UserError(
                f"schedule with warmup {self.warmup}, decay {self.decay} and final {self.final}",
                expected="parts of the budget that sum to at most 1, and a final factor of at least 0",
            )

    def factor(self, fraction: float) -> float:
        """The factor on the peak learning rate when ``fraction`` (0 to 1) of the budget is spent.

        >>> Schedule(warmup=0.1, decay=0.5, final=0.0).factor(0.75)
        0.5
        """
        fraction = min(max(fraction, 0.0), 1.0)
        if fraction < self.warmup:
            return fraction / self.warmup
        if self.decay == 0 or fraction <= 1 - self.decay:
            return 1.0
        ahead = (1 - fraction) / self.decay
        if self.shape == "cosine":
            ahead = (1 - math.cos(math.pi * ahead)) / 2
        return self.final + (1 - self.final) * ahead
