"""Rewrites of loops: room for an array that grows, and one operation for a round an element."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from pennyweight.arrays.trace.lints import Finding
from pennyweight.arrays.trace.look import Look
from pennyweight.arrays.trace.operations import Operation
from pennyweight.arrays.trace.tape import Value
from pennyweight.lottery.tracing.advice.region import Arrays, Prepared
from pennyweight.lottery.tracing.advice.trial import Proposal, nothing

_LEAST_ROUNDS = 50
_ROUND = 6
"""Operations before an assignment among which the cell was read."""
_GROWTH_STEPS = 400
"""The last steps of a growth are tried; the earlier ones copy less."""


# --- growth ---


def grow_once(look: Look, findings: Sequence[Finding]) -> Iterator[Proposal]:
    """An array that grows by copying: room for all of it from the start."""
    for finding in findings:
        if finding.kind != "growth":
            continue
        ops = [look.operations[index] for index in finding.operations][-_GROWTH_STEPS:]
        shapes = [op.outs[0].shape for op in ops]

        dtype = ops[-1].outs[0].dtype

        def prepare(arrays: Arrays, shapes: Sequence[tuple[int, ...]] = shapes, dtype: Any = dtype) -> Prepared:
            return _grown(shapes, dtype)

        yield Proposal(
            rewrite="room from the start",
            where=finding.where,
            at=ops[-1].index,
            advice="np.empty of the final size (or of twice the size whenever it is full) and slices of it; or a list,"
            " and np.concatenate once at the end",
            prepare=prepare,
        )


def _grown(shapes: Sequence[tuple[int, ...]], dtype: Any) -> Prepared:
    """Both ways of growing through these shapes, on numbers of the same type: what they are does not matter here."""
    axis = next((i for i, (a, b) in enumerate(zip(shapes[0], shapes[-1], strict=True)) if a != b), 0)
    whole = np.random.default_rng(0).integers(0, 100, shapes[-1]).astype(dtype)
    lengths = [shape[axis] for shape in shapes]

    def part(start: int, stop: int) -> tuple[slice, ...]:
        return (*(slice(None) for _ in range(axis)), slice(start, stop))

    def before() -> Any:
        grown = whole[part(0, lengths[0])].copy()
        for low, high in pairwise(lengths):
            grown = np.concatenate((grown, whole[part(low, high)]), axis=axis)
        return grown

    def after() -> Any:
        room = np.empty(shapes[-1], dtype)
        for low, high in pairwise([0, *lengths]):
            room[part(low, high)] = whole[part(low, high)]
        return room

    return before, after, nothing


# --- a round an element ---


def whole_arrays(look: Look, findings: Sequence[Finding]) -> Iterator[Proposal]:
    """A loop that assigns element by element, as one operation: what a round does, lifted; or a scattered sum."""
    for finding in findings:
        if finding.kind != "loop":
            continue
        ops = [look.operations[index] for index in finding.operations]
        sets = [op for op in ops if op.name == "setitem"]
        sets = sets[: _one_pass(sets)]
        places = [_place(look, op) for op in sets]
        if len(sets) < _LEAST_ROUNDS or len(sets[0].ins[0].shape) != 1 or any(place is None for place in places):
            continue
        cells = np.array(places)
        passes = max(1, sum(op.name == "setitem" for op in ops) // len(sets))
        yield from _scattered(look, finding, sets, cells, passes)
        yield from _lifted(look, finding, sets, cells, passes)


def _one_pass(sets: Sequence[Operation]) -> int:
    """Rounds until the loop starts again on another array."""
    return next((i for i, op in enumerate(sets) if op.ins[0].number != sets[0].ins[0].number), len(sets))


def _place(look: Look, op: Operation) -> int | None:
    """The one cell that an operation reads or assigns to; None where it is not one."""
    try:
        return int(_number(look, look.entries[op.index].args[1]))
    except TypeError:
        return None


def _scattered(look: Look, finding: Finding, sets: Sequence[Operation], cells: Any, passes: int) -> Iterator[Proposal]:
    """``total[i] += x`` for many i: ``np.bincount``, or ``np.add.at``."""
    target = sets[0].ins[0]
    new = [look.entries[op.index].args[2] for op in sets]
    old = [_cell_before(look, op) for op in sets]
    if any(isinstance(value, Value) for value in new) or any(value is None for value in old):
        return
    added = np.array([float(b) - float(a) for a, b in zip(old, new, strict=True)])

    def prepare(arrays: Arrays) -> Prepared:
        start = arrays[target.number].copy()

        def before() -> Any:
            total = start.copy()
            for cell, more in zip(cells, added, strict=True):
                total[cell] += more
            return total

        def after() -> Any:
            more = np.bincount(cells, weights=added, minlength=len(start))
            return start + more.astype(start.dtype, copy=False)

        return before, after, nothing

    yield Proposal(
        rewrite="all at once",
        where=finding.where,
        at=sets[0].index,
        advice="total += np.bincount(cells, weights=shares, minlength=len(total)); with more axes"
        " np.add.at(total, cells, shares)",
        prepare=prepare,
        runs=passes,
    )


def _cell_before(look: Look, op: Operation) -> Any:
    """The number that a cell held before it was assigned to, when the round read it; else None."""
    for earlier in reversed(look.operations[max(0, op.index - _ROUND) : op.index]):
        if earlier.name == "setitem":
            return None
        entry = look.entries[earlier.index]
        is_read = earlier.name == "getitem" and earlier.kind == "number"
        if is_read and earlier.ins[0].number == op.ins[0].number:
            return entry.kept if _place(look, earlier) == _place(look, op) else None
    return None


def _lifted(look: Look, finding: Finding, sets: Sequence[Operation], cells: Any, passes: int) -> Iterator[Proposal]:
    """``out[i] = f(x[i])`` with one function of NumPy in each round: ``out[:] = f(x)``."""
    makers = _makers(look, sets)
    if not makers:
        return
    target, entry = sets[0].ins[0], look.entries[makers[0].index]
    varying = [k for k, arg in enumerate(entry.args) if _is_number(arg)]
    fixed = [arg for arg in entry.args if isinstance(arg, Value) and arg.buffer is not None]
    if not varying or any(look.written_between(value, makers[0].index, makers[-1].index) for value in fixed):
        return
    columns = {k: np.array([_number(look, look.entries[op.index].args[k]) for op in makers]) for k in varying}
    if any(column.dtype == object for column in columns.values()):
        return

    def prepare(arrays: Arrays) -> Prepared:
        out = arrays[target.number].copy()
        whole: list[Any] = [arrays[arg.number] if isinstance(arg, Value) and arg.buffer else arg for arg in entry.args]
        for k, column in columns.items():
            whole[k] = column
        rows = list(zip(*(columns[k] for k in varying), strict=True))

        def before() -> Any:
            for cell, row in zip(cells, rows, strict=True):
                args = list(whole)
                for k, x in zip(varying, row, strict=True):
                    args[k] = x
                out[cell] = entry.function(*args)
            return out

        def after() -> Any:
            out[cells] = entry.function(*whole)
            return out

        return before, after, nothing

    yield Proposal(
        rewrite="all at once",
        where=finding.where,
        at=makers[0].index,
        advice=f"{makers[0].name} of the whole array instead of {len(sets):,} numbers, its result assigned at once",
        prepare=prepare,
        runs=passes,
    )


def _makers(look: Look, sets: Sequence[Operation]) -> list[Operation]:
    """What computed the number that each round assigns, when it is the same function everywhere; else nothing."""
    found = []
    for op in sets:
        value = look.entries[op.index].args[2]
        maker = look.made_by(value) if isinstance(value, Value) else None
        if maker is None or maker.kind != "number" or look.entries[maker.index].kwargs:
            return []
        found.append(maker)
    return found if len({maker.name for maker in found}) == 1 and found[0].name != "getitem" else []


def _is_number(arg: Any) -> bool:
    return isinstance(arg, (np.generic, int, float)) or (isinstance(arg, Value) and arg.buffer is None)


def _number(look: Look, arg: Any) -> Any:
    if not isinstance(arg, Value):
        return arg
    maker = look.made_by(arg)
    return None if maker is None else look.entries[maker.index].kept
