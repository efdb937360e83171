"""A script's function as a rival: its inputs in a stack's library and precision, the function for it, its quality."""

import inspect
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.ideas import script as scripts
from pennyweight.lottery.holding.ideas.layer import relative_error
from pennyweight.lottery.holding.ideas.runnable import Arrays, NotAvailable, Runnable
from pennyweight.lottery.weighing.microbench.benchmarks import DTYPES
from pennyweight.lottery.weighing.microbench.on_numpy import placed

TOLERANCES = {"fp64": 1e-3, "fp32": 1e-3, "bf16": 3e-2}
"""Relative errors of floating outputs, by the precision of the stack."""
SHARES = {"fp64": 1e-2, "fp32": 1e-2, "bf16": 3e-2}
"""Shares of the elements of other outputs (indices of the nearest, say) that may differ: rounding decides near ties."""


@dataclass(frozen=True, kw_only=True)
class FunctionJob:
    """A function of a script at a size, with its inputs in float64 and the outputs that it should give.

    ``tolerance`` None takes those of the stack's precision. Without a ``reference`` nothing is compared.
    """

    path: str
    name: str
    size: str
    inputs: tuple[Any, ...]
    reference: tuple[NDArray[Any], ...] | None = None
    tolerance: float | None = None

    @property
    def key(self) -> str:
        """Tells it from the others."""
        return f"{self.path}::{self.name} {self.size}"

    def make(self, stack: Stack) -> Runnable:
        """The function on a stack's library; raises `NotAvailable` where it is written for another one."""
        script = scripts.execute(self.path)
        function = script.function(self.name)
        scripts.require(function, stack.library)
        inputs = [cast(value, stack.precision) for value in self.inputs]
        return _MAKERS[stack.library](function, inputs, stack)

    def judge(self, stack: Stack, outputs: Arrays) -> tuple[float, str]:
        """The largest error of an output, or the script's own verdict."""
        script = scripts.execute(self.path)
        error, wrong = 0.0, ""
        if self.reference is not None:
            error, wrong = compare(outputs, self.reference, *allowed(stack.precision, self.tolerance))
        own = script.check(tuple(outputs), self.inputs)
        return error, wrong if own is None else own


