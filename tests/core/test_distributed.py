"""Two processes train as one does, and go on with what one began, and one with what two began."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pennyweight.core.distributed import ALONE, World, join_world, started_by_torchrun
from pennyweight.core.fit import fit, resume
from pennyweight.core.run import Run
from tests import toys

pytestmark = pytest.mark.usefixtures("plugins")

STEPS = 8
CASES: dict[str, dict[str, Any]] = {
    "ddp": {"recipe": "reversal", "settings": {"fit.validations": 4}},
    "ddp accumulating": {"recipe": "reversal", "settings": {"fit.micro_batch": 4, "fit.ema": 0.5}},
    "ddp with turns": {"recipe": "adversarial", "settings": {"fit.checkpoint_seconds": 1e-4}},
    "fsdp": {"recipe": "reversal", "settings": {"fit.parallel": "fsdp", "fit.validations": 4}},
    "fsdp accumulating": {"recipe": "reversal", "settings": {"fit.parallel": "fsdp", "fit.micro_batch": 4}},
    "fsdp averaging": {
        "recipe": "reversal",
        "settings": {"fit.parallel": "fsdp", "fit.ema": 0.5, "fit.validations": 4},
    },
}
RESUMED = ("ddp accumulating", "ddp with turns", "fsdp averaging")


def _single(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key != "fit.parallel"}


def _only_run(folder: Path) -> Run:
    (found,) = (path.parent for path in folder.glob("*/config.json"))
    return Run(found)


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that two processes made, all under one start of torchrun, for all workers of the tests."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    base = shared / "together"
    base.mkdir(exist_ok=True)
    with open(base / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (base / "done").exists():
            _train_together(base)
            (base / "done").touch()
    return base


def _train_together(base: Path) -> None:
    requests = []
    threads = torch.get_num_threads()
    with toys.registered():
        for name, case in CASES.items():
            alone = toys.start(base / "alone" / name, case["recipe"], steps=STEPS, settings=_single(case["settings"]))
            fit(alone, cache=base, floors=False)
            requests.append({**case, "runs": str(base / "two" / name), "steps": STEPS})
        for name in RESUMED:
            case = CASES[name]
            requests.append({**case, "runs": str(base / "half" / name), "steps": STEPS, "stop_after": 4})
            # One process begins, two go on.
            begun = toys.start(base / "begun" / name, case["recipe"], steps=STEPS, settings=case["settings"])
            for _ in range(4):
                begun.step()
            begun.save()
            requests.append({"runs": str(base), "resumed": str(base / "begun" / name)})
        for rank in (0, 1):
            case = {**CASES["ddp"], "runs": str(base / "refused" / str(rank)), "steps": STEPS, "refused": rank}
            requests.append(case)
    torch.set_num_threads(threads)
    (base / "requests.json").write_text(json.dumps(requests))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"),
            *("-m", "tests.toys", str(base / "requests.json")),
        ],
        cwd=toys.REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-6000:]


def _assert_close(one: Run, other: Run) -> None:
    """Losses, validations and results to 1e-5."""
    curves = toys.losses(one), toys.losses(other)
    assert len(curves[0]) == len(curves[1]) == STEPS
    for ours, theirs in zip(*curves, strict=True):
        assert ours == pytest.approx(theirs, abs=1e-5, rel=1e-5)
    values = [[r["value"] for r in run.metrics("validation")] for run in (one, other)]
    assert values[0] == pytest.approx(values[1], abs=1e-5, rel=1e-5)
    # Not the weights themselves: attention does not depend on the bias of its keys, whose gradient is rounding
    # noise that Adam blows up.
    weights = load_file(one.weights), load_file(other.weights)
    assert {k: v.shape for k, v in weights[0].items()} == {k: v.shape for k, v in weights[1].items()}
    results = [(run.receipt or {})["result"]["value"] for run in (one, other)]
    assert results[0] == pytest.approx(results[1], abs=1e-5, rel=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_two_processes_train_as_one(together: Path, name: str) -> None:
    two = _only_run(together / "two" / name)
    _assert_close(two, _only_run(together / "alone" / name))
    assert two.receipt is not None
    assert two.receipt["machine"]["processes"] == 2
    assert two.receipt["spent"]["samples"] == STEPS * 32


@pytest.mark.parametrize("name", RESUMED)
def test_one_process_goes_on_with_what_two_began(together: Path, name: str) -> None:
    run = _only_run(together / "half" / name)
    assert len(run.metrics("step")) == 4
    trainer = resume(run, cache=together)
    assert trainer.samples == 4 * 32
    with run.locked():
        fit(trainer, cache=together, floors=False)
    _assert_close(run, _only_run(together / "alone" / name))


@pytest.mark.parametrize("name", RESUMED)
def test_two_processes_go_on_with_what_one_began(together: Path, name: str) -> None:
    _assert_close(_only_run(together / "begun" / name), _only_run(together / "alone" / name))


@pytest.mark.parametrize("rank", [0, 1])
def test_a_disk_that_refuses_one_process_stops_neither(together: Path, rank: int) -> None:
    run = _only_run(together / "refused" / str(rank))
    _assert_close(run, _only_run(together / "alone" / "ddp"))
    assert run.receipt is not None
    assert any("could not be written" in note for note in run.receipt["notes"])


def test_a_process_alone_is_a_world_of_one() -> None:
    assert not started_by_torchrun()
    assert join_world(toys.STACK) is ALONE
    assert World(rank=0, size=1) == ALONE
    assert ALONE.leads
    assert ALONE.share("x") == "x"
    assert ALONE.share_floats([1.0, 2.0], torch.device("cpu")) == [1.0, 2.0]
    assert ALONE.mean({"a": torch.tensor(1.5), "b": torch.tensor(2.0)}) == {"a": 1.5, "b": 2.0}
    assert [ALONE.agree(True), ALONE.agree(False)] == [True, False]
    ALONE.barrier()
    with pytest.raises(OSError, match="mine"), ALONE.together():
        raise OSError("mine")
