"""Lints of results that are likely not meant: silent outer products, and single precision that becomes double."""

from collections import defaultdict
from collections.abc import Iterator

from pennyweight.arrays.trace.lints.common import Finding, finding, grouped
from pennyweight.arrays.trace.look import Look, Site
from pennyweight.arrays.trace.operations import Operation
from pennyweight.arrays.trace.tape import Value
from pennyweight.arrays.trace.words import shape

# --- outer: (n,) with (n, 1) gives (n, n) ---

_PAIRING = ("expand_dims", "meshgrid", "ix_", "ogrid", "mgrid")
_STEPS = 8


def outer(look: Look) -> Iterator[Finding]:
    """A vector met a column of the same length and became a square matrix, and nothing says that it was meant."""

    def is_silent(op: Operation) -> bool:
        if op.family not in ("elementwise", "transcendental") or len(op.ins) != 2 or not op.outs:
            return False
        pair = sorted(op.ins, key=lambda value: len(value.shape))
        flat, column = pair
        if len(flat.shape) != 1 or len(column.shape) != 2 or column.shape[1] != 1:
            return False
        return flat.shape[0] == column.shape[0] > 1 and not _is_meant(look, flat, column)

    for ops in grouped(look, is_silent).values():
        first = ops[0]
        sentence = (
            f"{shape(first.ins[0])} with {shape(first.ins[1])} broadcasts to {shape(first.outs[0])}: every element of"
            " one meets every element of the other. If they belong together one by one, there is an axis too many."
        )
        yield finding(look, "outer", ops, sentence, sum(op.outs[0].nbytes for op in ops))


def _is_meant(look: Look, flat: Value, column: Value) -> bool:
    """Whether the program says that it wants all pairs: by a new axis, by a grid, by one vector taken twice."""
    steps = list(look.through_views(column))
    if any(step.name in _PAIRING or _adds_axis(look, step) for step in steps):
        return True
    made, source = steps[-1] if steps else None, _root(look, flat)
    if made is None or source is None:
        return False
    if made.index == source.index:
        return True  # the column is the vector itself, seen upright
    if made.kind == "source" or source.kind == "source":
        return False
    if made.family == "creation" == source.family:
        return True
    # Row and column sums of one matrix.
    shared = {value.number for value in made.ins} & {value.number for value in source.ins}
    return made.family == "reduction" == source.family and bool(shared)


def _root(look: Look, value: Value) -> Operation | None:
    """What a vector was made by, before it was looked at and calculated with element by element."""
    for _ in range(_STEPS):
        made = look.origin(value)
        arrays = [taken for taken in made.ins if taken.shape] if made is not None else []
        if made is None or made.family not in ("elementwise", "transcendental") or len(arrays) != 1:
            return made
        value = arrays[0]
    return None


def _adds_axis(look: Look, op: Operation) -> bool:
    if op.name != "getitem":
        return False
    index = look.entries[op.index].args[1]
    return index is None or (isinstance(index, tuple) and any(part is None for part in index))


# --- promotion: single becomes double ---

_NARROW = {"float16": 2, "bfloat16": 2, "float32": 4, "complex64": 8}
_WIDE = {"float32", "float64", "complex64", "complex128", "longdouble"}


def promotion(look: Look) -> Iterator[Finding]:
    """An array of narrow floats was widened by something that nobody asked to be wide."""
    tainted: set[int] = set()
    found: dict[Site, list[Operation]] = defaultdict(list)
    for op in look.tape.inside:
        if any(value.number in tainted for value in op.ins):
            tainted.update(value.number for value in op.outs)
            continue
        if _widens(look, op):
            found[(op.where.path, op.where.line)].append(op)
            tainted.update(value.number for value in op.outs)
    for ops in found.values():
        first = ops[0]
        narrow = _narrow_input(first)
        assert narrow is not None
        culprit = next((v for v in first.ins if _dtype(v) != _dtype(narrow)), None)
        what = (
            f"a {_dtype(culprit)} {'array ' + shape(culprit) if culprit.shape else 'number'}" if culprit else "a number"
        )
        sentence = (
            f"{_dtype(narrow)} {shape(narrow)} becomes {_dtype(first.outs[0])} because of {what}: twice the bytes from"
            " here on."
        )
        yield finding(look, "promotion", ops, sentence, sum(op.written for op in ops))


def _dtype(value: Value) -> str:
    return str(value.dtype).removeprefix("torch.")


def _narrow_input(op: Operation) -> Value | None:
    narrow = [v for v in op.ins if _dtype(v) in _NARROW and v.size >= 1024]
    return max(narrow, key=lambda value: value.size, default=None)


def _widens(look: Look, op: Operation) -> bool:
    if op.family not in ("elementwise", "transcendental", "contraction") or op.kind != "new" or not op.outs:
        return False
    narrow = _narrow_input(op)
    if narrow is None or _dtype(op.outs[0]) not in _WIDE:
        return False
    if op.outs[0].dtype.itemsize <= narrow.dtype.itemsize or "dtype" in look.entries[op.index].kwargs:
        return False
    if _dtype(narrow) in ("float16", "float32") and _dtype(op.outs[0]).startswith("complex"):
        return False  # a complex factor of the same precision
    wide = [value for value in op.ins if value is not narrow and value.dtype.itemsize >= op.outs[0].dtype.itemsize]
    return not any(_was_asked_for(look, value) for value in wide)


def _was_asked_for(look: Look, value: Value) -> bool:
    """Whether somebody converted it on purpose."""
    return any(op.name == "astype" or "dtype" in look.entries[op.index].kwargs for op in look.through_views(value))
