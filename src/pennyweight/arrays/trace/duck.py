"""Arrays that tell a recorder what is done with them, and otherwise behave as NumPy's own.

A duck holds a real array and is none itself (NEP 13 and NEP 18 hand it what NumPy is asked to do), so no C code can
take its memory without asking: the buffer protocols are not there, and ``__array__`` writes an escape. Where a
library insists on true arrays, `TracedSubclass` has the same behaviour and is one; it cannot see such escapes.
"""

import operator
import sys
from collections.abc import Callable, Iterator
from time import perf_counter_ns
from types import MethodType
from typing import Any

import numpy as np

from pennyweight.arrays.trace.recorder import LITERALS, NOTHING, Recorder
from pennyweight.arrays.trace.tape import Value

_INTERFACES = frozenset({"__array_interface__", "__array_struct__"})
_OWN_REFERENCES = 3  # of the real array: the duck's, that of a local name, that of the count itself
_new = object.__new__
_current: Recorder  # set by `attach`; ducks are made by a recorder, so there is one before there is a duck


def attach(recorder: Recorder) -> None:
    """Make ducks write to this recorder."""
    global _current
    _current = recorder


def is_attached() -> bool:
    """Whether there is a recorder that still records."""
    return "_current" in globals() and _current.open


def _defers(recorder: Recorder, other: Any) -> bool:
    """Whether an object of the user's own wants to compute by itself, and NumPy's arrays would let it."""
    kind = type(other)
    if kind.__module__ not in recorder.own or isinstance(other, np.ndarray):
        return False
    if hasattr(kind, "__array_ufunc__"):
        return kind.__array_ufunc__ is None
    return bool(getattr(other, "__array_priority__", 0.0) > 0.0)


def _answers(recorder: Recorder, kind: type, protocol: str) -> bool:
    """Whether a class of the user's own takes part in a protocol of NumPy: then it shall be given ducks."""
    return (
        kind.__module__ in recorder.own
        and getattr(kind, protocol, None) is not None
        and not issubclass(kind, np.ndarray)
    )


def _binary(function: Callable[[Any, Any], Any], ufunc: Any) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        recorder = _current
        kind = type(other)
        if kind is recorder.kind:
            real, told = other._a, other._v
        elif kind in LITERALS:
            real = told = other
        elif kind.__module__ in recorder.own:
            if _defers(recorder, other):
                return NotImplemented
            if _answers(recorder, kind, "__array_ufunc__"):
                return ufunc(self, other)
            return recorder.foreign(function, self, other)
        else:
            strangers: list[Any] = []
            real, told = recorder.unwrap(other, None, strangers)
            if strangers:
                return recorder.foreign(function, self, other)
        a = self._a
        start = perf_counter_ns()
        try:
            out = function(a, real)
        except Exception as error:
            recorder.clash(function, (a, real), NOTHING, error)
            raise
        stop = perf_counter_ns()
        return recorder.note(function, (self._v, told), out, start, stop)

    return method


