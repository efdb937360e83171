"""A child process for a stack: measures and races where a crash, a hang or a setting of one stack hurts no other.

Thread counts are fixed when a library is loaded, so each stack needs a process whose environment is set before
that. A child is a fresh interpreter and not a fork; unlike `multiprocessing`'s it does not run the caller's main
module again, and gets its environment without a change to the caller's.
"""

import contextlib
import importlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe
from typing import Any, Self

from pennyweight.core.errors import WorkFailed
from pennyweight.core.stack import Stack
from pennyweight.lottery.weighing.processor import cores_in_order

_START_LIMIT = 120.0
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_MODULES = {"torch.compile": "torch"}


class CallFailed(WorkFailed):
    """What a child was asked to run raised an exception; the child lives on.

    ``kind`` is the exception's class name, ``message`` its text, ``trace`` the traceback in the child.
    """

    def __init__(self, stack: Stack, function: str, kind: str, message: str, trace: str) -> None:
        super().__init__(f"{function} on {stack}: {kind}: {message}".strip(": "))
        self.kind, self.message, self.trace = kind, message, trace


class WorkerLost(WorkFailed):
    """A child died or had to be killed; what it kept is gone, and a new `Worker` can be started."""


class Worker:
    """A child process on a stack, which runs functions one at a time and keeps its state between them.

    Leave the ``with`` block, or ``close`` it, and the child is gone, whatever it was doing.
    ``start_seconds`` is what its start took, the import of the stack's library included.

    >>> with Worker(Stack.parse("cpu/numpy/fp64/1t")) as worker:
    ...     worker.call("math:hypot", 3.0, 4.0, limit=10)
    5.0
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        started = time.perf_counter()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
        self._connection, theirs = Pipe()
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; from pennyweight.lottery.weighing.worker import serve;"
            f" serve({theirs.fileno()}, {str(stack)!r})"
        )
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                env=os.environ | environment(stack),
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=subprocess.STDOUT,
            )
        try:
            self._answer("start", _START_LIMIT)
        except BaseException:
            self.close()
            raise
        self.start_seconds = time.perf_counter() - started

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether the child can be asked."""
        return not self._connection.closed and self._process.poll() is None

    def call(self, function: str, /, *arguments: Any, limit: float, **keywords: Any) -> Any:
        """Run ``"module:name"`` in the child and return what it returns; all of it must pickle.

        Raises `CallFailed` when the function raises, and `WorkerLost` when the child dies or takes longer
        than ``limit`` seconds, after which it is killed.
        """
        if not self.alive:
            raise WorkerLost(f"the process of {self.stack} has ended already")
        try:
            self._connection.send((function, arguments, keywords))
            return self._answer(function, limit)
        except OSError:
            raise self._lost(f"ended before {function}") from None
        except KeyboardInterrupt:
            self.close()  # or its late answer would be taken for that of the next call
            raise

    def close(self) -> None:
        """End the child now. It holds nothing that would have to be saved."""
        self._connection.close()
        self._process.kill()
        self._process.wait()
        self._said.close()

    def _answer(self, function: str, limit: float) -> Any:
        try:
            if not self._connection.poll(limit):
                raise self._lost(f"did not finish {function} within {limit:g} s and was stopped")
            status, *answer = self._connection.recv()
        except (EOFError, OSError):
            raise self._lost(f"ended during {function}") from None
        if status == "error":
            raise CallFailed(self.stack, function, *answer)
        return answer[0]

    def _lost(self, what: str) -> WorkerLost:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.5)  # a crash's exit code comes a moment after the end of its pipe
        code = self._process.poll()
        if code is not None:
            what += f" ({signal.Signals(-code).name if code < 0 else f'exit code {code}'})"
        self._said.seek(0)
        words = self._said.read()[-2000:].decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(words) if line.strip()), "")
        self.close()
        return WorkerLost(f"the process of {self.stack} {what}{f'; it said: {last}' if last else ''}")


def environment(stack: Stack) -> dict[str, str]:
    """The variables that fix a stack's threads, precision and device, for a process that has loaded nothing yet."""
    variables: dict[str, str] = {}
    if stack.device == "cpu":
        variables |= dict.fromkeys(_THREADS, str(stack.threads))
    if "OMP_WAIT_POLICY" not in os.environ:
        variables["GOMP_SPINCOUNT"] = os.environ.get("GOMP_SPINCOUNT", "2000")
    # OpenBLAS's threads spin for a tenth of a second after a product, in other children's slices. 2^20 cycles
    # are enough between two products of a loop, and measured as fast as the default of 2^26.
    variables["OPENBLAS_THREAD_TIMEOUT"] = os.environ.get("OPENBLAS_THREAD_TIMEOUT", "20")
    if stack.library == "jax":
        variables["JAX_PLATFORMS"] = stack.device
        variables["JAX_ENABLE_X64"] = str(int(stack.precision == "fp64"))
        if stack.threads == 1:
            given = os.environ.get("XLA_FLAGS", "")
            variables["XLA_FLAGS"] = f"{given} --xla_cpu_multi_thread_eigen=false".strip()
    return variables


# --- the child ---


def serve(descriptor: int, name: str) -> None:
    """Answer calls until the caller goes away: what a child's interpreter runs, and nobody else."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the caller decides
    stack = Stack.parse(name)
    connection = Connection(descriptor)
    threading.Thread(target=_end_with_caller, args=(descriptor,), daemon=True).start()
    _reply(connection, lambda: _activate(stack))
    while True:
        try:
            function, arguments, keywords = connection.recv()
        except EOFError:
            return
        _reply(connection, lambda: _find(function)(*arguments, **keywords))  # noqa: B023 - called at once


def _end_with_caller(descriptor: int) -> None:
    """End this process when the other end of its pipe is closed, even while it computes."""
    poll = select.poll()
    poll.register(descriptor, 0)  # no event but the hang-up
    poll.poll()
    os._exit(1)


def _activate(stack: Stack) -> None:
    if stack.device == "cpu" and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores_in_order()[: stack.threads])
    library = importlib.import_module(_MODULES.get(stack.library, stack.library))
    if library.__name__ == "torch" and stack.threads:
        library.set_num_threads(stack.threads)


def _find(function: str) -> Callable[..., Any]:
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


def _reply(connection: Connection, work: Callable[[], Any]) -> None:
    try:
        connection.send(("result", work()))
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told
        connection.send(("error", type(error).__name__, str(error), traceback.format_exc()))
