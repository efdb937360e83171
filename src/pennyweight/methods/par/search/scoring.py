"""The task of scoring blocks: train the substitutes of a trained model, then measure each in its place.

A task like any other, so that a budget, checkpoints, resuming and a receipt are those of every run.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from pennyweight.arrays.statistics import ratio_of_sums
from pennyweight.core.optimizer import OptimizerConfig
from pennyweight.core.task import Batch, Evaluation, Losses, Metric, Source, Task, Turn
from pennyweight.methods.par.search.menu import Menu
from pennyweight.methods.par.search.substitutes import Substitutes
from pennyweight.methods.par.text import Split, TextTask

Nats = Float[NDArray[np.float64], " samples"]


@dataclass(frozen=True, kw_only=True)
class Increase:
    """What one substitute adds to the loss, in nats per prediction, with its standard error over samples."""

    value: float
    error: float


class BlockScoring(Task):
    """Substitutes for every block of a trained model; judged by what one of them adds to its held-out loss.

    Each substitute is measured on ``num_windows`` held-out samples, while training goes on on ``validation_windows``.
    """

    metric = Metric(name="loss that a substitute adds", unit="nats/prediction", better="lower")

    def __init__(self, parent: TextTask, menu: Menu, *, num_windows: int = 64, validation_windows: int = 8) -> None:
        super().__init__()
        self.substitutes = Substitutes(parent, menu)
        self.num_windows = num_windows
        self.validation_windows = validation_windows

    @property
    def parent(self) -> TextTask:
        """The task whose transformer's blocks are scored."""
        return self.substitutes.parent

    def source(self, stream: str, *, seed: int) -> Source:
        """The parent's own training examples."""
        return self.parent.source(stream, seed=seed)

    def turns(self, optimizer: OptimizerConfig) -> tuple[Turn, ...]:
        """One turn, over the substitutes alone."""
        return (Turn(optimizer=optimizer, parameters="substitutes.blocks."),)

    def forward(self, batch: Batch, turn: str = "main") -> Losses:
        """How far the substitutes are from adding what the parent's blocks add (`Substitutes.forward`)."""
        return {"loss": self.substitutes(self.parent.tokens(batch))}

    def evaluate(self, split: Split) -> Evaluation:
        """The mean over substitutes of the loss that each adds; of each by itself in ``details``, as ``"w at 3"``."""
        added, counts = self._added(split, self.validation_windows if split == "validation" else self.num_windows)
        whole = ratio_of_sums(np.mean([*added.values()], axis=0), counts)
        each = {key: _increase(nats, counts) for key, nats in added.items()}
        return Evaluation(
            value=whole.value,
            low=whole.low,
            high=whole.high,
            interval=f"95 % bootstrap over {len(counts)} windows",
            details={f"{letter} at {place}": one.value for (place, letter), one in each.items()},
        )

    def measure(self, split: Split, num_windows: int) -> dict[tuple[int, str], Increase]:
        """What each substitute adds on so many held-out samples, by place and letter.

        A choice is made by the validation split, or the test split would no longer judge it.
        """
        added, counts = self._added(split, num_windows)
        return {key: _increase(nats, counts) for key, nats in added.items()}

    def _added(self, split: Split, num_windows: int) -> tuple[dict[tuple[int, str], Nats], Nats]:
        """Nats that each substitute adds to each held-out sample, and the predictions of each sample."""
        found: dict[tuple[int, str], list[Nats]] = {}
        counts: list[Nats] = []
        own = self.substitutes.own
        for batch in self.parent.held_out(split, num_samples=num_windows):
            nats, of_batch = self.substitutes.nats_of_each(batch)
            counts.append(of_batch.double().cpu().numpy())
            for (place, letter), each in nats.items():
                if letter != own[place]:
                    more = each.double() - nats[place, own[place]].double()
                    found.setdefault((place, letter), []).append(more.cpu().numpy())
        return {key: np.concatenate(parts) for key, parts in found.items()}, np.concatenate(counts)


def _increase(added: Nats, counts: Nats) -> Increase:
    """Sum over sum, and its standard error by the residuals of the samples (Cochran 1977, section 6.4)."""
    value = float(added.sum() / counts.sum())
    number = len(added)
    residuals = added - value * counts
    error = np.sqrt((residuals**2).sum() * number / (number - 1)) / counts.sum() if number > 1 else np.inf
    return Increase(value=value, error=float(error))


def increases(details: Mapping[str, float]) -> dict[tuple[int, str], float]:
    """What an evaluation's details say, by place and letter."""
    parts = ((name.split(" at "), value) for name, value in details.items() if " at " in name)
    return {(int(place), letter): value for (letter, place), value in parts}
