"""Run somebody's program under trace, in this process, so that it notices nothing.

It sees the arguments, the ``__main__`` module, the warnings, the exit code and the traceback that it would see without
us. One program runs in a process: what is set here is not set back.
"""

import builtins
import contextlib
import ctypes
import gc
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Literal

from pennyweight.arrays.trace import calls, duck
from pennyweight.arrays.trace.frames import hide, placing_warnings, unwound
from pennyweight.arrays.trace.recorder import MAX_ENTRIES, Recorder
from pennyweight.arrays.trace.tape import Clash, RawTape

Ending = Literal["done", "raised", "exited", "time limit", "interrupted", "syntax"]
_FRAMES = 40
"""Frames of ours that stand below the program and between it and NumPy: they shall not count as its recursion."""
_WAKE = signal.SIGURG


class TimeUp(BaseException):
    """Raised in the program when its time is over; not an Exception, so that the program lets it pass."""


@dataclass(kw_only=True)
class Session:
    """A program that was run: its tape and how it ended.

    ``code`` is the exit code that it would have had, ``error`` and ``error_line`` what it raised and where; ``clash``
    is the operation that it ended by, where that was one whose arrays did not fit.
    """

    tape: RawTape
    ending: Ending
    code: int
    error: str = ""
    seconds: float = 0.0
    error_line: int = 0
    clash: Clash | None = None


def run_script(
    script: Path | str,
    arguments: Sequence[str],
    *,
    function: str = "",
    seconds: float | None = None,
    limit: int = MAX_ENTRIES,
    subclass: bool = False,
    fake: bool = False,
) -> Session:
    """Run a script as ``python script arguments`` would, and return what was written.

    ``function`` limits the tape's spans to the calls of one function (``name`` or ``Class.name``). After
    ``seconds`` the program is stopped. ``subclass`` gives it ducks that are true ndarrays; ``fake`` gives it tensors of
    torch that have shapes and hold nothing.
    """
    filename = _absolute(os.fspath(script))
    recorder = Recorder(*(duck.SUBCLASS if subclass else duck.ARRAY), files={filename}, limit=limit)
    recorder.own.add("__main__")
    recorder.marks = [] if function else None
    duck.attach(recorder)
    try:
        code = calls.compile_traced(Path(script).read_bytes(), filename, function=function)
    except (SyntaxError, ValueError) as error:  # a null byte is a ValueError
        sys.excepthook(type(error), error.with_traceback(None), None)
        line = getattr(error, "lineno", None) or 0
        return Session(tape=recorder.stop(), ending="syntax", code=1, error=_said(error), error_line=line)
    calls.install(recorder)
    module = _become_main(filename, [os.fspath(script), *arguments])
    calls.Finder(recorder).install()
    hide()
    session = Session(tape=recorder.tape, ending="done", code=0)
    process, started = os.getpid(), time.perf_counter()
    with contextlib.ExitStack() as context:
        context.enter_context(_quieter_collector())
        context.enter_context(placing_warnings(recorder.files))
        watch_torch(recorder, context, fake=fake)
        try:
            with _time_limit(seconds, recorder):
                _execute(session, recorder, lambda: exec(code, vars(module)))
        except TimeUp:
            session.ending, session.code = "time limit", 124
    session.seconds = time.perf_counter() - started
    if os.getpid() != process:  # the program forked, and this is the child, which ends as the program's child would
        raise SystemExit(session.code)
    recorder.stop(copy=False)
    return session


def watch_torch(recorder: Recorder, context: contextlib.ExitStack, *, fake: bool) -> None:
    """Have torch write to the tape too, from the moment that the program imports it (it takes long to import)."""

    def watch() -> None:
        from pennyweight.arrays.trace import torch_mode

        torch_mode.watch(recorder, context, fake=fake)

    if fake or "torch" in sys.modules:
        watch()
        return

    class Watcher(importlib.abc.MetaPathFinder):
        """Notices that torch is being imported, and has it watched once that is done."""

        def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
            if name != "torch":
                return None
            sys.meta_path.remove(self)
            spec = importlib.util.find_spec(name)
            if spec is not None and spec.loader is not None:
                spec.loader = _Then(spec.loader, watch)  # type: ignore[assignment]
            return spec

    sys.meta_path.insert(0, Watcher())


class _Then:
    """A loader that does something when its module is there."""

    def __init__(self, loader: Any, after: Callable[[], None]) -> None:
        self._loader = loader
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._after()


def _execute(session: Session, recorder: Recorder, program: Callable[[], None]) -> None:
    """Run the program to its end, whatever that is."""
    try:
        program()
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
    except TimeUp:
        session.ending, session.code = "time limit", 124
    except SystemExit as leaving:
        code = leaving.code
        session.ending = "exited"
        session.code = code & 0xFF if isinstance(code, int) else int(code is not None)
        if code is not None and not isinstance(code, int):
            print(code, file=sys.stderr)
    except KeyboardInterrupt:
        session.ending, session.code = "interrupted", 130
    except BaseException as error:  # noqa: BLE001 - whatever the program raises is its own ending
        session.ending, session.code, session.error = "raised", 1, _said(error)
        clash = recorder.tape.clash
        # Before our frames are taken out: a temporary of the expression that raised lives in them alone.
        if clash is not None and str(error) in clash.error and clash.hold():
            session.clash = clash
        unwound(error)
        session.error_line = _last_line(error.__traceback__, recorder.files)
        sys.excepthook(type(error), error, error.__traceback__)


def _absolute(script: str) -> str:
    """A script's name as Python makes it absolute: nothing is resolved."""
    return script if os.path.isabs(script) else os.path.join(os.getcwd(), script)


def _become_main(filename: str, arguments: list[str]) -> ModuleType:
    module = ModuleType("__main__")
    loader = importlib.machinery.SourceFileLoader("__main__", filename)
    vars(module).update(
        __file__=filename, __builtins__=builtins, __annotations__={}, __cached__=None, __loader__=loader
    )
    sys.modules["__main__"] = module
    sys.argv = arguments
    sys.path.insert(0, os.path.dirname(os.path.realpath(filename)))
    sys.setrecursionlimit(sys.getrecursionlimit() + _FRAMES)
    return module


def _said(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {text}".partition("\n")[0].removesuffix(": ")


def _last_line(trace: TracebackType | None, files: set[str]) -> int:
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename in files:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


@contextlib.contextmanager
def _quieter_collector() -> Iterator[None]:
    """The tape is many small objects that live long; a collector that looks at them often costs more than all else."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], 50_000), 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextlib.contextmanager
def _time_limit(seconds: float | None, recorder: Recorder) -> Iterator[None]:
    """Raise `TimeUp` in this thread after some seconds.

    The next array operation raises it. Where none comes for a second, the interpreter does, wherever it is; one that
    sleeps or waits is woken by a signal that nobody uses.
    """
    if seconds is None:
        yield
        return
    target = threading.get_ident()
    over = threading.Event()
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
    if signal.getsignal(_WAKE) is signal.SIG_DFL:
        signal.signal(_WAKE, lambda *_: None)

    def watch() -> None:
        if over.wait(seconds):
            return
        recorder.interrupt(TimeUp)
        while not over.wait(1.0):  # a program may swallow it: say it again
            raise_in(ctypes.c_ulong(target), ctypes.py_object(TimeUp))
            signal.pthread_kill(target, _WAKE)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        raise_in(ctypes.c_ulong(target), None)  # not after the end
