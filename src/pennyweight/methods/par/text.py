"""What all tasks on a text transformer share, so that a search for its pattern works on any of them.

The transformer gives a state for each token; what a task makes of the states is its own. So another transformer, or
another walk through one, can stand in for a task's own (`TextTask.evaluate_states`, `TextTask.placed`).

Shape letters: B batch, T time, W width of the model.
"""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, Self

import numpy as np
import torch
from jaxtyping import Float, Int, Integer
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from pennyweight.blocks.transformer import Transformer, TransformerConfig
from pennyweight.core.task import Batch, Evaluation, Losses, Source, Task, to_tensors
from pennyweight.methods.par.config import NetworkConfig

Split = Literal["validation", "test"]

Read = Callable[[Int[Tensor, "batch time"]], Float[Tensor, "batch time width"]]
"""Tokens to normalised states, as `Transformer.hidden`."""

_EVALUATION_BATCH = 32


class TextTask(Task, ABC):
    """A task whose predictions are read off the states of a transformer.

    A subclass sets ``model`` and writes ``tokens``, ``nats``, ``examples``, ``evaluate_states`` and ``parts``, beside
    ``source``. All modules but ``model`` are its heads.
    """

    model: Transformer

    @abstractmethod
    def tokens(self, batch: Batch) -> Int[Tensor, "batch time"]:
        """What the transformer reads."""

    @abstractmethod
    def nats(
        self, states: Float[Tensor, "batch time width"], batch: Batch
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
        """The summed loss of each sample in nats, from its normalised states, and how many predictions it holds."""

    @abstractmethod
    def examples(self, split: Split) -> Mapping[str, NDArray[np.generic]]:
        """All held-out samples, as the arrays of one batch."""

    @abstractmethod
    def evaluate_states(self, read: Read, split: Split) -> Evaluation:
        """The metric with another reader of the same tokens in place of this task's transformer."""

    @abstractmethod
    def parts(self, share: float, *, seed: int) -> tuple[Source, Source]:
        """The training data in two parts that have no document in common, the second with ``share`` of them."""

    def forward(self, batch: Batch, turn: str = "main") -> Losses:
        """Mean nats of the predictions of a batch."""
        nats, counts = self.nats(self.model.hidden(self.tokens(batch)), batch)
        return {"loss": nats.sum() / counts.sum()}

    def evaluate(self, split: Split) -> Evaluation:
        """The metric of this task's own transformer."""
        return self.evaluate_states(self.model.hidden, split)

    def held_out(self, split: Split, *, num_samples: int | None = None) -> Iterator[Batch]:
        """The held-out samples in batches on the model's device; with a number, about as many, evenly spread."""
        examples = self.examples(split)
        total = len(next(iter(examples.values())))
        rows = np.arange(total)
        if num_samples is not None and num_samples < total:
            rows = np.linspace(0, total - 1, num_samples).astype(np.int64)
        for start in range(0, len(rows), _EVALUATION_BATCH):
            chosen = rows[start : start + _EVALUATION_BATCH]
            yield to_tensors({name: array[chosen] for name, array in examples.items()}, self.device)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.embedding.weight.device

    def placed(self, model: Transformer) -> Self:
        """This task with another transformer for the same tokens: the heads are copies, the data is shared."""
        twin = copy.copy(self)
        # A copied module shares its tables of parts with the first one.
        heads = {name: copy.deepcopy(head) for name, head in self._modules.items() if name != "model"}
        twin._modules = {**heads, "model": model}
        twin._parameters = copy.deepcopy(self._parameters)
        twin._buffers = copy.deepcopy(self._buffers)
        for name, parameter in twin.named_parameters():
            if not name.startswith("model."):
                parameter.requires_grad_(True)
        return twin

    def shard_units(self) -> Sequence[nn.Module]:
        """The blocks that hold weights."""
        return list(self.model.blocks.values())


def token_nats(
    logits: Float[Tensor, "batch time vocab"], targets: Int[Tensor, "batch time"]
) -> Float[Tensor, "batch time"]:
    """Cross-entropy of each token in nats; 0 where the target is -1."""
    nats = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), ignore_index=-1, reduction="none")
    return nats.view(targets.shape)


def sums_by(
    groups: Integer[NDArray[np.integer], " values"], values: Float[NDArray[np.float64], " values"]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The sum of the values of each group that there is, and how many it has."""
    _, numbers = np.unique(groups, return_inverse=True)
    return np.bincount(numbers, weights=values).astype(np.float64), np.bincount(numbers).astype(np.float64)


def model_config(
    config: NetworkConfig, *, vocab_size: int, causal: bool, padding: int | None = None
) -> TransformerConfig:
    """The network of a recipe."""
    return TransformerConfig(
        vocab_size=vocab_size,
        width=config.width,
        num_heads=config.num_heads,
        pattern=config.parsed_pattern(),
        window=config.window,
        causal=causal,
        padding=padding,
    )
