"""Shapes that do not fit: which axes clash, and which of the usual repairs would work. Each was tried.

Nothing large is computed for that: a product the wrong way round may not fit into memory. Repairs of products are
tried on small arrays whose axes are equal where those of the program's are, the others by NumPy's rule of broadcasting.
"""

import ast
import math
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pennyweight.arrays.trace.names import is_augmented, name_of
from pennyweight.arrays.trace.operations import Where, full_line, where_is
from pennyweight.arrays.trace.tape import Clash

_LONGEST_NAME = 32
_PRODUCTS = ("matmul", "dot", "inner")
_EXTENTS = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29)
Repair = tuple[str, Callable[[Any, Any], tuple[Any, Any]]]
Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why an operation raised: where, what clashes, and the repairs that worked, each with the shape it gives."""

    where: Where
    sentence: str
    repairs: tuple[tuple[str, Shape], ...]


def explain(clash: Clash) -> Explanation | None:
    """Explain an operation of two arrays that raised because of their shapes; None for other errors."""
    if not clash.error.startswith(("ValueError", "UFuncTypeError")) or not clash.hold():
        return None
    where = where_is(clash.code, clash.at)
    if clash.function is operator.setitem:
        return _explain_assignment(clash, where)
    arrays = [arg for arg in clash.args if isinstance(arg, np.ndarray)]
    name = name_of(clash.function)
    if (
        len(arrays) != 2
        or len(clash.args) != 2
        or not (name in _PRODUCTS or isinstance(getattr(np, name, None), np.ufunc))
    ):
        return None
    a, b = arrays
    product = name in _PRODUCTS
    sentence = _product_clash(a, b, name) if product else _axis_clash(a.shape, b.shape)
    if not sentence:
        return None
    left, right = _operands(where)
    repairs = []
    for text, repair in (_product_repairs if product else _elementwise_repairs)(left, right, a, b):
        result = _product(clash.function, repair, a, b) if product else _broadcast(clash.function, repair, a, b)
        if result is not None:
            repairs.append((text, result))
    return Explanation(where=where, sentence=sentence, repairs=tuple(repairs))


def _explain_assignment(clash: Clash, where: Where) -> Explanation | None:
    target, index, given = clash.args
    try:
        shape = np.broadcast_to(np.int8(0), target.shape)[index].shape
    except (IndexError, TypeError, ValueError):
        return None
    if not isinstance(given, np.ndarray):
        return None
    sentence = f"{given.shape} does not fit into the part of {target.shape} that it is assigned to, {shape}"
    return Explanation(where=where, sentence=sentence, repairs=())


def _axis_clash(a: Shape, b: Shape) -> str:
    """Axes are matched from the last one on; they fit when they are equal or one of them is 1."""
    for axis in range(-1, -min(len(a), len(b)) - 1, -1):
        if a[axis] != b[axis] and 1 not in (a[axis], b[axis]):
            return (
                f"{a} and {b} do not broadcast: matched from the last axis on, axis {axis} is"
                f" {a[axis]} on one side and {b[axis]} on the other, and neither is 1"
            )
    return ""


def _product_clash(a: Any, b: Any, name: str) -> str:
    if not a.ndim or not b.ndim:
        return ""
    inner = b.shape[-1] if b.ndim == 1 or name == "inner" else b.shape[-2]
    if a.shape[-1] == inner:
        return ""
    return f"{a.shape} @ {b.shape}: the last axis of the first has {a.shape[-1]}, the axis it meets has {inner}"


def _elementwise_repairs(a: str, b: str, x: Any, y: Any) -> Iterator[Repair]:
    yield f"{b}[:, None]", lambda x, y: (x, y[:, None])
    yield f"{a}[:, None]", lambda x, y: (x[:, None], y)
    if y.ndim > 1:
        yield f"{b}.T", lambda x, y: (x, y.T)
        yield f"{b}[..., None]", lambda x, y: (x, y[..., None])
    if x.ndim > 1:
        yield f"{a}.T", lambda x, y: (x.T, y)
        yield f"{a}[..., None]", lambda x, y: (x[..., None], y)
    if 1 in y.shape:
        yield f"{b}.squeeze()", lambda x, y: (x, y.squeeze())
    if 1 in x.shape:
        yield f"{a}.squeeze()", lambda x, y: (x.squeeze(), y)
    if y.ndim > 2:
        yield f"{b}.swapaxes(-1, -2)", lambda x, y: (x, y.swapaxes(-1, -2))
    if x.size == y.size:
        yield f"{b}.reshape({a}.shape)", lambda x, y: (x, y.reshape(x.shape))


def _product_repairs(a: str, b: str, x: Any, y: Any) -> Iterator[Repair]:
    if y.ndim > 2:
        yield f"{a} @ {b}.swapaxes(-1, -2)", lambda x, y: (x, y.swapaxes(-1, -2))
    elif y.ndim == 2:
        yield f"{a} @ {b}.T", lambda x, y: (x, y.T)
    if x.ndim > 1:
        yield f"{a}.T @ {b}", lambda x, y: (x.T, y)
    yield f"{b} @ {a}", lambda x, y: (y, x)


def _product(function: Any, repair: Callable[[Any, Any], tuple[Any, Any]], a: Any, b: Any) -> Shape | None:
    """The shape of a product when the repair works on small arrays like these."""
    small = dict(zip(sorted({*a.shape, *b.shape} - {0, 1}), _EXTENTS, strict=False)) | {0: 0, 1: 1}
    large = {few: many for many, few in small.items()}
    try:
        result = function(*repair(*(np.ones([small[n] for n in array.shape], array.dtype) for array in (a, b))))
    except (ValueError, TypeError, KeyError, np.exceptions.AxisError):
        return None
    return tuple(large[extent] for extent in np.shape(result))


def _broadcast(function: Any, repair: Callable[[Any, Any], tuple[Any, Any]], a: Any, b: Any) -> Shape | None:
    """The shape of an elementwise result when the repair works."""
    try:
        x, y = repair(a, b)
        result = np.broadcast_shapes(x.shape, y.shape)
    except (ValueError, IndexError):
        return None
    if is_augmented(function) and (x is not a or result != a.shape):
        return None  # what is written into must stay as it is
    # One array stretched against all of the other is rarely what was meant.
    return result if math.prod(result) <= 4 * max(a.size, b.size) else None


def _operands(where: Where) -> tuple[str, str]:
    """The source of the two operands, or letters where it cannot be read or is long."""
    line = full_line(where).encode()
    text = (line[where.start : where.stop] if where.stop else line).decode(errors="replace").strip()
    try:
        (statement,) = ast.parse(text).body
    except (SyntaxError, ValueError):
        return "a", "b"
    found: Any = getattr(statement, "value", None)
    pair: list[Any] = []
    if isinstance(statement, ast.AugAssign):
        pair = [statement.target, statement.value]
    elif isinstance(found, ast.BinOp):
        pair = [found.left, found.right]
    elif isinstance(found, ast.Compare) and len(found.comparators) == 1:
        pair = [found.left, found.comparators[0]]
    elif isinstance(found, ast.Call):
        own = [found.func.value] if isinstance(found.func, ast.Attribute) and len(found.args) == 1 else []
        pair = [*own, *found.args]
    if len(pair) != 2:
        return "a", "b"
    return _named(pair[0], "a"), _named(pair[1], "b")


def _named(node: Any, letter: str) -> str:
    text = ast.unparse(node)
    if len(text) > _LONGEST_NAME:
        return letter
    return text if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)) else f"({text})"