def _reflected(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        recorder = _current
        strangers: list[Any] = []
        real, told = recorder.unwrap(other, None, strangers)
        if strangers:
            return recorder.foreign(function, other, self)
        a = self._a
        start = perf_counter_ns()
        try:
            out = function(real, a)
        except Exception as error:
            recorder.clash(function, (real, a), NOTHING, error)
            raise
        stop = perf_counter_ns()
        return recorder.note(function, (told, self._v), out, start, stop)

    return method


def _in_place(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        recorder = _current
        strangers: list[Any] = []
        real, told = recorder.unwrap(other, None, strangers)
        if strangers:
            return recorder.foreign(function, self, other)
        a = self._a
        start = perf_counter_ns()
        try:
            out = function(a, real)
        except Exception as error:
            recorder.clash(function, (a, real), NOTHING, error)
            raise
        stop = perf_counter_ns()
        if out is a:
            recorder.write("operation", function, (self._v, told), NOTHING, self._v, start, stop)
            return self
        return recorder.note(function, (self._v, told), out, start, stop)

    return method


def _unary(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def method(self: Any) -> Any:
        a = self._a
        start = perf_counter_ns()
        out = function(a)
        stop = perf_counter_ns()
        return _current.note(function, (self._v,), out, start, stop)

    return method


def _method(name: str) -> Callable[..., Any]:
    function = getattr(np.ndarray, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        kind = type(self._a)
        return _current.run(function if kind is np.ndarray else getattr(kind, name), self, *args, **kwargs)

    method.__name__ = name
    return method


def _pulling(name: str) -> Callable[..., Any]:
    """A method whose result leaves the arrays: Python's own numbers, lists, bytes, text."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = getattr(self._a, name)(*args, **kwargs)
        _current.pull(name.strip("_"), self)
        return result

    method.__name__ = name
    return method


def _plain_property(name: str) -> property:
    return property(lambda self: getattr(self._a, name), lambda self, to: _reshape(self, name, to))


def _reshape(self: Any, name: str, to: Any) -> None:
    """``x.shape = ...`` and its kind change the array without making a new one."""
    setattr(self._a, name, to)
    if type(self) is TracedSubclass:
        getattr(np.ndarray, name).__set__(self, to)
    _tell_anew(self, _set_attribute, name, to)


def _tell_anew(self: Any, function: Callable[..., Any], *args: Any) -> None:
    """A duck's array has another shape now, by a function that gives the new one of the old."""
    before, self._v = self._v, _current.value_of(self._a)
    _current.write("operation", function, (before, *args), NOTHING, self._v, 0, 0)


def _set_attribute(array: Any, name: str, to: Any) -> Any:
    view = array.view()
    setattr(view, name, to)
    return view


def _view_property(name: str) -> property:
    function = operator.attrgetter(name)

    def get(self: Any) -> Any:
        a = self._a
        start = perf_counter_ns()
        out = function(a)
        stop = perf_counter_ns()
        if out is a:
            return self
        _current.owns(self)
        return _current.note(function, (self._v,), out, start, stop)

    def put(self: Any, to: Any) -> None:
        real, told = _current.unwrap(to)
        start = perf_counter_ns()
        setattr(self._a, name, real)
        _current.write("operation", setattr, (self._v, name, told), NOTHING, None, start, perf_counter_ns())

    return property(get, put)


class Behaviour:
    """What both kinds of ducks do."""

    __slots__ = ()

    _a: Any
    _v: Value

    def __getitem__(self, index: Any) -> Any:
        recorder = _current
        kind = type(index)
        if kind is int or kind is slice:
            real = told = index
        else:
            real, told = recorder.unwrap(index)
        a = self._a
        start = perf_counter_ns()
        try:
            out = a[real]
        except IndexError as error:
            recorder.clash(operator.getitem, (a, real), NOTHING, error)
            raise
        stop = perf_counter_ns()
        if type(out) is np.ndarray and out.base is not None:
            recorder.owns(self)
        return recorder.note(operator.getitem, (self._v, told), out, start, stop)

    def __setitem__(self, index: Any, to: Any) -> None:
        recorder = _current
        strangers: list[Any] = []
        real_index, told_index = recorder.unwrap(index, None, strangers)
        real, told = recorder.unwrap(to, None, strangers)
        if strangers:
            recorder.foreign(operator.setitem, self, index, to)
            return
        a = self._a
        start = perf_counter_ns()
        try:
            a[real_index] = real
        except Exception as error:
            recorder.clash(operator.setitem, (a, real_index, real), NOTHING, error)
            raise
        stop = perf_counter_ns()
        kept = None
        if type(real_index) is np.ndarray and real_index.dtype.kind == "b":
            kept = int(np.count_nonzero(real_index))  # how much was written
        recorder.write("operation", operator.setitem, (self._v, told_index, told), NOTHING, self._v, start, stop, kept)

    def __hash__(self) -> int:
        # As NumPy's own arrays, in their words.
        raise TypeError("unhashable type: 'numpy.ndarray'")

    def __iter__(self) -> Iterator[Any]:
        if self._a.ndim == 0:
            return iter(self._a)  # which raises
        if self._a.ndim == 1 and self._a.dtype.names is None:  # a record looks into the array and may be written to
            _current.pull("iterate", self)
            return iter(self._a)
        return (self[index] for index in range(len(self._a)))

    def __len__(self) -> int:
        return len(self._a)

    def __contains__(self, x: Any) -> bool:
        result = _current.unwrap(x)[0] in self._a
        _current.pull("contains", self)
        return result

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        _current.pull("__array__", self)
        return np.array(self._a, dtype=dtype, copy=copy) if dtype is not None or copy else np.asarray(self._a)

    def __buffer__(self, flags: int) -> memoryview:  # called from Python 3.12 on
        _current.pull("__buffer__", self)
        return memoryview(self._a)

    def __dlpack__(self, **kwargs: Any) -> Any:
        _current.pull("__dlpack__", self)
        return self._a.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> Any:
        return self._a.__dlpack_device__()

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return self._a.__array_namespace__(api_version=api_version)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        recorder = _current
        if any(_answers(recorder, type(x), "__array_ufunc__") for x in inputs):
            return NotImplemented
        return recorder.run(ufunc if method == "__call__" else getattr(ufunc, method), *inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        recorder = _current
        if any(_answers(recorder, kind, "__array_function__") for kind in types):
            return NotImplemented
        return recorder.run(function, *args, **kwargs)

    def __copy__(self) -> Any:
        return _current.run(np.ndarray.copy, self)

    def __deepcopy__(self, memo: Any) -> Any:
        if self._a.dtype.hasobject:
            return _current.foreign(np.ndarray.__deepcopy__, self, memo)
        return _current.run(np.ndarray.copy, self)

    def __reduce_ex__(self, protocol: Any) -> Any:
        _current.pull("pickle", self)
        return self._a.__reduce_ex__(protocol)

    def __sizeof__(self) -> int:
        return int(self._a.__sizeof__())

    def __dir__(self) -> list[str]:
        return dir(self._a)

    def __getattr__(self, name: str) -> Any:
        # What only a subclass of ndarray has (the mask of a masked array, a field of a record array).
        if name in _INTERFACES:
            return self._interface(name)
        found = getattr(self._a, name)
        if isinstance(found, MethodType) and found.__self__ is self._a:
            return lambda *args, **kwargs: _current.run(found.__func__, self, *args, **kwargs)
        if isinstance(found, np.ndarray):
            return _current.note(getattr, (self._v, name), found, 0, 0)
        return found

    def _interface(self, name: str) -> Any:
        """Where the memory lies: for the program, which may ask; NumPy's C code shall ask for an array."""
        if sys._getframe(2).f_code.co_filename not in _current.files:
            raise AttributeError(name)
        _current.pull(name, self)
        return getattr(self._a, name)

    @property  # type: ignore[misc]  # it says what it stands for
    def __class__(self) -> Any:
        # Programs ask isinstance(x, np.ndarray).
        return type(self._a)

    @property
    def base(self) -> Any:
        """The array whose memory this one looks at."""
        base = self._a.base
        return _current.owner_of(base) if isinstance(base, np.ndarray) else base

    @property
    def flat(self) -> "Flat":
        """The elements in a row."""
        return Flat(self)

    @flat.setter
    def flat(self, to: Any) -> None:
        Flat(self)[:] = to

    @property
    def data(self) -> Any:
        """The memory itself, which nobody can follow."""
        _current.pull("data", self)
        return self._a.data

    @property
    def ctypes(self) -> Any:
        """The memory's address, which nobody can follow."""
        _current.pull("ctypes", self)
        return self._a.ctypes

    def resize(self, *shape: Any, refcheck: bool = True) -> None:
        """As NumPy's own, which refuses an array that others look at; it would count our own references too."""
        a = self._a
        own = _OWN_REFERENCES + (type(self) is TracedSubclass and np.ndarray.view(self, np.ndarray).base is a)
        if refcheck and a.base is None and sys.getrefcount(a) > own:
            raise ValueError(
                "cannot resize an array that references or is referenced\nby another array in this way.\n"
                "Use the np.resize function or refcheck=False"
            )
        other = a.copy(order="K") if a.flags.owndata and a.flags.forc else a  # nobody refers to a copy, not even we
        other.resize(*shape, refcheck=False)
        self._a = other
        _tell_anew(self, resized, other.shape)


_UFUNCS = {
    "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide", "mod": "remainder",
    "pow": "power", "lshift": "left_shift", "rshift": "right_shift", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "lt": "less", "le": "less_equal", "eq": "equal", "ne": "not_equal", "gt": "greater",
    "ge": "greater_equal",
}  # fmt: skip


def _furnish(space: dict[str, Any]) -> None:
    for name, function in {
        "add": operator.add, "sub": operator.sub, "mul": operator.mul, "truediv": operator.truediv,
        "floordiv": operator.floordiv, "mod": operator.mod, "pow": operator.pow, "matmul": operator.matmul,
        "lshift": operator.lshift, "rshift": operator.rshift, "and": operator.and_, "or": operator.or_,
        "xor": operator.xor, "divmod": divmod,
    }.items():  # fmt: skip
        ufunc = getattr(np, _UFUNCS.get(name, name))
        space[f"__{name}__"] = _binary(function, ufunc)
        space[f"__r{name}__"] = _reflected(function)
        if name != "divmod":
            space[f"__i{name}__"] = _in_place(getattr(operator, f"i{name}"))
    for name in ("lt", "le", "eq", "ne", "gt", "ge"):
        space[f"__{name}__"] = _binary(getattr(operator, name), getattr(np, _UFUNCS[name]))
    for name in ("neg", "pos", "abs", "invert"):
        space[f"__{name}__"] = _unary(getattr(operator, name))
    for name in ("bool", "int", "float", "complex", "index", "repr", "str", "format"):
        space[f"__{name}__"] = _pulling(f"__{name}__")
    for name in ("item", "tolist", "tobytes", "tofile", "dump", "dumps"):
        space[name] = _pulling(name)
    for name in dir(np.ndarray):
        if not name.startswith("_") and name not in space and callable(getattr(np.ndarray, name)):
            space[name] = _method(name)
    for name in ("shape", "strides", "dtype"):
        space[name] = _plain_property(name)
    for name in ("ndim", "size", "itemsize", "nbytes", "flags", "device"):
        space[name] = property(operator.attrgetter(f"_a.{name}"))
    for name in ("T", "mT", "real", "imag"):
        space[name] = _view_property(name)


_space: dict[str, Any] = dict(vars(Behaviour))
_additions: dict[str, Any] = dict.fromkeys(_space)
_furnish(_additions)
for _name, _thing in _additions.items():
    if _thing is not None:
        setattr(Behaviour, _name, _thing)


class TracedArray(Behaviour):
    """A duck that is no ndarray: what it holds cannot be read without the recorder's knowledge."""

    __slots__ = ("__weakref__", "_a", "_v")


class TracedSubclass(Behaviour, np.ndarray):  # type: ignore[misc]  # all that ndarray does is done by Behaviour
    """A duck that is an ndarray, for libraries that take nothing else; a view of the array that it holds."""

    __slots__ = ("_a", "_v")

    def __array_finalize__(self, _: Any) -> None:
        """Made by C code: nothing is known of it until it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name in ("_a", "_v"):
            self._a = np.ndarray.view(self, np.ndarray)
            self._v = _current.plain(self._a)
            return self._a if name == "_a" else self._v
        return super().__getattr__(name)


def array(real: Any, value: Value) -> TracedArray:
    """A duck that holds ``real``."""
    duck = _new(TracedArray)
    duck._a = real
    duck._v = value
    return duck


def subclass(real: Any, value: Value) -> TracedSubclass:
    """A duck that looks at ``real`` and holds it."""
    duck = np.ndarray.view(real, TracedSubclass)
    duck._a = real
    duck._v = value
    return duck


ARRAY = TracedArray, array
SUBCLASS = TracedSubclass, subclass
"""What a recorder is told: a class of ducks, and what makes one."""


class Flat:
    """The elements of a duck in a row, as ``x.flat``."""

    __slots__ = ("_duck", "_real")

    def __init__(self, duck: Any) -> None:
        self._duck = duck
        self._real = duck._a.flat

    @property
    def __pennyweight_real__(self) -> Any:
        """What NumPy is handed."""
        _current.pull("iterate", self._duck)
        return self._real

    def __getitem__(self, index: Any) -> Any:
        return _current.run(flat_get, self._duck, index)

    def __setitem__(self, index: Any, to: Any) -> None:
        _current.run(flat_set, self._duck, index, to)

    def __iter__(self) -> "Flat":
        return self

    def __next__(self) -> Any:
        if self._real.index == 0:
            _current.pull("iterate", self._duck)
        return next(self._real)

    def __len__(self) -> int:
        return len(self._real)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self.__pennyweight_real__, dtype=dtype)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def copy(self) -> Any:
        """The elements in a row, copied."""
        return self._duck.flatten()

    @property
    def base(self) -> Any:
        """The array."""
        return self._duck


def resized(array: Any, shape: tuple[int, ...]) -> Any:
    """``array.resize(shape)``: the elements in a row, cut off or followed by zeros."""
    copy = array.copy(order="K")
    copy.resize(shape, refcheck=False)
    return copy


def flat_get(array: Any, index: Any) -> Any:
    """``array.flat[index]``."""
    return array.flat[index]


def flat_set(array: Any, index: Any, to: Any) -> None:
    """``array.flat[index] = to``."""
    array.flat[index] = to
