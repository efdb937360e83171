"""The tape: what a collector writes down while a program runs, an entry an operation.

Entries are written in the middle of somebody's program, so they hold only what must be taken then: which
function, on which values, where in the source, how long. All that can be worked out later is worked out
later (`operations`). An entry refers to arrays by `Value`, never by the array, which must be free to die.
"""

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import CodeType
from typing import Any, Literal, NamedTuple

Library = Literal["numpy", "torch"]


class Buffer(weakref.ref[Any]):
    """A piece of memory that arrays share: a weak reference to the array or the storage that owns it.

    What it calls when that dies is the ``append`` of the list that entries are written to, so that its place in the
    list tells when the memory was given back. ``number``, ``born`` and ``died`` (the entries between which it lived,
    None for the second when it outlived them) are worked out of that when the recording has ended (`in_order`).
    """

    __slots__ = ("born", "died", "nbytes", "number", "owner")

    nbytes: int
    number: int
    born: int
    died: int | None
    owner: weakref.ref[Any]
    """The traced array that holds the owner of the memory; set when a view is made of it."""


class Value:
    """An array as it was at one moment: shape, strides in bytes, dtype, and the buffer that it lies in.

    A number that left the arrays (a NumPy scalar) is a value without strides and without a buffer.
    """

    __slots__ = ("buffer", "dtype", "number", "shape", "strides")

    def __init__(
        self, number: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any, buffer: Buffer | None
    ) -> None:
        self.number = number
        self.shape = shape
        self.strides = strides
        self.dtype = dtype
        self.buffer = buffer

    def __repr__(self) -> str:
        return f"Value({self.number}, {self.shape}, {self.dtype})"

    @property
    def size(self) -> int:
        """Elements."""
        size = 1
        for extent in self.shape:
            size *= extent
        return size

    @property
    def nbytes(self) -> int:
        """Bytes that the elements would take side by side."""
        return self.size * int(self.dtype.itemsize)

    @property
    def real_bytes(self) -> int:
        """Bytes that are there: an axis of stride 0 repeats one element without holding it again."""
        if self.buffer is None:
            return self.nbytes
        size = int(self.dtype.itemsize)
        for extent, stride in zip(self.shape, self.strides, strict=True):
            if stride != 0 or extent == 0:
                size *= extent
        return size


Role = Literal[
    "operation",  # a function of arrays that can be called again
    "source",  # an array came in: random numbers, a file, a list, another library
    "foreign",  # arrays were handed to a function outside of the library, and perhaps came back
    "pull",  # Python asked for the value of an array: bool(x), float(x), x.tolist(), print(x)
]


class Entry(NamedTuple):
    """One operation, as written while the program runs.

    ``args`` and ``kwargs`` are those of the call with a `Value` in the place of each array. ``kept`` is what a
    replay needs and cannot compute: a copy of an array that came in, the number that was pulled, or for a
    foreign call the arrays that it returned or changed. ``code`` and ``at`` (an offset
    into its instructions) are the nearest place in the user's own source.
    """

    role: Role
    function: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    out: Any
    code: CodeType | None
    at: int
    start: int
    stop: int
    kept: Any = None


@dataclass(kw_only=True)
class Clash:
    """An operation that raised: the function, its arguments, and what was said.

    Arrays are held weakly until `hold`, which is called when the program has ended by it: a program that catches its
    errors must be able to let go of them.
    """

    function: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    error: str
    code: CodeType | None
    at: int

    def hold(self) -> bool:
        """Take hold of the arrays; False when one of them is gone."""
        self.args = tuple(_held(arg) for arg in self.args)
        self.kwargs = {key: _held(arg) for key, arg in self.kwargs.items()}
        return all(arg is not None for arg in self.args)


def _held(arg: Any) -> Any:
    return arg() if isinstance(arg, weakref.ref) else arg


