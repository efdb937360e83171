"""What an operation will take on a weighed stack: the roofline of its cost table.

Williams, Waterman and Patterson, Roofline (CACM 52(4), 2009): an operation is bound by its arithmetic or by
the bytes it moves, whichever takes longer. To that comes what calling it costs.
"""

import re

from pennyweight.arrays.trace.families import Family
from pennyweight.core.cost import CostTable, Rate
from pennyweight.core.errors import UserError

MODEL_REACH: dict[Family, float] = {
    "elementwise": 2.0,
    "transcendental": 2.5,
    "reduction": 4.0,
    "scan": 2.0,
    "contraction": 2.5,
    "fft": 3.0,
    "sort": 8.0,
    "gather": 11.0,
    "scatter": 4.0,
    "linalg": 13.0,
    "copy": 8.0,
    "creation": 8.0,
    "view": 2.0,
    "other": 8.0,
}
"""How many times longer or shorter than its prediction an operation may take, by family.

Members of a family differ, and so do sizes, strides and what happens at random places. Read off 188 operations
that no table was made from (NumPy and PyTorch, one thread, 256 to 4 million elements, a virtual machine with
AVX-512: benchmarks/weigh_repeatability.py predict): nine in ten of a family lie within, but for selection by a
random mask among the element-wise ones, and creation and other, which are as wide as copies by assumption.
"""

_ALIKE: dict[Family, Family] = {"creation": "copy", "other": "elementwise"}


def predict_seconds(
    table: CostTable,
    family: Family,
    dtype: str,
    *,
    operations: float,
    num_bytes: float,
    working_set: float | None = None,
    reach: float | None = None,
) -> Rate:
    """Seconds of one operation: its call, and the longer of its arithmetic and its traffic.

    ``num_bytes`` are those read and written together; ``working_set`` (else the same) decides in which level
    of the memory they lie. ``reach`` widens the band of the table's numbers by a factor on each side, else the
    family's `MODEL_REACH` does; 1 leaves it as measured. A dtype that was not weighed takes the rate of the
    weighed one that is nearest in width. Raises `UserError` where the stack cannot run the family at all.
    """
    call = table.call
    reach = MODEL_REACH[family] if reach is None else reach
    if family == "view":
        return Rate(value=call.value, low=call.low / reach, high=call.high * reach)
    rate = _rate(table, family, dtype)
    bandwidth = _bandwidth(table, num_bytes if working_set is None else working_set)

    def bound(at_rate: float, at_bandwidth: float) -> float:
        return max(operations / at_rate, num_bytes / at_bandwidth)

    value = call.value + bound(rate.value, bandwidth.value)
    low = call.low + bound(rate.high, bandwidth.high)
    high = call.high + bound(rate.low, bandwidth.low)
    return Rate(value=value, low=low / reach, high=high * reach)


def _rate(table: CostTable, family: Family, dtype: str) -> Rate:
    family = _ALIKE.get(family, family)
    known = [name for name in table.rates if name.startswith(f"{family}/")]
    if not known:
        raise UserError(
            f"{family} on {table.stack}",
            expected=f"one of {', '.join(sorted({name.partition('/')[0] for name in table.rates}))}",
            hint="take another stack",
        )
    return table.rates[min(known, key=lambda name: abs(_bits(name) - _bits(dtype)))]


def _bits(dtype: str) -> int:
    digits = re.search(r"\d+$", dtype)
    return int(digits[0]) if digits else 8


def _bandwidth(table: CostTable, working_set: float) -> Rate:
    """Of the first level that was weighed and holds the working set, else of memory."""
    for level, size in table.cache_bytes.items():
        if working_set <= size and level in table.bandwidth:
            return table.bandwidth[level]
    return table.bandwidth["memory"]
