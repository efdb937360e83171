"""Ducks in the test's own process: a recorder, what is given to it, and what it wrote."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from pennyweight.arrays.trace import calls, duck
from pennyweight.arrays.trace.operations import Operation, Tape
from pennyweight.arrays.trace.recorder import MAX_ENTRIES, Recorder

_latest: list["Recording"] = []


def led(function: Any) -> Any:
    """A function as the program's own source calls it: by its way (C code does not ask a duck)."""
    return lambda *args, **kwargs: _latest[-1].call(function, *args, **kwargs)


class Recording:
    """A recorder with what tests do with it."""

    def __init__(self, kind: Any = duck.ARRAY, *, limit: int = MAX_ENTRIES) -> None:
        self.recorder = Recorder(*kind, files={"nowhere"}, limit=limit)
        self.ways = calls.Ways(self.recorder)
        duck.attach(self.recorder)
        _latest[:] = [self]

    def duck(self, array: Any) -> Any:
        """A duck that holds an array, which came in from outside."""
        return self.recorder.source(np.asarray(array), "test")

    def call(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """A call as the program's own source makes it."""
        return self.ways.back(self.ways.way(function)(*args, **kwargs))

    def tape(self) -> Tape:
        """The tape, ended."""
        self.recorder.stop()
        return Tape(self.recorder.tape)


@contextmanager
def recording(kind: Any = duck.ARRAY, *, limit: int = MAX_ENTRIES) -> Iterator[Recording]:
    """A recording that is over when the block is."""
    made = Recording(kind, limit=limit)
    try:
        yield made
    finally:
        made.recorder.stop()


def traced(function: Any, *arrays: Any, **how: Any) -> Tape:
    """The tape of a function that is given ducks; what it gives back lives to the end."""
    with recording(**how) as made:
        ducks = [made.duck(array) if isinstance(array, np.ndarray) else array for array in arrays]
        kept = function(*ducks)
        tape = made.tape()
    del kept, ducks
    return tape


def operations(function: Any, *arrays: Any, **how: Any) -> list[Operation]:
    """The operations of a function, without those that brought its arguments in."""
    return [op for op in traced(function, *arrays, **how).operations if op.name != "test"]


def real(x: Any) -> Any:
    """What a duck holds; in tuples and lists too."""
    if type(x) in (duck.TracedArray, duck.TracedSubclass):
        return x._a
    if isinstance(x, (tuple, list)):
        return type(x)(real(part) for part in x)
    return x
