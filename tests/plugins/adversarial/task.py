"""A generator and a critic: alternating turns, two optimisers, and a target that follows the generator."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from pennyweight.core.optimizer import OptimizerConfig
from pennyweight.core.task import Batch, Evaluation, Losses, Metric, Source, Task, Turn
from tests.plugins.adversarial.config import AdversarialConfig


class Points:
    """``real`` points around -1 and 2, and ``noise`` for the generator, by number."""

    def __init__(self, *, seed: int, salt: int) -> None:
        self.key = [seed, salt]

    def batch(self, numbers: NDArray[np.int64]) -> Mapping[str, NDArray[np.float32]]:
        draws = np.stack([np.random.default_rng([*self.key, int(n)]).standard_normal(4) for n in numbers])
        real = np.where(draws[:, 0] > 0, 2.0, -1.0) + 0.3 * draws[:, 1]
        return {"real": real[:, None].astype(np.float32), "noise": draws[:, 2:].astype(np.float32)}


def network(inputs: int, config: AdversarialConfig) -> nn.Sequential:
    """One hidden layer, with what makes random states and buffers matter where that is asked for."""
    norm = nn.BatchNorm1d(config.width) if config.norm else nn.Identity()
    return nn.Sequential(
        nn.Linear(inputs, config.width), norm, nn.LeakyReLU(0.2), nn.Dropout(config.dropout), nn.Linear(config.width, 1)
    )


class Adversarial(Task):
    """Non-saturating adversarial training on a line (Goodfellow et al. 2014, section 3)."""

    metric = Metric(name="distance of distributions", better="lower")
    target: Tensor

    def __init__(self, config: AdversarialConfig) -> None:
        super().__init__()
        self.config = config
        self.generator = network(2, config)
        self.critic = network(1, config)
        self.register_buffer("target", self._flat())

    def _flat(self) -> Tensor:
        return torch.cat([p.detach().flatten() for p in self.generator.parameters()])

    def source(self, stream: str, *, seed: int) -> Source:
        return Points(seed=seed, salt=0)

    def turns(self, optimizer: OptimizerConfig) -> tuple[Turn, ...]:
        return (
            Turn(name="critic", parameters="critic.", optimizer=self.config.critic),
            Turn(name="generator", parameters="generator.", optimizer=optimizer, every=self.config.generator_every),
        )

    def forward(self, batch: Batch, turn: str = "main") -> Losses:
        made = self.generator(batch["noise"])
        if turn == "generator":
            return {"loss": F.softplus(-self.critic(made)).mean()}
        right, wrong = self.critic(batch["real"]), self.critic(made.detach())
        loss = F.softplus(-right).mean() + F.softplus(wrong).mean()
        return {"loss": loss, "margin": (right - wrong).mean()}

    def after_step(self, fraction: float) -> None:
        self.target.lerp_(self._flat(), 1 - self.config.memory * fraction)

    def evaluate(self, split: Literal["validation", "test"]) -> Evaluation:
        points = Points(seed=0, salt=1 if split == "validation" else 2).batch(np.arange(256))
        made = self.generator(torch.from_numpy(points["noise"]))
        apart = (made[:, 0].sort().values - torch.from_numpy(points["real"])[:, 0].sort().values).abs()
        value = apart.mean().item()
        return Evaluation(value=value, low=0.9 * value, high=1.1 * value, interval="a tenth either way (a toy)")

    def data_receipt(self) -> Mapping[str, str]:
        return {"name": "two heaps", "sha256": hashlib.sha256(b"two heaps").hexdigest(), "split": "by salt"}


def build(config: AdversarialConfig, *, cache: Path, folder: Path | None = None) -> Adversarial:
    """The task; its data is made, so a run's folder adds nothing."""
    return Adversarial(config)
