"""The task of scoring blocks: train the substitutes of a trained language model, then measure each in its place.

A task like any other, so that a budget, checkpoints, resuming and a receipt are those of every run.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from pennyweight.arrays.statistics import ratio_of_sums
from pennyweight.core.optimizer import OptimizerConfig
from pennyweight.core.task import Batch, Evaluation, Losses, Metric, Source, Task, Turn
from pennyweight.data.text import evaluation_windows
from pennyweight.methods.par.search.menu import Menu
from pennyweight.methods.par.search.substitutes import Substitutes
from pennyweight.methods.par.task import LanguageModel

_BATCH = 16


class BlockScoring(Task):
    """Substitutes for every block of a trained model; judged by what one of them adds to its held-out loss.

    ``num_windows`` are the held-out windows that each substitute is measured on.
    """

    metric = Metric(name="loss that a substitute adds", unit="nats/token", better="lower")

    def __init__(self, parent: LanguageModel, menu: Menu, *, num_windows: int = 64) -> None:
        super().__init__()
        self.substitutes = Substitutes(parent.model, menu)
        self.num_windows = num_windows
        self._language = [parent]  # in a list: its weights are the substitutes' parent's already

    @property
    def language(self) -> LanguageModel:
        """The language model whose blocks are scored."""
        return self._language[0]

    def source(self, stream: str, *, seed: int) -> Source:
        """The parent's own training windows."""
        return self.language.source(stream, seed=seed)

    def turns(self, optimizer: OptimizerConfig) -> tuple[Turn, ...]:
        """One turn, over the substitutes alone."""
        return (Turn(optimizer=optimizer, parameters="substitutes.blocks."),)

    def forward(self, batch: Batch, turn: str = "main") -> Losses:
        """How far the substitutes are from adding what the parent's blocks add (`Substitutes.forward`)."""
        return {"loss": self.substitutes(batch["tokens"][:, :-1])}

    def evaluate(self, split: Literal["validation", "test"]) -> Evaluation:
        """The mean over substitutes of the loss that each adds; of each by itself in ``details``, as ``"w at 3"``."""
        nats, counts = self._measure(split)
        own = self.substitutes.own
        parent = nats[0, own[0]]
        added = {key: each - parent for key, each in nats.items() if key[1] != own[key[0]]}
        whole = ratio_of_sums(np.mean([*added.values()], axis=0), counts)
        return Evaluation(
            value=whole.value,
            low=whole.low,
            high=whole.high,
            interval=f"95 % bootstrap over {len(counts)} windows",
            details={
                f"{letter} at {place}": float(more.sum() / counts.sum()) for (place, letter), more in added.items()
            },
        )

    def _measure(
        self, split: Literal["validation", "test"]
    ) -> tuple[dict[tuple[int, str], NDArray[np.float64]], NDArray[np.float64]]:
        """Nats of each held-out window with each block replaced, by place and letter, and the tokens of each."""
        windows = evaluation_windows(self.language.corpus.splits[split], context=self.language.config.context)
        device = self.substitutes.parent.embedding.weight.device
        chosen = np.linspace(0, len(windows.inputs) - 1, min(self.num_windows, len(windows.inputs))).astype(int)
        found: dict[tuple[int, str], list[NDArray[np.float64]]] = {}
        for start in range(0, len(chosen), _BATCH):
            rows = chosen[start : start + _BATCH]
            inputs = torch.from_numpy(windows.inputs[rows]).to(device)
            targets = torch.from_numpy(windows.targets[rows]).to(device)
            for key, nats in self.substitutes.nats_of_each(inputs, targets).items():
                found.setdefault(key, []).append(nats.sum(1).double().cpu().numpy())
        counts = (windows.targets[chosen] >= 0).sum(1).astype(np.float64)
        return {key: np.concatenate(parts) for key, parts in found.items()}, counts


def increases(details: Mapping[str, float]) -> dict[tuple[int, str], float]:
    """What an evaluation's details say, by place and letter."""
    parts = ((name.split(" at "), value) for name, value in details.items() if " at " in name)
    return {(int(place), letter): value for (letter, place), value in parts}
