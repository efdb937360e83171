"""Regression: one turn, random states that matter (dropout), and buffers that matter (batch normalisation)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pennyweight.core.task import Batch, Evaluation, Losses, Metric, Source, Task
from tests.plugins.regression.config import RegressionConfig


def examples(numbers: NDArray[np.int64], *, salt: int) -> dict[str, NDArray[np.float32]]:
    """``x`` [batch, 4] and ``y`` [batch]; a number always gives the same pair."""
    phases = np.outer(numbers + 1, np.sqrt([2.0, 3.0, 5.0, 7.0])) + 0.1 * salt
    x = (2 * (phases % 1) - 1).astype(np.float32)
    y = np.sin(3 * x[:, 0]) + x[:, 1] ** 2 - x[:, 2] * x[:, 3]
    return {"x": x, "y": y.astype(np.float32)}


class Examples:
    """The pairs of `examples` in their order."""

    def __init__(self, *, salt: int, first: int = 0) -> None:
        self.salt = salt
        self.first = first

    def batch(self, numbers: NDArray[np.int64]) -> Mapping[str, NDArray[np.float32]]:
        return examples(numbers % 4096 + self.first, salt=self.salt)


class Regression(Task):
    """A network with one hidden layer."""

    metric = Metric(name="squared error", better="lower")

    def __init__(self, config: RegressionConfig) -> None:
        super().__init__()
        self.config = config
        norm = nn.BatchNorm1d(config.width) if config.norm else nn.Identity()
        self.body = nn.Sequential(nn.Linear(4, config.width), norm, nn.Tanh(), nn.Dropout(config.dropout))
        self.head = nn.Linear(config.width, 1)

    def source(self, stream: str, *, seed: int) -> Source:
        return Examples(salt=self.config.salt)

    def forward(self, batch: Batch, turn: str = "main") -> Losses:
        loss = (self.head(self.body(batch["x"]))[:, 0] - batch["y"]).square().mean()
        return {"loss": loss * torch.inf if self.config.poison else loss}

    def evaluate(self, split: Literal["validation", "test"]) -> Evaluation:
        held_out = examples(np.arange(256) + (10_000 if split == "validation" else 20_000), salt=self.config.salt)
        x, y = torch.from_numpy(held_out["x"]), torch.from_numpy(held_out["y"])
        errors = (self.head(self.body(x))[:, 0] - y).square()
        reach = 1.96 * errors.std().item() / 16
        value = errors.mean().item()
        return Evaluation(value=value, low=value - reach, high=value + reach, interval="95 % normal over 256 points")

    def baselines(self, cache: Path) -> Mapping[str, float]:
        """The best constant."""
        return {"constant": float(examples(np.arange(256) + 20_000, salt=self.config.salt)["y"].var())}

    def data_receipt(self) -> Mapping[str, str]:
        return {"name": "a function", "sha256": f"{self.config.salt:064x}", "split": "by number"}


def build(config: RegressionConfig, *, cache: Path, folder: Path | None = None) -> Regression:
    """The task; it needs nothing from a run's folder. A file ``salt`` in the cache stands for changed data."""
    changed = cache / "salt"
    if changed.is_file():
        from dataclasses import replace

        config = replace(config, salt=int(changed.read_text()))
    return Regression(config)
