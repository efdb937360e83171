"""PAR's own search (2009.04534, section 3): one network that holds every kind of block at every place.

At each place the network adds a weighted sum of what all kinds would add. The weights are drawn from a Gumbel-softmax
over the place's own parameters, the architecture, whose temperature falls until the draws are nearly single choices.
The weights of the blocks learn first, alone; then the architecture learns too, in steps and on documents of its own.

Where we differ: the latency of the expected pattern beyond the target is a hinge in the architecture's loss, as in
PLANER (2208.14580), since the paper reports no such term; and what is extracted is not the likeliest kind at each place
but the likeliest pattern that keeps the limit. The paper's network begins anew and learns for 40,000 steps; one that
has few of them begins with a trained parent's blocks and their substitutes (`Branches.inherit`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from pennyweight.blocks.attention import Surroundings
from pennyweight.blocks.pattern import Pattern
from pennyweight.blocks.transformer import Block, Transformer, added_by
from pennyweight.core.errors import UserError
from pennyweight.core.optimizer import AdamW, OptimizerConfig
from pennyweight.core.task import Batch, Evaluation, Losses, Source, Task, Turn
from pennyweight.methods.par.search.choose import Choice, Front
from pennyweight.methods.par.search.menu import Limit, Menu
from pennyweight.methods.par.search.substitutes import assembled, spec_of
from pennyweight.methods.par.text import Split, TextTask

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
    """A transformer with every kind of block of a menu at every place, and the heads of the task that it learns."""

    def __init__(self, parent: TextTask, menu: Menu) -> None:
        super().__init__()
        self.menu = menu
        config = parent.model.config
        trunk = Transformer(replace(config, pattern=Pattern.parse(f"{_IDENTITY}*{menu.num_blocks}")))
        self.task = parent.placed(trunk.to(parent.device))
        self.blocks = nn.ModuleDict()
        for letter in menu.letters:
            # Begun as a whole model's blocks are, with that many blocks.
            whole = Transformer(replace(config, pattern=Pattern((spec_of(letter),) * menu.num_blocks)))
            for place, block in whole.blocks.items():
                self.blocks[f"{place}_{letter}"] = block

    @property
    def trunk(self) -> Transformer:
        """Embedding, final norm and head."""
        return self.task.model

    def forward(
        self, tokens: Int[Tensor, "batch time"], weights: Float[Tensor, "blocks letters"]
    ) -> Float[Tensor, "batch time width"]:
        """Normalised states where each place adds the sum of what its kinds add, weighted. All are computed."""
        x, around = self.trunk.begin(tokens)
        for place in range(self.menu.num_blocks):
            x = x + self._mixed(place, x, around, weights[place])
        normalised: Tensor = self.trunk.norm(x)
        return normalised

    def _mixed(self, place: int, x: Tensor, around: Surroundings, weights: Float[Tensor, " letters"]) -> Tensor:
        mixed = torch.zeros_like(x)
        for letter, weight in zip(self.menu.letters, weights, strict=True):
            if (block := self.find(place, letter)) is not None:
                mixed = mixed + weight * added_by(block, x, around)
        return mixed

    def find(self, place: int, letter: str) -> Block | None:
        """The branch of a kind at a place; None for identity."""
        block = None if letter == _IDENTITY else self.blocks[f"{place}_{letter}"]
        assert block is None or isinstance(block, Block)
        return block

    @torch.no_grad()
    def inherit(self, parent: Transformer, find: Callable[[int, str], Block | None]) -> None:
        """Take over a trained model's embedding, norm and head, and the blocks that ``find`` has."""
        rest = {name: value for name, value in parent.state_dict().items() if not name.startswith("blocks.")}
        self.trunk.load_state_dict(rest)
        for place in range(self.menu.num_blocks):
            for letter in self.menu.letters:
                own, theirs = self.find(place, letter), find(place, letter)
                if own is not None and theirs is not None:
                    own.load_state_dict(theirs.state_dict())

    def assemble(self, pattern: Pattern) -> Transformer:
        """A model of its own with one branch at each place, and nothing of the others."""
        return assembled(self.trunk, pattern, self.find)


