"""A tape read: what each entry was in the words of NumPy's own picture of an array (Nature 585:357, figure 1).

A view looks at the same memory; a copy, and the result of a computation, is memory of its own; an operation in place
writes into memory that was there; an axis of length one is broadcast, which duplicates it without copying. Beside that:
which bytes moved, which operations were done, and which temporaries lived when.
"""

from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path
from types import CodeType
from typing import Any, NamedTuple

from pennyweight.arrays.trace import costs, traffic
from pennyweight.arrays.trace.costs import Call, Work
from pennyweight.arrays.trace.families import Family, Kind
from pennyweight.arrays.trace.lifetimes import elisions, timeline
from pennyweight.arrays.trace.names import home_of, is_augmented, name_of
from pennyweight.arrays.trace.replay import Replay, Replayed
from pennyweight.arrays.trace.tape import Entry, RawTape, Value, values_in

_PULLS = frozenset({"__array__", "__buffer__", "__dlpack__", "data", "ctypes", "pickle"})
_IN_PLACE = frozenset(
    {"setitem", "put", "place", "putmask", "copyto", "fill", "sort", "partition", "fill_diagonal", "flat_set",
     "setattr", "put_along_axis", "itemset", "random.shuffle", "byteswap", "setfield"}
)  # fmt: skip


class Where(NamedTuple):
    """A place in the user's source: file, line, the columns of the expression (0 where unknown), the function."""

    path: str
    line: int
    start: int = 0
    stop: int = 0
    function: str = ""


class Operation(NamedTuple):
    """One entry of the tape, understood. (A tuple because there are hundreds of thousands.)

    ``ins`` and ``outs`` are distinct values; ``arity`` is the number of arrays given, so that ``x * x`` has two.
    ``read``, ``written`` and ``virtual`` are bytes; ``virtual`` those that broadcasting duplicated without copying.
    ``counted`` is False where no rule knows the work of the operation. ``elided``: NumPy, left alone, would have
    written into the temporary that went in. ``seconds`` is the wall time of the one call that the program made.
    """

    index: int  # type: ignore[assignment]  # a tuple has a method of this name, which nobody asks
    name: str
    family: Family
    kind: Kind
    where: Where
    ins: tuple[Value, ...]
    outs: tuple[Value, ...]
    arity: int
    work: Work
    counted: bool
    read: int
    written: int
    virtual: int
    promoted: str
    elided: bool
    seconds: float
    library: str

    @property
    def moved(self) -> int:
        """Bytes read and written."""
        return self.read + self.written

    @property
    def broadcasts(self) -> bool:
        """Whether an input was stretched to the shape of the result."""
        return self.virtual > 0


class Tape:
    """What a program did with arrays. ``operations`` in their order, ``lines`` by source line, memory over time.

    ``captured`` tells whether playing the tape again gave the program's own numbers; a tape for which it does not is no
    evidence of anything. Made by `trace` and by the collectors; not meant to be made by hand.
    """

    def __init__(self, raw: RawTape) -> None:
        self.raw = raw

    @cached_property
    def operations(self) -> list[Operation]:
        """Every entry, understood. There is nothing to understand before the recording has ended."""
        if not self.raw.closed:
            raise RuntimeError("the tape of a block that still runs: ask it when the block has ended")
        raw = self.raw
        elided = elisions(raw)
        alike: dict[Any, Operation] = {}
        found = []
        for index, entry in enumerate(raw.entries):
            taken, given = raw.taken[index], raw.given[index]
            key = _signature(entry, taken, given)
            like = alike.get(key) if key is not None else None
            if like is None:
                op = _understand(index, entry, taken, given, index in elided)
                if key is not None:
                    alike[key] = op
            else:
                op = _like(like, index, entry, taken, given, index in elided)
            found.append(op)
        return found

    @cached_property
    def inside(self) -> list[Operation]:
        """The operations of the function that was asked for, or all."""
        spans = self.raw.spans
        if spans is None:
            return self.operations
        return [op for start, stop in spans for op in self.operations[start:stop]]

    @cached_property
    def replayed(self) -> Replayed:
        """The comparison of a replay with the program's own numbers."""
        if self.raw.fake:
            return Replayed(stopped="shapes alone were traced: there is nothing to compare")
        return Replay(self.raw).compare()

    @property
    def captured(self) -> bool:
        """Whether nothing was lost and a replay reproduced all that left the arrays, to rounding in the sixth digit."""
        played = self.replayed
        return not (played.stopped or self.raw.full or self.raw.lost) and played.worst < 1e-6

    @property
    def lost(self) -> list[tuple[Where, str]]:
        """What could not be followed, and where."""
        return list(dict.fromkeys((where_is(code, at), what) for code, at, what in self.raw.lost))

    @property
    def work(self) -> Work:
        """All work, by class."""
        total = Work()
        for op in self.inside:
            total = total.plus(op.work)
        return total

    @property
    def flops(self) -> float:
        """All floating-point operations: arithmetic, and one for each transcendental function."""
        return self.work.flops

    @property
    def bytes(self) -> int:
        """All bytes read and written."""
        return sum(op.read + op.written for op in self.inside)

    @cached_property
    def live_bytes(self) -> list[int]:
        """Bytes of all arrays alive during each operation, with NumPy's reuse of temporaries taken into account."""
        return timeline(self.raw, {op.index for op in self.operations if op.elided})

    @property
    def peak(self) -> int:
        """The index of the operation during which most bytes were alive."""
        live = self.live_bytes
        return max(range(len(live)), key=live.__getitem__) if live else 0

    @property
    def peak_bytes(self) -> int:
        """The most bytes that were alive at one time."""
        return max(self.live_bytes, default=0)

    @property
    def escapes(self) -> list[Operation]:
        """Where arrays were handed to other code."""
        return [op for op in self.inside if op.kind == "escape"]


