"""Rewrites of how arrays lie in memory: looked at instead of copied, in the order of reading, in single precision."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from pennyweight.arrays.trace.lints import Finding
from pennyweight.arrays.trace.lints.memory import strided_input
from pennyweight.arrays.trace.look import Look
from pennyweight.arrays.trace.operations import Operation
from pennyweight.arrays.trace.words import shape
from pennyweight.lottery.tracing.advice.region import Arrays, Prepared, Region, arguments, region_of
from pennyweight.lottery.tracing.advice.trial import Proposal


def _found(look: Look, findings: Sequence[Finding], kind: str) -> Iterator[tuple[Finding, Operation, Region]]:
    """Findings of a kind, each with one of its operations and the region of that."""
    for finding in findings:
        if finding.kind == kind:
            op = look.operations[finding.operations[len(finding.operations) // 2]]
            region = region_of(look, [op])
            if region is not None:
                yield finding, op, region


def views(look: Look, findings: Sequence[Finding]) -> Iterator[Proposal]:
    """A slice for an index array that counts; the array itself for a copy that nobody writes to."""
    for finding, op, region in _found(look, findings, "copy"):
        counted = look.progressions.get(op.index)
        if counted is not None:
            start, stop, step = counted
            part = slice(start, stop if stop >= 0 else None, step)
            advice = "the slice that the index array counts: a view of the same memory"
        else:
            part = slice(None)
            advice = "the array itself (np.asarray; reshape(-1) for flatten): nothing is written to it while both live"

        def other(
            held: Arrays, x: int = op.ins[0].number, part: slice = part, flat: bool = op.name == "flatten"
        ) -> Any:
            return held[x].reshape(-1) if flat else held[x][part]

        yield Proposal(
            rewrite="look instead of copying",
            where=op.where,
            at=region.start,
            advice=advice,
            prepare=region.against(other),
            runs=len(finding.operations),
        )


def contiguous(look: Look, findings: Sequence[Finding]) -> Iterator[Proposal]:
    """Reads against the order in memory: the same reads of an array that lies the other way."""
    for finding, op, region in _found(look, findings, "strided"):
        value = strided_input(op)
        if value is None:
            continue

        def prepare(arrays: Arrays, region: Region = region, x: int = value.number) -> Prepared:
            held, reset = region.hold(arrays)
            near = held | {x: np.ascontiguousarray(held[x])}
            return (lambda: region.run(held)), (lambda: region.run(near)), reset

        yield Proposal(
            rewrite="the order in memory",
            where=op.where,
            at=region.start,
            advice=f"keep the array so that {shape(value)} lies in one piece: make it transposed, or"
            f" np.ascontiguousarray of its transpose once before {len(finding.operations):,} reads (that copy is not"
            " part of the times)",
            prepare=prepare,
            runs=len(finding.operations),
        )


def single_precision(look: Look, findings: Sequence[Finding]) -> Iterator[Proposal]:
    """What widens a float32 array, converted first."""
    for finding, op, region in _found(look, findings, "promotion"):
        if region.targets:
            continue

        def prepare(arrays: Arrays, region: Region = region) -> Prepared:
            held, reset = region.hold(arrays)
            entry = region.entries[0]
            converted = [_as_single(arg) for arg in arguments(entry, held)[0]]
            return (lambda: region.run(held)), (lambda: entry.function(*converted)), reset

        yield Proposal(
            rewrite="stay in single precision",
            where=op.where,
            at=region.start,
            advice="the other operand as float32 (dtype=np.float32, or float() of a number): the result stays float32",
            prepare=prepare,
            narrows=True,
            runs=len(finding.operations),
        )


def _as_single(x: Any) -> Any:
    if isinstance(x, np.ndarray) and x.dtype.kind in "fiu":
        return x.astype(np.float32)
    return float(x) if isinstance(x, np.floating) else x
