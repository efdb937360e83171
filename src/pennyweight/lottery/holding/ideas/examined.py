"""Rivals of a script looked at once, before anything is timed: what each should give, whether all agree, their work.

The reference is what the first rival gives in float64. The work is counted on the tape of one call in float32
(`pennyweight.trace`), and holds for a rival in whatever library it then runs.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pennyweight.arrays.trace.operations import Tape
from pennyweight.core.errors import UserError
from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.card import Work
from pennyweight.lottery.holding.ideas import script as scripts
from pennyweight.lottery.holding.ideas.functions import FunctionJob, allowed, cast, compare
from pennyweight.lottery.holding.ideas.script import ScriptFailed
from pennyweight.lottery.weighing.microbench.benchmarks import DTYPES, ITEMSIZE
from pennyweight.lottery.weighing.work import Step, steps_of

_SHOWN = "fp32"


@dataclass(frozen=True, kw_only=True)
class Examined:
    """A rival: its docstring's first line, the library that it is written in, and what it gives in float64.

    ``inputs`` are what it was given. ``works`` is its work by precision, None where the tape is no proof of it;
    ``counted`` says how, or why not.
    """

    name: str
    what: str
    written_in: str
    inputs: tuple[Any, ...]
    outputs: tuple[NDArray[Any], ...]
    works: dict[str, Work] | None
    counted: str


def examine(path: str, names: Sequence[str], size: str, tolerance: float | None) -> list[Examined]:
    """Execute the script, call each rival in float64 and on the tape; runs in a child process.

    Raises `ScriptFailed` for what the script raises, and UserError for rivals that do not agree or change their
    inputs, for functions that are not there, and for a script without ``inputs``.
    """
    script = scripts.execute(path)
    functions = [script.function(name) for name in names]
    try:
        inputs = script.inputs(size)
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a user's script raises
        raise ScriptFailed(f"{path}::inputs raised {scripts.where(error, path)}") from None
    found = [_examined(path, function, inputs, size) for function in functions]
    for one in found:
        own = script.check(one.outputs, inputs)
        _, wrong = compare(one.outputs, found[0].outputs, *allowed("fp64", tolerance)) if own is None else (0.0, own)
        if wrong:
            against = "its check" if own is not None else found[0].name
            raise UserError(
                f"{one.name} against {against}: {wrong}",
                expected="rivals that are equally right on the same inputs",
                hint="give --tolerance, or a check(output, inputs) in the script that says what is right",
            )
    return found


def _examined(path: str, function: FunctionType, inputs: tuple[Any, ...], size: str) -> Examined:
    library = scripts.written_in(function)
    stack = Stack.parse(f"cpu/{library}/fp64/1t")
    if library == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    job = FunctionJob(path=path, name=function.__name__, size=size, inputs=inputs)
    try:
        made = job.make(stack)
        outputs = tuple(made.arrays(made.call()))
        _refuse_writing(function, inputs)
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001 - the same
        raise ScriptFailed(f"{path}::{function.__name__} raised {scripts.where(error, path)}") from None
    works, counted = _works(function, inputs, outputs, library)
    return Examined(
        name=function.__name__,
        what=(inspect.getdoc(function) or "").partition("\n")[0].strip().rstrip("."),
        written_in=library,
        inputs=inputs,
        outputs=outputs,
        works=works,
        counted=counted,
    )


def _refuse_writing(function: FunctionType, inputs: Sequence[Any]) -> None:
    """Refuse a function that writes into its inputs: its second call would be given others than the first."""
    arguments, kept, call = _shown(function, inputs)
    call(arguments)
    for number, (old, new) in enumerate(zip(kept, arguments, strict=True), 1):
        if isinstance(old, np.ndarray) and not np.array_equal(old, np.asarray(new), equal_nan=old.dtype.kind in "fc"):
            raise UserError(
                f"{function.__name__} writes into its inputs (number {number})",
                expected="rivals that leave them as they are, since they are called many times",
                hint="let it work on a copy",
            )


# --- work ---


def _works(
    function: FunctionType, inputs: Sequence[Any], outputs: Sequence[NDArray[Any]], library: str
) -> tuple[dict[str, Work] | None, str]:
    if library == "jax":
        return None, "not counted: functions written in JAX are not traced"
    try:
        tape = _taped(function, inputs)
    except Exception as error:  # noqa: BLE001 - a rival that the tracer cannot follow is raced all the same
        return None, f"not counted: the tracer met {scripts.said(error)}"
    if not tape.captured:
        lost = "; ".join(f"line {where.line}: {what}" for where, what in tape.lost[:2])
        return None, f"not counted: the tracer could not follow it{f' ({lost})' if lost else ''}"
    if unknown := sorted({op.name for op in tape.inside if not op.counted}):
        return None, f"not counted: the work of {', '.join(unknown)} is not known"
    steps = steps_of(tape.inside)
    shown = [value for value in inputs if isinstance(value, np.ndarray)]
    return {
        precision: Work(
            steps=tuple(_in_precision(step, dtype) for step in steps),
            num_bytes=float(sum(_bytes(array, dtype) for array in (*shown, *outputs))),
        )
        for precision, dtype in DTYPES.items()
    }, f"counted on the tape of one call, {len(steps)} operations"


def _shown(function: FunctionType, inputs: Sequence[Any]) -> tuple[list[Any], list[Any], Any]:
    """The inputs in float32 in the function's own library, copies of them, and a way to call it with such."""
    arguments = [cast(value, _SHOWN) for value in inputs]
    arguments = [value.copy() if isinstance(value, np.ndarray) else value for value in arguments]
    kept = [value.copy() if isinstance(value, np.ndarray) else value for value in arguments]
    if scripts.written_in(function) == "torch":
        import torch

        arguments = [torch.from_numpy(value) if isinstance(value, np.ndarray) else value for value in arguments]
    elif scripts.written_in(function) == "jax":
        return arguments, kept, lambda given: None  # its arrays cannot be written into
    wants = "xp" in inspect.signature(function).parameters
    return arguments, kept, lambda given: function(*given, xp=np) if wants else function(*given)


def _taped(function: FunctionType, inputs: Sequence[Any]) -> Tape:
    from pennyweight.arrays.trace.context import trace

    given, _, call = _shown(function, inputs)
    with trace() as tape:
        call(given)
    return tape


def _in_precision(step: Step, dtype: str) -> Step:
    """A step as a stack of another precision does it: floats become its format, and bytes shrink or grow alike.

    A step that NumPy did in float64, because a number of the script was one, is no more work than in float32.
    """
    if step.dtype not in ("float32", "float64"):
        return step
    scale = ITEMSIZE[dtype] / ITEMSIZE[step.dtype]
    return replace(step, dtype=dtype, num_bytes=step.num_bytes * scale)


def _bytes(array: NDArray[Any], dtype: str) -> int:
    return array.size * ITEMSIZE[dtype] if array.dtype.kind == "f" else array.nbytes
