"""An encoder and a decoder that learn to write a sequence of digits backwards."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from pennyweight.core.task import Batch, Evaluation, Losses, Metric, Source, Task
from tests.plugins.reversal.config import ReversalConfig

BEGIN = 10
HELD_OUT = {"validation": 1, "test": 2}


class Sequences:
    """Random digits by number; ``salt`` keeps training, validation and test apart."""

    def __init__(self, length: int, *, seed: int, salt: int) -> None:
        self.length = length
        self.key = [seed, salt]

    def batch(self, numbers: NDArray[np.int64]) -> Mapping[str, NDArray[np.int64]]:
        rows = [np.random.default_rng([*self.key, int(n)]).integers(0, 10, self.length) for n in numbers]
        return {"digits": np.stack(rows)}


class EncoderDecoder(Task):
    """One encoder layer, one decoder layer, learned positions."""

    metric = Metric(name="nats per digit", unit="nats", better="lower")

    def __init__(self, config: ReversalConfig) -> None:
        super().__init__()
        self.config = config
        shape = {"d_model": config.width, "nhead": config.num_heads, "dim_feedforward": 2 * config.width}
        self.embedding = nn.Embedding(11, config.width)
        self.places = nn.Parameter(0.1 * torch.randn(config.length, config.width))
        self.encoder = nn.TransformerEncoderLayer(**shape, dropout=config.dropout, batch_first=True)
        self.decoder = nn.TransformerDecoderLayer(**shape, dropout=config.dropout, batch_first=True)
        self.head = nn.Linear(config.width, 10)

    def source(self, stream: str, *, seed: int) -> Source:
        return Sequences(self.config.length, seed=seed, salt=0)

    def _nats(self, digits: Int[Tensor, "batch time"]) -> Float[Tensor, "batch time"]:
        wanted = digits.flip(1)
        begin = torch.full_like(wanted[:, :1], BEGIN)
        seen = self.encoder(self.embedding(digits) + self.places)
        written = self.embedding(torch.cat([begin, wanted[:, :-1]], 1)) + self.places
        later = torch.ones(self.config.length, self.config.length, dtype=torch.bool).triu(1)
        memory = seen if self.config.crossed else torch.zeros_like(seen)
        logits = self.head(self.decoder(written, memory, tgt_mask=later.to(digits.device)))
        return F.cross_entropy(logits.transpose(1, 2).float(), wanted, reduction="none")

    def forward(self, batch: Batch, turn: str = "main") -> Losses:
        return {"loss": self._nats(batch["digits"]).mean()}

    def evaluate(self, split: Literal["validation", "test"]) -> Evaluation:
        source = Sequences(self.config.length, seed=0, salt=HELD_OUT[split])
        digits = torch.from_numpy(source.batch(np.arange(128))["digits"]).to(self.places.device)
        nats = self._nats(digits).mean(1)
        value, reach = nats.mean().item(), 1.96 * nats.std().item() / 128**0.5
        return Evaluation(value=value, low=value - reach, high=value + reach, interval="95 % normal over 128 sequences")

    def baselines(self, cache: Path) -> Mapping[str, float]:
        """All digits equally likely."""
        return {"uniform": float(np.log(10))}

    def data_receipt(self) -> Mapping[str, str]:
        digest = hashlib.sha256(f"digits {self.config.length}".encode()).hexdigest()
        return {"name": "random digits", "sha256": digest, "split": "by salt"}

    def shard_units(self) -> Sequence[nn.Module]:
        return [self.encoder, self.decoder]


def build(config: ReversalConfig, *, cache: Path, folder: Path | None = None) -> EncoderDecoder:
    """The task; its data is made, so a run's folder adds nothing."""
    return EncoderDecoder(config)
