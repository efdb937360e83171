"""The super-network, against models that are built with one block at each place."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from pennyweight.blocks.pattern import Pattern
from pennyweight.core.budget import Budget
from pennyweight.core.engine import Engine
from pennyweight.core.errors import UserError
from pennyweight.core.fit import Trainer, fit
from pennyweight.core.run import Run
from pennyweight.data.text import divided
from pennyweight.methods.par.search.menu import Limit, Prices
from pennyweight.methods.par.search.substitutes import Substitutes, assembled
from pennyweight.methods.par.search.supernet import Branches, SuperNet, SuperNetConfig
from pennyweight.methods.par.task import LanguageModel, build
from tests.methods.par.test_scoring import MENU, STACK, a_config

PRICES = Prices(quantity="train latency", unit="s", fixed=1.0, blocks={"a": 4.0, "f": 2.0, "f1": 1.0, "i": 0.0})


@pytest.fixture
def language(tmp_path: Path) -> LanguageModel:
    return build(a_config(tmp_path / "text"), cache=tmp_path / "cache")


def test_with_all_weight_on_one_branch_it_is_the_model_with_that_block(language: LanguageModel) -> None:
    branches = Branches(language, MENU)
    for parameter in branches.blocks.parameters():
        nn.init.normal_(parameter, std=0.2)
    tokens = torch.randint(200, (2, 20), generator=torch.Generator().manual_seed(0))
    for letters in ("afaf", "iiii", "f1aif", "fff1f1"):
        pattern = Pattern.parse(letters)
        numbers = torch.tensor([MENU.letters.index(spec.letter) for spec in pattern])
        single = branches.assemble(pattern)
        torch.testing.assert_close(
            branches(tokens, F.one_hot(numbers, len(MENU.letters)).float()), single.hidden(tokens), rtol=1e-4, atol=1e-5
        )
        assert sum(p.numel() for p in single.parameters()) == single.config.num_parameters


def test_a_half_of_each_adds_half_of_each(language: LanguageModel) -> None:
    branches = Branches(language, MENU)
    for parameter in branches.blocks.parameters():
        nn.init.normal_(parameter, std=0.2)
    x, around = branches.trunk.begin(torch.randint(200, (2, 5)))
    mixed = branches._mixed(1, x, around, torch.tensor([0.5, 0.25, 0.0, 0.25]))
    torch.testing.assert_close(mixed, 0.5 * branches.blocks["1_a"](x, around) + 0.25 * branches.blocks["1_f"](x))


def test_it_inherits_a_parents_blocks_and_their_substitutes(language: LanguageModel) -> None:
    """With all weight on the parent's kinds it is the parent; on another kind at a place, the substitute is there."""
    substitutes = Substitutes(language, MENU)
    for parameter in substitutes.blocks.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    network = Branches(language, MENU)
    network.inherit(language.model, substitutes.find)
    own = [MENU.letters.index(spec.letter) for spec in language.model.config.pattern]
    tokens = torch.randint(1, 50, (2, 20))
    weights = torch.eye(len(MENU.letters))[own]
    torch.testing.assert_close(network(tokens, weights), language.model.hidden(tokens))
    other = next(n for n, letter in enumerate(MENU.letters) if letter not in (MENU.letters[own[1]], "i"))
    changed = torch.eye(len(MENU.letters))[[own[0], other, *own[2:]]]
    pattern = [spec.letter for spec in language.model.config.pattern]
    pattern[1] = MENU.letters[other]
    expected = assembled(language.model, Pattern.parse("".join(pattern)), substitutes.find)
    torch.testing.assert_close(network(tokens, changed), expected.hidden(tokens))


def test_the_architecture_learns_in_its_own_turn_and_pays_beyond_the_limit(language: LanguageModel) -> None:
    limit = Limit(prices=PRICES, most=5.0)
    search = SuperNet(language, MENU, [limit])
    batch = {"tokens": torch.randint(200, (2, 20))}
    search(batch, "weights")["loss"].backward()
    assert search.architecture.grad is None
    losses = search(batch, "architecture")
    expected = 1 + 4 * (4 + 2 + 1 + 0) / 4
    assert search.expected_parts().item() == pytest.approx(expected / limit.most)
    assert losses["beyond"].item() == pytest.approx(2.0 * (expected / 5 - 1))
    assert losses["loss"].item() == pytest.approx((losses["nats"] + losses["beyond"]).item())
    losses["loss"].backward()
    assert search.architecture.grad is not None
    within = SuperNet(language, MENU, [replace(limit, most=9.0)])
    assert within(batch, "architecture")["beyond"].item() == 0