class SuperNet(Task):
    """The search as a task: judged, as its parent is, by the model that would be extracted now.

    ``parent`` gives the text, the size and the heads; its own transformer is not used.
    """

    def __init__(
        self, parent: TextTask, menu: Menu, limits: Sequence[Limit], config: SuperNetConfig | None = None
    ) -> None:
        super().__init__()
        self.metric = parent.metric
        self.menu, self.limits, self.config = menu, tuple(limits), config or SuperNetConfig()
        self.network = Branches(parent, menu)
        self.architecture = nn.Parameter(torch.zeros(menu.num_blocks, len(menu.letters)))
        self.register_buffer("temperature", torch.tensor(self.config.first))
        prices = [[limit.prices.blocks[letter] for letter in menu.letters] for limit in self.limits]
        self.register_buffer("_prices", torch.tensor(prices))

    temperature: Tensor
    _prices: Tensor

    @property
    def task(self) -> TextTask:
        """The parent's task, with this network's embedding, norm and heads."""
        return self.network.task

    def source(self, stream: str, *, seed: int) -> Source:
        """Documents of one side: of the blocks' weights (``"train"``) or of the architecture."""
        return self.task.parts(self.config.share, seed=seed)[stream == "architecture"]

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
        """Mean nats per prediction with drawn branches; for the architecture also the hinge on the expected latency."""
        learning = turn == "architecture"
        logits = self.architecture if learning else self.architecture.detach()
        weights = F.gumbel_softmax(logits.float(), tau=float(self.temperature), dim=-1)
        sums, counts = self.task.nats(self.network(self.task.tokens(batch), weights), batch)
        nats = sums.sum() / counts.sum()
        if not learning:
            return {"loss": nats}
        beyond = self.config.hinge * F.relu(self.expected_parts() - 1).sum()
        return {"loss": nats + beyond, "nats": nats, "beyond": beyond}

    def expected_parts(self) -> Float[Tensor, " limits"]:
        """What a pattern drawn by the present chances costs on the average, as a part of each limit."""
        chances = self.architecture.float().softmax(-1)
        blocks = torch.einsum("bk,lk->l", chances, self._prices)
        fixed, most = ([limit.prices.fixed for limit in self.limits], [limit.most for limit in self.limits])
        return (blocks + blocks.new_tensor(fixed)) / blocks.new_tensor(most)

    def after_step(self, fraction: float) -> None:
        """Cool: by the same factor for the same part of the budget, from when the architecture learns."""
        config = self.config
        part = min(1.0, max(0.0, fraction - config.freeze) / (1 - config.freeze))
        self.temperature.fill_(config.first * (config.last / config.first) ** part)

    @torch.no_grad()
    def choose(self) -> Choice:
        """The likeliest pattern that keeps the limits; its worth is the sum of log-chances."""
        chances = self.architecture.double().log_softmax(-1).cpu().numpy()
        return Front(self.menu, chances).choose(self.limits)

    def evaluate(self, split: Split) -> Evaluation:
        """The extracted model in the parent's metric, and beside it what its being made single costs."""
        single = self.task.evaluate_states(self.network.assemble(self.choose().pattern).hidden, split)
        chances = self.architecture.float().softmax(-1)
        mixed = self.task.evaluate_states(lambda tokens: self.network(tokens, chances), split).value
        surest = chances.amax(-1)
        details = {
            f"mixture, {self.metric.name}": mixed,
            "gap of being made single": single.value - mixed,
            "expected cost over the limit": float(self.expected_parts().max()),
            "least chance of a chosen kind": float(surest.min()),
            "temperature": float(self.temperature),
        }
        return replace(single, details={**single.details, **details})
