"""Lints of loops: rounds through elements, arrays that leave NumPy again and again, arrays that grow by copying."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from pennyweight.arrays.trace.lints.common import SHARE, Finding, finding, grouped, wall
from pennyweight.arrays.trace.look import Look, Site
from pennyweight.arrays.trace.operations import Operation
from pennyweight.arrays.trace.tape import Value, values_in
from pennyweight.arrays.trace.words import shape, size

_PYTHON = {"tolist": "a list", "iterate": "Python's iteration", "array2string": "text"}
_MANY = 200
"""Repetitions from which a Python loop over elements is one."""
_IN_A_STATEMENT = 6
"""Operations among which the end of a statement is looked for."""


# --- loop ---


def loop(look: Look) -> Iterator[Finding]:
    """Python goes through an array element by element, or by short rows, where one operation could do all at once."""
    by_place: dict[tuple[str, int, int, int], list[Operation]] = defaultdict(list)
    for op in look.tape.inside:
        if op.where.line and op.library == "numpy":
            by_place[op.where[:4]].append(op)
    whole = wall(look, look.tape.inside)
    seen: set[Site] = set()
    for place, ops in sorted(by_place.items(), key=lambda item: -len(item[1])):
        site = place[:2]
        if len(ops) < _MANY or site in seen or not _goes_through(look, ops):
            continue
        span = look.operations[ops[0].index : ops[-1].index + 1]
        if wall(look, span) < 0.15 * whole or _is_carried(look, ops):
            continue
        seen.add(site)
        seen.update((op.where.path, op.where.line) for op in span)
        line = _busiest(span)
        value = ops[0].ins[0] if ops[0].ins else ops[0].outs[0]
        sentence = (
            f"{len(ops):,} rounds through {shape(value)}, a few elements at a time; no round needs the one before, so"
            " one operation on whole arrays can do it."
        )
        yield finding(look, "loop", line, sentence, 0)


def _goes_through(look: Look, ops: Sequence[Operation]) -> bool:
    """Whether successive runs of one place in the source touch successive, small parts of one array."""
    if any(op.name not in ("getitem", "setitem") for op in ops[:3]):
        return False
    parts = [look.entries[op.index].args for op in ops[:2000]]
    if not all(isinstance(args[0], Value) and args[0].buffer is ops[0].ins[0].buffer for args in parts):
        return False
    whole = parts[0][0]
    small = all(_touched(op) <= 64 for op in ops[:50])
    numbers = [number for args in parts if (number := _index_number(args[1], whole)) is not None]
    if not small or len(numbers) < len(parts):
        return False
    steps = [b - a for a, b in pairwise(numbers)]
    common = max(set(steps), key=steps.count)
    iterated = _was_iterated(look, ops)
    return (common != 0 and steps.count(common) >= 0.98 * len(steps)) or iterated


def _touched(op: Operation) -> int:
    if op.name == "setitem":
        return op.written // max(1, int(op.ins[0].dtype.itemsize))
    return max((value.size for value in op.outs), default=0)


def _index_number(index: object, whole: Value) -> int | None:
    """The place of an element or row in its array, counted along the first axes."""
    parts = index if isinstance(index, tuple) else (index,)
    number = 0
    for part, extent in zip(parts, whole.shape, strict=False):
        plain = _as_int(part)
        if plain is None:
            return number if part == slice(None) else None
        number = number * extent + (plain if plain >= 0 else plain + extent)
    return number


def _as_int(part: object) -> int | None:
    try:
        return int(part.__index__())  # type: ignore[attr-defined]
    except (AttributeError, TypeError):
        return None


def _was_iterated(look: Look, ops: Sequence[Operation]) -> bool:
    """Whether Python iterates over an array about as long as the loop, which gives the indices or the values."""
    first = ops[0].index
    before = look.operations[max(0, first - 8) : first]
    return any(op.name in ("iterate", "tolist") and op.ins and _MANY <= op.ins[0].size <= 2 * len(ops) for op in before)


def _is_carried(look: Look, ops: Sequence[Operation]) -> bool:
    """Whether a round takes what an earlier round wrote: then the rounds must follow one another."""
    marks = _rounds(look, ops[:500])
    written: dict[tuple[int, object], int] = {}
    made: dict[int, int] = {}
    inside = range(marks[0], marks[-1] + 1)
    for number, (start, stop) in enumerate(pairwise(marks)):
        for index in range(start, stop):
            op = look.operations[index]
            for value in op.ins:
                maker = look.maker.get(value.number)
                if maker is not None and maker in inside and made.get(maker, number) < number:
                    return True
            if _reads_earlier(look, op, written, number):
                return True
            made[index] = number
            if op.kind == "in place":
                for value in op.outs:
                    if value.buffer is not None:
                        written[(value.buffer.number, _part(look, op))] = number
    return False


def _rounds(look: Look, ops: Sequence[Operation]) -> list[int]:
    """Where each round of a loop begins: at the place that stands first in the source of its body."""
    body = look.entries[ops[0].index : ops[1].index]
    own = [entry for entry in body if entry.code is body[0].code]
    first = min(own, key=lambda entry: entry.at)
    span = range(ops[0].index, ops[-1].index + 1)
    return [i for i in span if look.entries[i].code is first.code and look.entries[i].at == first.at]


def _part(look: Look, op: Operation) -> object:
    """Which part of its target an operation writes: the index of an assignment, or all."""
    args = look.entries[op.index].args
    if op.name == "setitem" and not values_in(args[1]):
        return repr(args[1])
    return "all"


def _reads_earlier(look: Look, op: Operation, written: dict[tuple[int, object], int], number: int) -> bool:
    """Whether an operation reads a part that an earlier round wrote; adding to an element is not counted as reading."""
    if op.kind in ("source", "pull") or op.name == "setitem":
        return False
    for value in op.ins:
        if value.buffer is None:
            continue
        buffer = value.buffer.number
        if op.name == "getitem":
            args = look.entries[op.index].args
            if isinstance(args[0], Value) and args[0].number == value.number:
                if _is_added_to(look, op):
                    continue
                if not values_in(args[1]):
                    if written.get((buffer, repr(args[1])), number) < number:
                        return True
                    continue
        if written.get((buffer, "all"), number) < number:
            return True
    return False


def _is_added_to(look: Look, op: Operation) -> bool:
    """Whether the element that is read is the next that is written: ``x[i] += y[i]``."""
    following = look.operations[op.index + 1 : op.index + 1 + _IN_A_STATEMENT]
    write = next((other for other in following if other.name == "setitem"), None)
    if write is None or write.where[:2] != op.where[:2]:
        return False
    read, written = look.entries[op.index].args, look.entries[write.index].args
    return repr(read[:2]) == repr(written[:2])  # a value is told by its number


def _busiest(span: Sequence[Operation]) -> list[Operation]:
    """The operations of the line that does the work in a loop: the one that writes, else the most frequent."""
    lines: dict[Site, list[Operation]] = defaultdict(list)
    for op in span:
        if op.where.line:
            lines[(op.where.path, op.where.line)].append(op)
    writing = [ops for ops in lines.values() if any(op.name == "setitem" for op in ops)]
    return max(writing or list(lines.values()), key=len)


# --- escape ---


def escape(look: Look) -> Iterator[Finding]:
    """Arrays go to Python's own objects or to another library, again and again, and results come back."""

    def leaves(op: Operation) -> bool:
        if op.kind == "escape":
            return any(value.size >= 1024 for value in op.ins)
        return op.name in ("tolist", "iterate", "array2string") and bool(op.ins) and op.ins[0].size >= 1024

    leaving = [ops for ops in grouped(look, leaves).values() if len(ops) >= 3]
    looped = {look.operations[i].where[:2] for found in loop(look) for i in found.operations} if leaving else set()
    whole = wall(look, look.tape.inside)
    for ops in leaving:
        if _near(ops[0], looped) or _gap(look, ops) < SHARE * whole:
            continue
        name = _PYTHON.get(ops[0].name, ops[0].name)
        value = max(ops[0].ins, key=lambda v: v.size)
        sentence = (
            f"{shape(value)} leaves NumPy for {name}, {len(ops)} times: on a GPU each is a wait and a copy to the host."
        )
        yield finding(look, "escape", ops, sentence, sum(max(v.nbytes for v in op.ins) for op in ops))


