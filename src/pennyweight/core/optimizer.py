"""Optimisers as frozen configurations that build themselves for a set of named parameters."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pennyweight.core.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import nn


class OptimizerConfig(Protocol):
    """Anything with a peak learning rate that can build a torch optimiser; LARS and others come in here."""

    @property
    def lr(self) -> float:
        """Peak learning rate, multiplied by the schedule's factor at every step."""

    def build(self, parameters: Iterable[tuple[str, "nn.Parameter"]]) -> "torch.optim.Optimizer":
        """An optimiser over the named parameters."""


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """AdamW (Loshchilov & Hutter 2019); weight decay on matrices only, never on gains and biases."""

    lr: float = 2e-3
    beta1: float = 0.9
    beta2: float = 0.98
    eps: float = 1e-8
    weight_decay: float = 0.05

    def __post_init__(self) -> None:
        betas = 0 <= self.beta1 < 1 and 0 <= self.beta2 < 1
        if not (0 < self.lr < math.inf and betas and self.eps >= 0 and 0 <= self.weight_decay < math.inf):
            raise UserError(
                f"AdamW with lr {self.lr}, betas {self.beta1}, {self.beta2}, eps {self.eps},"
                f" weight_decay {self.weight_decay}",
                expected="a finite lr > 0, betas in [0, 1), eps >= 0 and a finite weight_decay >= 0",
            )

    def build(self, parameters: Iterable[tuple[str, "nn.Parameter"]]) -> "torch.optim.AdamW":
        """A fused AdamW in two groups: decayed matrices and undecayed vectors."""
        import torch
        from torch.distributed.tensor import DTensor

        matrices: list[nn.Parameter] = []
        vectors: list[nn.Parameter] = []
        for _, parameter in parameters:
            (matrices if parameter.ndim >= 2 else vectors).append(parameter)
        groups = [
            {"params": matrices, "weight_decay": self.weight_decay},
            {"params": vectors, "weight_decay": 0.0},
        ]
        sharded = any(isinstance(parameter, DTensor) for parameter in matrices + vectors)
        return torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=self.lr,
            betas=(self.beta1, self.beta2),
            eps=self.eps,
            fused=not sharded,
        )