def test_its_heads_learn_and_its_parents_stay(language: LanguageModel) -> None:
    search = SuperNet(language, MENU, [Limit(prices=PRICES, most=9.0)])
    search({"tokens": torch.randint(200, (2, 20))}, "weights")["loss"].backward()
    assert search.task.model.embedding.weight.grad is not None
    assert language.model.embedding.weight.grad is None
    assert search.metric == language.metric


def test_the_temperature_falls_by_equal_factors_once_the_architecture_learns(language: LanguageModel) -> None:
    search = SuperNet(
        language, MENU, [Limit(prices=PRICES, most=9.0)], SuperNetConfig(freeze=0.2, first=4.0, last=0.25)
    )
    seen = []
    for fraction in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        search.after_step(fraction)
        seen.append(search.temperature.item())
    assert seen == pytest.approx([4, 4, 2, 1, 0.5, 0.25])
    assert math.isclose(search.state_dict()["temperature"].item(), 0.25)  # it survives an interruption


def test_what_is_extracted_is_the_likeliest_pattern_that_keeps_the_limit(language: LanguageModel) -> None:
    search = SuperNet(language, MENU, [Limit(prices=PRICES, most=9.0)])
    with torch.no_grad():
        search.architecture.copy_(torch.tensor([[3.0, 0, 0, 0], [0, 3, 0, 0], [2, 0, 1.9, 0], [0, 0, 0, 3]]))
    chosen = search.choose()
    assert chosen.pattern.letters == "aff1i"
    assert chosen.costs == (8.0,)
    loose = SuperNet(language, MENU, [Limit(prices=PRICES, most=99.0)])
    loose.load_state_dict(search.state_dict())
    assert loose.choose().pattern.letters == "afai"  # the likeliest kind at each place, which costs 11


def test_the_architectures_documents_are_its_own(language: LanguageModel) -> None:
    split = language.corpus.splits["train"]
    ours, theirs = divided(split, 0.2)
    assert ours.num_documents + theirs.num_documents == split.num_documents
    assert theirs.num_documents == pytest.approx(0.2 * split.num_documents, abs=1)
    np.testing.assert_array_equal(np.concatenate([ours.tokens, theirs.tokens]), split.tokens)
    np.testing.assert_array_equal(theirs.tokens[theirs.starts], split.tokens[split.starts[ours.num_documents :]])
    search = SuperNet(language, MENU, [Limit(prices=PRICES, most=9.0)])
    streams = [search.source(name, seed=0) for name in ("train", "architecture")]
    assert [source.num_windows for source in streams] == [len(part.tokens) // 48 for part in (ours, theirs)]  # type: ignore[attr-defined]


def test_it_is_fitted_like_any_task_and_its_architecture_waits(language: LanguageModel, tmp_path: Path) -> None:
    search = SuperNet(language, MENU, [Limit(prices=PRICES, most=9.0)])
    engine = Engine(search, language.config.fit, stack=STACK)
    engine.step(0, samples=0, fraction=0.1)
    assert not search.architecture.any()
    engine.step(1, samples=8, fraction=0.3)
    assert search.architecture.any()
    run = Run.create(tmp_path, "search", {"kind": "run"})
    with run.locked():
        trainer = Trainer(search, language.config, run=run, budget=Budget(samples=320), stack=STACK)
        receipt = fit(trainer, cache=tmp_path, floors=False)
    assert receipt is not None
    with torch.no_grad():
        told = search.eval().evaluate("validation")
    assert told.details["temperature"] == pytest.approx(0.2)
    assert told.value - told.details["mixture, bits per byte"] == pytest.approx(
        told.details["gap of being made single"]
    )
    assert search.limits[0].allows(search.choose().pattern)


@pytest.mark.parametrize(
    "wrong", [{"freeze": 1.0}, {"share": 0.0}, {"last": 0.0}, {"first": 0.1}, {"hinge": -1.0}], ids=str
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match="temperatures that fall"):
        SuperNetConfig(**wrong)  # type: ignore[arg-type]
