"""BERT's encoder (1810.04805), small and open: so that weights that everybody has can be trained, read and explained.

It takes embeddings as well as tokens, because explanations ask what happens between nothing and an embedding.
Legend: batch, time, width; head is the width of one attention head.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pennyweight.core.errors import UserError


@dataclass(frozen=True, kw_only=True)
class BertConfig:
    """The sizes of an encoder. The defaults are MiniLM-L6's."""

    vocab_size: int = 30522
    width: int = 384
    num_layers: int = 6
    num_heads: int = 12
    inner: int = 1536
    positions: int = 512
    kinds: int = 2
    eps: float = 1e-12
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if (
            min(self.vocab_size, self.width, self.num_layers, self.num_heads, self.inner, self.positions, self.kinds)
            < 1
        ):
            raise UserError(f"an encoder of {self}", expected="sizes of 1 or more")
        if self.width % self.num_heads:
            raise UserError(f"width {self.width} with {self.num_heads} heads", expected="a multiple of the heads")


class Bert(nn.Module):
    """Word, place and kind embeddings, then layers of attention and feed-forward, each normalised after."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.word = nn.Embedding(config.vocab_size, config.width)
        self.place = nn.Embedding(config.positions, config.width)
        self.kind = nn.Embedding(config.kinds, config.width)
        self.norm = nn.LayerNorm(config.width, eps=config.eps)
        self.layers = nn.ModuleList([Layer(config) for _ in range(config.num_layers)])
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(
        self,
        tokens: Int[Tensor, "batch time"],
        kinds: Int[Tensor, "batch time"],
        real: Bool[Tensor, "batch time"],
    ) -> Float[Tensor, "batch time width"]:
        """The states of tokens. ``kinds`` tells question (0) from passage (1), ``real`` tokens from padding."""
        return self.read(self.word(tokens), kinds, real)

    def read(
        self,
        words: Float[Tensor, "batch time width"],
        kinds: Int[Tensor, "batch time"],
        real: Bool[Tensor, "batch time"],
    ) -> Float[Tensor, "batch time width"]:
        """The states of word embeddings, which need not be those of any word."""
        time = words.shape[1]
        if time > self.config.positions:
            raise ValueError(f"{time} tokens: expected at most {self.config.positions}, the places that it knows")
        states: Tensor = self.norm(words + self.place.weight[:time] + self.kind(kinds))
        states = F.dropout(states, self.config.dropout, self.training)
        # Every row sees itself, so that a row of padding alone is no division of nothing by nothing.
        seen = real[:, None, None, :] | torch.eye(time, dtype=torch.bool, device=real.device)
        for layer in self.layers:
            states = layer(states, seen)
        return states


class Layer(nn.Module):
    """Attention, then two linear maps with a GELU between; each added to what it read and normalised."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self._heads = config.num_heads
        self._dropout = config.dropout
        self.query_key_value = nn.Linear(config.width, 3 * config.width)
        self.mix = nn.Linear(config.width, config.width)
        self.norm_attention = nn.LayerNorm(config.width, eps=config.eps)
        self.up = nn.Linear(config.width, config.inner)
        self.down = nn.Linear(config.inner, config.width)
        self.norm = nn.LayerNorm(config.width, eps=config.eps)

    def forward(
        self, states: Float[Tensor, "batch time width"], seen: Bool[Tensor, "batch 1 time time"]
    ) -> Float[Tensor, "batch time width"]:
        """The next states; ``seen`` says which keys each query may look at."""
        heads = self.query_key_value(states).unflatten(-1, (3, self._heads, -1)).permute(2, 0, 3, 1, 4)
        dropout = self._dropout if self.training else 0.0
        found = F.scaled_dot_product_attention(heads[0], heads[1], heads[2], attn_mask=seen, dropout_p=dropout)
        mixed = self.mix(found.transpose(1, 2).flatten(2))
        states = self.norm_attention(states + F.dropout(mixed, self._dropout, self.training))
        fed = self.down(F.gelu(self.up(states)))
        after: Tensor = self.norm(states + F.dropout(fed, self._dropout, self.training))
        return after


def from_checkpoint(weights: Mapping[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """The weights of a BERT checkpoint under the names of ours (``prefix`` as "bert." in front of theirs).

    Raises UserError naming what is absent. Heads of any kind, and the pooler, are left behind.
    """

    def take(name: str) -> Tensor:
        if prefix + name not in weights:
            raise UserError(f"a checkpoint without {prefix}{name}", expected="the weights of a BERT encoder")
        return weights[prefix + name]

    found = {
        "word.weight": take("embeddings.word_embeddings.weight"),
        "place.weight": take("embeddings.position_embeddings.weight"),
        "kind.weight": take("embeddings.token_type_embeddings.weight"),
        "norm.weight": take("embeddings.LayerNorm.weight"),
        "norm.bias": take("embeddings.LayerNorm.bias"),
    }
    number = 0
    while f"{prefix}encoder.layer.{number}.attention.self.query.weight" in weights:
        theirs, ours = f"encoder.layer.{number}", f"layers.{number}"
        for part in ("weight", "bias"):
            three = [take(f"{theirs}.attention.self.{name}.{part}") for name in ("query", "key", "value")]
            found[f"{ours}.query_key_value.{part}"] = torch.cat(three)
            for own, name in (
                ("mix", "attention.output.dense"),
                ("norm_attention", "attention.output.LayerNorm"),
                ("up", "intermediate.dense"),
                ("down", "output.dense"),
                ("norm", "output.LayerNorm"),
            ):
                found[f"{ours}.{own}.{part}"] = take(f"{theirs}.{name}.{part}")
        number += 1
    return found
