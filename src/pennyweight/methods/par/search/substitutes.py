"""Replace one block: how much worse a trained model becomes when another kind of block stands at one of its places.

Each candidate learns, beside the frozen parent, to add what the parent's own block adds to the same states (block-wise
distillation, as Puzzle does it at scale, 2411.19146), all of them from one pass of the parent. Then each is put into
the parent alone, and what the held-out loss rises by is what that kind costs at that place. The sum over places is an
estimate: that blocks' costs add up is not believed but checked on whole models that were assembled.

Shape letters: B batch, T time, W width of the model.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn

from pennyweight.blocks.attention import Attention, Surroundings
from pennyweight.blocks.pattern import BlockSpec, Pattern
from pennyweight.blocks.transformer import Block, FeedForward, Transformer, added_by, build_block
from pennyweight.core.task import Batch
from pennyweight.methods.par.search.menu import Menu
from pennyweight.methods.par.text import TextTask

_IDENTITY = "i"


def spec_of(letter: str) -> BlockSpec:
    """The block that a letter of a pattern stands for."""
    return Pattern.parse(letter).blocks[0]


class Substitutes(nn.Module):
    """A trained parent task, frozen, and for each place a candidate of every other kind on the menu.

    A window begins with the weights of the attention that it replaces, a narrower feed-forward block with the parent's
    neurons of the largest weights; any other kind begins by adding nothing. Identity needs no weights.
    """

    def __init__(self, parent: TextTask, menu: Menu) -> None:
        super().__init__()
        self.parent = parent
        parent.requires_grad_(False)
        self.menu = menu
        self.own = tuple(spec.letter for spec in parent.model.config.pattern)
        made = {
            self._key(place, letter): _begun(parent.model, place, letter)
            for place in range(len(self.own))
            for letter in menu.letters
            if letter not in (self.own[place], _IDENTITY)
        }
        self.blocks = nn.ModuleDict(made)

    @staticmethod
    def _key(place: int, letter: str) -> str:
        return f"{place}_{letter}"

    def find(self, place: int, letter: str) -> Block | None:
        """The block of a kind at a place: the parent's own, a candidate, or None for identity."""
        if letter == _IDENTITY:
            return None
        own = letter == self.own[place]
        block = self.parent.model.blocks[str(place)] if own else self.blocks[self._key(place, letter)]
        assert isinstance(block, Block)
        return block

    def forward(self, tokens: Int[Tensor, "batch time"]) -> Float[Tensor, ""]:
        """The mean over candidates of their squared error, as a part of the variance of what they should add.

        1 is what adding nothing, or rather the mean, would give.
        """
        errors = []
        for place, states, added, around in self._steps(tokens):
            scale = added.float().var().clamp_min(1e-12)
            for letter in self.menu.letters:
                if letter not in (self.own[place], _IDENTITY):
                    error = added_by(self.find(place, letter), states, around).float() - added.float()
                    errors.append(error.square().mean() / scale)
        return torch.stack(errors).mean() if errors else tokens.new_zeros((), dtype=torch.float32)

    @torch.no_grad()
    def _steps(self, tokens: Int[Tensor, "batch time"]) -> Iterator[tuple[int, Tensor, Tensor, Surroundings]]:
        """Along the parent: each place, the states before it, and what its block adds to them."""
        states, around = self.parent.model.begin(tokens)
        for place, letter in enumerate(self.own):
            added = added_by(self.find(place, letter), states, around)
            with torch.enable_grad():
                yield place, states, added, around
            states = states + added

    @torch.no_grad()
    def nats_of_each(
        self, batch: Batch
    ) -> tuple[dict[tuple[int, str], Float[Tensor, " batch"]], Float[Tensor, " batch"]]:
        """The summed loss of each sample with one block replaced, by place and letter, and its number of predictions.

        The parent's own letter at a place is there too, with the parent's own loss.
        """
        model, tokens = self.parent.model, self.parent.tokens(batch)
        own, counts = self.parent.nats(model.hidden(tokens), batch)
        found = dict.fromkeys(enumerate(self.own), own)
        for place, states, _, around in self._steps(tokens):
            for letter in self.menu.letters:
                if letter != self.own[place]:
                    ahead = states + added_by(self.find(place, letter), states, around)
                    for later in range(place + 1, len(self.own)):
                        ahead = ahead + added_by(self.find(later, self.own[later]), ahead, around)
                    found[place, letter], _ = self.parent.nats(model.norm(ahead), batch)
        return found, counts

    def assemble(self, pattern: Pattern) -> Transformer:
        """A model of its own with these blocks, parent's and candidates', and nothing of what was not chosen."""
        return assembled(self.parent.model, pattern, self.find)


@torch.no_grad()
def assembled(trunk: Transformer, pattern: Pattern, find: Callable[[int, str], Block | None]) -> Transformer:
    """A model of its own: the trunk's embedding, norm and head, and copies of the blocks found by place and letter."""
    model = Transformer(replace(trunk.config, pattern=pattern))
    rest = {name: value for name, value in trunk.state_dict().items() if not name.startswith("blocks.")}
    model.load_state_dict(rest, strict=False)
    for place, spec in enumerate(pattern):
        if (block := find(place, spec.letter)) is not None:
            model.blocks[str(place)].load_state_dict(block.state_dict())
    return model.to(trunk.embedding.weight.device)


def _begun(parent: Transformer, place: int, letter: str) -> Block:
    """A candidate with the parent's weights where they fit, else adding nothing."""
    config = parent.config
    block = build_block(spec_of(letter), config)
    assert block is not None
    device = parent.embedding.weight.device
    own = parent.blocks[str(place)] if str(place) in parent.blocks else None  # noqa: SIM401 - it has no get
    with torch.no_grad():
        if isinstance(block, Attention) and isinstance(own, Attention):
            block.load_state_dict(own.state_dict())
        elif isinstance(block, FeedForward) and isinstance(own, FeedForward) and _size(own) > _size(block):
            strength = own.up.weight.norm(dim=1) * own.out.weight.norm(dim=0)
            kept = strength.topk(_size(block)).indices
            block.norm.load_state_dict(own.norm.state_dict())
            block.up.weight.copy_(own.up.weight[kept])
            block.out.weight.copy_(own.out.weight[:, kept])
        else:
            inward = block.qkv if isinstance(block, Attention) else block.up
            nn.init.normal_(inward.weight, std=0.5 / config.width**0.5)
            nn.init.zeros_(block.out.weight)
    return block.to(device)


def _size(block: FeedForward) -> int:
    return int(block.up.out_features)


def worths(
    increases: Mapping[tuple[int, str], float], menu: Menu, own: Sequence[str]
) -> Float[NDArray[np.float64], "blocks letters"]:
    """What each kind is worth at each place, for `Front`: how much the loss rises by it, taken negative.

    The parent's own kind rises by nothing, even where it was measured with noise.
    """
    return np.array(
        [
            [0.0 if letter == own[place] else -increases[place, letter] for letter in menu.letters]
            for place in range(menu.num_blocks)
        ]
    )