def _near(op: Operation, sites: set[tuple[str, int]]) -> bool:
    """Whether a finding about a loop already speaks of this place."""
    return any((op.where.path, op.where.line + d) in sites for d in (0, 1, 2))


def _gap(look: Look, ops: Sequence[Operation]) -> float:
    """Wall seconds that pass from before each of these to the next operation."""
    total = 0
    for op in ops:
        before = look.entries[op.index - 1].stop if op.index else look.entries[op.index].start
        after = look.entries[op.index + 1].start if op.index + 1 < len(look.entries) else look.entries[op.index].stop
        if before and after > before:
            total += after - before
    return total / 1e9


# --- growth ---


def growth(look: Look) -> Iterator[Finding]:
    """An array is made longer a bit at a time, and all of it is copied each time."""
    names = ("append", "concatenate", "vstack", "hstack", "insert", "stack", "column_stack", "concat", "resized")
    for ops in grouped(look, lambda op: op.name in names and op.kind == "copy").values():
        grown = [op for before, op in pairwise(ops) if _continues(look, before, op)]
        if len(grown) < 8:
            continue
        copied = sum(op.written for op in grown)
        added = max(op.outs[0].nbytes for op in grown)
        sentence = (
            f"{len(grown) + 1} times all that is there is copied to add a little: {size(copied)} written for"
            f" {size(added)} in the end."
        )
        if copied > 4 * added:
            yield finding(look, "growth", ops, sentence, copied)


def _continues(look: Look, before: Operation, op: Operation) -> bool:
    """Whether the result of one call goes into the next and comes out longer."""
    result = before.outs[0]
    return op.outs[0].size > result.size and any(
        value.buffer is result.buffer and value.buffer is not None for value in op.ins
    )
