"""PAR's own search (2009.04534, section 3): one network that holds every kind of block at every place.

At each place the network adds a weighted sum of what all kinds would add. The weights are drawn from a Gumbel-softmax
over the place's own parameters, the architecture, whose temperature falls until the draws are nearly single choices.
The weights of the blocks learn first, alone; then the architecture learns too, in steps and on documents of its own.

Where we differ: the latency of the expected pattern beyond the target is a hinge in the architecture's loss, as in
PLANER (2208.14580), since the paper reports no such term; and what is extracted is not the likeliest kind at each place
but the likeliest pattern that keeps the limit.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pennyweight.blocks.attention import Attention
from pennyweight.blocks.pattern import Pattern
from pennyweight.blocks.transformer import FeedForward, Transformer, TransformerConfig, activation_dtype
from pennyweight.core.errors import UserError
from pennyweight.core.optimizer import AdamW, OptimizerConfig
from pennyweight.core.task import Batch, Evaluation, Losses, Metric, Source, Task, Turn
from pennyweight.data.text import TextWindows, TokenSplit
from pennyweight.methods.par.search.choose import Choice, Front
from pennyweight.methods.par.search.menu import Limit, Menu
from pennyweight.methods.par.search.substitutes import Block, added_by, assembled, spec_of
from pennyweight.methods.par.task import LanguageModel, token_nats

_IDENTITY = "i"


@dataclass(frozen=True, kw_only=True)
class SuperNetConfig:
    """How the architecture learns.

    ``freeze`` is the part of the budget before it does (the paper: 10,000 of 40,000 steps), ``share`` the part of the
    training documents that are its own (20 %), ``first`` and ``last`` the temperatures between which the Gumbel-softmax
    cools, ``hinge`` the weight of the latency beyond the target, as a part of the target.
    """

    optimizer: AdamW = AdamW(lr=1e-2, weight_decay=5e-4)
    freeze: float = 0.25
    share: float = 0.2
    first: float = 2.0
    last: float = 0.2
    hinge: float = 2.0

    def __post_init__(self) -> None:
        if not (0 <= self.freeze < 1 and 0 < self.share < 1 and 0 < self.last <= self.first and self.hinge >= 0):
            raise UserError(
                f"freeze {self.freeze}, share {self.share}, first {self.first}, last {self.last}, hinge {self.hinge}",
                expected="parts below 1, temperatures that fall and stay above 0, a hinge of 0 or more",
            )


class Branches(nn.Module):
    """A transformer with every kind of block of a menu at every place."""

    def __init__(self, config: TransformerConfig, menu: Menu) -> None:
        super().__init__()
        self.menu = menu
        self.trunk = Transformer(replace(config, pattern=Pattern.parse(f"{_IDENTITY}*{menu.num_blocks}")))
        self.blocks = nn.ModuleDict()
        for letter in menu.letters:
            # Begun as a whole model's blocks are, with that many blocks.
            whole = Transformer(replace(config, pattern=Pattern((spec_of(letter),) * menu.num_blocks)))
            for place, block in whole.blocks.items():
                self.blocks[f"{place}_{letter}"] = block

    def forward(
        self, tokens: Int[Tensor, "batch time"], weights: Float[Tensor, "blocks letters"]
    ) -> Float[Tensor, "batch time vocab"]:
        """Logits where each place adds the sum of what its kinds add, weighted. All branches are computed."""
        model = self.trunk
        x: Tensor = model.embedding(tokens)
        rotary = model.rotary(0, tokens.shape[1], device=x.device, dtype=activation_dtype(x))
        for place in range(self.menu.num_blocks):
            x = x + self._mixed(place, x, rotary, weights[place])
        normalised: Tensor = model.norm(x)
        return model.logits(normalised)

    def _mixed(
        self, place: int, x: Tensor, rotary: tuple[Tensor, Tensor], weights: Float[Tensor, " letters"]
    ) -> Tensor:
        mixed = torch.zeros_like(x)
        for letter, weight in zip(self.menu.letters, weights, strict=True):
            if (block := self.find(place, letter)) is not None:
                mixed = mixed + weight * added_by(block, x, rotary)
        return mixed

    def find(self, place: int, letter: str) -> Block | None:
        """The branch of a kind at a place; None for identity."""
        block = None if letter == _IDENTITY else self.blocks[f"{place}_{letter}"]
        assert block is None or isinstance(block, Attention | FeedForward)
        return block

    def assemble(self, pattern: Pattern) -> Transformer:
        """A model of its own with one branch at each place, and nothing of the others."""
        return assembled(self.trunk, pattern, self.find)


class SuperNet(Task):
    """The search as a task: judged by the bits per byte of the model that would be extracted now."""

    metric = Metric(name="bits per byte", unit="bits/byte", better="lower")

    def __init__(self, language: LanguageModel, menu: Menu, limit: Limit, config: SuperNetConfig | None = None) -> None:
        super().__init__()
        self.menu, self.limit, self.config = menu, limit, config or SuperNetConfig()
        self.network = Branches(language.model.config, menu)
        self.architecture = nn.Parameter(torch.zeros(menu.num_blocks, len(menu.letters)))
        self.register_buffer("temperature", torch.tensor(self.config.first))
        self.register_buffer("_prices", torch.tensor([limit.prices.blocks[letter] for letter in menu.letters]))
        self._language = [language]  # in a list: its model is no part of this one

    temperature: Tensor
    _prices: Tensor

    @property
    def language(self) -> LanguageModel:
        """The language model whose text and tokens are used; its own network is not."""
        return self._language[0]

    def source(self, stream: str, *, seed: int) -> Source:
        """Windows of the documents of one side: of the blocks' weights (``"train"``) or of the architecture."""
        parts = divided(self.language.corpus.splits["train"], self.config.share)
        return TextWindows(parts[stream == "architecture"], context=self.language.config.context, seed=seed)

    def turns(self, optimizer: OptimizerConfig) -> tuple[Turn, ...]:
        """First the weights of all branches; from ``freeze`` on the architecture as well."""
        return (
            Turn(name="weights", parameters="network.", optimizer=optimizer),
            Turn(
                name="architecture",
                parameters="architecture",
                optimizer=self.config.optimizer,
                stream="architecture",
                starts_at=self.config.freeze,
            ),
        )

    def forward(self, batch: Batch, turn: str = "weights") -> Losses:
        """Mean nats per token with drawn branches; for the architecture also the hinge on the expected latency."""
        tokens = batch["tokens"]
        learning = turn == "architecture"
        logits = self.architecture if learning else self.architecture.detach()
        weights = F.gumbel_softmax(logits.float(), tau=float(self.temperature), dim=-1)
        nats = token_nats(self.network(tokens[:, :-1], weights), tokens[:, 1:]).mean()
        if not learning:
            return {"loss": nats}
        beyond = self.config.hinge * F.relu(self.expected_cost() / self.limit.most - 1)
        return {"loss": nats + beyond, "nats": nats, "beyond": beyond}

    def expected_cost(self) -> Float[Tensor, ""]:
        """What a pattern costs on the average that is drawn by the present chances, in the limit's quantity."""
        chances = self.architecture.float().softmax(-1)
        return (chances * self._prices).sum() + self.limit.prices.fixed

    def after_step(self, fraction: float) -> None:
        """Cool: by the same factor for the same part of the budget, from when the architecture learns."""
        config = self.config
        part = min(1.0, max(0.0, fraction - config.freeze) / (1 - config.freeze))
        self.temperature.fill_(config.first * (config.last / config.first) ** part)

    @torch.no_grad()
    def choose(self) -> Choice:
        """The likeliest pattern that keeps the limit; its worth is the sum of log-chances."""
        chances = self.architecture.double().log_softmax(-1).cpu().numpy()
        return Front(self.menu, chances).choose([self.limit])

    def likeliest(self) -> Pattern:
        """The likeliest kind at each place, whatever it costs."""
        letters = [self.menu.letters[k] for k in self.architecture.argmax(-1).tolist()]
        return Pattern(tuple(map(spec_of, letters)))

    def evaluate(self, split: Literal["validation", "test"]) -> Evaluation:
        """Bits per byte of the extracted model, and beside it what its being made single costs against the mixture."""
        single = self.language.evaluate_model(self.network.assemble(self.choose().pattern), split)
        chances = self.architecture.float().softmax(-1)
        mixed = self.language.evaluate_model(lambda tokens: self.network(tokens, chances), split).value
        surest = chances.amax(-1)
        details = {
            "mixture, bits per byte": mixed,
            "gap of being made single": single.value - mixed,
            "expected cost over the limit": float(self.expected_cost()) / self.limit.most,
            "least chance of a chosen kind": float(surest.min()),
            "temperature": float(self.temperature),
        }
        return replace(single, details={**single.details, **details})


def divided(split: TokenSplit, share: float) -> tuple[TokenSplit, TokenSplit]:
    """The documents of a split in two parts, the second with about ``share`` of them; UserError for fewer than two."""
    if split.num_documents < 2:
        raise UserError(f"{split.num_documents} training documents", expected="two or more, to search with")
    first = min(split.num_documents - 1, max(1, round((1 - share) * split.num_documents)))
    border = int(split.starts[first])
    return (
        TokenSplit(
            tokens=split.tokens[:border], starts=split.starts[:first], document_bytes=split.document_bytes[:first]
        ),
        TokenSplit(
            tokens=split.tokens[border:],
            starts=split.starts[first:] - border,
            document_bytes=split.document_bytes[first:],
        ),
    )
