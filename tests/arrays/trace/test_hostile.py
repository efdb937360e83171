"""Programs that fail, print without end, hang, write files or stop the process behave under trace as without."""

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pennyweight.core.errors import UserError, WorkFailed
from pennyweight.lottery.tracing import program
from pennyweight.lottery.tracing.examine import Examination
from pennyweight.lottery.tracing.program import Request, run_traced
from tests.arrays.trace.harness import PROGRAMS, begin, both, finish, trace

HOSTILE = PROGRAMS / "hostile"
ORDINARY = (
    "argv", "big", "broadcast_error", "chatty", "exits", "mutates_numpy", "noarrays", "nolibrary", "raises",
    "relative_import/main", "shape_error", "signals", "subprocesses", "syntax", "threads",
)  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What a shell saw, and what was told."""

    found: Examination
    out: str
    err: str


Run = Callable[..., Seen]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a script as the command does: in a process of its own, which inherits what we write to."""
    monkeypatch.chdir(tmp_path)

    def run(script: Path | str, *arguments: str, advice_seconds: float = 0.0, **how: object) -> Seen:
        asked = Request(script=str(script), arguments=arguments, advice_seconds=advice_seconds, **how)  # type: ignore[arg-type]
        capfd.readouterr()
        found = run_traced(asked)
        seen = capfd.readouterr()
        return Seen(found, seen.out, seen.err)

    return run


@pytest.mark.parametrize("name", ORDINARY)
def test_a_hostile_program_behaves_as_without_trace(name: str, tmp_path: Path) -> None:
    arguments = ("--size", "7", "--scale", "2", "a", "b c") if name == "argv" else ()
    plain, traced = both(HOSTILE / f"{name}.py", *arguments, folder=tmp_path, strict=False)
    assert traced.out == plain.stdout
    assert traced.err == plain.stderr
    assert traced.code == plain.returncode
    assert traced.captured, traced.problems


def test_what_a_program_reads_it_reads(tmp_path: Path) -> None:
    plain, traced = both(HOSTILE / "stdin.py", folder=tmp_path, stdin="100\n")
    assert (traced.out, traced.code) == (plain.stdout, 0)
    assert "integral 1.999" in traced.out


def test_what_a_program_writes_it_writes(tmp_path: Path) -> None:
    left = []
    for name in ("plain", "traced"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "log.txt").write_text("before\n")
        if name == "plain":
            finish(begin(HOSTILE / "writes.py", folder=folder))
        else:
            trace(HOSTILE / "writes.py", folder=str(folder))
        files = (path for path in folder.rglob("*") if path.is_file())
        left.append({str(path.relative_to(folder)): path.read_bytes() for path in files})
    assert left[0] == left[1]
    assert sorted(left[1]) == ["arrays/y.npy", "log.txt", "table.csv"]


# --- as the command runs them ---


def test_a_program_without_end_is_stopped_at_its_limit_and_told_of(run: Run) -> None:
    seen = run(HOSTILE / "forever.py", seconds=0.5, limit=20_000)
    assert seen.out == "started\n"
    assert "Traceback" not in seen.err
    assert (seen.found.ending, seen.found.exit_code) == ("time limit", 124)
    assert seen.found.operations > 100
    assert 0.5 <= seen.found.seconds < 5
    assert {line.line for line in seen.found.lines} >= {11, 12}


def test_memory_that_is_asked_for_and_not_touched_is_not_touched_by_us(tmp_path: Path) -> None:
    traced = trace(HOSTILE / "big.py", folder=str(tmp_path))
    assert traced.captured
    assert traced.numbers["peak"] >= 1 << 31
    assert traced.numbers["resident"] < 1 << 30


def test_errors_of_shape_are_explained_and_repairs_named(run: Run) -> None:
    seen = run(HOSTILE / "broadcast_error.py")
    repaired = seen.found.repaired
    assert repaired is not None
    assert (repaired.line, repaired.source) == (8, "shifted = table + offsets")
    assert ("offsets[:, None]", (100, 3)) in repaired.repairs
    assert (seen.found.ending, seen.found.error_line, seen.found.exit_code) == ("raised", 8, 1)


def test_a_program_that_leaves_without_a_word_is_told_of(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "leaves.py"
    script.write_text("import os, numpy as np\nprint(np.ones(2), flush=True)\nos._exit(7)\n")
    with pytest.raises(WorkFailed, match="exit code 7; nothing can be said"):
        run(script)


def test_a_program_that_is_killed_is_told_of(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "dies.py"
    script.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    with pytest.raises(WorkFailed, match="by signal SIGSEGV"):
        run(script)


def test_a_program_that_will_not_stop_is_killed(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_GRACE", 1.5)
    script = tmp_path / "deaf.py"
    script.write_text(
        "while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass\n"
    )
    with pytest.raises(WorkFailed, match=r"did not stop within 0\.2 s and was killed"):
        run(script, seconds=0.2)


@pytest.mark.parametrize(
    "waiting",
    [
        "time.sleep(100)",
        "threading.Event().wait()",
        "threading.Thread(target=time.sleep, args=(100,)).start()",
        "subprocess.run(['sleep', '100'])",
    ],
)
def test_a_program_that_waits_is_stopped_at_its_limit(waiting: str, run: Run, tmp_path: Path) -> None:
    script = tmp_path / "waits.py"
    script.write_text(f"import subprocess, threading, time\nimport numpy as np\nx = np.ones(3) + 1\n{waiting}\n")
    started = time.monotonic()
    found = run(script, seconds=0.2).found
    assert time.monotonic() - started < 20
    assert (found.ending, found.captured) == ("time limit", True)
    assert [line.line for line in found.lines] == [3]


def test_output_goes_to_standard_error_where_standard_output_is_for_a_document(
    capfd: pytest.CaptureFixture[str],
) -> None:
    run_traced(Request(script=str(HOSTILE / "exits.py"), advice_seconds=0), quiet=True)
    seen = capfd.readouterr()
    assert seen.out == ""
    assert "residual is small: True" in seen.err


def test_what_is_no_script_is_refused() -> None:
    with pytest.raises(UserError, match="a file of Python"):
        run_traced(Request(script=str(HOSTILE)))
    with pytest.raises(UserError, match=r"nowhere\.py"):
        run_traced(Request(script="nowhere.py"))
    with pytest.raises(UserError, match="more than nothing"):
        run_traced(Request(script=str(HOSTILE / "exits.py"), seconds=0))


def test_the_environment_and_the_module_path_of_a_program_are_its_own(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "sub" / "looks.py"
    script.parent.mkdir()
    script.write_text("import os, sys\nprint(sorted(os.environ.items()), sys.path, sys.flags, sys.argv, os.getcwd())\n")
    plain = subprocess.run([sys.executable, script, "-x"], capture_output=True, text=True, check=True)
    assert run(script, "-x").out == plain.stdout
