"""Rewrites of a chain of operations: distances of all pairs, blocks that fit the cache, results in place."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pennyweight.arrays.trace.lints import Finding
from pennyweight.arrays.trace.look import Look
from pennyweight.arrays.trace.operations import Operation
from pennyweight.arrays.trace.tape import Value
from pennyweight.lottery.tracing.advice.region import Arrays, Prepared, Region, region_of
from pennyweight.lottery.tracing.advice.single import worth_trying
from pennyweight.lottery.tracing.advice.trial import Proposal

_BLOCK_BYTES = 256 * 1024
"""A block and its temporaries should fit into a core's own cache."""
_LARGE = 1 << 20
_ELEMENTWISE = ("elementwise", "transcendental")


# --- distances ---


def distances(look: Look, findings: Sequence[Finding]) -> Iterator[Proposal]:
    """Squared distances of all pairs by a matrix product: |a|² - 2ab + |b|²."""
    for run, times in worth_trying(look):
        for op in run:
            chain = _distance_chain(look, op)
            region = region_of(look, chain)
            if region is None or region.targets:
                continue
            rows, columns = sorted(op.ins, key=lambda value: value.shape[0] == 1)

            def other(held: Arrays, a: Value = rows, b: Value = columns) -> Any:
                return _squared_distances(*(held[v.number].reshape(-1, v.shape[-1]) for v in (a, b)))

            yield Proposal(
                rewrite="distances by a matrix product",
                where=chain[-1].where,
                at=region.start,
                advice="d = a @ b.T; d *= -2; d += (a*a).sum(1)[:, None]; d += (b*b).sum(1); np.maximum(d, 0, out=d)",
                prepare=region.against(other),
                runs=times,
            )


def _distance_chain(look: Look, op: Operation) -> list[Operation]:
    """Subtract all pairs, square, sum over the last axis; an empty list when these are not that."""
    if op.name != "subtract" or len(op.ins) != 2 or len(op.outs) != 1:
        return []
    if not _is_all_pairs(op.ins[0].shape, op.ins[1].shape):
        return []
    square = _only_reader(look, op)
    total = _only_reader(look, square) if square is not None and _is_square(look, square) else None
    if square is None or total is None or total.name not in ("sum", "add.reduce") or not total.outs:
        return []
    return [op, square, total] if total.outs[0].shape == op.outs[0].shape[:2] else []


