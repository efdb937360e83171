"""What operations are called: NumPy's names, whichever way they were asked for (``a + b``, ``np.add``, ``a += b``)."""

import operator
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

_OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "matmul": "matmul", "lshift": "left_shift", "rshift": "right_shift",
    "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "lt": "less", "le": "less_equal", "eq": "equal",
    "ne": "not_equal", "gt": "greater", "ge": "greater_equal", "neg": "negative", "pos": "positive",
    "abs": "absolute", "invert": "invert", "inv": "invert", "getitem": "getitem", "setitem": "setitem",
}  # fmt: skip
_SIGNS = {
    "add": "+", "subtract": "−", "multiply": "×", "divide": "/", "floor_divide": "//", "remainder": "%", "power": "**",
    "matmul": "@", "less": "<", "less_equal": "<=", "equal": "==", "not_equal": "!=", "greater": ">",
    "greater_equal": ">=", "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^",
}  # fmt: skip


def name_of(function: Any) -> str:
    """The name of an operation as NumPy spells it: ``add``, ``add.reduce``, ``linalg.norm``, ``getitem``, ``T``."""
    if isinstance(function, str):
        return function
    kind = type(function)
    if kind is _PLAIN_BUILTIN or kind is np.ufunc or kind is _METHOD:
        return _name_once(function)  # the same few again and again
    return _name(function)


def _name(function: Any) -> str:
    if isinstance(function, operator.attrgetter):
        return str(function.__reduce__()[1][0])
    name = str(getattr(function, "__name__", type(function).__name__))
    if isinstance(function, np.ufunc):
        return name
    owner = getattr(function, "__self__", None)
    if isinstance(owner, np.ufunc):
        return f"{owner.__name__}.{name}"
    home = home_of(function)
    if home in ("operator", "_operator"):
        plain = name.strip("_")
        return _OPERATORS.get(plain) or _OPERATORS.get(plain.removeprefix("i"), plain)
    if home.startswith("numpy."):
        for part in ("linalg", "fft", "random", "ma", "char", "strings", "polynomial", "testing"):
            if home.startswith(f"numpy.{part}"):
                return f"{part}.{name}"
    elif home and home.partition(".")[0] not in ("numpy", "builtins", "pennyweight"):
        return ".".join([part for part in home.split(".") if not part.startswith("_")] + [name])
    return name


_name_once = cache(_name)
_PLAIN_BUILTIN, _METHOD = type(operator.add), type(np.ndarray.sum)


def home_of(function: Callable[..., Any] | Any) -> str:
    """The module that a callable comes from; of a bound method, that of its owner's class."""
    owner = getattr(function, "__self__", None)
    if owner is not None and not isinstance(owner, type) and type(owner).__name__ != "module":
        return type(owner).__module__
    home = getattr(function, "__module__", None)
    if isinstance(home, str):
        return home
    return type(function).__module__ if not isinstance(function, str) else ""


def is_augmented(function: Any) -> bool:
    """Whether a function is one of Python's operators that write into their first operand, as ``+=``."""
    name = getattr(function, "__name__", "")
    return home_of(function) in ("operator", "_operator") and name.startswith("i") and name not in ("invert", "inv")


def sign_of(name: str) -> str:
    """The sign of a binary operation, for sentences, or an empty string."""
    return _SIGNS.get(name, "")
