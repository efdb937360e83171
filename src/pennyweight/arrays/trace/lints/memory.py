"""Lints of memory: copies where a view would do, large temporaries, reads against the order in memory."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from pennyweight.arrays.trace.lints.common import Finding, finding, grouped, weighs
from pennyweight.arrays.trace.look import Look
from pennyweight.arrays.trace.operations import Operation
from pennyweight.arrays.trace.tape import Value
from pennyweight.arrays.trace.words import shape, size

_LARGE = 64 * 1024
"""Bytes from which copying is worth avoiding."""
_BEYOND_CACHES = 16 << 20
_LINE_BYTES = 64
"""Of a cache: memory is moved in pieces of this size, so an element that lies alone costs as much as eight."""


# --- copy: where a view would do ---


def copy(look: Look) -> Iterator[Finding]:
    """Data was copied that could have been looked at."""
    ranges = grouped(look, lambda op: op.index in look.progressions and op.written >= _LARGE and _only_read(look, op))
    for ops in ranges.values():
        start, stop, step = look.progressions[ops[0].index]
        text = f"{start}:{stop if stop >= 0 else ''}" + (f":{step}" if step != 1 else "")
        sentence = (
            f"the index array counts {text}, so this copies what the slice [{text}] would only look at"
            f" ({_times(ops)}{size(sum(op.written for op in ops))})."
        )
        if weighs(look, ops):
            yield finding(look, "copy", ops, sentence, sum(op.written for op in ops))
    needless = grouped(look, lambda op: _is_needless(look, op))
    for ops in needless.values():
        sentence = (
            f"{ops[0].name} copies {shape(ops[0].ins[0])} and neither the copy nor the original is written to while"
            f" both live: the original would do ({_times(ops)}{size(sum(op.written for op in ops))})."
        )
        if weighs(look, ops):
            yield finding(look, "copy", ops, sentence, sum(op.written for op in ops))


def _is_needless(look: Look, op: Operation) -> bool:
    if op.name not in ("array", "copy", "flatten", "astype", "ascontiguousarray") or op.kind != "copy":
        return False
    if len(op.ins) != 1 or len(op.outs) != 1 or op.written < _LARGE:
        return False
    before, after = op.ins[0], op.outs[0]
    if before.dtype != after.dtype or before.buffer is None or after.buffer is None:
        return False
    if op.name != "flatten" and before.strides != after.strides:
        return False  # it changes the order in memory, which may be the point
    if op.name == "flatten" and not _is_contiguous(before):
        return False
    # One that is left at the end is what the program was after.
    return after.buffer.died is not None and _only_read(look, op)


def _only_read(look: Look, op: Operation) -> bool:
    """Whether neither a copy nor the original is written to while both live: then they never differ."""
    before, after = op.ins[0], op.outs[0]
    died = after.buffer.died if after.buffer is not None else None
    until = len(look.operations) if died is None else died
    return not look.written_between(after, op.index, until) and not look.written_between(before, op.index, until)


def _is_contiguous(value: Value) -> bool:
    expected = int(value.dtype.itemsize)
    for extent, stride in zip(reversed(value.shape), reversed(value.strides), strict=True):
        if extent != 1 and stride != expected:
            return False
        expected *= extent
    return True


# --- temporaries ---


def temporaries(look: Look) -> Iterator[Finding]:
    """Large arrays that live for one expression, over and over, or one that is huge for what goes in and comes out."""
    spent = grouped(look, lambda op: _is_temporary(op) and not op.elided)
    for ops in spent.values():
        total = sum(op.written for op in ops)
        runs = _executions(ops)
        largest = max(op.outs[0].nbytes for op in ops)
        each = len(ops) // max(1, runs)
        # One that stays in the processor's caches costs little, as do few that are made once.
        if (largest < _BEYOND_CACHES and (runs < 3 or each < 2)) or not weighs(look, ops):
            continue
        blown = max(ops, key=lambda op: op.outs[0].nbytes / max(1, _fed(op)))
        if blown.outs[0].nbytes > 8 * _fed(blown) and blown.outs[0].nbytes > 4 << 20:
            sentence = (
                f"{size(_fed(blown))} of input become a temporary of {size(blown.outs[0].nbytes)},"
                f" {shape(blown.outs[0])}, that the next operation reduces again."
            )
        else:
            sentence = (
                f"{each} temporar{'y' if each == 1 else 'ies'} of {size(largest)} a time, {runs} times:"
                f" {size(total)} written to be read once."
            )
        yield finding(look, "temporaries", ops, sentence, total)


def _fed(op: Operation) -> int:
    return sum(value.real_bytes for value in op.ins)


def _is_temporary(op: Operation) -> bool:
    if op.family not in ("elementwise", "transcendental") or op.kind != "new" or not op.outs or op.library != "numpy":
        return False
    buffer = op.outs[0].buffer
    if buffer is None or buffer.nbytes < 1 << 20 or buffer.died is None:
        return False
    return buffer.died - op.index <= 4


def _executions(ops: Sequence[Operation]) -> int:
    """How often a line ran: how often its most frequent place in the source did."""
    counts: dict[tuple[int, int], int] = defaultdict(int)
    for op in ops:
        counts[(op.where.start, op.where.stop)] += 1
    return min(counts.values(), default=0)


# --- strided ---


def strided(look: Look) -> Iterator[Finding]:
    """Large arrays read against their order in memory, so that most of each cache line is fetched for nothing."""
    reading = grouped(look, lambda op: strided_input(op) is not None)
    for ops in reading.values():
        values = [value for op in ops if (value := strided_input(op)) is not None]
        wasted = sum(_fetched(value) - value.nbytes for value in values)
        moved = sum(op.read for op in ops)
        # Once or twice costs no more than turning the array round.
        if len(values) < 3 or not weighs(look, ops) or wasted < max(1 << 20, moved):
            continue
        first = values[0]
        step = min(abs(stride) for stride, extent in zip(first.strides, first.shape, strict=True) if extent > 1)
        sentence = (
            f"elements of {shape(first)} lie {step} bytes apart: {size(first.nbytes)} are read and"
            f" {size(_fetched(first))} of memory fetched ({_times(ops, len(values))}{size(wasted)} for nothing)."
        )
        yield finding(look, "strided", ops, sentence, wasted)


def strided_input(op: Operation) -> Value | None:
    """An input of an operation whose elements lie so far apart that each takes a cache line of its own."""
    if op.kind in ("view", "source", "pull", "escape") or op.family in ("view", "contraction", "linalg", "fft"):
        return None
    for value in op.ins:
        if value.buffer is None or value.buffer.nbytes < 1 << 20 or value.size < 1024 or not value.strides:
            continue
        steps = [abs(s) for s, extent in zip(value.strides, value.shape, strict=True) if extent > 1 and s != 0]
        if steps and min(steps) >= _LINE_BYTES > value.dtype.itemsize:
            return value
    return None


def _fetched(value: Value) -> int:
    return value.size * _LINE_BYTES


def _times(ops: Sequence[Operation], count: int | None = None) -> str:
    number = len(ops) if count is None else count
    return f"{number} times, " if number > 1 else ""
