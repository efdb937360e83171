"""A child process answers, keeps its state, and takes nobody with it when it fails."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from pennyweight.core.machine import usable_cores
from pennyweight.core.stack import Stack
from pennyweight.lottery.weighing.worker import CallFailed, Worker, WorkerLost, environment

ERRANDS = "tests.lottery.errands:"
NUMPY = Stack.parse("cpu/numpy/fp64/1t")


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker(NUMPY) as worker:
        yield worker


def gone(pid: int, within: float = 5.0) -> bool:
    """Whether the process ends, and leaves no zombie."""
    end = time.monotonic() + within
    while psutil.pid_exists(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not psutil.pid_exists(pid)


def test_a_function_runs_with_its_arguments_in_another_process(worker: Worker) -> None:
    assert worker.call("builtins:sorted", [3, 1, 2], reverse=True, limit=10) == [3, 2, 1]
    assert worker.call(ERRANDS + "process", limit=10) != os.getpid()


def test_a_child_keeps_its_state_between_calls(worker: Worker) -> None:
    first = worker.call(ERRANDS + "count", limit=10)
    assert worker.call(ERRANDS + "count", limit=10) == first + 1


def test_a_large_result_arrives_whole(worker: Worker) -> None:
    assert worker.call(ERRANDS + "sized", 20_000_000, limit=30) == bytes(20_000_000)


def test_an_exception_is_told_with_its_traceback_and_the_child_lives_on(worker: Worker) -> None:
    with pytest.raises(CallFailed, match="KeyError: 'no such thing'") as failed:
        worker.call(ERRANDS + "raises", "no such thing", limit=10)
    assert failed.value.kind == "KeyError"
    assert "in raises" in failed.value.trace
    assert worker.call(ERRANDS + "cores", limit=10)


@pytest.mark.parametrize("name", ["tests.lottery.errands:nothing", "tests.nowhere:process", "tests.lottery.errands"])
def test_a_function_that_is_not_there_is_an_error_of_the_call(worker: Worker, name: str) -> None:
    with pytest.raises(CallFailed):
        worker.call(name, limit=10)
    assert worker.alive


def test_a_result_that_cannot_be_sent_is_an_error_of_the_call(worker: Worker) -> None:
    with pytest.raises(CallFailed, match="pickle"):
        worker.call(ERRANDS + "unpicklable", limit=10)
    assert worker.call(ERRANDS + "process", limit=10) > 0


def test_what_a_child_prints_stays_out_of_the_callers_output(capfd: pytest.CaptureFixture[str], worker: Worker) -> None:
    assert worker.call(ERRANDS + "chatter", limit=10) == "said"
    assert capfd.readouterr() == ("", "")


def test_a_hanging_child_is_stopped_in_time_and_a_new_one_can_be_started() -> None:
    worker = Worker(NUMPY)
    pid = worker.call(ERRANDS + "process", limit=10)
    started = time.monotonic()
    with pytest.raises(WorkerLost, match=r"did not finish .*hang within 0.2 s"):
        worker.call(ERRANDS + "hang", limit=0.2)
    assert time.monotonic() - started < 5
    assert gone(pid)
    assert not worker.alive
    with pytest.raises(WorkerLost, match="ended already"):
        worker.call(ERRANDS + "process", limit=10)
    with Worker(NUMPY) as fresh:
        assert fresh.call(ERRANDS + "count", limit=10) == 1


def test_a_crash_is_told_with_its_signal_and_last_words_and_hurts_no_other(worker: Worker) -> None:
    other = Worker(NUMPY)
    pid = other.call(ERRANDS + "process", limit=10)
    with pytest.raises(WorkerLost, match=r"crash \(SIGSEGV\); it said: out of luck"):
        other.call(ERRANDS + "crash", "out of luck", limit=30)
    assert gone(pid)
    assert worker.call(ERRANDS + "process", limit=10) > 0


def test_a_child_that_leaves_is_lost_with_its_exit_code() -> None:
    with pytest.raises(WorkerLost, match="exit code 7"):
        Worker(NUMPY).call(ERRANDS + "leave", 7, limit=10)


def test_closing_ends_a_child_and_leaves_no_zombie() -> None:
    with Worker(NUMPY) as worker:
        pid = worker.call(ERRANDS + "process", limit=10)
        assert psutil.pid_exists(pid)
    assert gone(pid, within=0.0)
    worker.close()


def test_ctrl_c_in_the_caller_ends_the_child_that_was_at_work() -> None:
    worker = Worker(NUMPY)
    pid = worker.call(ERRANDS + "process", limit=10)
    main = threading.main_thread().ident
    threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        worker.call(ERRANDS + "hang", limit=30)
    assert gone(pid)
    assert not worker.alive


def test_ctrl_c_reaches_a_childs_terminal_and_does_not_stop_it(worker: Worker) -> None:
    assert worker.call(ERRANDS + "interrupted_while_computing", 0.2, limit=10) == "done"


def test_a_child_at_work_ends_with_a_caller_that_is_killed() -> None:
    code = (
        "import threading, time\n"
        "from pennyweight.core.stack import Stack\n"
        "from pennyweight.lottery.weighing.worker import Worker\n"
        f"worker = Worker(Stack.parse('{NUMPY}'))\n"
        f"print(worker.call('{ERRANDS}process', limit=10), flush=True)\n"
        f"worker.call('{ERRANDS}compute', 60, limit=60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as caller:
        assert caller.stdout is not None
        pid = int(caller.stdout.readline())
        assert psutil.pid_exists(pid)
        caller.send_signal(signal.SIGKILL)
    assert gone(pid)


def test_a_library_that_cannot_be_loaded_is_told_and_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "jax.py").write_text("raise ImportError('half an installation')")
    monkeypatch.syspath_prepend(tmp_path)
    before = set(psutil.Process().children())
    with pytest.raises(CallFailed, match="ImportError: half an installation"):
        Worker(Stack.parse("cpu/jax/fp32/1t"))
    assert set(psutil.Process().children()) <= before


def test_threads_are_set_before_a_library_is_loaded_whatever_was_set_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "5")
    with Worker(NUMPY) as worker:
        assert worker.call(ERRANDS + "loaded", "torch", "jax", "numpy", limit=10) == ["numpy"]
        assert worker.call(ERRANDS + "variable", "OMP_NUM_THREADS", limit=10) == "1"
        assert worker.call(ERRANDS + "blas_threads", limit=10) == [1]
        assert len(worker.call(ERRANDS + "cores", limit=10)) == 1
        assert worker.start_seconds > 0


@pytest.mark.parametrize("threads", sorted({1, usable_cores()}))
def test_torch_has_the_threads_and_cores_of_its_stack(threads: int) -> None:
    with Worker(Stack(threads=threads)) as worker:
        assert worker.call(ERRANDS + "torch_threads", limit=30) == threads
        assert len(worker.call(ERRANDS + "cores", limit=10)) == threads


def test_variables_from_outside_stay_where_the_stack_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_THREAD_TIMEOUT", "26")
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=here")
    one = environment(Stack.parse("cpu/jax/fp64/1t"))
    assert one["OPENBLAS_THREAD_TIMEOUT"] == "26"
    assert "GOMP_SPINCOUNT" not in one
    assert one["XLA_FLAGS"] == "--xla_dump_to=here --xla_cpu_multi_thread_eigen=false"
    assert one["JAX_ENABLE_X64"] == "1"
    many = environment(Stack.parse("cpu/jax/fp32/2t"))
    assert many["OMP_NUM_THREADS"] == "2"
    assert "XLA_FLAGS" not in many
    assert many["JAX_ENABLE_X64"] == "0"


def test_an_accelerators_host_threads_are_not_bound() -> None:
    assert "OMP_NUM_THREADS" not in environment(Stack.parse("cuda/torch/bf16"))
