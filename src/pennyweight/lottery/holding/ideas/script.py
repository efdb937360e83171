"""Users' array functions: a script executed, and its functions given another library in the place of NumPy.

The script runs as it is, with NumPy, so that it can make its inputs. Then copies are made of its functions, whose
globals say ``torch`` (in the form of the array API standard) or ``jax.numpy`` wherever the script's say ``numpy``:
modules, functions taken out of them, arrays, and imports inside of a function. Methods of classes keep NumPy.
"""

import ast
import builtins
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from pennyweight.core.errors import UserError, did_you_mean
from pennyweight.lottery.holding.ideas.runnable import NotAvailable

_INPUTS, _CHECK = "inputs", "check"


class ScriptFailed(Exception):
    """A script or one of its functions raised; the message says what and in which line."""


@dataclass(frozen=True)
class Script:
    """An executed script and its name space."""

    path: str
    names: Mapping[str, Any]

    def function(self, name: str) -> FunctionType:
        """A function of the script, by its name."""
        found = self.names.get(name)
        if not isinstance(found, FunctionType):
            own = [k for k, v in self.names.items() if isinstance(v, FunctionType) and v.__globals__ is self.names]
            raise UserError(
                f"no function {name} in {self.path}", expected="one of its own", hint=did_you_mean(name, own)
            )
        return found

    def inputs(self, size: str) -> tuple[Any, ...]:
        """What ``inputs(size)`` makes, or ``inputs()`` where no size is asked for; size is read as Python writes it."""
        make = self.names.get(_INPUTS)
        if not isinstance(make, FunctionType):
            raise UserError(
                f"no function inputs in {self.path}",
                expected="inputs() or inputs(size), which returns a tuple of NumPy arrays for its rivals",
            )
        if size and not inspect.signature(make).parameters:
            raise UserError(f"--size {size}", expected=f"none: inputs() of {self.path} takes no size")
        made = make(_literal(size)) if size else make()
        inputs = tuple(made) if isinstance(made, (tuple, list)) else (made,)
        for value in inputs:
            if not isinstance(value, (np.ndarray, np.generic, int, float, complex, str, type(None))):
                raise UserError(
                    f"a {type(value).__name__} from inputs() of {self.path}", expected="NumPy arrays, and numbers"
                )
        return inputs

    def check(self, outputs: tuple[Any, ...], inputs: tuple[Any, ...]) -> str | None:
        """What the script's own ``check(output, inputs)`` says: "" for right, else why not; None without one."""
        check = self.names.get(_CHECK)
        if not callable(check):
            return None
        try:
            passed = check(outputs[0] if len(outputs) == 1 else outputs, inputs)
        except Exception as error:  # noqa: BLE001 - an assertion in a check is its verdict
            return f"the script's check says: {said(error)}"
        return "" if passed is None or passed else "the script's check says no"


def _literal(size: str) -> Any:
    try:
        return ast.literal_eval(size)
    except (ValueError, SyntaxError):
        return size


@cache
def execute(path: str) -> Script:
    """The script, executed once in this process under a name that is not ``__main__``."""
    name = f"rivals_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(Path(path).absolute().parent))
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - SystemExit is no better a reason to end
        raise ScriptFailed(f"{path}{_line(error, path)}: {said(error)}") from None
    return Script(path, vars(module))


def said(error: BaseException) -> str:
    """The last line of what an error prints."""
    return traceback.format_exception_only(error)[-1].strip().splitlines()[0]


def _line(error: BaseException, path: str) -> str:
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    whole = Path(path).absolute()
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename).absolute() == whole]
    return f", line {lines[-1]}" if lines else ""


def where(error: BaseException, path: str) -> str:
    """An error of a script with its line, in one line."""
    line = _line(error, path)
    return f"{said(error)}{f' ({line[2:]})' if line else ''}"


# --- in which library a function is written ---


def written_in(function: FunctionType) -> str:
    """``torch`` or ``jax`` where it or a function that it calls names one of them; else ``numpy``."""
    found = {root for name in _used(function, set()) if (root := name.partition(".")[0]) in ("torch", "jax")}
    return sorted(found)[-1] if found else "numpy"


def _used(function: FunctionType, seen: set[int]) -> Iterator[str]:
    """Modules of the globals that a function names, and those of its script's functions that it calls."""
    if id(function) in seen:
        return
    seen.add(id(function))
    codes = [function.__code__]
    for code in codes:
        codes += [constant for constant in code.co_consts if inspect.iscode(constant)]
        for name in code.co_names:
            found = function.__globals__.get(name)
            if isinstance(found, ModuleType):
                yield found.__name__
            elif isinstance(found, FunctionType) and found.__globals__ is function.__globals__:
                yield from _used(found, seen)
            elif callable(found):
                yield str(getattr(found, "__module__", "") or "")


# --- with another library in NumPy's place ---


def rebound(function: FunctionType, namespace: ModuleType, array: Callable[[Any], Any]) -> FunctionType:
    """A copy of a script's function that finds ``namespace`` wherever it names NumPy; ``array`` converts arrays.

    What the namespace lacks is left out of the globals of the copy, so that it is named when it is missed.
    """
    names: dict[str, Any] = {"__builtins__": vars(builtins) | {"__import__": _importer(namespace)}}
    for name, found in function.__globals__.items():
        if name != "__builtins__":
            names[name] = _replaced(found, function.__globals__, names, namespace, array)
    missing = [name for name, found in names.items() if found is _MISSING]
    for name in missing:
        del names[name]
    copy: FunctionType = names.get(function.__name__) or _copied(function, names)
    return copy


_MISSING = object()


def _replaced(
    found: Any, old: Mapping[str, Any], new: dict[str, Any], namespace: ModuleType, array: Callable[[Any], Any]
) -> Any:
    if isinstance(found, ModuleType):
        return _home(namespace, found.__name__) if _is_numpys(found.__name__) else found
    if isinstance(found, np.ndarray):
        return array(found)
    if isinstance(found, FunctionType) and found.__globals__ is old:
        return _copied(found, new)
    home = getattr(found, "__module__", "") or ""
    if isinstance(found, np.ufunc) or (callable(found) and isinstance(home, str) and _is_numpys(home)):
        inner = home if isinstance(home, str) and _is_numpys(home) else "numpy"
        return getattr(_home(namespace, inner), str(getattr(found, "__name__", "")), _MISSING)
    return found


def _is_numpys(name: str) -> bool:
    return name.partition(".")[0] == "numpy"


def _home(namespace: ModuleType, name: str) -> Any:
    """``numpy.linalg`` of a namespace; its top where it has no such part (functions say odd homes)."""
    found: Any = namespace
    for part in name.split(".")[1:]:
        found = getattr(found, part, found)
    return found


def _copied(function: FunctionType, names: dict[str, Any]) -> FunctionType:
    copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _importer(namespace: ModuleType) -> Callable[..., Any]:
    def find(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:  # noqa: A002
        if level == 0 and _is_numpys(name):
            return _home(namespace, name) if fromlist else namespace
        return builtins.__import__(name, globals, locals, fromlist, level)

    return find


def require(function: FunctionType, library: str) -> None:
    """Refuse a stack whose library the function is not written for."""
    own = written_in(function)
    takers = {"torch": ("torch", "torch.compile", "onnxruntime"), "jax": ("jax",)}.get(own)
    if takers is not None and library not in takers:
        raise NotAvailable(f"it is written in {own}")
