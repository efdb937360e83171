"""Rewrites of one operation, or of one and what is done with its result."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pennyweight.arrays.trace.lints import Finding
from pennyweight.arrays.trace.look import Look
from pennyweight.arrays.trace.operations import Operation
from pennyweight.arrays.trace.tape import Value
from pennyweight.lottery.tracing.advice.region import Arrays, Prepared, Region, arguments, region_of, typical
from pennyweight.lottery.tracing.advice.trial import Proposal, nothing

_WORTH = 0.02
"""Of the time of all array operations: a line that takes less is not tried."""


def worth_trying(look: Look, minimum: float = _WORTH) -> Iterator[tuple[list[Operation], int]]:
    """A typical run of each line of NumPy that takes a part of the time, and how often it ran."""
    for site, ops in look.by_site.items():
        whole = all(op.library == "numpy" for op in ops)
        if whole and look.spent([op.index for op in ops]) > minimum * look.total_seconds:
            yield typical(look.runs[site]), len(look.runs[site])


def _candidates(look: Look, *names: str, minimum: float = _WORTH) -> Iterator[tuple[Operation, Region, int]]:
    """Operations of these names that make something new, each with its region, and how often its line ran."""
    for run, times in worth_trying(look, minimum):
        for op in run:
            region = region_of(look, [op]) if op.name in names else None
            if region is not None and not region.targets and op.kind != "view":
                yield op, region, times


# --- powers ---

_PRODUCTS = {
    3.0: "x*x*x",
    4.0: "y = x*x; y*y",
    5.0: "y = x*x; y*y*x",
    6.0: "y = x*x; y*y*y",
    8.0: "y = x*x; y = y*y; y*y",
    -2.0: "1/(x*x)",
    -3.0: "1/(x*x*x)",
    1.5: "x*np.sqrt(x)",
    2.5: "x*x*np.sqrt(x)",
    -0.5: "1/np.sqrt(x)",
    -1.5: "1/(x*np.sqrt(x))",
}


def powers(look: Look, findings: Sequence[Finding]) -> Iterator[Proposal]:
    """``x**3`` as ``x*x*x``: a general power is a logarithm and an exponential."""
    for op, region, times in _candidates(look, "power"):
        args = look.entries[op.index].args
        exponent = _plain_number(args[1]) if len(args) == 2 and isinstance(args[0], Value) else None
        if exponent not in _PRODUCTS:
            continue

        def other(held: Arrays, x: int = args[0].number, exponent: float = exponent) -> Any:
            return _raise(held[x], exponent)

        yield Proposal(
            rewrite="multiply instead of a power",
            where=op.where,
            at=region.start,
            advice=f"x**{exponent:g} as {_PRODUCTS[exponent]}",
            prepare=region.against(other),
            runs=times,
        )


def _plain_number(x: Any) -> float | None:
    if isinstance(x, bool) or not isinstance(x, (int, float, np.integer, np.floating)):
        return None
    return float(x)


def _raise(x: Any, exponent: float) -> Any:
    """A whole or half power by squaring."""
    whole = int(abs(exponent))
    result = np.sqrt(x) if abs(exponent) % 1 == 0.5 else None
    square = x
    while whole:
        if whole & 1:
            result = square.copy() if result is None else np.multiply(result, square, out=result)
        whole >>= 1
        if whole:
            square = square * square
    assert result is not None
    return np.divide(1.0, result, out=result) if exponent < 0 else result


# --- contractions, transforms, sorting, solving ---


def einsum_paths(look: Look, findings: Sequence[Finding]) -> Iterator[Proposal]:
    """``np.einsum`` without ``optimize`` is a plain loop over all indices; with it, matrix products."""
    for op, region, times in _candidates(look, "einsum"):
        entry = look.entries[op.index]
        if entry.kwargs:
            continue

        def other(held: Arrays, region: Region = region) -> Any:
            return np.einsum(*arguments(region.entries[0], held)[0], optimize=True)

        yield Proposal(
            rewrite="einsum along a path",
            where=op.where,
            at=region.start,
            advice="np.einsum(..., optimize=True): the same sum as matrix products, in the cheapest order",
            prepare=region.against(other),
            runs=times,
        )


_HALVES = {"fft.fft": np.fft.rfft, "fft.fft2": np.fft.rfft2, "fft.fftn": np.fft.rfftn}


def real_transforms(look: Look, findings: Sequence[Finding]) -> Iterator[Proposal]:
    """The transform of real numbers is symmetric: half of it says all."""
    for op, region, times in _candidates(look, *_HALVES):
        entry = look.entries[op.index]
        if len(entry.args) != 1 or entry.kwargs or op.ins[0].dtype.kind not in "fiu":
            continue
        half = op.ins[0].shape[-1] // 2 + 1

        def other(held: Arrays, name: str = op.name, x: int = op.ins[0].number) -> Any:
            return _HALVES[name](held[x])  # type: ignore[operator]

        def compared(whole: Any, half: int = half) -> Any:
            return whole[..., :half]

        yield Proposal(
            rewrite="transform real numbers as real",
            where=op.where,
            at=region.start,
            advice=f"np.{op.name.replace('fft.', 'fft.r')}: half of the work and of the result (that half was"
            " compared); back with its inverse, irfft",
            prepare=region.against(other),
            compared=compared,
            runs=times,
        )


def partitions(look: Look, findings: Sequence[Finding]) -> Iterator[Proposal]:
    """Sorting everything to keep the first few, or the last."""
    for op, _, times in _candidates(look, "sort", "argsort"):
        kept = _kept_of_sort(look, op)
        region = region_of(look, [op, kept[1]]) if kept is not None else None
        if kept is None or region is None or region.targets:
            continue
        few = kept[0]

        def prepare(
            arrays: Arrays, x: int = op.ins[0].number, few: slice = few, name: str = op.name, region: Region = region
        ) -> Prepared:
            if name == "argsort" and _is_tied(arrays[x], few):
                raise ValueError("which of equal numbers comes first is the choice of the sort")
            return region.against(lambda held: _select(held[x], few, name))(arrays)

        count = few.stop if few.stop is not None else -few.start
        yield Proposal(
            rewrite="select instead of sorting",
            where=op.where,
            at=region.start,
            advice=f"np.{op.name.replace('sort', 'partition')} for the {count} that are kept, then sort those",
            prepare=prepare,
            runs=times,
        )


def _select(x: Any, few: slice, name: str) -> Any:
    place = few.stop - 1 if few.stop is not None else len(x) + few.start
    if name == "sort":
        return np.sort(np.partition(x, place)[few])
    some = np.argpartition(x, place)[few]
    return some[np.argsort(x[some], kind="stable")]


def _is_tied(x: Any, few: slice) -> bool:
    """Whether numbers are equal among those kept, or at the border to the others."""
    kept = np.sort(x)[: few.stop + 1] if few.stop is not None else np.sort(x)[few.start - 1 :]
    return bool((kept[1:] == kept[:-1]).any())


def _kept_of_sort(look: Look, op: Operation) -> tuple[slice, Operation] | None:
    """The slice that is all that is used of a sorted vector, when it is a small part of it, and who takes it."""
    entry = look.entries[op.index]
    if entry.kwargs or len(entry.args) > 1 or len(op.outs) != 1 or len(op.ins[0].shape) != 1:
        return None
    readers = look.readers.get(op.outs[0].number, [])
    if len(readers) != 1 or look.operations[readers[0]].name != "getitem":
        return None
    index = look.entries[readers[0]].args[1]
    if not isinstance(index, slice) or index.step not in (None, 1):
        return None
    least = op.ins[0].size / 8
    if index.start in (None, 0) and isinstance(index.stop, int) and 0 < index.stop < least:
        return slice(0, index.stop), look.operations[readers[0]]
    if index.stop is None and isinstance(index.start, int) and -least < index.start < 0:
        return slice(index.start, None), look.operations[readers[0]]
    return None


def inverses(look: Look, findings: Sequence[Finding]) -> Iterator[Proposal]:
    """``np.linalg.inv(a) @ b``: solving is less work and makes a smaller error."""
    for op, _, times in _candidates(look, "linalg.inv", minimum=0.0):
        readers = look.readers.get(op.outs[0].number, [])
        product = look.operations[readers[0]] if len(readers) == 1 else None
        args = look.entries[product.index].args if product is not None else ()
        if product is None or product.name not in ("matmul", "dot") or len(args) != 2:
            continue
        if getattr(args[0], "number", None) != op.outs[0].number or not isinstance(args[1], Value):
            continue
        region = region_of(look, [op, product])
        if region is None or region.targets:
            continue

        def other(held: Arrays, a: int = op.ins[0].number, b: int = args[1].number) -> Any:
            return np.linalg.solve(held[a], held[b])

        yield Proposal(
            rewrite="solve instead of inverting",
            where=op.where,
            at=region.start,
            advice="np.linalg.solve(a, b)",
            prepare=region.against(other),
            runs=times,
        )


# --- the same again ---


def once(look: Look, findings: Sequence[Finding]) -> Iterator[Proposal]:
    """The same operation on the same unchanged arrays in every round: once is enough."""
    for run, times in worth_trying(look, 0.05):
        for op in run if times >= 3 else ():
            same = _repetitions(look, op)
            region = region_of(look, [op]) if len(same) >= 3 else None
            if region is None or region.targets:
                continue

            def prepare(arrays: Arrays, region: Region = region) -> Prepared:
                held, _ = region.hold(arrays)
                result = region.run(held)
                return (lambda: region.run(held)), (lambda: result), nothing

            yield Proposal(
                rewrite="once before the loop",
                where=op.where,
                at=region.start,
                advice=f"compute it before the loop: {len(same)} times the same arrays give the same result",
                prepare=prepare,
                runs=len(same),
            )


def _repetitions(look: Look, op: Operation) -> list[Operation]:
    """All runs of one place in the source on the same values, when neither they nor the results are written to."""
    if op.kind not in ("new", "copy") or op.family in ("creation", "gather") or not op.ins:
        return []
    asked = _asked(look, op)
    same = [other for other in look.by_site[op.where[:2]] if _asked(look, other) == asked]
    changed = any(look.written_between(value, same[0].index, same[-1].index) for value in op.ins)
    buffers = [value.buffer.number for other in same for value in other.outs if value.buffer is not None]
    return [] if changed or any(look.writers.get(number) for number in buffers) else same


def _asked(look: Look, op: Operation) -> str:
    """All that was asked of an operation: where, and of which values and numbers."""
    entry = look.entries[op.index]
    return repr((entry.at, id(entry.code), entry.args, dict(entry.kwargs)))  # a value is told by its number
