"""Memory over time: which arrays were alive during each operation, and where NumPy would have reused a temporary."""

import dis
from collections.abc import Container
from functools import cache
from itertools import accumulate
from types import CodeType
from typing import Any

import numpy as np

from pennyweight.arrays.trace.names import home_of, name_of
from pennyweight.arrays.trace.tape import Buffer, RawTape, Value

ELIDED_BYTES = 256 * 1024
"""NumPy computes into a temporary of at least this size instead of making another (temporary elision)."""
_ELIDING = frozenset(
    {"add", "subtract", "multiply", "divide", "bitwise_and", "bitwise_or", "bitwise_xor", "negative", "absolute",
     "invert", "left_shift", "right_shift", "floor_divide", "positive"}
)  # fmt: skip
_COMMUTING = frozenset({"add", "multiply", "bitwise_and", "bitwise_or", "bitwise_xor"})


def elisions(raw: RawTape) -> set[int]:
    """Entries that NumPy, left alone, computes into a temporary of theirs.

    It does so for an operator whose operand is a fresh array of enough bytes to which nothing else refers: one made
    earlier in the same expression and bound to no name. The other operand must be a number, or an array of the same
    shape that needs no wider type. Here ducks refer to the temporary, so that it does not happen.
    """
    elided = set()
    maker: dict[int, int] = {}
    for index, entry in enumerate(raw.entries):
        out = entry.out
        if not isinstance(out, Value) or out.buffer is None or out.buffer.born != index:
            continue
        maker[out.number] = index
        if entry.role != "operation" or home_of(entry.function) not in ("operator", "_operator"):
            continue
        name = name_of(entry.function)
        if name not in _ELIDING and not (name == "power" and _is_simple(entry.args[1])):
            continue
        pairs = [(entry.args[0], entry.args[-1])]
        if name in _COMMUTING:
            pairs.append((entry.args[-1], entry.args[0]))
        if any(_is_spare(raw, value, out, index, maker) and _fits(value, other) for value, other in pairs):
            elided.add(index)
    return elided


def _is_spare(raw: RawTape, value: Any, out: Value, index: int, maker: dict[int, int]) -> bool:
    if not isinstance(value, Value) or value.buffer is None or value.number not in maker:
        return False
    made = raw.entries[maker[value.number]]
    return (
        value.buffer.nbytes >= ELIDED_BYTES
        and value.nbytes == value.buffer.nbytes
        and value.shape == out.shape
        and value.dtype == out.dtype
        and value.buffer.died == index + 1
        and made.code is raw.entries[index].code
        and made.at < raw.entries[index].at
        and not _stores_between(raw.entries[index].code, made.at, raw.entries[index].at)
    )


def _fits(value: Value, other: Any) -> bool:
    """Whether NumPy would write the result of both into the first: it does not where it would have to broadcast it."""
    if not isinstance(other, Value):
        return isinstance(other, (int, float, complex, np.generic))
    return other.shape in ((), value.shape) and np.can_cast(other.dtype, value.dtype, "safe")


def _is_simple(exponent: Any) -> bool:
    """Whether a power is a square, a quotient or a root, which are computed as such."""
    return (type(exponent) is int and exponent in (2, -1)) or (type(exponent) is float and exponent == 0.5)


@cache
def _stores(code: CodeType) -> list[int]:
    return [step.offset for step in dis.get_instructions(code) if step.opname.startswith(("STORE", "SWAP"))]


def _stores_between(code: CodeType | None, start: int, stop: int) -> bool:
    return code is None or any(start < offset < stop for offset in _stores(code))


def timeline(raw: RawTape, elided: Container[int]) -> list[int]:
    """Bytes of all arrays alive during each entry.

    An array lives from the operation that makes it to the last one before it is given back; one that an elided
    operation would have computed into is gone when that begins.
    """
    count = len(raw.entries)
    change = [0] * (count + 1)
    for buffer in raw.buffers:
        last = count if buffer.died is None else buffer.died
        if last - 1 in elided and _is_taken_over(raw, last - 1, buffer):
            last -= 1
        if last > buffer.born:
            change[buffer.born] += buffer.nbytes
            change[last] -= buffer.nbytes
    return list(accumulate(change[:count]))


def _is_taken_over(raw: RawTape, index: int, buffer: Buffer) -> bool:
    """Whether a buffer is the first of those that an elided operation could have written into."""
    shape = raw.given[index][0].shape
    spare = [value.buffer for value in raw.taken[index] if value.buffer is not None and value.shape == shape]
    dying = [candidate for candidate in spare if candidate.died == index + 1]
    return bool(dying) and dying[0] is buffer