def cast(value: Any, precision: str) -> Any:
    """Floating arrays in a precision; bfloat16 stays float32 until a library that has it takes over."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return placed(value.astype(DTYPES["fp32" if precision == "bf16" else precision]))
    return value


def allowed(precision: str, tolerance: float | None) -> tuple[float, float]:
    """The largest relative error of floating outputs, and the largest share of others that may differ."""
    return (TOLERANCES[precision], SHARES[precision]) if tolerance is None else (tolerance, tolerance)


def compare(outputs: Arrays, reference: Arrays, error_allowed: float, share_allowed: float) -> tuple[float, str]:
    """The largest error, and what is wrong where it is beyond what is allowed.

    Of floating outputs it is the relative error in the Frobenius norm, of others the share of elements that differ.
    """
    if len(outputs) != len(reference):
        return float("inf"), f"it gives {len(outputs)} outputs and not {len(reference)}"
    worst, wrong = 0.0, ""
    for given, expected in zip(outputs, reference, strict=True):
        if given.shape != expected.shape:
            return float("inf"), f"its output has the shape {given.shape} and not {expected.shape}"
        exact = expected.dtype.kind not in "fc"
        error = float((given != expected).mean()) if exact and given.size else relative_error(given, expected)
        worst = max(worst, error)
        if exact and error > share_allowed:
            wrong = f"{error:.2%} of its elements differ, and {share_allowed:.2%} may"
        elif not exact and error > error_allowed:
            wrong = f"its error of {error:.2g} is beyond {error_allowed:g}"
    return worst, wrong


# --- one library at a time ---


def _called(function: Callable[..., Any], arguments: Sequence[Any], namespace: Any) -> Callable[[], Any]:
    """A call with the arguments, and with the namespace where the function asks for ``xp``."""
    if "xp" in inspect.signature(function).parameters:
        return lambda: function(*arguments, xp=namespace)
    return lambda: function(*arguments)


def _numpy(function: FunctionType, inputs: Sequence[Any], stack: Stack) -> Runnable:
    return Runnable(call=_called(function, inputs, np), arrays=_only(np.ndarray, "NumPy"), statement=function.__name__)


def _torch(function: FunctionType, inputs: Sequence[Any], stack: Stack) -> Runnable:
    from pennyweight.lottery.holding.ideas.on_torch import runnable

    compute, arguments = _in_torch(function, inputs, stack)
    made = runnable(compute, arguments, stack, _named(function, "torch"))
    import torch

    return Runnable(
        call=made.call,
        arrays=lambda out: made.arrays(_all_of(out, torch.Tensor, "torch")),
        statement=made.statement,
        wait=made.wait,
        compiled=made.compiled,
    )


def _in_torch(function: FunctionType, inputs: Sequence[Any], stack: Stack) -> tuple[Callable[..., Any], list[Any]]:
    """The function with torch in NumPy's place, and its inputs as tensors."""
    import torch
    from array_api_compat import torch as namespace

    dtype: torch.dtype = getattr(torch, DTYPES[stack.precision])

    def tensor(value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        made = torch.from_numpy(value.copy()).to(stack.device)
        return made.to(dtype) if made.is_floating_point() else made

    changed = scripts.rebound(function, namespace, tensor)
    wants = "xp" in inspect.signature(function).parameters

    def compute(*arguments: Any) -> Any:
        return changed(*arguments, xp=namespace) if wants else changed(*arguments)

    return compute, [tensor(value) for value in inputs]


def _jax(function: FunctionType, inputs: Sequence[Any], stack: Stack) -> Runnable:
    """Compiled as a whole where JAX can, else operation by operation."""
    import jax
    import jax.numpy as jnp

    from pennyweight.lottery.holding.ideas.on_jax import runnable

    def array(value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        if value.dtype.kind == "f":
            return jnp.asarray(value, DTYPES[stack.precision])
        return jnp.asarray(value, jax.dtypes.canonicalize_dtype(value.dtype))

    changed = scripts.rebound(function, jnp, array)
    arguments = [array(value) for value in inputs]
    places = [place for place, value in enumerate(arguments) if isinstance(value, jax.Array)]

    def compute(*arrays: jax.Array) -> Any:
        given = list(arguments)
        for place, value in zip(places, arrays, strict=True):
            given[place] = value
        return changed(*given, xp=jnp) if wants else changed(*given)

    wants = "xp" in inspect.signature(function).parameters
    traced = [arguments[place] for place in places]
    compiled = jax.jit(compute)
    try:
        compiled.lower(*traced)
        made = runnable(compiled, traced, _named(function, "jax.numpy, jit"))
    except (jax.errors.JAXTypeError, jax.errors.JAXIndexError, IndexError, TypeError):
        made = runnable(compute, traced, f"{_named(function, 'jax.numpy')}, which jit refuses")
    return Runnable(
        call=made.call,
        arrays=lambda out: made.arrays(_all_of(out, jax.Array, "jax")),
        statement=made.statement,
        compiled=True,
    )


def _onnxruntime(function: FunctionType, inputs: Sequence[Any], stack: Stack) -> Runnable:
    """The torch version, exported to ONNX."""
    import torch

    from pennyweight.lottery.holding.ideas.on_onnxruntime import session

    compute, arguments = _in_torch(function, inputs, stack)
    places = [place for place, value in enumerate(arguments) if isinstance(value, torch.Tensor)]

    class Exported(torch.nn.Module):
        def forward(self, *tensors: torch.Tensor) -> Any:
            given = list(arguments)
            for place, value in zip(places, tensors, strict=True):
                given[place] = value
            return compute(*given)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        program = torch.onnx.export(Exported(), tuple(arguments[place] for place in places), dynamo=True, verbose=False)
        assert program is not None
        program.save(str(path))
        ready = session(path.read_bytes(), stack)
    feeds = {node.name: inputs[place] for node, place in zip(ready.get_inputs(), places, strict=True)}
    return Runnable(
        call=lambda: ready.run(None, feeds), arrays=list, statement=f"{function.__name__}, exported from torch to ONNX"
    )


_MAKERS: dict[str, Callable[[FunctionType, Sequence[Any], Stack], Runnable]] = {
    "numpy": _numpy,
    "torch": _torch,
    "torch.compile": _torch,
    "jax": _jax,
    "onnxruntime": _onnxruntime,
}


def _named(function: FunctionType, library: str) -> str:
    return function.__name__ if scripts.written_in(function) != "numpy" else f"{function.__name__} with {library}"


def _only(kind: type, library: str) -> Callable[[Any], Arrays]:
    return lambda out: [np.asarray(one) for one in _all_of(out, kind, library)]


def _all_of(out: Any, kind: type, library: str) -> list[Any]:
    """The outputs as a list, when they are the library's own; a plain number may come from anywhere."""
    outputs = list(out) if isinstance(out, (tuple, list)) else [out]
    for one in outputs:
        if not isinstance(one, (kind, bool, int, float, complex, np.generic)):
            raise NotAvailable(f"its result is {_article(type(one))} and not {library}'s: the work left {library}")
    return outputs


def _article(kind: type) -> str:
    return f"a {kind.__module__.partition('.')[0]} {kind.__name__}"
