"""What operations cost on a stack, as data: measured rates with their noise bands. Types only.

`pennyweight.lottery.weighing.weigh` measures a table; `trace`, `lottery` and the pattern search read it.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Use = Literal["train", "prefill", "decode"]
"""What a step of a transformer is: training on a batch, reading a text, or one more token after it."""

FIXED = "fixed"
"""The name under which the cost of a model without blocks stands beside those of its blocks."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A measured quantity: the median over the repeats, and the band in which another run should fall."""

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.value <= self.high < math.inf:
            raise ValueError(f"a rate of {self.value} between {self.low} and {self.high}")


@dataclass(frozen=True, kw_only=True)
class CostTable:
    """The costs of one stack on one machine.

    ``call`` is the seconds that calling an operation on eight elements takes. ``bandwidth`` is bytes per
    second, read and written together, of a stream through ``"L1"``, ``"L2"``, ``"L3"`` or ``"memory"``; a level
    whose arrays take less time than the call is absent. ``rates`` is operations per second, in cache, by
    ``"<family>/<dtype>"`` as in ``"contraction/float32"`` (families: `pennyweight.arrays.trace.families`; one
    multiply-add counts as two operations, an element moved, sorted or gathered as one). The seconds of a call
    are taken off before bandwidths and rates are formed.

    ``cache_bytes`` is the working set up to which a level's bandwidth holds: the caches that a core reaches,
    the last of them cut down to what a sweep shows of it. ``checks`` is measured over predicted time of
    families whose arrays lie in memory. For each name ``statements`` says what was run, ``intensities`` how many
    operations that is for each byte of its arrays, and ``first_calls`` how many seconds its first call took,
    compilation included. ``start_seconds`` is how long a process of the stack takes to start, ``busy`` the part
    of the machine (0 to 1) that other processes took meanwhile.
    """

    stack: str
    machine: Mapping[str, Any]
    fingerprint: str
    measured: str
    seconds: float
    busy: float
    software: Mapping[str, str]
    cache_bytes: Mapping[str, int]
    call: Rate
    bandwidth: Mapping[str, Rate]
    rates: Mapping[str, Rate]
    checks: Mapping[str, Rate] = field(default_factory=dict)
    statements: Mapping[str, str] = field(default_factory=dict)
    intensities: Mapping[str, float] = field(default_factory=dict)
    first_calls: Mapping[str, float] = field(default_factory=dict)
    start_seconds: float = 0.0
    notes: tuple[str, ...] = ()
