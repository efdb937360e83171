"""``with pennyweight.trace() as tape``: trace a block of a program that runs already.

Its source was compiled long ago, so calls cannot be led elsewhere (`calls`). Instead, while the block runs, the names
that it uses are: modules of arrays in the globals of the user's own modules become facades, and arrays in the globals
and locals of the block become ducks. At the end all of that is put back, and ducks that are found are arrays again.
"""

import ctypes
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from types import FrameType, ModuleType, TracebackType
from typing import Any

import numpy as np

from pennyweight.arrays.trace import duck
from pennyweight.arrays.trace.calls import Ways, is_users
from pennyweight.arrays.trace.operations import Tape
from pennyweight.arrays.trace.recorder import LITERALS, MAX_ENTRIES, Recorder

_RANDOM = (np.random.Generator, np.random.RandomState)


class _Called:
    """A function of a library, called by way of the recorder; what hangs on it (``np.add.reduce``) too."""

    def __init__(self, ways: Ways, function: Any) -> None:
        self._ways = ways
        self._function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        out = self._ways.back(self._ways.way(self._function)(*args, **kwargs))
        return _Drawing(self._ways, out) if isinstance(out, _RANDOM) else out

    def __getattr__(self, name: str) -> Any:
        return _faced(self._ways, getattr(self._function, name))


class _Facade(ModuleType):
    """A module of a library whose functions are called by way of the recorder."""

    def __init__(self, ways: Ways, module: ModuleType) -> None:
        super().__init__(module.__name__)
        self.__dict__["_ways"] = ways
        self.__dict__["_module"] = module

    def __getattr__(self, name: str) -> Any:
        return _faced(self.__dict__["_ways"], getattr(self.__dict__["_module"], name))

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["_module"], name, value)

    def __dir__(self) -> Iterable[str]:
        return dir(self.__dict__["_module"])


class _Drawing:
    """A generator of random numbers whose methods are called by way of the recorder; what they draw comes in there."""

    def __init__(self, ways: Ways, real: Any) -> None:
        self._ways = ways
        self.__pennyweight_real__ = real

    @property  # type: ignore[misc]  # as an object may, for isinstance
    def __class__(self) -> type:
        return type(self.__pennyweight_real__)

    def __getattr__(self, name: str) -> Any:
        return _faced(self._ways, getattr(self.__pennyweight_real__, name))


def _faced(ways: Ways, found: Any) -> Any:
    if isinstance(found, ModuleType):
        return _Facade(ways, found)
    if isinstance(found, _RANDOM):
        return _Drawing(ways, found)
    if callable(found) and not isinstance(found, type):
        return _Called(ways, found)
    return found