def _is_all_pairs(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    """Whether shapes are (n, 1, d) and (1, m, d), in either order."""
    if len(a) != 3 or len(b) != 3 or a[2] != b[2]:
        return False
    return (a[1] == 1 == b[0] and a[0] > 1 < b[1]) or (b[1] == 1 == a[0] and b[0] > 1 < a[1])


def _only_reader(look: Look, op: Operation) -> Operation | None:
    readers = look.readers.get(op.outs[0].number, []) if op.outs else []
    return look.operations[readers[0]] if len(readers) == 1 else None


def _is_square(look: Look, op: Operation) -> bool:
    args = look.entries[op.index].args
    if op.name == "power":
        return len(args) == 2 and not isinstance(args[1], Value) and args[1] == 2
    return op.name == "square" or (op.name == "multiply" and op.arity == 2 and len(op.ins) == 1)


def _squared_distances(a: Any, b: Any) -> Any:
    d = a @ b.T
    d *= -2
    d += np.einsum("ij,ij->i", a, a)[:, None]
    d += np.einsum("ij,ij->i", b, b)
    return np.maximum(d, 0, out=d)


# --- chains of one line ---


def _chains(look: Look) -> Iterator[tuple[Region, int]]:
    """Lines of which a run is a chain of elementwise operations on large arrays, perhaps ended by a reduction."""
    for run, times in worth_trying(look, 0.05):
        kept: list[Operation] = []
        for op in run:
            if op.kind in ("view", "source") or (not kept and op.family not in _ELEMENTWISE):
                continue
            if op.family not in (*_ELEMENTWISE, "reduction"):
                break
            kept.append(op)
            if op.family == "reduction":
                break
        if len(kept) < 2 or max(op.outs[0].nbytes for op in kept) < _LARGE:
            continue
        region = region_of(look, kept)
        if region is not None and not region.overlaps:
            yield region, times


def blocks(look: Look, findings: Sequence[Finding]) -> Iterator[Proposal]:
    """A chain of large temporaries, a block of rows at a time: the temporaries stay in the cache."""
    for region, times in _chains(look):
        rows = _rows_of_a_block(region)
        if rows is None:
            continue

        def other(held: Arrays, region: Region = region, rows: int = rows) -> Any:
            return _run_in_blocks(region, held, rows)

        yield Proposal(
            rewrite="block by block",
            where=region.operations[0].where,
            at=region.start,
            advice=f"the same expression on blocks of {rows:,} rows, each written into its part of the result",
            prepare=region.against(other),
            runs=times,
        )


def _widest(region: Region) -> Value:
    return max((op.outs[0] for op in region.operations), key=lambda value: value.nbytes)


def _rows_of_a_block(region: Region) -> int | None:
    """Rows of a block that fits the cache; None where the first axis cannot be cut."""
    widest = _widest(region)
    if not widest.shape or region.result.shape[:1] != widest.shape[:1]:
        return None
    n, dims = widest.shape[0], len(widest.shape)
    for op in region.operations:
        if op.family == "reduction":
            if op.ins[0].shape != widest.shape or op.outs[0].shape[:1] != (n,):
                return None  # a reduction over the first axis needs all of it
        elif any(
            len(v.shape) > dims or (len(v.shape) == dims and v.shape[0] not in (1, n)) for v in (*op.ins, *op.outs)
        ):
            return None
    temporaries = 2 if len(region.operations) > 2 else 1
    rows = max(1, int(_BLOCK_BYTES / max(1, temporaries * widest.nbytes / n)))
    return rows if 2 * rows < n else None


def _run_in_blocks(region: Region, arrays: Arrays, rows: int) -> Any:
    widest = _widest(region)
    n, dims = widest.shape[0], len(widest.shape)
    cut = {value.number for value in region.inputs if len(value.shape) == dims and value.shape[0] == n}
    in_place = region.result.number in {value.number for value in region.targets}
    out = arrays[region.result.number] if in_place else np.empty(region.result.shape, region.result.dtype)
    for start in range(0, n, rows):
        part = slice(start, start + rows)
        result = region.run({number: array[part] if number in cut else array for number, array in arrays.items()})
        if not in_place:
            out[part] = result
    return out


def in_place(look: Look, findings: Sequence[Finding]) -> Iterator[Proposal]:
    """A chain of temporaries computed into arrays that are kept from call to call (``out=``)."""
    for region, times in _chains(look):
        if not all(isinstance(getattr(np, op.name, None), np.ufunc) for op in region.operations):
            continue

        def prepare(arrays: Arrays, region: Region = region) -> Prepared:
            held, reset = region.hold(arrays)
            scratch: list[Any] = []
            _run_in_place(region, held, scratch)  # makes the scratch arrays, which a program would keep
            return (lambda: region.run(held)), (lambda: _run_in_place(region, held, scratch)), reset

        yield Proposal(
            rewrite="compute in place",
            where=region.operations[0].where,
            at=region.start,
            advice="each step with out= into an array that is kept from one call to the next:"
            " np.multiply(a, b, out=scratch), ...",
            prepare=prepare,
            runs=times,
        )


def _run_in_place(region: Region, arrays: Arrays, scratch: list[Any]) -> Any:
    """Each operation into a temporary of the region that is not needed any more, else into a scratch array."""
    made: dict[int, Any] = {value.number: arrays[value.number] for value in region.inputs}
    outside = set(made)
    free = list(scratch)
    last = {value.number: index for index, op in enumerate(region.operations) for value in op.ins}
    for index, (op, entry) in enumerate(zip(region.operations, region.entries, strict=True)):
        function, target = getattr(np, op.name), op.outs[0]
        args = [made[arg.number] if isinstance(arg, Value) else arg for arg in entry.args[: function.nin]]
        if target.number in outside:
            out = made[target.number]
        else:
            dying = [made.pop(v.number) for v in op.ins if v.number not in outside and last[v.number] == index]
            fitting = [a for a in (*dying, *free) if a.shape == target.shape and a.dtype == target.dtype]
            out = fitting[0] if fitting else np.empty(target.shape, target.dtype)
            if not fitting:
                scratch.append(out)
            free = [array for array in (*free, *dying) if array is not out]
        function(*args, out=out)
        made[target.number] = out
    return made[region.result.number]
