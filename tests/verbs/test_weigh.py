"""``weigh`` prints and keeps what it measured, refuses what it cannot, and leaves nothing when it is stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pennyweight.core.cost import CostTable
from pennyweight.core.machine import usable_cores
from pennyweight.core.recipe import from_document
from pennyweight.lottery.weighing.tables import load_tables
from tests.lottery.test_weigh import small
from tests.verbs.conftest import Call, Ended

STACKS = ["--stack", "cpu/numpy/fp32/1t", "--stack", "cpu/numpy/fp64/1t"]


@pytest.fixture(scope="module")
def machine() -> Iterator[None]:
    with small():
        yield


@pytest.fixture
def weighed(machine: None, call: Call) -> Ended:
    return call("weigh", *STACKS, "--budget", "2500ms", "--out", "page.html")


def test_a_weighing_is_printed_as_tables_and_kept(weighed: Ended, tmp_path: Path) -> None:
    assert weighed.code == 0, weighed.err
    lines = weighed.out.splitlines()
    for title in ("calls, µs, 1 thread", "bandwidth, GB/s read and written, 1 thread"):
        assert title in lines
    assert "numpy fp32  numpy fp64" in weighed.out
    assert any(line.startswith("contraction ") for line in lines)
    assert any(line.startswith("numpy ") and "blas" in line and "kernel" in line for line in lines)
    assert any(line.startswith("variables: ") for line in lines)
    assert lines[-1] == "next: pennyweight trace SCRIPT"
    tables = load_tables(tmp_path / "cache" / "pennyweight")
    assert [table.stack for table in tables] == ["cpu/numpy/fp32/1t", "cpu/numpy/fp64/1t"]
    assert "This machine" in (tmp_path / "page.html").read_text()


def test_for_programs_there_is_one_document_with_whole_tables(machine: None, call: Call) -> None:
    ended = call("weigh", *STACKS[:2], "--budget", "6s", "--json")
    assert ended.code == 0, ended.err
    document = json.loads(ended.out)
    assert (document["command"], document["status"]) == ("weigh", "done")
    (table,) = [from_document(CostTable, one) for one in document["result"]["tables"]]
    assert table.stack == "cpu/numpy/fp32/1t"
    assert [Path(path).is_file() for path in document["result"]["files"]] == [True]
    assert "measuring" in ended.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--stack", "tpu/jax"], "device/library/precision/threads"),
        (["--stack", "cpu/numpy/bf16"], "no bfloat16"),
        (["--stack", "cpu/onnxruntime/fp32/1t"], "numpy or jax on the cpu, or torch"),
        (["--stack", f"cpu/numpy/fp32/{usable_cores() + 1}t"], "at most"),
        (["--budget", "5 parsecs"], "parsecs"),
        (["--budget", "100samples"], "a total time"),
        (["--budget", "60s,4GB"], "a total time"),
        (["--runs", "here"], "--runs"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(
    call: Call, tmp_path: Path, arguments: list[str], said: str
) -> None:
    ended = call("weigh", *arguments)
    assert ended.code == 2, ended.err
    assert said in ended.err.splitlines()[-1]
    assert len([line for line in ended.err.splitlines() if line.startswith("pennyweight: ")]) == 1
    assert "Traceback" not in ended.err
    assert not ended.out.strip()
    assert not list(tmp_path.glob("cache/pennyweight/costs/*"))


def test_a_budget_that_is_too_short_is_refused_with_one_that_is_not(machine: None, call: Call) -> None:
    ended = call("weigh", *STACKS[:2], "--budget", "10ms")
    assert ended.code == 2
    assert "expected at least" in ended.err.splitlines()[-1]


def test_a_cache_that_cannot_be_written_is_said_before_any_work(call: Call, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "pennyweight").write_text("in the way")
    ended = call("weigh", *STACKS)
    assert ended.code == 1
    assert ended.err.splitlines()[-1].startswith("pennyweight: ")
    assert "pennyweight" in ended.err
    assert "measuring" not in ended.err


def test_ctrl_c_ends_with_130_and_leaves_neither_tables_nor_processes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pennyweight", "weigh", *STACKS, "--budget", "60s"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as weighing:
        children: list[psutil.Process] = []
        end = time.monotonic() + 60
        while not children and time.monotonic() < end:
            time.sleep(0.05)
            children = psutil.Process(weighing.pid).children()
        time.sleep(0.5)
        children = psutil.Process(weighing.pid).children()
        weighing.send_signal(signal.SIGINT)
        out, err = weighing.communicate(timeout=60)
    assert weighing.returncode == 130, err
    assert err.splitlines()[-1] == "pennyweight: interrupted"
    assert not out
    assert children
    assert not any(child.is_running() for child in children)
    assert not list(tmp_path.glob("cache/pennyweight/costs/*"))
