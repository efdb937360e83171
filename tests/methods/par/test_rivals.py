"""Rivals of a search: they keep the limits, and chance is even."""

import itertools
from collections import Counter

import numpy as np
import pytest

from pennyweight.blocks.pattern import Pattern
from pennyweight.core.errors import UserError
from pennyweight.methods.par.search.menu import Limit, Menu, Prices, parameter_prices
from pennyweight.methods.par.search.rivals import drawn, largest, rules, shrunk
from tests.methods.par.test_choose import CONFIG

PRICES = Prices(quantity="train latency", unit="s", fixed=1.0, blocks={"a": 3.0, "f": 1.0, "i": 0.0})
MENU = Menu(num_blocks=5, letters=("a", "f", "i"))


def test_rules_are_those_that_have_room() -> None:
    assert {name: str(pattern) for name, pattern in rules(32).items()} == {
        "interleaved": "(af)*16",
        "PAR, p = 3": str(Pattern.parse("par(3)", num_blocks=32)),
        "PAR, p = 4": str(Pattern.parse("par(4)", num_blocks=32)),
        "PAR, p = 5": "(afff)*6 f*8",
        "sandwich": str(Pattern.parse("sandwich(8)", num_blocks=32)),
    }
    assert set(rules(4)) == {"interleaved", "PAR, p = 3", "PAR, p = 4", "sandwich"}
    assert "interleaved" not in rules(5)


def test_the_shrunk_model_is_the_deepest_within_the_limits() -> None:
    assert str(shrunk(12, [Limit(prices=PRICES, most=1 + 4 * 4.0)])) == "(af)*4"
    assert str(shrunk(12, [Limit(prices=PRICES, most=1e9)])) == "(af)*6"
    assert shrunk(12, [Limit(prices=PRICES, most=2.0)]) is None


def test_every_pattern_within_the_limits_has_the_same_chance() -> None:
    limit = Limit(prices=PRICES, most=6.0)
    possible = [
        "".join(letters)
        for letters in itertools.product("afi", repeat=5)
        if limit.allows(Pattern.parse("".join(letters)))
    ]
    generator = np.random.default_rng(0)
    times = 40 * len(possible)
    seen = Counter(drawn(MENU, [limit], generator).letters for _ in range(times))
    assert seen.keys() == set(possible)
    surprise = sum((seen[one] - 40) ** 2 / 40 for one in possible)
    assert surprise < len(possible) + 4 * (2 * len(possible)) ** 0.5  # chi squared, four standard deviations
    with pytest.raises(UserError, match="together"):
        drawn(MENU, [Limit(prices=PRICES, most=0.5)], generator)


def test_the_largest_has_the_most_parameters_and_of_equal_ones_costs_least() -> None:
    menu = Menu(num_blocks=4, letters=("a", "f2", "f", "i"))
    prices = Prices(quantity="train latency", unit="s", fixed=0.0, blocks={"a": 2.0, "f2": 1.5, "f": 4.0, "i": 0.0})
    parameters = parameter_prices(CONFIG, menu.letters)
    assert parameters.blocks["a"] == parameters.blocks["f2"]
    assert largest(menu, [Limit(prices=prices, most=6.0)], parameters).letters == "f2" * 4
    pattern = largest(menu, [Limit(prices=prices, most=8.6)], parameters)
    everything = ["".join(letters) for letters in itertools.product(menu.letters, repeat=4)]
    within = [parameters.of(p) for p in map(Pattern.parse, everything) if prices.of(p) <= 8.6]
    assert parameters.of(pattern) == max(within)
