"""``trace`` as people and programs call it: what it prints, what it keeps, how it ends."""

import json
import sys
from pathlib import Path

import pytest

from pennyweight.lottery.tracing.program import Request, run_traced
from pennyweight.report.trace import trace_section
from tests.verbs.conftest import Call

PAIRS = """
import sys
import numpy as np

def distances(x, c):
    apart = x[:, None, :] - c[None, :, :]
    return (apart * apart).sum(axis=-1)

def main():
    rng = np.random.default_rng(0)
    x, c = rng.standard_normal((2000, 20)), rng.standard_normal((60, 20))
    print("nearest", distances(x, c).argmin(axis=1).sum(), *sys.argv[1:])

if __name__ == "__main__":
    main()
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.py"
    path.write_text(PAIRS, encoding="utf-8")
    return path


def test_a_program_is_shown_line_by_line_with_advice_and_a_page(call: Call, script: Path, tmp_path: Path) -> None:
    ended = call("trace", script.name)
    assert ended.code == 0, ended.err
    assert "captured: played again" in ended.out
    assert "(2000, 1, 20) − (1, 60, 20) broadcasts to (2000, 60, 20)" in ended.out
    assert "tried: distances by a matrix product" in ended.out
    (folder,) = (tmp_path / "runs").iterdir()
    assert (folder / "report.html").is_file()
    html = trace_section(folder).html
    assert "Advice that was tried" in html
    assert 'class="picture"' in html
    assert call("report", folder.name).code == 0
    listed = call("ls")
    assert folder.name in listed.out
    assert "finished" in listed.out


def test_for_programs_there_is_one_document_on_standard_output(call: Call, script: Path) -> None:
    ended = call("trace", script.name, "--advice", "0s", "--json")
    document = json.loads(ended.out)
    assert document["status"] == "done"
    result = document["result"]
    assert result["captured"] is True
    assert result["advice"] == []
    line = next(line for line in result["lines"] if line["source"].startswith("return (apart"))
    assert line["flops"] == 2000 * 60 * 20 + 2000 * 60 * 19  # the squares and their sums
    assert result["work"]["flops"] == sum(one["flops"] for one in result["lines"])


def test_the_program_gets_what_stands_after_two_dashes(script: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = run_traced(Request(script=str(script), arguments=("one", "--two"), advice_seconds=0.0))
    assert found.ending == "done"
    assert capfd.readouterr().out.strip().endswith("one --two")


def test_one_function_can_be_asked_for(call: Call, script: Path) -> None:
    ended = call("trace", script.name, "--function", "distances", "--advice", "0s", "--json")
    result = json.loads(ended.out)["result"]
    assert {line["function"] for line in result["lines"]} == {"distances"}
    ended = call("trace", script.name, "--function", "nowhere", "--advice", "0s")
    assert ended.code == 0
    assert "nowhere was not called" in ended.out


def test_a_program_that_raises_is_shown_up_to_there_and_fails(call: Call, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import numpy as np\na = np.ones((3, 4))\nb = a @ np.ones((3, 4))\n")
    ended = call("trace", "bad.py")
    assert ended.code == 1
    assert "bad.py, line 3: ValueError" in ended.err.splitlines()[-1]
    assert "the last axis of the first has 4" in ended.out
    assert "works and gives (3, 3)" in ended.out


def test_a_program_that_does_not_end_is_stopped_and_shown(call: Call, tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text("import numpy as np\nx = np.ones(99_999)\nwhile True:\n    x += 1\n")
    ended = call("trace", "long.py", "--limit", "1s", "--advice", "0s")
    assert ended.code == 1
    assert "time limit" in ended.err
    assert "captured: played again" in ended.out


def test_a_program_without_arrays_is_told_so(call: Call, tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text("print(sum(range(10)))\n")
    ended = call("trace", "plain.py")
    assert ended.code == 0
    assert "no operation on an array" in ended.out


def test_the_example_runs_when_no_script_is_given(call: Call) -> None:
    ended = call("trace", "--advice", "0s")
    assert ended.code == 0, ended.err
    assert "apart = pixels[:, None, :] - centres[None, :, :]" in ended.out


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_program_that_kills_its_process_is_an_answer_in_one_line(call: Call, tmp_path: Path) -> None:
    (tmp_path / "dies.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    ended = call("trace", "dies.py")
    assert ended.code == 1
    assert ended.err.splitlines()[-1].endswith("by signal SIGSEGV; nothing can be said about it")
    assert "Traceback" not in ended.err
