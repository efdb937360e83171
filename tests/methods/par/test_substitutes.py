"""Blocks that are replaced one at a time, against models that are built with the other block from the start."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from pennyweight.blocks.pattern import Pattern
from pennyweight.blocks.transformer import Transformer, TransformerConfig
from pennyweight.core.task import Batch, Evaluation, Source
from pennyweight.methods.par.search.choose import Front
from pennyweight.methods.par.search.menu import LETTERS, Menu
from pennyweight.methods.par.search.substitutes import Substitutes, worths
from pennyweight.methods.par.text import Read, Split, TextTask

PATTERN = "afaf2"


class Counting(TextTask):
    """A task of two predictions a sample, the class of its first state and of its last, by a head of its own."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.model = model
        self.head = nn.Linear(model.config.width, 3)

    def tokens(self, batch: Batch) -> torch.Tensor:
        return batch["text"]

    def nats(self, states: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        logits = self.head(states[:, [0, -1]])
        targets = batch["text"][:, [0, -1]] % 3
        nats = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(-1, 2)
        return nats.sum(1), torch.full_like(nats[:, 0], 2)

    def examples(self, split: Split) -> Mapping[str, NDArray[np.generic]]:
        generator = np.random.default_rng(len(split))
        return {"text": generator.integers(40, size=(70, 13))}

    def evaluate_states(self, read: Read, split: Split) -> Evaluation:
        raise NotImplementedError

    def parts(self, share: float, *, seed: int) -> tuple[Source, Source]:
        raise NotImplementedError


def a_parent(pattern: str = PATTERN, *, seed: int = 0) -> Counting:
    torch.manual_seed(seed)
    model = Transformer(
        TransformerConfig(vocab_size=40, width=16, num_heads=2, window=4, pattern=Pattern.parse(pattern))
    )
    for name, parameter in model.named_parameters():
        if name.endswith("out.weight"):
            nn.init.normal_(parameter, std=0.3)  # as if trained: blocks begin by adding nothing
    return Counting(model)


def some_tokens(seed: int = 0) -> torch.Tensor:
    return torch.randint(40, (3, 13), generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def substitutes() -> Substitutes:
    made = Substitutes(a_parent(), Menu(num_blocks=4))
    torch.manual_seed(1)
    for block in made.blocks.values():  # every candidate differs from what it began as
        for parameter in block.parameters():
            nn.init.normal_(parameter, std=0.2)
    return made


def test_each_loss_is_that_of_a_model_with_the_one_block_replaced(substitutes: Substitutes) -> None:
    batch = {"text": some_tokens()}
    found, counts = substitutes.nats_of_each(batch)
    assert counts.tolist() == [2, 2, 2]
    assert found.keys() == {(place, letter) for place in range(4) for letter in LETTERS}
    for (place, letter), nats in found.items():
        letters = [*substitutes.own]
        letters[place] = letter
        whole = substitutes.assemble(Pattern.parse("".join(letters)))
        expected, _ = substitutes.parent.nats(whole.hidden(batch["text"]), batch)
        torch.testing.assert_close(nats, expected, rtol=1e-5, atol=1e-5)


def test_a_place_may_have_a_kind_that_is_not_on_the_menu() -> None:
    batch = {"text": some_tokens()}
    found, _ = Substitutes(a_parent(), Menu(num_blocks=4, letters=("w", "i"))).nats_of_each(batch)
    assert found.keys() == {(p, letter) for p, own in enumerate(("a", "f", "a", "f2")) for letter in ("w", "i", own)}


def test_an_assembled_model_has_no_weights_but_its_own(substitutes: Substitutes) -> None:
    model = substitutes.assemble(Pattern.parse("wif1i"))
    assert set(model.blocks) == {"0", "2"}
    assert sum(p.numel() for p in model.parameters()) == model.config.num_parameters
    taken = substitutes.find(2, "f1")
    assert taken is not None
    torch.testing.assert_close(model.blocks["2"].up.weight, taken.up.weight)
    model.blocks["2"].up.weight.data.zero_()
    assert taken.up.weight.abs().sum() > 0  # a copy


def test_the_error_is_a_part_of_the_variance_of_what_the_parent_adds(substitutes: Substitutes) -> None:
    tokens = some_tokens()
    model, expected = substitutes.parent.model, []
    states, around = model.begin(tokens)

    def added(block: nn.Module, states: torch.Tensor) -> torch.Tensor:
        return block(states) if hasattr(block, "up") else block(states, around)

    for place, own in enumerate(substitutes.own):
        target = added(model.blocks[str(place)], states)
        for letter in LETTERS:
            if letter not in (own, "i"):
                block = substitutes.blocks[f"{place}_{letter}"]
                expected.append((added(block, states) - target).square().mean() / target.var())
        states = states + target
    torch.testing.assert_close(substitutes(tokens), torch.stack(expected).mean())


def test_candidates_learn_and_the_parent_stays_as_it_is() -> None:
    substitutes = Substitutes(a_parent(), Menu(num_blocks=4))
    before = {name: value.clone() for name, value in substitutes.parent.state_dict().items()}
    optimizer = torch.optim.AdamW([p for p in substitutes.parameters() if p.requires_grad], lr=1e-2)
    losses = []
    for step in range(150):
        loss = substitutes(some_tokens(step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-10:]) < 0.6 * losses[0]
    for name, value in substitutes.parent.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert not any(parameter.requires_grad for parameter in substitutes.parent.parameters())


def test_a_window_begins_as_the_attention_and_a_narrow_block_as_the_strongest_neurons() -> None:
    substitutes = Substitutes(a_parent(), Menu(num_blocks=4))
    found, _ = substitutes.nats_of_each({"text": some_tokens()[:, :4]})  # a window of 4 sees all of it
    torch.testing.assert_close(found[0, "w"], found[0, "a"])
    own, narrow = substitutes.find(1, "f"), substitutes.find(1, "f1")
    assert own is not None
    assert narrow is not None
    strength = own.up.weight.norm(dim=1) * own.out.weight.norm(dim=0)
    kept = {tuple(row.tolist()) for row in narrow.up.weight}
    assert kept == {tuple(own.up.weight[k].tolist()) for k in strength.argsort()[-16:]}
    wider = substitutes.find(3, "f")
    assert wider is not None
    assert not wider.out.weight.any()


def test_a_place_whose_block_does_nothing_is_replaced_by_identity_first() -> None:
    """A parent of which one block was made to add nothing: identity costs nothing there, and only there."""
    parent = a_parent()
    parent.model.blocks["2"].out.weight.data.zero_()
    menu = Menu(num_blocks=4, letters=("a", "f", "f2", "i"))
    substitutes = Substitutes(parent, menu)
    found, _ = substitutes.nats_of_each({"text": some_tokens()})
    nats = {key: value.mean().item() for key, value in found.items()}
    rises = {(place, letter): value - nats[place, substitutes.own[place]] for (place, letter), value in nats.items()}
    assert rises[2, "i"] == pytest.approx(0, abs=1e-6)
    table = worths(rises, menu, substitutes.own)
    assert table.shape == (4, 4)
    assert table[0, 0] == table[3, 2] == 0
    assert len(Front(menu, table).choose([]).pattern) == 4


def test_a_task_placed_on_another_transformer_has_heads_of_its_own() -> None:
    parent = a_parent()
    Substitutes(parent, Menu(num_blocks=4))  # which freezes it
    model = Transformer(parent.model.config)
    twin = parent.placed(model)
    assert isinstance(twin, Counting)
    assert twin.model is model
    assert parent.model is not model
    assert twin.head.weight.requires_grad
    torch.testing.assert_close(twin.head.weight, parent.head.weight)
    twin.head.weight.data.zero_()
    assert parent.head.weight.abs().sum() > 0
    assert {name for name, _ in twin.named_parameters()} == {name for name, _ in parent.named_parameters()}


def test_held_out_samples_are_spread_evenly_and_come_in_order() -> None:
    task = a_parent()
    whole = task.examples("test")["text"]
    every = [batch["text"].numpy() for batch in task.held_out("test")]
    assert [len(text) for text in every] == [32, 32, 6]
    np.testing.assert_array_equal(np.concatenate(every), whole)
    (some,) = task.held_out("test", num_samples=4)
    np.testing.assert_array_equal(some["text"].numpy(), whole[[0, 23, 46, 69]])
