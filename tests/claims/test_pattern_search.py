"""A pattern search finds what was planted: attention early, because what it fetches has still to be worked on.

The language: a token is a random function of the three before it, but for one token in ten, which is any. A position
holds the last of the three; the other two only attention can fetch, and what the function makes of all three only
feed-forward blocks after it can work out. The prices, made up, leave room for one attention among four blocks.
"""

import itertools
from functools import cache
from math import comb, log
from pathlib import Path

import numpy as np
import pytest
import torch

from pennyweight.blocks.pattern import Pattern
from pennyweight.core.budget import Budget
from pennyweight.core.fit import Trainer, fit
from pennyweight.core.optimizer import AdamW
from pennyweight.core.randomness import seed_all
from pennyweight.core.receipt import Receipt
from pennyweight.core.recipe import FitConfig
from pennyweight.core.run import Run
from pennyweight.core.stack import Stack
from pennyweight.core.task import Task
from pennyweight.data.text import TextCorpus, TokenSplit
from pennyweight.data.tokens import ByteTokenizer
from pennyweight.methods.par.config import ParConfig
from pennyweight.methods.par.search.choose import Front
from pennyweight.methods.par.search.menu import Limit, Menu, Prices
from pennyweight.methods.par.search.scoring import BlockScoring, increases
from pennyweight.methods.par.search.substitutes import worths
from pennyweight.methods.par.search.supernet import SuperNet
from pennyweight.methods.par.task import LanguageModel

STACK = Stack.parse("cpu/torch/fp32/1t")
MENU = Menu(num_blocks=4, letters=("a", "f", "i"))
PRICES = Prices(quantity="train latency", unit="ms", fixed=1.0, blocks={"a": 4.0, "f": 1.0, "i": 0.0})
LIMIT = Limit(prices=PRICES, most=8.0)
WITHIN = [
    pattern
    for letters in itertools.product(MENU.letters, repeat=MENU.num_blocks)
    if LIMIT.allows(pattern := Pattern.parse("".join(letters)))
]
NOISE = 0.1


class Numbers(ByteTokenizer):
    """Tokens that are numbers already, of which 0 stands before every document."""

    separator = 0

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size


@cache
def a_language(num_words: int, reach: int) -> TextCorpus:
    """Documents in which each token follows from the ``reach`` before it, but for ``NOISE``.

    Whatever the nearer ones are, each word follows from one word at the far end: without looking back that far, all
    words are equally likely.
    """
    generator = np.random.default_rng(0)
    following = generator.permuted(np.tile(np.arange(num_words), (num_words,) * (reach - 1) + (1,)), axis=-1)

    def split(num_documents: int, length: int = 100) -> TokenSplit:
        words = generator.integers(0, num_words, (num_documents, length))
        free = generator.random(words.shape) < NOISE
        for place in range(reach, length):
            known = following[tuple(words[:, place - back] for back in range(1, reach + 1))]
            words[:, place] = np.where(free[:, place], words[:, place], known)
        tokens = np.column_stack([np.zeros(num_documents, np.int64), words + 1]).ravel().astype(np.uint16)
        starts = np.arange(num_documents, dtype=np.int64) * (length + 1)
        return TokenSplit(tokens=tokens, starts=starts, document_bytes=np.full(num_documents, length))

    return TextCorpus(
        name=f"{num_words} words, {reach} back",
        sha256="",
        split_rule="",
        notes=(),
        tokenizer=Numbers(num_words + 1),
        splits={"train": split(2000), "validation": split(40), "test": split(100)},
    )


def a_config(pattern: str, *, seed: int, width: int = 32, batch: int = 32, lr: float = 5e-3) -> ParConfig:
    return ParConfig(
        pattern=pattern,
        width=width,
        num_heads=2,
        context=32,
        fit=FitConfig(batch=batch, optimizer=AdamW(lr=lr), validations=0, seed=seed, checkpoint_seconds=1e6),
    )


def fitted(task: Task, config: ParConfig, *, steps: int, folder: Path) -> Receipt:
    """Train a task as the product does."""
    run = Run.create(folder, "planted", {"kind": "run"})
    with run.locked():
        budget = Budget(samples=steps * config.fit.batch)
        receipt = fit(Trainer(task, config, run=run, budget=budget, stack=STACK), cache=folder, floors=False)
    assert receipt.spent.steps == steps
    return receipt


def trained(pattern: str, *, seed: int, folder: Path) -> tuple[LanguageModel, float]:
    """A model of the language, from scratch, and its nats per token on the test documents."""
    corpus, config = a_language(8, 3), a_config(pattern, seed=seed)
    seed_all(seed)
    task = LanguageModel(config, corpus.tokenizer, corpus)
    return task, fitted(task, config, steps=800, folder=folder).result.details["nats per token"]


def searched(corpus: TextCorpus, config: ParConfig, *, steps: int, folder: Path) -> Pattern:
    """What the super-network, all its settings as they come, has found after so many steps."""
    seed_all(config.fit.seed)
    search = SuperNet(LanguageModel(config, corpus.tokenizer, corpus), MENU, [LIMIT])
    fitted(search, config, steps=steps, folder=folder)
    return search.choose().pattern


