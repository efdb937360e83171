"""Bytes that an operation must move: arrays as they lie, a broadcast axis once, a view not at all."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pennyweight.arrays.trace.costs import Rule
from pennyweight.arrays.trace.families import Family, Kind
from pennyweight.arrays.trace.names import name_of
from pennyweight.arrays.trace.tape import Entry, Value, values_in

_OUT_POSITIONS = {"dot": 2, "choose": 2, "max": 2, "min": 2, "argmax": 2, "argmin": 2, "clip": 3, "take": 3,
                  "compress": 3, "sum": 3, "prod": 3, "mean": 3, "cumsum": 3, "cumprod": 3}  # fmt: skip


def out_position(entry: Entry) -> int | None:
    """Where among its arguments a function of NumPy takes the array to write into; None for those that do not."""
    if isinstance(entry.function, np.ufunc):
        return int(entry.function.nin)
    return None if hasattr(entry.function, "_schema") else _OUT_POSITIONS.get(name_of(entry.function))


def has_arrays(index: Any) -> bool:
    """Whether an index picks by arrays, and not only by numbers and slices."""
    return (
        bool(values_in(index))
        or isinstance(index, list)
        or (isinstance(index, tuple) and any(isinstance(part, (list, Value)) for part in index))
    )


def region(entry: Entry) -> int:
    """Elements that an assignment to an index writes."""
    target, index, given = entry.args
    parts = index if isinstance(index, tuple) else (index,)
    shapes: list[tuple[int, ...]] = []
    whole, axis = 1, 0
    hidden = len(target.shape) - sum(_consumed(part) for part in parts)
    for part in parts:
        if part is Ellipsis:
            whole *= math.prod(target.shape[axis : axis + hidden])
            axis += hidden
        elif isinstance(part, slice):
            whole *= len(range(*part.indices(target.shape[axis])))
            axis += 1
        elif _is_mask(part):
            shapes.append((_truths(entry, part, given),))
            axis += _consumed(part)
        elif part is not None:
            shapes.append(part.shape if isinstance(part, Value) else np.shape(part))
            axis += 1
    rest = math.prod(target.shape[axis:])
    return int(whole * math.prod(np.broadcast_shapes(*shapes)) * rest)


def _consumed(part: Any) -> int:
    """How many axes a part of an index stands for."""
    if part is None or part is Ellipsis:
        return 0
    return len(part.shape if isinstance(part, Value) else np.shape(part)) if _is_mask(part) else 1


def _is_mask(part: Any) -> bool:
    if isinstance(part, Value):
        return getattr(part.dtype, "kind", "") == "b"
    return isinstance(part, bool) or (isinstance(part, list) and np.asarray(part).dtype.kind == "b")


def _truths(entry: Entry, mask: Any, given: Any) -> int:
    """How many elements of a mask are true: counted when it was used, or told by what was put there; at most all."""
    if isinstance(entry.kept, int):
        return entry.kept
    if isinstance(given, Value) and len(given.shape) == 1 and given.size > 1:
        return given.size
    return mask.size if isinstance(mask, Value) else int(np.sum(mask))


_SCATTERING = frozenset({"put", "place", "index_put", "put_along_axis"})


def _scattered(entry: Entry, name: str, targets: Sequence[Value]) -> int | None:
    """Bytes that go to computed places; None for operations of which none do."""
    if not (name in _SCATTERING or name.endswith(".at")) or len(entry.args) < 2 or not targets:
        return None
    places = values_in(entry.args[1])
    moved = places[0].size if places else int(np.size(entry.args[1]))
    return moved * int(targets[0].dtype.itemsize)


def written(entry: Entry, name: str, kind: Kind, outs: Sequence[Value], targets: Sequence[Value]) -> int:
    """Bytes written, into new arrays or into those that were there (``targets``)."""
    if kind in ("view", "source", "pull"):
        return 0
    if name == "setitem":
        return region(entry) * int(entry.args[0].dtype.itemsize)
    scattered = _scattered(entry, name, targets)
    if scattered is not None:
        return scattered
    if kind == "in place":
        return sum(value.real_bytes for value in targets)
    return sum(value.nbytes for value in outs if value.buffer is not None)


def read(
    entry: Entry,
    name: str,
    kind: Kind,
    ins: Sequence[Value],
    targets: Sequence[Value],
    rule: Rule,
    family: Family,
    num_written: int,
) -> int:
    """Bytes read."""
    if kind in ("view", "source"):
        return 0
    if kind == "in place" and name == "setitem":
        return _held(values_in(entry.args[1:]))
    if family == "gather":
        return (num_written or sum(value.nbytes for value in values_in(entry.out))) + _held(ins[1:])
    if _scattered(entry, name, targets) is not None:
        return _held(values_in(entry.args[1:])) + (num_written if name.endswith(".at") else 0)
    if not rule.reads and family not in ("copy",):
        return 0
    position = out_position(entry)
    told = values_in(entry.args[position:]) if position is not None else []
    only_written = {value.number for value in (*told, *values_in(entry.kwargs.get("out")))}
    only_written -= {value.number for value in values_in(entry.args[:position])}
    if name in ("fill", "copyto", "copy_"):
        only_written |= {value.number for value in targets}
    return _held([value for value in ins if value.number not in only_written])


def _held(values: Sequence[Value]) -> int:
    """Bytes of arrays as they lie; numbers are in the processor already."""
    return sum(value.real_bytes for value in values if value.buffer is not None)
