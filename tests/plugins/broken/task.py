"""A straight line fitted to points, with one planted fault at a time."""

import os
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pennyweight.core.task import Batch, Evaluation, Losses, Metric, Source, Task
from tests.plugins.broken.config import BrokenConfig


class Points:
    """Points on a line; with the fault "order" they depend on how often one asked, not on their numbers."""

    def __init__(self, fault: str) -> None:
        self.fault = fault
        self.calls = 0

    def batch(self, numbers: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
        self.calls += 1
        if self.fault == "order":
            numbers = np.arange(self.calls * 100, self.calls * 100 + len(numbers))
        x = np.stack([np.random.default_rng(int(n)).normal(size=3) for n in numbers]).astype(np.float32)
        return {"x": x, "y": (x @ np.array([1.0, -2.0, 0.5], np.float32))[:, None]}


class Broken(Task):
    metric = Metric(name="mean squared error")

    def __init__(self, config: BrokenConfig) -> None:
        super().__init__()
        self.fault = config.fault
        self.line = nn.Linear(3, 1)
        self.hidden = 0.0

    def source(self, stream: str, *, seed: int) -> Source:
        return Points(self.fault)

    def forward(self, batch: Batch, turn: str = "main") -> Losses:
        loss = (self.line(batch["x"]) - batch["y"]).square().mean()
        if self.fault == "uphill":
            return {"loss": 2 * loss.detach() - loss}  # the value is right, the gradient is turned round
        if self.fault == "seed":
            loss = loss * (1 + int.from_bytes(os.urandom(2), "big") / 2**16)
        if self.fault == "state":
            self.hidden += 1.0
            loss = loss * (1 + self.hidden)
        return {"loss": loss}

    def evaluate(self, split: Literal["validation", "test"]) -> Evaluation:
        value = float((self.line.weight - torch.tensor([[1.0, -2.0, 0.5]])).square().mean())
        return Evaluation(value=value, low=value, high=value, interval="none")

    def data_receipt(self) -> dict[str, str]:
        return {} if self.fault == "data" else {"name": "points", "sha256": "0" * 64, "split": "none"}

    def load_state_dict(self, state_dict: Any, strict: bool = True, assign: bool = False) -> Any:
        if self.fault == "reload":
            state_dict = {name: tensor.half().float() for name, tensor in state_dict.items()}
        return super().load_state_dict(state_dict, strict=strict, assign=assign)


def build(config: BrokenConfig, *, cache: Path, folder: Path | None = None) -> Broken:
    return Broken(config)
