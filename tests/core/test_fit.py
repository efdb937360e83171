"""A run that was killed, stopped, starved or lied to by its disk ends as one that was left alone."""

import errno
import itertools
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pennyweight.core import checkpoint, files
from pennyweight.core.errors import UserError, WorkFailed
from pennyweight.core.fit import Interrupted, Trainer, fit, load_task, resume
from pennyweight.core.receipt import Assumptions, Receipt
from pennyweight.core.run import Run
from pennyweight.core.task import Evaluation
from tests import toys

pytestmark = pytest.mark.usefixtures("plugins")

# Dropout, batch normalisation, averages, two optimisers, a target moved after each step.
RECIPE = "adversarial/noisy"
STEPS = 120
Started = Callable[..., Trainer]


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def _finish(trainer: Trainer) -> Receipt:
    with trainer.run.locked():
        return fit(trainer, cache=trainer.run.folder.parent / "cache")


def _resume(run: Run) -> Trainer:
    return resume(Run.open(run.folder), cache=run.folder.parent / "cache")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run that was left alone."""
    with toys.registered():
        trainer = toys.start(tmp_path_factory.mktemp("whole"), RECIPE, steps=STEPS)
        _finish(trainer)
    return trainer.run


def _assert_same_run(one: Run, other: Run) -> None:
    assert toys.losses(one) == toys.losses(other)
    validations = [[(r["step"], r["value"]) for r in run.metrics("validation")] for run in (one, other)]
    assert validations[0] == validations[1]
    assert [r["step"] for r in one.metrics("step")] == list(range(1, len(one.metrics("step")) + 1))
    assert one.weights.read_bytes() == other.weights.read_bytes()
    receipts = [one.receipt, other.receipt]
    assert receipts[0] is not None
    assert receipts[1] is not None
    for key in ("result", "baselines", "parameters", "data", "asked"):
        assert receipts[0][key] == receipts[1][key]
    assert receipts[0]["spent"]["samples"] == receipts[1]["spent"]["samples"]


def _half(runs: Path, **more: Any) -> Trainer:
    """A run with checkpoints at steps 40 and 60 that got as far as step 70."""
    trainer = toys.start(runs, RECIPE, steps=STEPS, **more)
    trainer.measure_untrained()
    for step in range(1, 71):
        trainer.step()
        if step in (20, 40, 60):
            trainer.save()
    return trainer


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """What a kill at step 70 leaves behind."""
    with toys.registered():
        return _half(tmp_path_factory.mktemp("killed")).run


@pytest.fixture
def left(killed: Run, tmp_path: Path) -> Run:
    """A copy of what a kill at step 70 leaves behind."""
    return Run(shutil.copytree(killed.folder, tmp_path / "runs" / killed.name))


# --- the run that was left alone ---


def test_a_sample_budget_buys_exactly_its_steps(whole: Run) -> None:
    steps = whole.metrics("step")
    assert [r["step"] for r in steps] == list(range(1, STEPS + 1))
    assert [r["samples"] for r in steps] == [32 * step for step in range(1, STEPS + 1)]
    assert [r["fraction"] for r in steps] == pytest.approx([step / STEPS for step in range(1, STEPS + 1)])
    assert steps[-1]["fraction"] == 1.0
    receipt = whole.receipt
    assert receipt is not None
    assert receipt["spent"]["samples"] == 32 * STEPS
    assert receipt["spent"]["lost_seconds"] == 0
    assert not whole.state.exists()
    assert set(receipt["baselines"]) == {"untrained"}


def test_validations_are_spread_over_the_budget(whole: Run) -> None:
    records = whole.metrics("validation")
    assert [r["step"] for r in records] == [0, STEPS // 2, STEPS]
    assert records[-1]["value"] != records[0]["value"]


def test_a_run_without_validations_makes_none(tmp_path: Path) -> None:
    trainer = toys.start(tmp_path, "regression", steps=5, settings={"fit.validations": 0})
    receipt = _finish(trainer)
    assert trainer.run.metrics("validation") == []
    assert receipt.baselines["constant"] > receipt.baselines["untrained"] * 0.1


def test_the_same_seed_repeats_and_another_does_not(whole: Run, tmp_path: Path) -> None:
    again = toys.start(tmp_path, RECIPE, steps=STEPS)
    _finish(again)
    _assert_same_run(again.run, whole)
    other = toys.start(tmp_path, RECIPE, steps=5, settings={"fit.seed": 1})
    _finish(other)
    assert toys.losses(other.run) != toys.losses(whole)[:5]


def test_validating_and_saving_change_nothing(whole: Run, tmp_path: Path) -> None:
    settings = {"fit.validations": 40, "fit.checkpoint_seconds": 0.02}
    trainer = toys.start(tmp_path, RECIPE, steps=STEPS, settings=settings)
    _finish(trainer)
    assert len(trainer.run.metrics("validation")) == 41
    assert trainer.run.weights.read_bytes() == whole.weights.read_bytes()


def test_the_trained_task_is_loaded_as_it_was_evaluated(whole: Run, tmp_path: Path) -> None:
    task = load_task(whole, cache=tmp_path)
    torch.set_num_threads(1)
    with torch.no_grad():
        value = task.evaluate("test").value
    assert whole.receipt is not None
    assert value == whole.receipt["result"]["value"]
    assert not task.training


def test_weights_that_do_not_fit_are_refused(whole: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(whole.folder, tmp_path / whole.name))
    files.write_atomic(run.weights, b"nothing of the kind")
    with pytest.raises(UserError, match=r"model\.safetensors cannot be used"):
        load_task(run, cache=tmp_path)
    run.weights.unlink()
    with pytest.raises(UserError, match="has no weights"):
        load_task(run, cache=tmp_path)


# --- kills ---


def _child(processes: ForkServerContext, runs: Path, budget: str, resumed: str = "", **settings: Any) -> Any:
    arguments = (str(runs), RECIPE, budget, settings, resumed)
    process = processes.Process(target=toys.train_in_child, args=arguments, daemon=True)
    process.start()
    return process


def _reached(runs: Path) -> int:
    """Lines of the only run's metrics."""
    return sum(path.read_bytes().count(b"\n") for path in runs.glob("*/metrics.jsonl"))


