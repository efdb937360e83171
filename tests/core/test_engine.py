"""One step of training is the step of the textbook, and what surrounds it leaves no trace."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pennyweight.core import randomness
from pennyweight.core.engine import Average, Engine
from pennyweight.core.errors import UserError
from pennyweight.core.machine import PeakMemory
from pennyweight.core.optimizer import AdamW, OptimizerConfig
from pennyweight.core.recipe import FitConfig
from pennyweight.core.schedule import Schedule
from pennyweight.core.task import Batch, Evaluation, Losses, Metric, Source, Task, Turn
from tests.plugins.adversarial.config import AdversarialConfig, noisy
from tests.plugins.adversarial.task import Adversarial
from tests.plugins.regression.config import RegressionConfig
from tests.plugins.regression.task import Regression, examples
from tests.toys import STACK

FLAT = Schedule(warmup=0.0, decay=0.0)


@dataclass(frozen=True)
class Plain:
    """Gradient descent without memory, so that one step shows the gradient."""

    lr: float = 0.1

    def build(self, parameters: Any) -> torch.optim.Optimizer:
        return torch.optim.SGD([p for _, p in parameters], lr=self.lr)


class Descending(Regression):
    """The regression, without anything random, under plain gradient descent."""

    def __init__(self) -> None:
        super().__init__(RegressionConfig(dropout=0.0, norm=False))

    def turns(self, optimizer: OptimizerConfig) -> tuple[Turn, ...]:
        return (Turn(optimizer=Plain()),)


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    randomness.seed_all(0)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def _copied(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in state.items()}


def _assert_equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def _gradient(task: Regression, numbers: range) -> dict[str, Tensor]:
    """By hand: the gradient of the mean squared error over these examples."""
    batch = {k: torch.from_numpy(v) for k, v in examples(np.array(numbers), salt=0).items()}
    twin = copy.deepcopy(task)
    errors = twin.head(twin.body(batch["x"]))[:, 0] - batch["y"]
    errors.square().mean().backward()
    return {name: p.grad for name, p in twin.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("micro_batch", [0, 12, 6, 4, 1])
def test_a_step_descends_the_gradient_of_the_whole_batch(micro_batch: int) -> None:
    task = Descending()
    before = _copied(dict(task.named_parameters()))
    gradient = _gradient(task, range(24, 36))
    engine = Engine(task, FitConfig(batch=12, micro_batch=micro_batch, clip=0.0, schedule=FLAT), stack=STACK)
    losses = engine.step(2, samples=24, fraction=0.5)
    for name, parameter in task.named_parameters():
        torch.testing.assert_close(parameter.detach(), before[name] - 0.1 * gradient[name], rtol=1e-6, atol=1e-6)
    assert list(losses) == ["loss"]
    assert all(p.grad is None for p in task.parameters())


def test_the_loss_of_a_step_is_the_mean_over_its_samples() -> None:
    task = Descending()
    batch = {k: torch.from_numpy(v) for k, v in examples(np.arange(12), salt=0).items()}
    expected = task(batch)["loss"].item()
    for micro_batch in (0, 3):
        engine = Engine(copy.deepcopy(task), FitConfig(batch=12, micro_batch=micro_batch, schedule=FLAT), stack=STACK)
        assert engine.step(0, samples=0, fraction=0.5)["loss"] == pytest.approx(expected, rel=1e-6)


def test_the_gradient_is_clipped_to_the_norm_asked_for() -> None:
    task = Descending()
    before = _copied(dict(task.named_parameters()))
    gradient = _gradient(task, range(12))
    norm = torch.cat([g.flatten() for g in gradient.values()]).norm().item()
    engine = Engine(task, FitConfig(batch=12, clip=norm / 4, schedule=FLAT), stack=STACK)
    engine.step(0, samples=0, fraction=0.5)
    for name, parameter in task.named_parameters():
        torch.testing.assert_close(parameter.detach(), before[name] - 0.1 * gradient[name] / 4, rtol=1e-4, atol=1e-6)


def test_the_learning_rate_follows_the_fraction() -> None:
    task = Descending()
    before = task.head.weight.detach().clone()
    gradient = _gradient(task, range(12))["head.weight"]
    schedule = Schedule(warmup=0.0, decay=0.5, final=0.0)
    engine = Engine(task, FitConfig(batch=12, clip=0.0, schedule=schedule), stack=STACK)
    engine.step(0, samples=0, fraction=0.75)
    torch.testing.assert_close(task.head.weight.detach(), before - 0.05 * gradient)


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(UserError, match="micro_batch 2"):
        Engine(Descending(), replace(FitConfig(batch=10), micro_batch=2), stack=STACK, world=_two())
    with pytest.raises(UserError, match="share equally"):
        Engine(Descending(), FitConfig(batch=5), stack=STACK, world=_two())


def _two():  # type: ignore[no-untyped-def]
    from pennyweight.core.distributed import World

    return World(rank=0, size=2)


class Recorder(Adversarial):
    """Remembers the turns it was asked for."""

    def __init__(self) -> None:
        super().__init__(AdversarialConfig())
        self.asked: list[str] = []

    def turns(self, optimizer: OptimizerConfig) -> tuple[Turn, ...]:
        return (
            Turn(name="critic", parameters="critic.", optimizer=optimizer, every=2),
            Turn(name="generator", parameters="generator.", optimizer=optimizer, every=3, starts_at=0.5),
        )

    def forward(self, batch: Batch, turn: str = "main") -> Losses:
        self.asked.append(turn)
        return super().forward(batch, turn)


def test_turns_come_when_they_are_due() -> None:
    task = Recorder()
    engine = Engine(task, FitConfig(batch=4), stack=STACK)
    seen = []
    for step in range(12):
        task.asked.clear()
        losses = engine.step(step, samples=4 * step, fraction=step / 12)
        assert {name.partition(".")[0] for name in losses} == set(task.asked)
        seen.append("".join(name[0] for name in task.asked))
    assert seen == ["c", "", "c", "", "c", "", "cg", "", "c", "g", "c", ""]


def test_a_turn_moves_its_own_parameters_only() -> None:
    task = Adversarial(AdversarialConfig())
    engine = Engine(task, FitConfig(batch=8), stack=STACK)
    before = _copied(dict(task.named_parameters()))
    engine.step(1, samples=8, fraction=0.5)  # the generator's turn comes in even steps
    moved = {name.partition(".")[0] for name, p in task.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {"critic"}
    before = _copied(dict(task.named_parameters()))
    losses = engine.step(2, samples=16, fraction=0.5)
    moved = {name.partition(".")[0] for name, p in task.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {"critic", "generator"}
    assert list(losses) == ["critic.loss", "critic.margin", "generator.loss"]


def test_turns_follow_one_another_as_a_plain_loop_would() -> None:
    config = AdversarialConfig()
    task = Adversarial(config)
    twin = copy.deepcopy(task)
    fit = FitConfig(batch=8, clip=0.0, optimizer=AdamW(lr=1e-2), schedule=FLAT)
    engine = Engine(task, fit, stack=STACK)
    critic = torch.optim.AdamW(twin.critic.parameters(), lr=4e-3, betas=(0.5, 0.98), weight_decay=0.0)
    generator = torch.optim.AdamW(twin.generator.parameters(), lr=1e-2, betas=(0.9, 0.98), weight_decay=0.0)
    for optimizer, decay in ((critic, 0.05), (generator, 0.05)):
        matrices = [p for p in optimizer.param_groups[0]["params"] if p.ndim > 1]
        vectors = [p for p in optimizer.param_groups[0]["params"] if p.ndim < 2]
        optimizer.param_groups[0]["params"] = vectors
        optimizer.add_param_group({"params": matrices, "weight_decay": decay})
    for step in range(4):
        engine.step(step, samples=8 * step, fraction=0.5)
        points = twin.source("train", seed=0).batch(np.arange(8 * step, 8 * step + 8))
        batch = {name: torch.from_numpy(np.asarray(array)) for name, array in points.items()}
        for name, optimizer in (("critic", critic), ("generator", generator)):
            if name == "critic" or step % 2 == 0:
                twin.zero_grad()
                twin(batch, name)["loss"].backward()
                optimizer.step()
        twin.after_step(0.5)
    for (name, ours), theirs in zip(task.state_dict().items(), twin.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6, msg=name)


def test_a_turn_without_parameters_is_a_bug() -> None:
    class Wrong(Descending):
        def turns(self, optimizer: OptimizerConfig) -> tuple[Turn, ...]:
            return (Turn(parameters="tail.", optimizer=optimizer),)

    with pytest.raises(ValueError, match=r"tail\."):
        Engine(Wrong(), FitConfig(batch=4), stack=STACK)


def test_averages_are_what_a_naive_loop_averages() -> None:
    engine = Engine(Adversarial(noisy()), FitConfig(batch=8, ema=0.8), stack=STACK)
    assert engine.ema is not None
    expected = {name: p.detach().double().numpy() for name, p in engine.task.named_parameters()}
    for step in range(6):
        engine.step(step, samples=8 * step, fraction=0.5)
        for name, parameter in engine.task.named_parameters():
            expected[name] = 0.8 * expected[name] + 0.2 * parameter.detach().double().numpy()
    for name, average in engine.ema.weights.items():
        np.testing.assert_allclose(average.numpy(), expected[name], rtol=1e-5, atol=1e-6)


def test_averages_take_the_place_of_the_weights_and_give_it_back() -> None:
    module = nn.Linear(2, 2)
    average = Average(module, 0.5)
    with torch.no_grad():
        module.weight.add_(1.0)
    trained, averaged = module.weight.detach().clone(), average.weights["weight"].clone()
    with pytest.raises(RuntimeError, match="inside"), average.swapped():  # noqa: PT012 - the block is the test
        assert torch.equal(module.weight, averaged)
        raise RuntimeError("inside")
    assert torch.equal(module.weight, trained)
    assert torch.equal(average.weights["weight"], averaged)


@pytest.mark.parametrize("training", [True, False])
def test_evaluating_leaves_mode_weights_and_random_states_as_they_were(training: bool) -> None:
    engine = Engine(Adversarial(noisy()), FitConfig(batch=8, ema=0.8), stack=STACK)
    for step in range(3):
        engine.step(step, samples=8 * step, fraction=0.5)
    assert engine.ema is not None
    engine.module.train(training)
    state, averages, states = _copied(engine.task.state_dict()), _copied(engine.ema.weights), randomness.capture()
    with pytest.raises(RuntimeError, match="inside"), engine.evaluating():  # noqa: PT012 - the block is the test
        assert not engine.task.training
        assert not torch.is_grad_enabled()
        assert torch.equal(engine.task.generator[0].weight, averages["generator.0.weight"])
        engine.task.evaluate("test")
        torch.rand(3), np.random.random(3)
        raise RuntimeError("inside")
    assert all(module.training == training for module in engine.task.modules())
    assert torch.is_grad_enabled()
    _assert_equal(engine.task.state_dict(), state)
    _assert_equal(engine.ema.weights, averages)
    assert randomness.capture() == states


def _trace(engine: Engine) -> tuple[dict[str, Tensor], list[object], dict[str, Any], dict[str, Tensor]]:
    assert engine.ema is not None
    optimizers = [dict(optimizer.state) for optimizer in engine.optimizers.values()]
    return _copied(engine.task.state_dict()), optimizers, randomness.capture(), _copied(engine.ema.weights)


def test_calibrating_leaves_no_trace() -> None:
    def engine() -> Engine:
        randomness.seed_all(0)
        return Engine(Adversarial(noisy()), FitConfig(batch=8, ema=0.8), stack=STACK)

    calibrated, untouched = engine(), engine()
    randomness.seed_all(5)
    before = _trace(calibrated)
    calibration = calibrated.calibrate()
    after = _trace(calibrated)
    _assert_equal(after[0], before[0])
    assert after[1] == [{}, {}]
    assert after[2] == before[2]
    _assert_equal(after[3], before[3])
    assert all(p.grad is None for p in calibrated.task.parameters())
    assert 0 < calibration.step_seconds < 1
    assert calibration.micro_batch == 8
    # What cannot be seen from outside would show in the numbers that follow.
    for step in range(3):
        randomness.seed_all(step)
        ours = calibrated.step(step, samples=8 * step, fraction=0.5)
        randomness.seed_all(step)
        assert ours == untouched.step(step, samples=8 * step, fraction=0.5)
    _assert_equal(calibrated.task.state_dict(), untouched.task.state_dict())


class Hungry(Descending):
    """Keeps some megabytes of activations for every sample that passes at once."""

    def forward(self, batch: Batch, turn: str = "main") -> Losses:
        wide = (batch["x"].sum() * self.head.bias).expand(len(batch["x"]), 100_000).exp()
        return {"loss": super().forward(batch)["loss"] + 1e-9 * wide.sin().mean()}


def test_the_micro_batch_is_halved_until_the_step_fits() -> None:
    probe = PeakMemory()
    if not probe.exact:
        pytest.skip("this kernel does not let a process set its high-water mark back")
    engine = Engine(Hungry(), FitConfig(batch=64), stack=STACK)
    whole = engine.calibrate()
    assert whole.micro_batch == 64
    assert whole.step_bytes > 30e6
    limit = whole.peak_bytes - whole.step_bytes // 2
    halved = Engine(Hungry(), FitConfig(batch=64), stack=STACK).calibrate(limit_bytes=limit)
    assert 1 <= halved.micro_batch <= 32
    assert 64 % halved.micro_batch == 0
    assert halved.peak_bytes <= limit


def test_a_model_for_which_no_micro_batch_fits_is_refused() -> None:
    engine = Engine(Descending(), FitConfig(batch=12), stack=STACK)
    before = _copied(engine.task.state_dict())
    with pytest.raises(UserError, match=r"memory of 1 MB: expected at least \d+ MB, which 3 samples"):
        engine.calibrate(limit_bytes=1_000_000)
    _assert_equal(engine.task.state_dict(), before)


def test_memory_that_runs_out_halves_the_micro_batch() -> None:
    class Bounded(Descending):
        def forward(self, batch: Batch, turn: str = "main") -> Losses:
            if len(batch["x"]) > 4:
                raise torch.OutOfMemoryError("no memory")
            return super().forward(batch)

    assert Engine(Bounded(), FitConfig(batch=16), stack=STACK).calibrate().micro_batch == 4

    class Never(Descending):
        def forward(self, batch: Batch, turn: str = "main") -> Losses:
            raise torch.OutOfMemoryError("no memory")

    with pytest.raises(UserError, match="the memory there is"):
        Engine(Never(), FitConfig(batch=16), stack=STACK).calibrate()


def test_an_error_while_calibrating_puts_everything_back() -> None:
    class Broken(Descending):
        calls = 0

        def forward(self, batch: Batch, turn: str = "main") -> Losses:
            self.calls += 1
            if self.calls == 3:
                raise ZeroDivisionError
            return super().forward(batch)

    engine = Engine(Broken(), FitConfig(batch=4), stack=STACK)
    before = _copied(engine.task.state_dict())
    with pytest.raises(ZeroDivisionError):
        engine.calibrate()
    _assert_equal(engine.task.state_dict(), before)


def test_a_task_without_its_parts_says_which() -> None:
    class Bare(Task):
        metric = Metric(name="x")

    bare = Bare()
    calls: dict[str, Any] = {
        "training data": lambda: bare.source("train", seed=0),
        "no loss": lambda: bare({}),
        "evaluated": lambda: bare.evaluate("test"),
    }
    for said, call in calls.items():
        with pytest.raises(NotImplementedError, match=f"Bare .*{said}"):
            call()


def test_bf16_computes_in_bf16_and_keeps_weights_in_fp32() -> None:
    seen: set[torch.dtype] = set()

    class Watching(Descending):
        def forward(self, batch: Batch, turn: str = "main") -> Losses:
            seen.add(self.head(self.body(batch["x"])).dtype)
            return super().forward(batch)

        def evaluate(self, split: Literal["validation", "test"]) -> Evaluation:
            seen.add(self.head(self.body(torch.ones(2, 4))).dtype)
            return Evaluation(value=0.0, low=0.0, high=0.0, interval="")

        def source(self, stream: str, *, seed: int) -> Source:
            return super().source(stream, seed=seed)

    engine = Engine(Watching(), FitConfig(batch=4), stack=replace(STACK, precision="bf16"))
    engine.step(0, samples=0, fraction=0.5)
    with engine.evaluating():
        engine.task.evaluate("test")
    assert seen == {torch.bfloat16}
    assert all(p.dtype == torch.float32 for p in engine.task.parameters())