# --- one entry ---


@cache
def _positions(code: CodeType) -> list[tuple[int | None, int | None, int | None, int | None]]:
    return list(code.co_positions())


@cache
def where_is(code: CodeType | None, at: int) -> Where:
    """The place in the source of an instruction."""
    if code is None:
        return Where("", 0)
    positions = _positions(code)
    index = at // 2
    line, last, start, stop = positions[index] if 0 <= index < len(positions) else (None, None, None, None)
    one_line = last == line
    return Where(
        code.co_filename,
        line or code.co_firstlineno,
        (start or 0) if one_line else 0,
        (stop or 0) if one_line else 0,
        code.co_qualname,
    )


def _signature(entry: Entry, taken: list[Value], given: list[Value]) -> Any:
    """All that an entry's description depends on, beside its time: a loop writes the same a thousand times.

    None where that cannot be said in a few words.
    """
    if entry.role == "foreign" or (entry.kwargs and len(entry.kwargs) > len(taken)):
        return None
    said: list[Any] = [entry.role, id(entry.function), id(entry.code), entry.at]
    for part in entry.args:
        kind = type(part)
        if kind is slice:
            said.append((kind, part.start, part.stop, part.step))
        elif kind is not Value:
            said += (kind, part)
    for name, part in entry.kwargs.items():
        said += (name, type(part), None if type(part) is Value else part)
    first: dict[int, int] = {}
    for value in (*taken, *given):
        said += (value.shape, value.strides, value.dtype, first.setdefault(value.number, len(first)))
        said.append(first.setdefault(id(value.buffer), len(first)))
    said.append(len(given))
    key = tuple(said)
    try:
        hash(key)
    except (TypeError, ValueError):  # a memoryview that can be written to says ValueError
        return None
    return key


def _like(like: Operation, index: int, entry: Entry, taken: list[Value], given: list[Value], elided: bool) -> Operation:
    """An operation that differs from an earlier one in time alone."""
    ins = tuple(_distinct(taken))
    outs = tuple(_distinct(given)) if given else ins[: len(like.outs)]
    return like._replace(index=index, ins=ins, outs=outs, elided=elided, seconds=(entry.stop - entry.start) / 1e9)


def _understand(index: int, entry: Entry, taken: list[Value], given: list[Value], elided: bool) -> Operation:
    ins = tuple(_distinct(taken))
    outs = tuple(_distinct(given))
    library = "numpy"
    args: Any = entry.args[: traffic.out_position(entry)]
    kwargs: Any = entry.kwargs
    in_args = values_in(args)
    counted_ins: Sequence[Value] = in_args or ins
    if hasattr(entry.function, "_schema"):
        from pennyweight.arrays.trace.torch_mode import describe

        library = "torch"
        name, counted_ins, args, kwargs = describe(entry.function, in_args, entry.args, entry.kwargs)
    else:
        name = name_of(entry.function)
    kind, targets = _kind(entry, name, ins, outs)
    rule, known = costs.rule_of(name)
    call = Call(name=name, ins=counted_ins, outs=outs or targets, args=args, kwargs=kwargs)
    work = Work()
    if kind in ("new", "in place", "number", "copy") and entry.role == "operation":
        work = _index_work(call, entry) if name in ("getitem", "setitem") else costs.count(call)
    family = _family(name, rule.family, kind, entry, work)
    written = traffic.written(entry, name, kind, outs, targets)
    read = traffic.read(entry, name, kind, ins, targets, rule, family, written)
    stretched = _virtual(ins, outs or targets) if family in ("elementwise", "transcendental") else 0
    return Operation(
        index=index,
        name=name,
        family=family,
        kind=kind,
        where=where_is(entry.code, entry.at),
        ins=ins,
        outs=outs or targets,
        arity=len(in_args),
        work=work,
        counted=known or name in ("getitem", "setitem") or entry.role != "operation",
        read=read,
        written=written,
        virtual=stretched,
        promoted=_promotion(ins, outs or targets, family),
        elided=elided,
        seconds=(entry.stop - entry.start) / 1e9,
        library=library,
    )