@dataclass(kw_only=True)
class RawTape:
    """All that collectors wrote: entries in order, every buffer, and where recording ended.

    It is empty until the recording has ended (``closed``). ``finals`` are the values of arrays that were alive at the
    end with copies of what they then held;
    ``spans`` are the ranges of entries made inside of the function asked for.
    """

    entries: list[Entry] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    finals: list[tuple[Value, Any]] = field(default_factory=list)
    spans: list[tuple[int, int]] | None = None
    clash: Clash | None = None
    closed: bool = False
    full: bool = False
    lost: list[tuple[CodeType | None, int, str]] = field(default_factory=list)
    fake: bool = False

    @cached_property
    def taken(self) -> list[list[Value]]:
        """The values that went into each entry."""
        return [
            values_in(entry.args) + values_in(entry.kwargs) if entry.kwargs else values_in(entry.args)
            for entry in self.entries
        ]

    @cached_property
    def given(self) -> list[list[Value]]:
        """The values that came out of each entry."""
        return [values_in(entry.out) for entry in self.entries]

    @cached_property
    def last_use(self) -> dict[int, int]:
        """The last entry that each value, by its number, takes part in."""
        last: dict[int, int] = {}
        for index, (taken, given) in enumerate(zip(self.taken, self.given, strict=True)):
            for value in taken:
                last[value.number] = index
            for value in given:
                last[value.number] = index
        return last

    @cached_property
    def dropped(self) -> list[list[int]]:
        """The numbers of the values that no entry after each one needs, nor the end."""
        kept = {value.number for value, _ in self.finals}
        dropped: list[list[int]] = [[] for _ in self.entries]
        for number, index in self.last_use.items():
            if number not in kept:
                dropped[index].append(number)
        return dropped


def in_order(stream: Iterable[Entry | Buffer]) -> tuple[list[Entry], list[Buffer], list[int]]:
    """Entries apart from the deaths of buffers among them, which are noted in the buffers.

    Returns the entries, the buffers in the order of their birth, and how many entries lie before each place of the
    stream.
    """
    entries: list[Entry] = []
    buffers: list[Buffer] = []
    before: list[int] = []
    known: set[int] = set()
    for item in stream:
        before.append(len(entries))
        if isinstance(item, Buffer):
            item.died = len(entries)
            continue
        for value in values_in(item.out):
            buffer = value.buffer
            if buffer is not None and id(buffer) not in known:
                known.add(id(buffer))
                buffer.number, buffer.born, buffer.died = len(buffers), len(entries), None
                buffers.append(buffer)
        entries.append(item)
    return entries, buffers, before


_ATOMS = frozenset({int, float, complex, bool, str, bytes, type(None), type(Ellipsis), type, range})


def values_in(tree: Any) -> list[Value]:
    """All values in the arguments or results of an entry, in order."""
    kind = type(tree)
    if kind is Value:
        return [tree]
    found: list[Value] = []
    if kind not in _ATOMS:
        _collect(tree, found)
    return found


def _collect(tree: Any, found: list[Value]) -> None:
    if isinstance(tree, (tuple, list)):
        parts: Any = tree
    elif isinstance(tree, Mapping):
        parts = tree.values()
    elif isinstance(tree, slice):
        parts = (tree.start, tree.stop, tree.step)
    else:
        return
    for part in parts:
        kind = type(part)
        if kind is Value:
            found.append(part)
        elif kind not in _ATOMS:
            _collect(part, found)


def rebuild(tree: Any, array_of: Callable[[Value], Any]) -> Any:
    """A copy of ``tree`` with each value replaced by its array; tuples stay tuples, named ones too."""
    kind = type(tree)
    if kind is Value:
        return array_of(tree)
    if kind in _ATOMS:
        return tree
    if isinstance(tree, tuple):
        parts = [rebuild(part, array_of) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else tuple(parts)
    if isinstance(tree, list):
        return [rebuild(part, array_of) for part in tree]
    if isinstance(tree, Mapping):
        return {key: rebuild(part, array_of) for key, part in tree.items()}
    return tree


def bind(told: Any, real: Any, arrays: dict[int, Any]) -> None:
    """Give real results the numbers of their values; what is there already, an input, keeps its array."""
    if isinstance(told, Value):
        arrays.setdefault(told.number, real)
    elif isinstance(told, (tuple, list)):
        for part, array in zip(told, real, strict=True):
            bind(part, array, arrays)
    elif isinstance(told, dict):
        for key, part in told.items():
            bind(part, real[key], arrays)