def live(pattern: Pattern) -> str:
    """The letters of the blocks that do something: patterns with the same are the same model."""
    return pattern.letters.replace("i", "")


def is_planted(pattern: Pattern) -> bool:
    """One attention, not later than second, and two feed-forward blocks or more that work on what it fetched."""
    before, _, after = live(pattern).partition("a")
    return "a" in pattern.letters and len(before) <= 1 and len(after) >= 2 and "a" not in after


def test_chance_would_seldom_find_it() -> None:
    """6 of the 48 patterns within the limit are of the planted kind: chance has 4 of 5 once in 910 times."""
    assert len(WITHIN) == 48
    chance = sum(map(is_planted, WITHIN)) / len(WITHIN)
    assert chance == 6 / 48
    at_least_four = sum(comb(5, hits) * chance**hits * (1 - chance) ** (5 - hits) for hits in (4, 5))
    assert at_least_four == pytest.approx(1 / 910, rel=0.01)


def test_a_short_search_looks_back_early(tmp_path: Path) -> None:
    """Two back, half the width, 600 small steps. Eight seeds of eight found it when this was written."""
    config = a_config("i*4", seed=0, width=16, batch=16, lr=1e-2)
    found = searched(a_language(16, 2), config, steps=600, folder=tmp_path)
    assert is_planted(found), found.letters
    assert LIMIT.allows(found)


@pytest.mark.slow
def test_the_planted_kind_is_the_best_of_all_patterns_within_the_limit(tmp_path: Path) -> None:
    """Every pattern within the limit, trained alone from scratch; those that differ by identities only are one.

    Measured, nats per token, three seeds (guessing 2.08; the noise alone 0.5)::

        afff 0.72 0.89 0.83    af   0.81 0.98 0.93    a    1.86 1.83 1.82
        aff  0.83 0.90 0.84    faf  1.31 1.14 0.99    fa   2.00 1.91 1.86
        faff 0.86 0.86 0.94    ffaf 2.11 1.86 1.63    ffa  2.11 2.11 2.11
                                                      fffa 2.11 2.11 1.88
    """
    models = sorted({live(pattern) for pattern in WITHIN if "a" in pattern.letters})
    assert len(models) == 10
    nats = {
        letters: float(np.mean([trained(letters, seed=seed, folder=tmp_path)[1] for seed in range(2)]))
        for letters in models
    }
    planted = {letters for letters in models if is_planted(Pattern.parse(letters))}
    assert planted == {"afff", "aff", "faff"}
    best = min(nats, key=lambda letters: nats[letters])
    assert best in planted, nats
    late = {letters for letters in models if letters.endswith("a") or letters.startswith("ff")}
    assert min(nats[letters] for letters in late) > max(nats[letters] for letters in planted) + 0.5, nats
    assert min(nats[letters] for letters in set(models) - planted) > nats[best] + 0.05, nats
    for blind in ("ffff", "f"):  # without attention there is nothing to be learnt
        assert trained(blind, seed=0, folder=tmp_path)[1] > log(8), blind


@pytest.mark.slow
def test_the_super_network_recovers_it_in_four_of_five_seeds(tmp_path: Path) -> None:
    """Five of five gave afff when this was written."""
    found = [
        searched(a_language(8, 3), a_config("i*4", seed=seed), steps=800, folder=tmp_path / str(seed))
        for seed in range(5)
    ]
    assert all(map(LIMIT.allows, found))
    assert sum(map(is_planted, found)) >= 4, [pattern.letters for pattern in found]


@pytest.mark.slow
def test_the_super_network_pays_for_no_attention_where_none_is_needed(tmp_path: Path) -> None:
    """A token that follows from the last one alone. Three of three gave ffff when this was written."""
    found = [
        searched(a_language(8, 1), a_config("i*4", seed=seed), steps=500, folder=tmp_path / str(seed))
        for seed in range(3)
    ]
    assert not any(map(is_planted, found)), [pattern.letters for pattern in found]


@pytest.mark.slow
@pytest.mark.parametrize("parent", ["afaf", "aaaa"])
def test_scoring_the_blocks_of_a_parent_keeps_the_early_attention(parent: str, tmp_path: Path) -> None:
    """Both seeds gave afff for both parents when this was written."""
    found = []
    for seed in range(2):
        language, _ = trained(parent, seed=seed, folder=tmp_path)
        scoring = BlockScoring(language, MENU)
        config = a_config(parent, seed=seed, lr=3e-3)
        fitted(scoring, config, steps=200, folder=tmp_path)
        with torch.no_grad():
            told = scoring.eval().evaluate("validation")
        table = worths(increases(told.details), MENU, scoring.substitutes.own)
        found.append(Front(MENU, table).choose([LIMIT]).pattern)
    assert all(map(LIMIT.allows, found))
    assert all(map(is_planted, found)), [pattern.letters for pattern in found]