def _distinct(values: Sequence[Value]) -> Iterator[Value]:
    seen = set()
    for value in values:
        if value.number not in seen:
            seen.add(value.number)
            yield value


def _kind(entry: Entry, name: str, ins: tuple[Value, ...], outs: tuple[Value, ...]) -> tuple[Kind, tuple[Value, ...]]:
    """What became of memory, and the inputs that were written into."""
    if entry.role == "source":
        # A tensor that becomes an array, or an array another library gave: the border was crossed all the same.
        return "source", ()
    if entry.role == "pull":
        return ("escape" if entry.function in _PULLS else "pull"), ()
    numbers = {value.number for value in ins}
    if entry.role == "foreign":
        changed = tuple(value for value, _ in entry.kept[1])
        if _is_outside(entry.function):
            return "escape", changed
        return ("in place", changed) if changed else ("new", ())
    if not outs:
        return ("in place", ins[:1]) if name in _IN_PLACE or name.endswith(".at") else ("pull", ())
    if all(value.number in numbers for value in outs):
        held = "out" in entry.kwargs or name in _IN_PLACE or _is_augmented(entry)
        held = held or len(entry.args) > (traffic.out_position(entry) or len(entry.args))
        return ("in place", outs) if held else ("view", ())
    if all(value.buffer is None for value in outs):
        return "number", ()
    buffers = {value.buffer.number for value in ins if value.buffer is not None}
    if any(value.buffer is not None and value.buffer.number in buffers for value in outs):
        return "view", ()
    rule, _ = costs.rule_of(name)
    moved = rule.family in ("copy", "view", "gather") or name == "getitem"
    return ("copy" if moved else "new"), ()


def _is_augmented(entry: Entry) -> bool:
    if hasattr(entry.function, "_schema"):
        return bool(entry.function._schema.is_mutable)
    return is_augmented(entry.function)


def _is_outside(function: Any) -> bool:
    """Whether a function that was handed arrays is of another library; NumPy's own random numbers and files are not."""
    if hasattr(function, "_schema"):
        return False
    return home_of(function).partition(".")[0] not in ("numpy", "")


def _family(name: str, family: Family, kind: Kind, entry: Entry, work: Work) -> Family:
    if name == "getitem":
        return "view" if kind == "view" else "gather"
    if name == "setitem":
        return "scatter" if traffic.has_arrays(entry.args[1]) else "copy"
    if kind == "view":
        return "view"
    if name == "power" and work.transcendental == 0:
        return "elementwise"  # squares and roots
    if family == "view":
        return "copy"
    if kind == "source":
        return "creation"
    return family


def _index_work(call: Call, entry: Entry) -> Work:
    if call.name == "setitem":
        return Work(index=traffic.region(entry)) if traffic.has_arrays(entry.args[1]) else Work()
    return Work(index=call.size_out)


def _virtual(ins: Sequence[Value], outs: Sequence[Value]) -> int:
    """Bytes that inputs seem to have in the result's shape and do not hold."""
    shape = outs[0].shape if outs else ()
    size = outs[0].size if outs else 0
    stretched = [value for value in ins if value.shape != shape and 1 < value.size < size]
    return sum(size * int(value.dtype.itemsize) - value.real_bytes for value in stretched)


def _promotion(ins: Sequence[Value], outs: Sequence[Value], family: Family) -> str:
    """``float32 and float64 to float64`` where an operation had to widen an array."""
    if family not in ("elementwise", "transcendental", "contraction"):
        return ""
    if not outs or all(value.dtype is ins[0].dtype for value in ins):
        return ""
    kinds = list(dict.fromkeys(str(value.dtype).removeprefix("torch.") for value in ins))
    if len(kinds) < 2:
        return ""
    result = str(outs[0].dtype).removeprefix("torch.")
    return f"{' and '.join(kinds)} to {result}" if result not in ("bool",) else ""


def source_line(where: Where) -> str:
    """The text of a line of source, without its indentation."""
    return full_line(where).strip()


def full_line(where: Where) -> str:
    """The text of a line of source as it stands."""
    lines = _source(where.path)
    return lines[where.line - 1] if 0 < where.line <= len(lines) else ""


@cache
def _source(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
