"""Our own frames, hidden from who looks at the program: tracebacks that it prints, warnings that it gives.

Between the program and NumPy stand frames of ours. NumPy's warnings arise in them, and tracebacks show them, unless
something is done about it. What is set here is not set back: one program runs in a process.
"""

import contextlib
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

_PACKAGE = str(Path(__file__).parents[2])
_IMPORTING = "<frozen importlib"
# Modules in which NumPy is called, and so warns.
_SPOKEN_FROM = ("calls", "duck", "iteration", "recorder")


def unwound(error: BaseException) -> BaseException:
    """The error with none of our frames in its traceback, nor in those of its causes."""
    left, seen = [error], set()
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = _without_ours(one.__traceback__)
        left += [inner for inner in (one.__cause__, one.__context__) if inner is not None]
        left += getattr(one, "exceptions", ())
    return error


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    steps = []
    while trace is not None:
        steps.append(trace)
        trace = trace.tb_next
    ours = [_is_ours(step.tb_frame) for step in steps]
    # Python hides the frames of an import by itself, but not when one of ours is among them.
    for order in (range(1, len(steps)), range(len(steps) - 2, -1, -1)):
        for i in order:
            beside = ours[i - 1] if order.step > 0 else ours[i + 1]
            ours[i] = ours[i] or (beside and steps[i].tb_frame.f_code.co_filename.startswith(_IMPORTING))
    following: TracebackType | None = None
    for step, is_ours in zip(reversed(steps), reversed(ours), strict=True):
        if not is_ours:
            step.tb_next = following
            following = step
    return following


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_PACKAGE)


def hide() -> None:
    """Take our frames out of every traceback that the program, or Python for it, may print."""
    in_thread, in_vain = threading.excepthook, sys.unraisablehook

    def of_thread(args: Any) -> None:
        unwound(args.exc_value)
        # The traceback is handed over beside the error.
        in_thread(threading.ExceptHookArgs((args.exc_type, args.exc_value, args.exc_value.__traceback__, args.thread)))

    def of_nobody(args: Any) -> None:
        if args.exc_value is not None:
            unwound(args.exc_value)
        in_vain(args)

    threading.excepthook = of_thread
    sys.unraisablehook = of_nobody
    for name in ("walk_tb", "_walk_tb_with_full_positions", "walk_stack"):
        if hasattr(traceback, name):
            setattr(traceback, name, _skipping(getattr(traceback, name)))


def _skipping(walk: Any) -> Any:
    def walking(start: Any) -> Iterator[Any]:
        if start is None and walk.__name__ == "walk_stack":
            start = sys._getframe(1).f_back
        return (step for step in walk(start) if not _is_ours(step[0]))

    return walking


@contextlib.contextmanager
def placing_warnings(files: set[str]) -> Iterator[None]:
    """Warnings that arise in our frames are given again at the line of the program that led there, by its own rules."""
    show = warnings._showwarnmsg  # type: ignore[attr-defined]

    def place(message: Any) -> None:
        frame: FrameType | None = sys._getframe(1) if message.filename.startswith(_PACKAGE) else None
        while frame is not None and frame.f_code.co_filename not in files:
            frame = frame.f_back
        if frame is None:
            show(message)
            return
        space = frame.f_globals
        warnings.warn_explicit(
            message.message,
            message.category,
            frame.f_code.co_filename,
            frame.f_lineno,
            module=space.get("__name__"),
            registry=space.setdefault("__warningregistry__", {}),
            source=message.source,
        )

    ours = [sys.modules[f"pennyweight.arrays.trace.{name}"] for name in _SPOKEN_FROM]
    for module in ours:
        vars(module)["__warningregistry__"] = None  # whether it was said before is the line's affair, not ours
    warnings._showwarnmsg = place  # type: ignore[attr-defined]
    warnings.filterwarnings("always", module=r"pennyweight\.arrays\.trace\.")
    try:
        yield
    finally:
        warnings._showwarnmsg = show  # type: ignore[attr-defined]
