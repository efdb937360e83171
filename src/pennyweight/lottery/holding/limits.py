"""What a device can do at most for an idea's work: the roofline of the best rates that any stack reached on it.

Williams, Waterman and Patterson, Roofline (CACM 52(4), 2009): no program takes less than its arithmetic at the peak
rate, nor less than its inputs and outputs at the peak bandwidth. The peaks are those of this machine's cost tables; a
device with as many threads may do what one with fewer did.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pennyweight.core.cost import CostTable
from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.card import Work
from pennyweight.lottery.weighing.work import Step

# Formats that hold all values of a narrower one: what is slow in its own format can be done in these.
_WIDER = {
    "int8": ("int8", "bfloat16", "float32", "float64"),
    "bfloat16": ("bfloat16", "float32", "float64"),
    "float32": ("float32", "float64"),
    "float64": ("float64",),
}
MOVES = ("gather", "scatter", "copy", "creation", "view", "sort")
"""Families without arithmetic: their bytes count, no operations."""


@dataclass(frozen=True)
class Limits:
    """The best rates of a device with so many threads."""

    tables: tuple[CostTable, ...]

    def seconds(self, work: Work) -> float | None:
        """The least time for the work, or None where a rate that it needs was not measured."""
        computing = 0.0
        for step in work.steps:
            if step.family not in MOVES and step.operations:
                rate = self._rate(step)
                if rate is None:
                    return None
                computing += step.operations / rate
        bandwidth = max((_bandwidth(table, work.num_bytes) for table in self.tables), default=0.0)
        return max(computing, work.num_bytes / bandwidth) if bandwidth else None

    def _rate(self, step: Step) -> float | None:
        """Operations per second of the units that the step needs.

        Matrix products may take matrix units in their own format. All other arithmetic takes the vector units, which
        are those that do matrix products in float32 and float64, whatever the format.
        """
        dtype = step.dtype if step.dtype in _WIDER else "float32"
        if step.family == "transcendental":
            return self._best("transcendental", _WIDER[dtype])
        if step.matrix:
            return self._best("contraction", _WIDER[dtype])
        return self._best("contraction", ("float64",) if dtype == "float64" else ("float32", "float64"))

    def _best(self, family: str, dtypes: Sequence[str]) -> float | None:
        names = [f"{family}/{dtype}" for dtype in dtypes]
        rates = [table.rates[name].value for table in self.tables for name in names if name in table.rates]
        return max(rates, default=None)


def _bandwidth(table: CostTable, working_set: float) -> float:
    """Bytes per second of the first level that was weighed and holds the working set, else of memory."""
    for level, size in table.cache_bytes.items():
        if working_set <= size and level in table.bandwidth:
            return table.bandwidth[level].value
    return table.bandwidth["memory"].value


def limits_of(stack: Stack, tables: Sequence[CostTable]) -> Limits:
    """The limits of a stack's device: of all tables of that device with no more threads."""
    weighed = [(Stack.parse(table.stack), table) for table in tables]
    return Limits(tuple(table for one, table in weighed if one.device == stack.device and one.threads <= stack.threads))
