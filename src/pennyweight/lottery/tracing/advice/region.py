"""A region: a few operations of a tape that another way of computing might replace, run on their real inputs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pennyweight.arrays.trace.look import Look
from pennyweight.arrays.trace.operations import Operation
from pennyweight.arrays.trace.tape import Entry, Value, bind, rebuild, values_in

Arrays = Mapping[int, Any]
"""Real arrays by the numbers of their values."""
Way = Callable[[], Any]
"""A way of computing a result; ready to be called again and again."""
Prepared = tuple[Way, Way, Callable[[], None]]
"""The program's way, another way, and what sets both back before a call."""
Prepare = Callable[[Arrays], Prepared]


@dataclass(frozen=True, kw_only=True)
class Region:
    """Operations, in order, with the values that they take from outside and the one that is wanted of them.

    ``targets`` are inputs that the region writes into; ``overlaps`` tells whether it reads the same memory under
    another name as well, so that the order in which it writes matters.
    """

    entries: tuple[Entry, ...]
    operations: tuple[Operation, ...]
    inputs: tuple[Value, ...]
    targets: tuple[Value, ...]
    result: Value
    overlaps: bool = False

    @property
    def start(self) -> int:
        """The index of the first operation: before it, all inputs are there."""
        return self.operations[0].index

    def run(self, arrays: Arrays) -> Any:
        """Compute the region as the program did; returns its result."""
        made: dict[int, Any] = {value.number: arrays[value.number] for value in self.inputs}
        for entry in self.entries:
            args, kwargs = arguments(entry, made)
            out = entry.function(*args, **kwargs)
            if out is not None:
                bind(entry.out, out, made)
        return made[self.result.number]

    def hold(self, arrays: Arrays) -> tuple[dict[int, Any], Callable[[], None]]:
        """The inputs, and what sets them back: what is written into is a copy, the program's own stays as it is."""
        before = {value.number: arrays[value.number].copy() for value in self.targets}
        held = {value.number: arrays[value.number] for value in self.inputs}
        held |= {number: array.copy() for number, array in before.items()}

        def reset() -> None:
            for number, array in before.items():
                np.copyto(held[number], array)

        return held, reset

    def against(self, other: Callable[[dict[int, Any]], Any]) -> Prepare:
        """Prepare a comparison of the region with another way of computing its result from the same inputs."""

        def prepare(arrays: Arrays) -> Prepared:
            held, reset = self.hold(arrays)
            return (lambda: self.run(held)), (lambda: other(held)), reset

        return prepare


def arguments(entry: Entry, arrays: Arrays) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of an entry with real arrays in the place of values."""

    def array_of(value: Value) -> Any:
        return arrays[value.number]

    return rebuild(entry.args, array_of), rebuild(entry.kwargs, array_of)


def region_of(look: Look, operations: Sequence[Operation]) -> Region | None:
    """The region of some operations; None when they cannot be run at one moment or leave more than one result."""
    entries = tuple(look.entries[op.index] for op in operations)
    if not operations or any(entry.role != "operation" for entry in entries):
        return None
    made: set[int] = set()
    inputs: dict[int, Value] = {}
    targets: dict[int, Value] = {}
    for op, entry in zip(operations, entries, strict=True):
        for value in values_in((entry.args, entry.kwargs)):
            if value.number not in made:
                inputs[value.number] = value
        for value in op.outs:
            if value.number in inputs:
                targets[value.number] = value
            else:
                made.add(value.number)
    first, last = operations[0].index, operations[-1].index
    if any(look.maker.get(number, -1) >= first for number in inputs):
        return None
    own = {op.index for op in operations}
    if any(first < index < last and index not in own for value in inputs.values() for index in look.written_at(value)):
        return None
    results = _results(look, operations, made, targets)
    if len(results) != 1:
        return None
    return Region(
        entries=entries,
        operations=tuple(operations),
        inputs=tuple(inputs.values()),
        targets=tuple(targets.values()),
        result=next(iter(results.values())),
        overlaps=any(
            a.buffer is b.buffer for a in targets.values() for b in inputs.values() if a.number != b.number and a.buffer
        ),
    )


def _results(
    look: Look, operations: Sequence[Operation], made: set[int], targets: Mapping[int, Value]
) -> dict[int, Value]:
    """What is wanted of a region: what others read, what it writes into, else what it makes last."""
    indices = {op.index for op in operations}
    wanted = {
        value.number: value
        for op in operations
        for value in op.outs
        if value.number in made and any(reader not in indices for reader in look.readers.get(value.number, ()))
    }
    return {**wanted, **targets} or {value.number: value for value in operations[-1].outs}


def typical(runs: Sequence[Sequence[Operation]]) -> list[Operation]:
    """One of the runs of a line: not the first, which finds the caches cold, and not one cut short."""
    longest = max(len(run) for run in runs)
    whole = [run for run in runs if len(run) == longest]
    return list(whole[len(whole) // 2])
