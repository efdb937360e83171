"""A tape looked at as a whole: who made each value, who wrote into each buffer, where arrays lie, how long each took.

What lints and advice ask of a tape again and again, worked out once. Offsets and the contents of index arrays are
known only while a tape is played; they are taken from the playing that compares it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from pennyweight.arrays.trace.operations import Operation, Tape, Where
from pennyweight.arrays.trace.replay import Replay, Replayed
from pennyweight.arrays.trace.tape import Entry, Value, rebuild

_PASSES = 5
_TIMING_SECONDS = 6.0
_APART = 64
"""Operations of one line with more than so many others between them are not of one run of it."""
Site = tuple[str, int]
"""A line of source: its file and its number."""


class Look:
    """A tape with everything that can be asked about it. Making one plays the tape a few times."""

    def __init__(self, tape: Tape, *, timing_seconds: float = _TIMING_SECONDS) -> None:
        self.tape = tape
        self.operations = tape.operations
        self.entries = tape.raw.entries
        self.offsets: dict[int, int] = {}
        self.progressions: dict[int, tuple[int, int, int]] = {}
        self._timing_seconds = timing_seconds
        self.replayed: Replayed = tape.replayed if tape.raw.fake else Replay(tape.raw).compare(self._see)
        tape.__dict__["replayed"] = self.replayed  # one comparison is enough

    def _see(self, index: int, entry: Entry, arrays: Mapping[int, Any]) -> None:
        """While the tape is played: where the arguments lie, and whether an index array is a range."""
        for value in self.tape.raw.taken[index]:
            array = arrays.get(value.number)
            if value.number not in self.offsets and isinstance(array, np.ndarray):
                root = array
                while isinstance(root.base, np.ndarray):
                    root = root.base
                self.offsets[value.number] = _address(array) - _address(root)
        if self.operations[index].name in ("getitem", "take") and self.operations[index].kind == "copy":
            found = _progression(rebuild(entry.args[1:], lambda value: arrays[value.number]))
            if found is not None:
                self.progressions[index] = found

    @cached_property
    def seconds(self) -> list[float]:
        """Steady wall seconds of each operation, from playing the tape; the program's own where it cannot be played."""
        if self.tape.raw.fake or self.replayed.stopped:
            return [op.seconds for op in self.operations]
        steady, _ = self._steady
        return steady

    @cached_property
    def cpu_seconds(self) -> list[float]:
        """Steady processor seconds of each operation, all threads together."""
        if self.tape.raw.fake or self.replayed.stopped:
            return [0.0 for _ in self.operations]
        return self._steady[1]

    @cached_property
    def _steady(self) -> tuple[list[float], list[float]]:
        return Replay(self.tape.raw).time(passes=_PASSES, seconds=self._timing_seconds)

    @cached_property
    def total_seconds(self) -> float:
        """Steady seconds of all operations of the part that was asked for."""
        return sum(self.seconds[op.index] for op in self.tape.inside) or 1e-12

    @cached_property
    def total_bytes(self) -> int:
        """Bytes that all operations of the part that was asked for read and wrote."""
        return sum(op.read + op.written for op in self.tape.inside) or 1

    @cached_property
    def maker(self) -> dict[int, int]:
        """Which operation made a value."""
        made: dict[int, int] = {}
        for op in self.operations:
            taken = {value.number for value in op.ins}
            for value in op.outs:
                if value.number not in taken:
                    made.setdefault(value.number, op.index)
        return made

    @cached_property
    def readers(self) -> dict[int, list[int]]:
        """Which operations took a value."""
        found: dict[int, list[int]] = defaultdict(list)
        for op in self.operations:
            for value in op.ins:
                found[value.number].append(op.index)
        return found

    @cached_property
    def writers(self) -> dict[int, list[int]]:
        """Which operations wrote into a buffer that was there before."""
        found: dict[int, list[int]] = defaultdict(list)
        for op in self.operations:
            if op.kind in ("in place", "escape"):
                for value in op.outs:
                    if value.buffer is not None:
                        found[value.buffer.number].append(op.index)
        return found

    @cached_property
    def by_site(self) -> dict[Site, list[Operation]]:
        """Operations by their line of source."""
        found: dict[Site, list[Operation]] = defaultdict(list)
        for op in self.tape.inside:
            if op.where.line:
                found[(op.where.path, op.where.line)].append(op)
        return found

    @cached_property
    def runs(self) -> dict[Site, list[list[Operation]]]:
        """The operations of each line, a list for each time that it ran."""
        return {site: self._runs_of(ops) for site, ops in self.by_site.items()}

    def _runs_of(self, operations: Sequence[Operation]) -> list[list[Operation]]:
        runs: list[list[Operation]] = []
        seen: set[tuple[int, int]] = set()
        for op in operations:
            entry = self.entries[op.index]
            place = (entry.at, id(entry.code))
            if not runs or place in seen or op.index - runs[-1][-1].index > _APART:
                runs.append([])
                seen = set()
            seen.add(place)
            runs[-1].append(op)
        return runs

    def made_by(self, value: Value) -> Operation | None:
        """The operation that made a value, if it was seen."""
        index = self.maker.get(value.number)
        return None if index is None else self.operations[index]

    def through_views(self, value: Value) -> Iterator[Operation]:
        """The operations that led to a value, from the last one back, as long as they only looked at memory."""
        while (op := self.made_by(value)) is not None:
            yield op
            if op.kind != "view" or not op.ins:
                return
            value = op.ins[0]

    def origin(self, value: Value) -> Operation | None:
        """The operation that made the memory in which a value lies."""
        last = None
        for op in self.through_views(value):
            last = op
        return last

    def written_at(self, value: Value) -> Sequence[int]:
        """The operations that wrote into a value's buffer."""
        return self.writers.get(value.buffer.number, ()) if value.buffer is not None else ()

    def written_between(self, value: Value, start: int, stop: int) -> bool:
        """Whether something was written into a value's buffer by operations after ``start`` and before ``stop``."""
        return any(start < index < stop for index in self.written_at(value))

    def spent(self, indices: Sequence[int]) -> float:
        """Steady seconds of some operations together."""
        return sum(self.seconds[index] for index in indices)


def first_where(operations: Sequence[Operation]) -> Where:
    """The place of the first of some operations."""
    return operations[0].where


def _address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def _progression(index: Any) -> tuple[int, int, int] | None:
    """Start, stop and step of the slice that an index array stands for; None when there is none."""
    parts = index[0] if len(index) == 1 and isinstance(index[0], tuple) else index
    arrays = [part for part in parts if isinstance(part, (np.ndarray, list))]
    if len(arrays) != 1:
        return None
    array = np.asarray(arrays[0])
    if array.ndim != 1 or len(array) < 2 or array.dtype.kind not in "iu":
        return None
    step = int(array[1]) - int(array[0])
    if step == 0 or array[0] < 0 or not bool((np.diff(array.astype(np.int64)) == step).all()):
        return None
    return int(array[0]), int(array[-1]) + (1 if step > 0 else -1), step
