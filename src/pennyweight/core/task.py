"""A task: an ``nn.Module`` that knows its losses and how it is evaluated. All that ``fit`` asks of a method."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from pennyweight.core.optimizer import OptimizerConfig

Batch = Mapping[str, Tensor]
"""Named tensors whose first axis counts samples."""

Losses = Mapping[str, Tensor]
"""Named scalars, means over the samples of a batch; ``"loss"`` is the one that is differentiated."""


class Source(Protocol):
    """Training examples by number. A number always gives the same example, in any order, on any process.

    The state of a sampler is therefore one integer, and resuming or sharing work needs nothing else.
    """

    def batch(self, numbers: NDArray[np.int64]) -> Mapping[str, NDArray[np.generic]]:
        """The examples with these numbers (0, 1, 2, ...; an epoch simply goes on) as arrays."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One optimiser's part of a training step. Most tasks have one turn; adversarial and search tasks several.

    ``parameters`` is the prefix of the names that this turn updates ("" for all). ``every`` lets it run
    only in each n-th step, ``starts_at`` only once that fraction of the budget is spent (freeze first).
    ``stream`` names the source of its batches: turns of one stream share the step's batch.
    """

    name: str = "main"
    parameters: str = ""
    optimizer: OptimizerConfig
    stream: str = "train"
    every: int = 1
    starts_at: float = 0.0

    def due(self, step: int, fraction: float) -> bool:
        """Whether this turn runs in the given step (from 0)."""
        return step % self.every == 0 and fraction >= self.starts_at


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What a task is judged by."""

    name: str
    unit: str = ""
    better: Literal["lower", "higher"] = "lower"


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A measured value with an interval of the stated kind, and whatever else was measured on the way."""

    value: float
    low: float
    high: float
    interval: str
    details: Mapping[str, float] = field(default_factory=dict)


class Task(nn.Module):
    """Base of all tasks. A subclass sets ``metric`` and writes ``source``, ``forward`` and ``evaluate``.

    Everything that must survive an interruption lives in parameters and buffers: ``fit`` saves and
    restores those and nothing else of the task.
    """

    metric: Metric

    def source(self, stream: str, *, seed: int) -> Source:
        """The examples of a stream ("train" unless a turn names another), in an order that ``seed`` decides."""
        raise NotImplementedError(f"{type(self).__name__} has no training data")

    def forward(self, batch: Batch, turn: str = "main") -> Losses:
        """The losses of one turn on one batch. Must be called through ``__call__``, so that DDP and FSDP see it."""
        raise NotImplementedError(f"{type(self).__name__} has no loss")

    def turns(self, optimizer: OptimizerConfig) -> tuple[Turn, ...]:
        """The turns of a step, in their order. By default one, over all parameters."""
        return (Turn(optimizer=optimizer),)

    def after_step(self, fraction: float) -> None:
        """Called after each step with the fraction of the budget spent: moving-average targets go here."""

    def evaluate(self, split: Literal["validation", "test"]) -> Evaluation:
        """Measure ``metric`` on held-out data. Called without gradients, in eval mode, under the stack's precision."""
        raise NotImplementedError(f"{type(self).__name__} cannot be evaluated")

    def baselines(self, cache: Path) -> Mapping[str, float]:
        """What the metric is worth without this method (majority, a simple model), on the test split."""
        return {}

    def data_receipt(self) -> Mapping[str, str]:
        """``name``, ``sha256`` and ``split`` of the data, for the receipt."""
        return {}

    def shard_units(self) -> Iterable[nn.Module]:
        """Sub-modules that FSDP gathers one at a time; the rest of the task forms one more unit."""
        return ()

    def save_assets(self, folder: Path) -> None:
        """Write what is needed beside the weights to use the task without its data (a tokenizer, class names)."""

    def num_parameters(self) -> int:
        """How many numbers are trained."""
        return sum(parameter.numel() for parameter in self.parameters())


@runtime_checkable
class WritesText(Protocol):
    """A task that can continue a text; what ``sample`` needs."""

    def write(self, prompt: str, *, num_tokens: int, temperature: float, top_k: int, seed: int) -> str:
        """``prompt`` and its continuation. ``top_k`` 0 samples among all tokens, temperature 0 takes the likeliest."""


def to_tensors(arrays: Mapping[str, NDArray[np.generic]], device: torch.device) -> dict[str, Tensor]:
    """Arrays of a batch as tensors on a device."""
    return {name: torch.from_numpy(array).to(device, non_blocking=True) for name, array in arrays.items()}


def scalar(losses: Losses) -> Float[Tensor, ""]:
    """The loss that is differentiated."""
    return losses["loss"]
