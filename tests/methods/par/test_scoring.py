"""The scoring of blocks as a task that is fitted like any other."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from pennyweight.blocks.pattern import Pattern
from pennyweight.core.budget import Budget
from pennyweight.core.fit import Trainer, fit
from pennyweight.core.optimizer import AdamW
from pennyweight.core.recipe import FitConfig
from pennyweight.core.run import Run
from pennyweight.core.stack import Stack
from pennyweight.core.task import Batch
from pennyweight.data.text import TextConfig
from pennyweight.methods.par.config import ParConfig
from pennyweight.methods.par.search.choose import Front
from pennyweight.methods.par.search.menu import Menu, parameter_prices, parse_limit
from pennyweight.methods.par.search.scoring import BlockScoring, _increase, increases
from pennyweight.methods.par.search.substitutes import worths
from pennyweight.methods.par.task import LanguageModel, build
from pennyweight.methods.par.text import Split

STACK = Stack.parse("cpu/torch/fp32/1t")
MENU = Menu(num_blocks=4, letters=("a", "f", "f1", "i"))


def a_config(folder: Path) -> ParConfig:
    """A small language model on a little text that is written into a folder."""
    folder.mkdir()
    for number in range(30):
        words = " ".join(f"word{(number * k) % 89}" for k in range(300))
        (folder / f"{number}.txt").write_text(words, encoding="utf-8")
    return ParConfig(
        pattern="interleaved",
        num_blocks=4,
        width=32,
        num_heads=2,
        context=48,
        data=TextConfig(path=str(folder), tokenizer="bytes"),
        fit=FitConfig(batch=8, optimizer=AdamW(lr=5e-3)),
    )


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A small model that was trained a little, so that its blocks do something."""
    config = a_config(tmp_path_factory.mktemp("parent") / "text")
    cache = tmp_path_factory.mktemp("cache")
    torch.manual_seed(0)
    task = build(config, cache=cache)
    run = Run.create(tmp_path_factory.mktemp("runs"), "parent", {"kind": "run"})
    with run.locked():
        fit(Trainer(task, config, run=run, budget=Budget(samples=480), stack=STACK), cache=cache, floors=False)
    return task


def test_scores_are_what_models_with_one_block_replaced_lose(parent: LanguageModel) -> None:
    scoring = BlockScoring(parent, MENU, num_windows=6).eval()
    with torch.no_grad():
        told = scoring.evaluate("test")
        measured = scoring.measure("test", 6)
    rises = increases(told.details)
    assert rises == {key: one.value for key, one in measured.items()}
    for (place, letter), one in measured.items():
        letters = [*"afaf"]
        letters[place] = letter
        whole = scoring.substitutes.assemble(Pattern.parse("".join(letters)))
        pairs = []
        for batch in parent.held_out("test", num_samples=6):
            replaced, counts = parent.nats(whole.hidden(parent.tokens(batch)), batch)
            own, _ = parent.nats(parent.model.hidden(parent.tokens(batch)), batch)
            pairs += [*zip((replaced - own).tolist(), counts.tolist(), strict=True)]
        assert len(pairs) == 6
        assert one.value == pytest.approx(sum(a for a, _ in pairs) / sum(b for _, b in pairs), abs=1e-5)
    assert rises.keys() == {
        (place, letter) for place, own in enumerate("afaf") for letter in MENU.letters if letter != own
    }
    assert np.mean([*rises.values()]) == pytest.approx(told.value)
    assert told.low <= told.value <= told.high
    assert rises[3, "i"] > 0  # a trained block is missed
    table = worths(rises, MENU, scoring.substitutes.own)
    prices = parameter_prices(parent.model.config, MENU.letters)
    limit = parse_limit("0.7x", prices, reference=parent.model.config.pattern, menu=MENU)
    chosen = Front(MENU, table).choose([limit])
    assert limit.allows(chosen.pattern)
    small = scoring.substitutes.assemble(chosen.pattern)
    assert sum(p.numel() for p in small.parameters()) <= limit.most


def test_validation_is_on_few_windows_and_on_the_validation_split(
    parent: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int | None]] = []
    held_out = LanguageModel.held_out

    def noted(task: LanguageModel, split: Split, *, num_samples: int | None = None) -> Iterator[Batch]:
        asked.append((split, num_samples))
        return held_out(task, split, num_samples=num_samples)

    monkeypatch.setattr(LanguageModel, "held_out", noted)
    scoring = BlockScoring(parent, MENU, num_windows=5, validation_windows=2)
    scoring.evaluate("validation")
    scoring.evaluate("test")
    scoring.measure("validation", 3)
    assert asked == [("validation", 2), ("test", 5), ("validation", 3)]


def test_the_standard_error_is_the_spread_over_other_samples_of_the_same_kind() -> None:
    generator = np.random.default_rng(0)
    counts = generator.integers(20, 60, (4000, 50)).astype(np.float64)
    added = 0.3 * counts + generator.normal(size=counts.shape) * np.sqrt(counts)
    told = [_increase(a, c) for a, c in zip(added, counts, strict=True)]
    spread = np.std([one.value for one in told])
    assert np.mean([one.error for one in told]) == pytest.approx(spread, rel=0.04)
    assert _increase(added[0, :1], counts[0, :1]).error == np.inf


def test_training_the_substitutes_lowers_what_they_add_and_leaves_the_parent_alone(
    parent: LanguageModel, tmp_path: Path
) -> None:
    scoring = BlockScoring(parent, MENU, num_windows=6, validation_windows=6)
    before = {name: value.clone() for name, value in parent.model.state_dict().items()}
    with torch.no_grad():
        untrained = scoring.eval().evaluate("validation").value
    config = ParConfig(fit=FitConfig(batch=8, optimizer=AdamW(lr=3e-3)))
    run = Run.create(tmp_path, "scoring", {"kind": "run"})
    with run.locked():
        trainer = Trainer(scoring, config, run=run, budget=Budget(samples=800), stack=STACK)
        receipt = fit(trainer, cache=tmp_path, floors=False)
    assert receipt is not None
    with torch.no_grad():
        trained = scoring.eval().evaluate("validation").value
    assert trained < 0.9 * untrained
    for name, value in parent.model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