def _wait(process: ForkServerProcess, ready: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not ready():
        assert process.is_alive(), "the run ended by itself"
        assert time.monotonic() < end, "the run stands still"
        time.sleep(0.001)


def _only_run(runs: Path) -> Run:
    (folder,) = (path.parent for path in runs.glob("*/config.json"))
    return Run(folder)


def test_five_kills_change_nothing(processes: ForkServerContext, tmp_path: Path) -> None:
    steps, runs, moments = 450, tmp_path / "runs", random.Random(0)
    settings = {"fit.checkpoint_seconds": 0.05}
    budget = f"{32 * steps}samples"
    child = _child(processes, runs, budget, **settings)
    for kill in range(5):
        # A little after a random step, so that kills hit steps, validations and half-written checkpoints.
        step = 40 + 60 * kill + moments.randrange(40)
        _wait(child, lambda step=step: _reached(runs) >= step)  # type: ignore[misc]
        time.sleep(moments.random() * 0.03)
        child.kill()
        child.join()
        assert child.exitcode == -signal.SIGKILL
        run = _only_run(runs)
        assert run.status == "interrupted"
        child = _child(processes, runs, budget, resumed=str(run.folder))
    child.join()
    assert child.exitcode == 0
    alone = toys.start(tmp_path / "alone", RECIPE, budget=budget, settings=settings)
    _finish(alone)
    _assert_same_run(run, alone.run)
    assert run.receipt is not None
    assert run.receipt["spent"]["lost_seconds"] > 0
    assert sorted(path.name for path in run.folder.iterdir()) == [
        *("config.json", "lock", "metrics.jsonl", "model.safetensors", "receipt.json")
    ]


def test_a_kill_before_the_first_checkpoint_starts_again(
    processes: ForkServerContext, whole: Run, tmp_path: Path
) -> None:
    child = _child(processes, tmp_path, f"{32 * STEPS}samples")
    _wait(child, lambda: _reached(tmp_path) >= 20)
    child.kill()
    child.join()
    trainer = _resume(_only_run(tmp_path))
    _finish(trainer)
    _assert_same_run(trainer.run, whole)


def test_a_killed_time_budget_ends_in_time_and_says_what_was_lost(processes: ForkServerContext, tmp_path: Path) -> None:
    child = _child(processes, tmp_path, "2s", **{"fit.checkpoint_seconds": 0.3})
    _wait(child, lambda: any(r["seconds"] > 1.0 for path in tmp_path.glob("*/") for r in Run(path).metrics("step")))
    child.kill()
    child.join()
    run = _only_run(tmp_path)
    reached = run.metrics("step")[-1]["seconds"]
    trainer = _resume(run)
    lost = trainer.seconds
    assert lost == pytest.approx(reached, abs=1e-6)
    receipt = _finish(trainer)
    _assert_in_time(run, receipt, 2.0)
    assert 0 < receipt.spent.lost_seconds <= 0.3 + 0.2
    assert any(f"cost {receipt.spent.lost_seconds:.2f} s" in note for note in receipt.notes)


# --- checkpoints that were damaged ---


def _flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0x04
    path.write_bytes(raw)


_KINDS = ("manifest.json", "progress.json", "random-0.json", "tensors/.metadata", "tensors/__0_0.distcp")


def test_a_checkpoint_consists_of_these_files(left: Run) -> None:
    newest = left.state / "step-000000060"
    assert sorted(str(p.relative_to(newest)) for p in newest.rglob("*") if p.is_file()) == sorted(_KINDS)
    assert sorted(path.name for path in left.state.iterdir()) == ["step-000000040", "step-000000060"]


@pytest.mark.parametrize("harm", [_flip, Path.unlink, lambda path: os.truncate(path, 10)], ids=["flip", "rm", "cut"])
@pytest.mark.parametrize("kind", _KINDS)
def test_a_damaged_file_is_found_and_named(left: Run, kind: str, harm: Callable[[Path], object]) -> None:
    harm(left.state / "step-000000060" / kind)
    found, notes = checkpoint.newest(left.state)
    assert found is not None
    assert found.folder.name == "step-000000040"
    (note,) = notes
    assert "step-000000060 is damaged" in note
    # A manifest with a flipped digit accuses the file of that digit.
    assert kind in note or kind == "manifest.json"


@pytest.mark.parametrize("kind", ["progress.json", "tensors/__0_0.distcp"])
def test_a_damaged_checkpoint_costs_time_and_nothing_else(left: Run, whole: Run, kind: str) -> None:
    _flip(left.state / "step-000000060" / kind)
    trainer = _resume(left)
    assert trainer.samples == 32 * 40
    assert any(kind in note for note in trainer.notes)
    receipt = _finish(trainer)
    _assert_same_run(left, whole)
    assert any(kind in note for note in receipt.notes)
    assert any("30 steps are done again" in note for note in receipt.notes)


def test_a_run_whose_checkpoints_are_all_damaged_starts_again(left: Run, whole: Run) -> None:
    for folder in left.state.iterdir():
        _flip(folder / "tensors" / "__0_0.distcp")
    trainer = _resume(left)
    assert trainer.samples == 0
    receipt = _finish(trainer)
    assert sum("is damaged" in note for note in receipt.notes) == 2
    _assert_same_run(left, whole)


def test_half_a_checkpoint_of_a_killed_writer_is_swept_away(left: Run, whole: Run) -> None:
    half = left.state / ".step-000000070.123.tmp"
    shutil.copytree(left.state / "step-000000060", half)
    trainer = _resume(left)
    assert not half.exists()
    assert trainer.samples == 32 * 60
    _finish(trainer)
    _assert_same_run(left, whole)


def test_a_checkpoint_of_another_model_is_refused(left: Run) -> None:
    document = json.loads((left.folder / "config.json").read_text())
    document["config"]["width"] = 8
    (left.folder / "config.json").write_text(json.dumps(document))
    with pytest.raises(UserError, match="does not fit this model"):
        _resume(left)


# --- requests to stop, and requests that are refused ---


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_stop_leaves_a_run_that_goes_on(
    processes: ForkServerContext, whole: Run, tmp_path: Path, number: signal.Signals
) -> None:
    child = _child(processes, tmp_path, f"{32 * STEPS}samples")
    _wait(child, lambda: _reached(tmp_path) >= 10)
    os.kill(child.pid, number)
    child.join()
    assert child.exitcode == 130
    run = _only_run(tmp_path)
    trainer = _resume(run)
    assert trainer.samples == 32 * len(run.metrics("step"))
    assert trainer.seconds == pytest.approx(run.metrics("step")[-1]["seconds"], abs=1e-6)
    receipt = _finish(trainer)
    assert receipt.spent.lost_seconds == pytest.approx(0, abs=1e-6)
    _assert_same_run(run, whole)


def test_handlers_of_signals_are_put_back(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    trainer = toys.start(tmp_path, "regression", steps=30)
    trainer.stop_requested = True
    with pytest.raises(Interrupted) as caught:
        _finish(trainer)
    assert caught.value.run is trainer.run
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_finished_run_is_not_resumed(whole: Run) -> None:
    with pytest.raises(UserError, match="is finished"):
        _resume(whole)


def test_a_run_whose_data_changed_is_not_resumed(tmp_path: Path) -> None:
    trainer = toys.start(tmp_path, "regression", steps=30)
    trainer.step()
    trainer.save()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "salt").write_text("7")
    with pytest.raises(UserError, match=r"the data of .* has changed"):
        _resume(trainer.run)


def test_a_second_process_on_a_run_is_refused(processes: ForkServerContext, left: Run) -> None:
    with left.locked():
        second = _child(processes, left.folder.parent, "", resumed=str(left.folder))
        second.join()
    assert second.exitcode == 2
    assert len(left.metrics("step")) == 70


def test_nothing_is_left_of_a_run_that_cannot_begin(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="memory of 1 MB"):
        toys.start(tmp_path / "runs", "adversarial", budget="10samples,1MB")
    with pytest.raises(UserError, match="ends a run"):
        toys.start(tmp_path / "runs", RECIPE, budget="100GB")
    assert list((tmp_path / "runs").iterdir()) == []


# --- disks ---


def test_a_full_disk_does_not_stop_training(whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = _half(tmp_path)

    def full(*arguments: object, **more: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for where, name in ((os, "rename"), (files, "_sync"), (checkpoint, "write_json")):
        with monkeypatch.context() as patch:
            patch.setattr(where, name, full)
            trainer.save()
        assert sorted(path.name for path in trainer.run.state.iterdir()) == ["step-000000040", "step-000000060"]
        assert checkpoint.newest(trainer.run.state)[1] == []
    assert trainer.notes == [f"a checkpoint could not be written ({os.strerror(errno.ENOSPC)}); the one before is kept"]
    receipt = _finish(trainer)
    assert len(receipt.notes) >= 1
    _assert_same_run(trainer.run, whole)


def test_an_error_that_is_no_disks_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = toys.start(tmp_path, "regression", steps=5)
    trainer.step()
    monkeypatch.setattr(checkpoint.randomness, "capture", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trainer.save()


def _train_on_a_small_disk(runs: Path, width: int, answers: Any) -> None:
    import resource

    def allow(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    toys.register()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    trainer = _half(runs, settings={"width": width})
    sizes = [path.stat().st_size for path in trainer.run.state.rglob("*.distcp")]
    # Metrics still fit, tensors and the result do not.
    allow(min(sizes) // 8)
    trainer.save()
    kept = sorted(path.name for path in trainer.run.state.iterdir())
    with trainer.run.locked():
        try:
            fit(trainer, cache=runs, floors=False)
        except WorkFailed as error:
            answers.put((kept, trainer.notes, str(error)))
        else:
            answers.put((kept, trainer.notes, "finished"))


@pytest.mark.parametrize("width", [2048, 4096])
def test_a_disk_that_really_refuses_costs_no_checkpoint_and_no_result(
    processes: ForkServerContext, tmp_path: Path, width: int
) -> None:
    answers = processes.Queue()
    child = processes.Process(target=_train_on_a_small_disk, args=(tmp_path / "runs", width, answers))
    child.start()
    kept, notes, failure = answers.get(timeout=60)
    child.join()
    assert child.exitcode == 0
    run = _only_run(tmp_path / "runs")
    assert kept == ["step-000000040", "step-000000060"]
    assert any("a checkpoint could not be written" in note for note in notes)
    assert f"pennyweight fit --resume {run.folder}" in failure
    assert run.status == "interrupted"
    assert not run.weights.exists()
    _finish(_resume(run))
    alone = toys.start(tmp_path / "alone", RECIPE, steps=STEPS, settings={"width": width})
    _finish(alone)
    _assert_same_run(run, alone.run)


@pytest.mark.parametrize("name", ["write_weights", "write_json"])
def test_a_result_that_cannot_be_written_is_kept_for_later(
    whole: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    trainer = toys.start(tmp_path, RECIPE, steps=STEPS)

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(f"pennyweight.core.fit.{name}", full)
        with pytest.raises(WorkFailed, match=r"No space left.*--resume"):
            _finish(trainer)
    assert trainer.run.status == "interrupted"
    again = _resume(trainer.run)
    assert again.done
    _finish(again)
    _assert_same_run(trainer.run, whole)


# --- numbers that are none ---


def test_a_loss_that_is_not_finite_ends_the_work_with_a_hint(tmp_path: Path) -> None:
    trainer = toys.start(tmp_path, "regression", steps=30, settings={"poison": True})
    with pytest.raises(WorkFailed, match=r"loss of .* is not finite at step 1; .*fit\.optimizer\.lr=0\.0033"):
        _finish(trainer)
    assert trainer.run.receipt is None


def test_a_result_that_is_not_finite_ends_the_work_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = toys.start(tmp_path, "regression", steps=3, settings={"fit.validations": 0})
    nothing = Evaluation(value=float("nan"), low=0.0, high=0.0, interval="")
    monkeypatch.setattr(trainer.task, "evaluate", lambda split: nothing)
    with pytest.raises(WorkFailed, match=r"squared error of .* is not finite"):
        _finish(trainer)


# --- time ---


def _assert_in_time(run: Run, receipt: Receipt, seconds: float) -> None:
    steps = run.metrics("step")
    times = [0.0, *(record["seconds"] for record in steps)]
    longest = max(after - before for before, after in itertools.pairwise(times))
    assert receipt.spent.train_seconds - seconds <= max(0.05 * seconds, longest)
    assert seconds - receipt.spent.train_seconds <= max(0.05 * seconds, 2 * longest)
    assert steps[-1]["fraction"] == 1.0
    config = receipt.config["fit"]
    assert steps[-1]["lr"] == config["optimizer"]["lr"] * config["schedule"]["final"]
    fractions = [record["fraction"] for record in steps]
    assert fractions == sorted(fractions)


def _burn() -> None:
    while True:
        pass


@pytest.mark.parametrize(("seconds", "burners"), [(3.0, 0), (6.0, 2)])
def test_a_time_budget_is_kept_on_a_quiet_and_on_a_loaded_machine(
    processes: ForkServerContext, tmp_path: Path, seconds: float, burners: int
) -> None:
    loads = [processes.Process(target=_burn, daemon=True) for _ in range(burners)]
    for load in loads:
        load.start()
    try:
        trainer = toys.start(tmp_path, "reversal", budget=f"{seconds}s", settings={"fit.checkpoint_seconds": 1.0})
        started = time.monotonic()
        receipt = _finish(trainer)
        wall = time.monotonic() - started
    finally:
        for load in loads:
            load.kill()
            load.join()
    _assert_in_time(trainer.run, receipt, seconds)
    # The accounts add up: nothing big happens outside of them.
    spent = receipt.spent
    assert wall - (spent.train_seconds + spent.validation_seconds + spent.saving_seconds) <= 0.25 * wall


def test_the_encoder_and_decoder_learn(tmp_path: Path) -> None:
    trainer = toys.start(tmp_path, "reversal", steps=200)
    receipt = _finish(trainer)
    assert receipt.result.value < 0.2 * receipt.baselines["uniform"]
    assert receipt.result.value < 0.2 * receipt.baselines["untrained"]


# --- what else the receipt says ---


def test_a_resumed_run_keeps_its_assumptions_and_its_floor(tmp_path: Path, whole: Run) -> None:
    trainer = _half(tmp_path, assumptions=Assumptions(watts=50.0))
    receipt = _finish(_resume(trainer.run))
    assert receipt.assumptions == Assumptions(watts=50.0)
    assert whole.receipt is not None
    assert receipt.baselines["untrained"] == whole.receipt["baselines"]["untrained"]


def test_a_trained_network_is_never_taken_for_the_untrained_one(tmp_path: Path) -> None:
    trainer = toys.start(tmp_path, "regression", steps=30)
    for _ in range(10):
        trainer.step()
    trainer.save()
    receipt = _finish(_resume(trainer.run))
    assert "untrained" not in receipt.baselines


def test_the_saved_weights_are_the_averaged_ones(whole: Run, tmp_path: Path) -> None:
    trainer = toys.start(tmp_path, RECIPE, steps=STEPS)
    _finish(trainer)
    saved = load_file(whole.weights)
    assert trainer.engine.ema is not None
    for name, average in trainer.engine.ema.weights.items():
        assert torch.equal(saved[name], average)
    trained = trainer.task.state_dict()
    assert torch.equal(saved["target"], trained["target"])
    assert not torch.equal(saved["generator.0.weight"], trained["generator.0.weight"])