class trace:  # noqa: N801 - used as a function
    """Trace a block of NumPy or torch code; gives the `Tape`, which is complete when the block has ended.

    >>> import numpy as np, pennyweight
    >>> x = np.ones((100, 3))
    >>> with pennyweight.trace() as tape:
    ...     y = x - x.mean(axis=0)
    >>> [op.name for op in tape.operations], tape.captured
    (['outside', 'mean', 'subtract'], True)

    Seen are arrays in the globals of the user's modules and the locals of the block, in lists, tuples, dictionaries and
    objects of the user's too, and all that is made of them by the user's own modules. An array that turns up and was
    seen neither there nor being made is named in ``tape.lost``, and the tape then does not count as captured. After
    ``limit`` operations recording ends. ``fake`` runs torch on tensors that have shapes and hold nothing, so that a
    program too large for this machine can be traced.

    Raises RuntimeError inside of another trace, and where the tape is asked before the block has ended.
    """

    def __init__(self, *, limit: int = MAX_ENTRIES, fake: bool = False) -> None:
        self._limit = limit
        self._fake = fake
        self._context = ExitStack()
        self._ducks: dict[int, Any] = {}

    def __enter__(self) -> Tape:
        if duck.is_attached():
            raise RuntimeError("this block runs inside of a trace already, whose tape holds what it does")
        frame = sys._getframe(1)
        own = _own_modules()
        files = {frame.f_code.co_filename, *(str(module.__file__) for module in own)}
        self._recorder = recorder = Recorder(*duck.ARRAY, files=files, limit=self._limit)
        recorder.strict = True
        recorder.own |= {str(frame.f_globals.get("__name__", "")), *(module.__name__ for module in own)}
        duck.attach(recorder)
        ways = Ways(recorder)
        for space in self._spaces(frame):
            self._face(space, ways)
            self._watch(space)
        if frame.f_locals is not frame.f_globals:
            _change_locals(frame, self._face, ways)
            _change_locals(frame, self._watch)
        recorder.bystanders = len(recorder.stream)
        if self._fake or "torch" in sys.modules:
            from pennyweight.arrays.trace.torch_mode import watch

            watch(recorder, self._context, fake=self._fake)
        return Tape(recorder.tape)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context.close()
        self._ducks.clear()
        self._recorder.stop()
        frame = sys._getframe(1)
        for space in self._spaces(frame):
            self._restore(space)
        if frame.f_locals is not frame.f_globals:
            _change_locals(frame, self._restore)

    def _spaces(self, frame: FrameType) -> list[dict[str, Any]]:
        """The globals of the block and of the user's other modules."""
        return [frame.f_globals, *(vars(m) for m in _own_modules() if vars(m) is not frame.f_globals)]

    def _face(self, space: dict[str, Any], ways: Ways) -> None:
        for name, found in list(space.items()):
            if not name.startswith("__") and _is_of_arrays(found):
                space[name] = _faced(ways, found)

    def _watch(self, space: dict[str, Any]) -> None:
        for name, found in list(space.items()):
            if not name.startswith("__"):
                space[name] = self._within(found, np.ndarray, self._duck_for)

    def _restore(self, space: dict[str, Any]) -> None:
        for name, found in list(space.items()):
            if isinstance(found, _Facade):
                space[name] = found.__dict__["_module"]
            elif isinstance(found, _Called):
                space[name] = found._function
            elif type(found) is _Drawing:
                space[name] = found.__pennyweight_real__
            elif not name.startswith("__"):
                space[name] = self._within(found, duck.TracedArray, lambda array: array._a)

    def _duck_for(self, array: Any) -> Any:
        """One duck for an array, under however many names it goes."""
        if id(array) not in self._ducks:
            self._ducks[id(array)] = self._recorder.source(array, "outside")
        return self._ducks[id(array)]

    def _within(self, found: Any, kind: type, change: Callable[[Any], Any], depth: int = 3) -> Any:
        """Change the arrays of a kind in what a name stands for: itself, in containers, in the user's own objects."""
        holder = type(found)
        if holder is kind:
            return change(found)
        if depth == 0:
            return found
        if holder is tuple or holder is list:
            if LITERALS.issuperset(map(type, found)):
                return found
            parts = [self._within(part, kind, change, depth - 1) for part in found]
            if all(a is b for a, b in zip(parts, found, strict=True)):
                return found
            if holder is tuple:
                return tuple(parts)
            found[:] = parts
        elif holder is dict:
            self._within_each(found, kind, change, depth)
        elif holder.__module__ in self._recorder.own and hasattr(found, "__dict__") and not isinstance(found, type):
            self._within_each(vars(found), kind, change, depth)
        return found

    def _within_each(self, found: dict[Any, Any], kind: type, change: Callable[[Any], Any], depth: int) -> None:
        for key, part in list(found.items()):
            changed = self._within(part, kind, change, depth - 1)
            if changed is not part:
                found[key] = changed


def _own_modules() -> list[ModuleType]:
    return [m for m in list(sys.modules.values()) if is_users(getattr(m, "__file__", None))]


def _is_of_arrays(found: Any) -> bool:
    """Whether a name stands for a module of another library, or a function or a generator of NumPy's."""
    if isinstance(found, _RANDOM):
        return True
    if isinstance(found, ModuleType):
        root = found.__name__.partition(".")[0]
        return (
            root not in sys.stdlib_module_names
            and root != "pennyweight"
            and not is_users(getattr(found, "__file__", ""))
        )
    if isinstance(found, type) or not callable(found):
        return False
    home = getattr(found, "__module__", None) or ""
    return isinstance(found, np.ufunc) or (isinstance(home, str) and home.partition(".")[0] == "numpy")


def _change_locals(frame: FrameType, change: Callable[..., None], *args: Any) -> None:
    """Change the local variables of a running function (a debugger's way; from Python 3.13 on f_locals does it)."""
    space = frame.f_locals
    change(space, *args)
    if sys.version_info < (3, 13):
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
