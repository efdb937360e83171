"""Programs, run plainly and under trace, and what can be compared of the two.

A traced program takes a process of its own, and starting one with all that is imported costs more than most programs
do. So they are forked from a nursery, a process that has imported everything and has never run a program.
"""

import atexit
import json
import os
import resource
import select
import subprocess
import sys
import tempfile
import traceback
import warnings
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
PROGRAMS = Path(__file__).parent / "programs"
# One thread: with more, sums may be ordered otherwise from run to run, and the cores are shared.
_QUIET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


@dataclass(frozen=True, kw_only=True)
class Job:
    """A program to be traced, and how.

    ``seconds`` is its own limit. With ``lints`` its tape is looked at for findings, for which it is played for
    ``timing`` seconds. With ``strict`` warnings are errors.
    """

    script: str
    arguments: tuple[str, ...] = ()
    folder: str = ""
    stdin: str = ""
    function: str = ""
    seconds: float | None = 60.0
    lints: bool = False
    timing: float = 0.3
    subclass: bool = False
    fake: bool = False
    limit: int = 500_000
    strict: bool = True


@dataclass(frozen=True, kw_only=True)
class Traced:
    """What came of it: what a shell would see, and what the tape said. ``operations``: name, kind, line of each."""

    code: int
    out: str
    err: str
    ending: str = ""
    error: str = ""
    error_line: int = 0
    captured: bool = False
    worst: float = 0.0
    compared: int = 0
    problems: tuple[str, ...] = ()
    findings: tuple[tuple[str, int], ...] = ()
    sentences: tuple[str, ...] = ()
    operations: tuple[tuple[str, str, int], ...] = ()
    lost: tuple[tuple[int, str], ...] = ()
    repairs: tuple[tuple[str, tuple[int, ...]], ...] = ()
    numbers: dict[str, float] = field(default_factory=dict)


def begin(
    script: Path | str, *arguments: str, folder: Path | str | None = None, strict: bool = True
) -> "subprocess.Popen[str]":
    """Start a program as its author does; it goes on while something else is done."""
    flags = ["-W", "error"] if strict else []
    return subprocess.Popen(
        [sys.executable, *flags, str(script), *arguments],
        cwd=folder,
        env={**os.environ, **_QUIET},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )


def finish(process: "subprocess.Popen[str]", stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """Wait for a program that was started."""
    out, err = process.communicate(stdin, timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


class Nursery:
    """Forks a child for each program. Used by way of `trace`; there is one in a test process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", "import tests.arrays.trace.harness as h; h.serve()"],
            cwd=ROOT,
            env={**os.environ, **_QUIET},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, job: Job, *, most_seconds: float = 120.0) -> Traced:
        """Trace a program and wait for it."""
        orders, told = self._process.stdin, self._process.stdout
        assert orders is not None
        assert told is not None
        with tempfile.TemporaryDirectory() as folder:
            orders.write(json.dumps(asdict(job) | {"home": folder}) + "\n")
            orders.flush()
            pid = int(told.readline())
            if not select.select([told], [], [], most_seconds)[0]:
                os.kill(pid, 9)
            code = int(told.readline())
            out, err, answer = (Path(folder) / name for name in ("out", "err", "answer"))
            found = json.loads(answer.read_text()) if answer.is_file() else {}
            return Traced(code=code, out=_text(out), err=_text(err), **{k: _as_tuple(v) for k, v in found.items()})

    def close(self) -> None:
        """Let it go."""
        self._process.communicate("")


@cache
def _nursery() -> Nursery:
    made = Nursery()
    atexit.register(made.close)
    return made


def trace(script: Path | str, *arguments: str, **how: Any) -> Traced:
    """Trace a program in a child: see `Job` for what can be said."""
    return _nursery().run(Job(script=str(script), arguments=arguments, **how))


def both(
    script: Path | str, *arguments: str, folder: Path | str, stdin: str = "", strict: bool = True, **how: Any
) -> "tuple[subprocess.CompletedProcess[str], Traced]":
    """Run a program plainly and under trace, at the same time."""
    started = begin(script, *arguments, folder=folder, strict=strict)
    traced = trace(script, *arguments, folder=str(folder), stdin=stdin, strict=strict, **how)
    return finish(started, stdin), traced


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _as_tuple(x: Any) -> Any:
    return tuple(_as_tuple(part) for part in x) if isinstance(x, list) else x


# --- in the nursery ---


def serve() -> None:
    """Fork a child for each line that comes in, and tell its number and its exit code."""
    from pennyweight.arrays.trace import lints, session  # noqa: F401 - children shall find it imported
    from pennyweight.lottery.tracing import examine  # noqa: F401

    orders, told = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    for line in orders:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            orders.close()
            told.close()
            _in_child(order)
            return
        print(pid, file=told, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), file=told, flush=True)


def _in_child(order: dict[str, Any]) -> None:
    """Become the program; leave as Python leaves, with its exit hooks."""
    home = Path(order.pop("home"))
    job = Job(**{key: _as_tuple(value) for key, value in order.items()})
    (home / "in").write_text(job.stdin)
    for number, name, mode in ((0, "in", os.O_RDONLY), (1, "out", os.O_WRONLY), (2, "err", os.O_WRONLY)):
        os.dup2(os.open(home / name, mode | os.O_CREAT, 0o600), number)
    os.chdir(job.folder or home)
    sys.path.remove("")
    warnings.resetwarnings()
    if job.strict:
        warnings.simplefilter("error")
    else:
        warnings.filterwarnings("default", category=DeprecationWarning, module="__main__")
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.simplefilter("ignore", category=category, append=True)
    sys.exit(_trace(job, home / "answer"))


def _trace(job: Job, answer: Path) -> int:
    import gc

    from pennyweight.arrays.trace.session import run_script

    here = os.getcwd()
    session = run_script(
        job.script,
        job.arguments,
        function=job.function,
        seconds=job.seconds,
        limit=job.limit,
        subclass=job.subclass,
        fake=job.fake,
    )
    gc.disable()
    os.chdir(here)
    try:
        told = _told(session, job)
    except Exception:  # noqa: BLE001 - a test will show it
        told = {"error": traceback.format_exc()}
    answer.write_text(json.dumps(told, default=str))
    return int(session.code)


def _told(session: Any, job: Job) -> dict[str, Any]:
    from pennyweight.arrays.trace import clash
    from pennyweight.arrays.trace.lints import find
    from pennyweight.arrays.trace.look import Look
    from pennyweight.arrays.trace.operations import Tape
    from pennyweight.lottery.tracing import examine

    tape = Tape(session.tape)
    explained = clash.explain(session.clash) if session.clash is not None else None
    findings = find(Look(tape, timing_seconds=job.timing)) if job.lints else []
    return {
        "ending": session.ending,
        "error": session.error,
        "error_line": session.error_line,
        "captured": tape.captured,
        "worst": tape.replayed.worst,
        "compared": tape.replayed.compared,
        "problems": examine._problems(tape, tape.replayed),
        "findings": sorted((finding.kind, finding.where.line) for finding in findings),
        "sentences": [finding.sentence for finding in findings],
        "operations": [(op.name, op.kind, op.where.line) for op in tape.inside[:2000]],
        "lost": [(where.line, what) for where, what in tape.lost],
        "repairs": explained.repairs if explained is not None else (),
        "numbers": {
            "flops": tape.flops,
            "bytes": tape.bytes,
            "peak": tape.peak_bytes,
            "count": len(tape.operations),
            "seconds": session.seconds,
            "resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        },
    }
