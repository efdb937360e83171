"""One training step of any task: turns, micro-batches, clipping, optimisers, moving averages. No budget, no files."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from pennyweight.core import randomness
from pennyweight.core.distributed import ALONE, World, accumulating, gathered, wrap
from pennyweight.core.errors import UserError
from pennyweight.core.machine import PeakMemory
from pennyweight.core.recipe import FitConfig
from pennyweight.core.stack import Stack
from pennyweight.core.task import Task, scalar, to_tensors


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What a few steps cost before the clock started: seconds and bytes of one, and the micro-batch used."""

    step_seconds: float
    peak_bytes: int
    step_bytes: int
    micro_batch: int


class Engine:
    """A task, its optimisers and (optionally) its averaged weights on one stack, ready to be stepped.

    Everything that ``step`` changes is in the module, the optimisers, ``ema`` and the random states.
    """

    def __init__(self, task: Task, config: FitConfig, *, stack: Stack, world: World = ALONE) -> None:
        self.config = config
        self.stack = stack
        self.world = world
        self.device = stack.activate()
        self.task = task.to(self.device)
        if config.batch % world.size:
            raise UserError(
                f"batch {config.batch} on {world.size} processes",
                expected="a batch that they can share equally",
            )
        self.share = config.batch // world.size
        self.micro_batch = config.micro_batch or self.share
        if self.share % self.micro_batch:
            raise UserError(f"micro_batch {self.micro_batch}", expected=f"a divisor of a process's share, {self.share}")
        self.turns = task.turns(config.optimizer)
        self.sources = {turn.stream: task.source(turn.stream, seed=config.seed) for turn in self.turns}
        self.module = wrap(task, parallel=config.parallel, world=world, num_turns=len(self.turns))
        self.optimizers = {turn.name: turn.optimizer.build(self._parameters(turn.parameters)) for turn in self.turns}
        self.ema = Average(self.task, config.ema) if config.ema else None

    def _parameters(self, prefix: str) -> list[tuple[str, nn.Parameter]]:
        chosen = [(n, p) for n, p in self.task.named_parameters() if n.startswith(prefix) and p.requires_grad]
        if not chosen:
            raise ValueError(f"no parameter of {type(self.task).__name__} starts with {prefix!r}")
        return chosen

    def step(self, number: int, *, samples: int, fraction: float) -> dict[str, float]:
        """Train on samples ``samples`` to ``samples + batch``, at ``fraction`` of the budget; the losses.

        With one turn the losses keep their names, with several they are prefixed by the turn's.
        """
        factor = self.config.schedule.factor(fraction)
        self.module.train()
        batches: dict[str, list[dict[str, Tensor]]] = {}
        losses: dict[str, float] = {}
        for turn in self.turns:
            if not turn.due(number, fraction):
                continue
            if turn.stream not in batches:
                batches[turn.stream] = self._micro_batches(turn.stream, samples)
            optimizer = self.optimizers[turn.name]
            for group in optimizer.param_groups:
                group["lr"] = turn.optimizer.lr * factor
            seen = self._backward(batches[turn.stream], turn.name)
            if self.config.clip:
                updated = [p for group in optimizer.param_groups for p in group["params"]]
                nn.utils.clip_grad_norm_(updated, self.config.clip)
            optimizer.step()
            losses |= seen if len(self.turns) == 1 else {f"{turn.name}.{k}": v for k, v in seen.items()}
        self.module.zero_grad(set_to_none=True)
        self.task.after_step(fraction)
        if self.ema:
            self.ema.update()
        return losses

    def _micro_batches(self, stream: str, samples: int) -> list[dict[str, Tensor]]:
        first = samples + self.world.rank * self.share
        return [
            to_tensors(
                self.sources[stream].batch(np.arange(start, start + self.micro_batch, dtype=np.int64)),
                self.device,
            )
            for start in range(first, first + self.share, self.micro_batch)
        ]

    def _backward(self, micro_batches: list[dict[str, Tensor]], turn: str) -> dict[str, float]:
        self.module.zero_grad(set_to_none=True)
        total: dict[str, Tensor] = {}
        for index, batch in enumerate(micro_batches):
            with accumulating(self.module, more=index + 1 < len(micro_batches)):
                with self.stack.autocast():
                    losses = self.module(batch, turn)
                torch.autograd.backward(scalar(losses) / len(micro_batches))
            for name, value in losses.items():
                part = value.detach().float() / len(micro_batches)
                total[name] = total[name] + part if name in total else part
        return self.world.mean(total)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Inside, the task is in eval mode, without gradients, in the stack's precision, with averaged weights.

        Random states and the mode are put back, so that evaluating never changes training.
        """
        before = randomness.capture()
        training = self.module.training
        self.module.eval()
        swapped = self.ema.swapped() if self.ema else nullcontext()
        try:
            with torch.no_grad(), self.stack.autocast(), swapped, gathered(self.module):
                yield
        finally:
            self.module.train(training)
            randomness.restore(before)

    def calibrate(self, *, limit_bytes: int | None = None, num_steps: int = 3) -> Calibration:
        """Time a few real steps and measure their memory, then put everything back as it was.

        With ``limit_bytes`` the micro-batch is halved (gradients accumulated) until the peak fits. Must be
        called before the first step: the optimisers are put back to having no state.
        """
        before = {name: tensor.clone() for name, tensor in self.task.state_dict().items()}
        random_state = randomness.capture()
        while True:
            peak = PeakMemory(self.device.type)
            out_of_memory = False
            seconds = []
            try:
                for number in range(num_steps):
                    self.stack.synchronize()
                    started = time.perf_counter()
                    self.step(number, samples=number * self.config.batch, fraction=1.0)
                    self.stack.synchronize()
                    seconds.append(time.perf_counter() - started)
            except torch.OutOfMemoryError:
                out_of_memory = True
            finally:
                self._put_back(before)
                randomness.restore(random_state)
            measured = peak.peak_bytes()
            fits = not out_of_memory and (limit_bytes is None or measured <= limit_bytes)
            if not self.world.agree(fits):
                if self.micro_batch % 2:
                    limit = "the memory there is" if limit_bytes is None else f"{limit_bytes / 1e6:.0f} MB"
                    raise UserError(
                        f"memory of {limit}",
                        expected=f"at least {measured / 1e6:.0f} MB, which {self.micro_batch} samples at a time take",
                        hint="give more bytes or a smaller model",
                    )
                self.micro_batch //= 2
                continue
            step_seconds = min(seconds[1:] or seconds)
            return Calibration(
                step_seconds=self.world.share(step_seconds),
                peak_bytes=measured,
                step_bytes=peak.step_bytes(),
                micro_batch=self.micro_batch,
            )

    def _put_back(self, before: dict[str, Tensor]) -> None:
        with torch.no_grad():
            for name, tensor in self.task.state_dict().items():
                tensor.copy_(before[name])
        for optimizer in self.optimizers.values():
            optimizer.state.clear()
        self.module.zero_grad(set_to_none=True)
        if self.ema:
            self.ema.restart()


class Average:
    """Exponential moving average of a module's trainable parameters (buffers are left as they are)."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self._parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self.weights: dict[str, Tensor] = {}
        self.restart()

    def restart(self) -> None:
        """Begin again at the present weights."""
        self.weights = {name: p.detach().clone() for name, p in self._parameters.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Move the averages by ``1 - decay`` towards the present weights. Call after the optimiser's step."""
        torch._foreach_lerp_(
            list(self.weights.values()), [p.detach() for p in self._parameters.values()], 1 - self.decay
        )

    @contextmanager
    def swapped(self) -> Iterator[None]:
        """Inside, the module holds the averaged weights."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for name, parameter in self._parameters.items():
            kept = parameter.detach().clone()
            parameter.copy_(self.weights[name])
            self.weights[name].copy_(kept)
