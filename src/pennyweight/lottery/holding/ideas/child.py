"""The lottery's side in a child process: prepares rivals, calls them, judges what comes out, times them.

Called by name through `pennyweight.lottery.weighing.worker`. What is prepared stays until the process ends.
"""

import time
import timeit
from typing import Any

from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.ideas.runnable import Arrays, Job, NotAvailable, Runnable
from pennyweight.lottery.weighing.microbench import child
from pennyweight.lottery.weighing.microbench.timing import Timed

_SLOW = 0.05
"""Seconds of a call from which on single calls are timed: no batches, no warming up."""


class _Held:
    """A prepared rival and what is known of it."""

    def __init__(self, job: Job, stack: Stack) -> None:
        self.job, self.stack = job, stack
        self.runnable: Runnable = job.make(stack)
        self.out: Any = None
        self.timed: Timed | None = None

    def call(self) -> float:
        started = time.perf_counter()
        self.out = self.runnable.call()
        if self.runnable.wait is not None:
            self.runnable.wait()
        return time.perf_counter() - started

    def arrays(self) -> Arrays:
        return self.runnable.arrays(self.out)


_held: dict[str, _Held] = {}


def prepare(stack: str, job: Job) -> tuple[str, bool, str]:
    """What will be run, whether its first call compiles, and an empty string; or why the stack has no such thing."""
    try:
        _held[job.key] = _Held(job, Stack.parse(stack))
    except NotAvailable as error:
        return "", False, str(error)
    return _held[job.key].runnable.statement, _held[job.key].runnable.compiled, ""


def first(key: str) -> float:
    """Seconds of the first call."""
    return _held[key].call()


def judge(key: str) -> tuple[float, str]:
    """The error of what the last call returned, and why it is wrong, or an empty string."""
    held = _held[key]
    verdict = held.job.judge(held.stack, held.arrays())
    held.out = None
    return verdict


def settle(key: str) -> float:
    """Seconds of a later call."""
    held = _held[key]
    seconds = held.call()
    held.out = None
    if seconds < _SLOW:
        held.timed = Timed(timeit.Timer(held.runnable.call), held.runnable.wait)
        seconds = held.timed.call_seconds
    return seconds


def take(key: str, seconds: float) -> float:
    """A slice: the undisturbed seconds of a call."""
    held = _held[key]
    if held.timed is not None:
        return held.timed.low(seconds)
    seconds = held.call()
    held.out = None
    return seconds


def software(stack: str) -> dict[str, str]:
    """Names and versions of what runs below a stack."""
    parsed = Stack.parse(stack)
    if parsed.library == "onnxruntime":
        import onnxruntime  # type: ignore[import-untyped]

        return {"onnxruntime": onnxruntime.__version__, "threads": str(parsed.threads)}
    if parsed.library == "torch.compile":
        return child.software(stack.replace("torch.compile", "torch"))
    if parsed.library == "numpy":
        import scipy

        return child.software(stack) | {"scipy": scipy.__version__}
    return child.software(stack)
