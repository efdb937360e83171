"""Run a program under trace in a process of its own, and bring back what it told.

The program shares nothing with us: it may end the interpreter, print without end, change NumPy or hang, and we still
have an answer. It inherits the terminal; what it prints is its own. All that the child needs is imported before the
program runs, which may change whatever it imports too.
"""

import contextlib
import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pennyweight.arrays.trace.session import run_script
from pennyweight.core.cost import CostTable
from pennyweight.core.errors import UserError, WorkFailed
from pennyweight.core.files import write_json
from pennyweight.core.machine import BusyWatch, processor_name
from pennyweight.core.recipe import from_document, to_document
from pennyweight.core.stack import Stack
from pennyweight.lottery.tracing.examine import Examination, examine
from pennyweight.lottery.tracing.software import array_software
from pennyweight.lottery.weighing.tables import load_tables

_GRACE = 60.0
"""Seconds that may pass after the program's own time for playing its tape, before the child is killed."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of a traced run: see `pennyweight trace --help`."""

    script: str
    arguments: tuple[str, ...] = ()
    function: str = ""
    seconds: float = 60.0
    limit: int = 500_000
    subclass: bool = False
    fake: bool = False
    advice_seconds: float = 20.0
    cache: str = ""


def run_traced(request: Request, *, quiet: bool = False) -> Examination:
    """Run a script under trace and examine it; ``quiet`` sends what it prints to standard error.

    Raises `UserError` for a script that is not there, `WorkFailed` when the process died without an answer.
    """
    script = Path(request.script)
    if not script.is_file():
        raise UserError(f"script {request.script!r}", expected="a file of Python", hint="pennyweight trace SCRIPT.py")
    if request.seconds <= 0:
        raise UserError(f"time limit {request.seconds:g}s", expected="more than nothing, such as 60s")
    with tempfile.TemporaryDirectory(prefix="pennyweight-") as folder:
        answer = Path(folder) / "answer.json"
        asked = Path(folder) / "request.json"
        asked.write_text(json.dumps(asdict(request)), encoding="utf-8")
        code = _run(
            [sys.executable, "-m", "pennyweight.lottery.tracing.program", str(asked), str(answer)], request, quiet
        )
        if not answer.is_file():
            raise WorkFailed(_without_answer(code, request))
        return from_document(Examination, json.loads(answer.read_text(encoding="utf-8")))


def _run(command: list[str], request: Request, quiet: bool) -> int:
    child = subprocess.Popen(command, stdout=2 if quiet else None)
    until = time.monotonic() + request.seconds + _GRACE + 2 * request.advice_seconds
    while True:
        try:
            return child.wait(timeout=max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            return -signal.SIGKILL
        except KeyboardInterrupt:
            # The terminal has told the child too. Let it end in its own way, then end ourselves.
            try:
                child.wait(timeout=5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            raise


def _without_answer(code: int, request: Request) -> str:
    if code == -signal.SIGKILL:
        return (
            f"{request.script} did not stop within {request.seconds:g} s and was killed; a shorter run, or more time"
            " with --limit, may show something"
        )
    ended = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    return f"{request.script} ended the whole process {ended}; nothing can be said about it"


# --- in the child ---


def main(arguments: Sequence[str]) -> None:
    """Read a request, run the program, write the answer. What goes wrong with the program is part of the answer."""
    if not sys.flags.safe_path:
        del sys.path[0]  # the current folder, which is there because of `-m`: the program's own folder takes its place
    asked, answer = arguments
    request = from_document(Request, json.loads(Path(asked).read_text(encoding="utf-8")))
    table, notes = _table(request)
    software = array_software()
    folder = os.getcwd()
    watch = BusyWatch()
    session = run_script(
        request.script,
        request.arguments,
        function=request.function,
        seconds=request.seconds,
        limit=request.limit,
        subclass=request.subclass,
        fake=request.fake,
    )
    _flush()
    if session.ending == "interrupted":
        os._exit(130)
    gc.disable()  # the tape is many objects, and none of them is garbage
    os.chdir(folder)
    found = examine(
        session,
        script=request.script,
        function=request.function,
        table=table,
        advice_seconds=request.advice_seconds,
        software=software,
        notes=notes,
    )
    found = replace(found, notes=(*found.notes, *filter(None, [watch.sentence()])))
    write_json(Path(answer), to_document(found))
    if session.ending == "time limit":
        os._exit(0)  # threads of the program may go on for ever


def _flush() -> None:
    """Hand over what the program printed, where there still is somewhere to."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            stream.flush()


def _table(request: Request) -> tuple[CostTable | None, list[str]]:
    """The cost table of NumPy on this machine with the most threads, when it has been weighed."""
    tables = load_tables(Path(request.cache)) if request.cache else []
    own = [table for table in tables if table.machine.get("processor") == processor_name()]
    of_numpy = [table for table in own if table.stack.startswith("cpu/numpy")]
    if not of_numpy:
        return None, [
            "this machine has not been weighed, so no line is compared with what it needs (pennyweight weigh)"
        ]
    return max(of_numpy, key=lambda table: (Stack.parse(table.stack).threads, table.measured)), []


if __name__ == "__main__":
    main(sys.argv[1:])
