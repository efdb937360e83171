"""The exact choice under budgets, against going through all patterns."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pennyweight.blocks.pattern import Pattern
from pennyweight.blocks.transformer import Transformer, TransformerConfig
from pennyweight.core.cost import FIXED, Rate
from pennyweight.core.errors import UserError
from pennyweight.methods.par.search.choose import Front
from pennyweight.methods.par.search.menu import (
    LETTERS,
    Limit,
    Menu,
    Prices,
    cache_prices,
    latency_prices,
    parameter_prices,
    parse_limit,
)

CONFIG = TransformerConfig(vocab_size=50, width=32, num_heads=2, window=8, pattern=Pattern.parse("af"))


def some_prices(seed: int, letters: Sequence[str], quantity: str = "train latency") -> Prices:
    drawn = np.random.default_rng(seed).integers(0, 9, len(letters))
    return Prices(quantity=quantity, unit="s", fixed=3.0, blocks=dict(zip(letters, map(float, drawn), strict=True)))


def by_going_through_all(menu: Menu, worths: np.ndarray, limits: Sequence[Limit]) -> tuple[float, float] | None:
    """The greatest worth within the limits, and the least first cost of those that have it; None where none is."""
    places = np.array(list(itertools.product(range(len(menu.letters)), repeat=menu.num_blocks)))
    worth = worths[np.arange(menu.num_blocks), places].sum(1)
    costs = [
        limit.prices.fixed + np.array([limit.prices.blocks[letter] for letter in menu.letters])[places].sum(1)
        for limit in limits
    ]
    allowed = np.all([cost <= limit.most + 1e-9 for limit, cost in zip(limits, costs, strict=True)], axis=0)
    if not allowed.any():
        return None
    top = worth[allowed].max()
    return top, costs[0][allowed & (worth >= top - 1e-9)].min()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    letters=st.lists(st.sampled_from(LETTERS), min_size=1, max_size=4, unique=True),
    share=st.floats(0, 1),
    whole_numbers=st.booleans(),
)
def test_the_choice_is_the_best_of_all_patterns(
    seed: int, letters: list[str], share: float, whole_numbers: bool
) -> None:
    menu = Menu(num_blocks=8, letters=tuple(letters))
    generator = np.random.default_rng(seed)
    worths = generator.normal(size=(8, len(letters)))
    worths = worths.round() if whole_numbers else worths  # many patterns are worth the same
    limits = [
        Limit(prices=prices, most=prices.lowest(menu) + part * 8 * 9)
        for prices, part in ((some_prices(seed, letters), share), (some_prices(seed + 1, letters, "cache"), 1 - share))
    ]
    expected = by_going_through_all(menu, worths, limits)
    if expected is None:
        with pytest.raises(UserError, match="together"):
            Front(menu, worths).choose(limits)
        return
    chosen = Front(menu, worths).choose(limits)
    assert (chosen.worth, chosen.costs[0]) == pytest.approx(expected)
    assert len(chosen.pattern) == 8
    places = [letters.index(spec.letter) for spec in chosen.pattern]
    assert worths[np.arange(8), places].sum() == pytest.approx(chosen.worth)
    for limit, cost in zip(limits, chosen.costs, strict=True):
        assert limit.prices.of(chosen.pattern) == pytest.approx(cost)
        assert limit.allows(chosen.pattern)


def test_without_limits_each_place_takes_what_is_worth_most() -> None:
    worths = np.random.default_rng(0).normal(size=(32, 6))
    chosen = Front(Menu(num_blocks=32), worths).choose([])
    assert [spec.letter for spec in chosen.pattern] == [LETTERS[k] for k in worths.argmax(1)]
    assert chosen.worth == pytest.approx(worths.max(1).sum())


def test_one_front_answers_every_budget_and_a_larger_one_is_never_worth_less() -> None:
    menu = Menu(num_blocks=12)
    prices = some_prices(3, LETTERS)
    front = Front(menu, np.random.default_rng(1).normal(size=(12, 6)))
    worths = [
        front.choose([Limit(prices=prices, most=most)]).worth for most in np.linspace(prices.lowest(menu), 99, 30)
    ]
    assert worths == sorted(worths)


def test_prices_are_those_of_the_models_themselves() -> None:
    parameters, cache = parameter_prices(CONFIG), cache_prices(CONFIG, context=20, itemsize=2)
    for letters in ("a", "afwf", "iiii", "f1f2fwai", "aaaffw"):
        model = Transformer(TransformerConfig(**{**vars(CONFIG), "pattern": Pattern.parse(letters)}))
        assert parameters.of(model.config.pattern) == sum(p.numel() for p in model.parameters())
        kept = model.new_cache(1, 20).num_bytes / 2  # of four bytes a number, not two
        assert cache.of(model.config.pattern) == kept
    with_head = TransformerConfig(**{**vars(CONFIG), "tied": False})
    assert parameter_prices(with_head).fixed - parameters.fixed == CONFIG.vocab_size * CONFIG.width


def test_measured_costs_become_prices() -> None:
    costs = {"a": Rate(value=2.0, low=1.0, high=3.0), FIXED: Rate(value=5.0, low=4.0, high=6.0)}
    prices = latency_prices("decode", costs)
    assert (prices.quantity, prices.of(Pattern.parse("a*3"))) == ("decode latency", 11.0)


def test_a_limit_is_a_part_of_the_reference_or_an_amount() -> None:
    menu, prices = Menu(num_blocks=4, letters=("a", "i")), Prices(
        quantity="train latency", unit="s", fixed=1.0, blocks={"a": 1.0, "i": 0.0}
    )  # fmt: skip
    reference = Pattern.parse("a*4")
    assert parse_limit("0.6x", prices, reference=reference, menu=menu).most == pytest.approx(3.0)
    assert parse_limit(" 2.5 s", prices, reference=reference, menu=menu).most == 2.5
    assert parse_limit("2500ms", prices, reference=reference, menu=menu).most == pytest.approx(2.5)
    assert parse_limit("0.2x", prices, reference=reference, menu=menu).most == pytest.approx(1.0)
    with pytest.raises(UserError, match=r"train latency 0\.01x.*at least 0\.20x, which is the lowest"):
        parse_limit("0.01x", prices, reference=reference, menu=menu)
    with pytest.raises(UserError, match="at least 1000ms, which"):
        parse_limit("500ms", prices, reference=reference, menu=menu)
    for wrong in ("", "x", "-1x", "0x", "fast", "1e3", "nan", "2.5", "2 kB"):
        with pytest.raises(UserError, match=r"0\.6x, or an amount in s, ms, us"):
            parse_limit(wrong, prices, reference=reference, menu=menu)


def test_what_is_no_menu_is_refused() -> None:
    for letters in ((), ("a", "a"), ("a", "x")):
        with pytest.raises(UserError, match="a menu of"):
            Menu(num_blocks=4, letters=letters)
    with pytest.raises(UserError, match="0 blocks"):
        Menu(num_blocks=0)
    with pytest.raises(UserError, match="fewer of either"):
        Front(Menu(num_blocks=64), np.zeros((64, 6)))
    with pytest.raises(UserError, match="worths of shape"):
        Front(Menu(num_blocks=4), np.zeros((4, 5)))
    with pytest.raises(UserError, match="all of them finite"):
        Front(Menu(num_blocks=4), np.full((4, 6), np.nan))
