"""Rivals of a search: they keep the limits, and chance is even."""

import itertools
from collections import Counter

import numpy as np
import pytest

from pennyweight.blocks.pattern import Pattern
from pennyweight.core.errors import UserError
from pennyweight.methods.par.search.menu import Limit, Menu, Prices, parameter_prices
from pennyweight.methods.par.search.rivals import drawn, field, fitting, largest, rules, spread
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


def test_a_rule_is_as_deep_as_the_limits_let_it_be() -> None:
    found = fitting(12, [Limit(prices=PRICES, most=1 + 4 * 4.0)])
    assert str(found["interleaved"]) == "(af)*4"
    assert found["PAR, p = 5"] == Pattern.parse("par(5)", num_blocks=12)  # 2 of 12: 1 + 2 * 3 + 10 = 17
    assert len(found["PAR, p = 3"]) < 12
    assert fitting(12, [Limit(prices=PRICES, most=2.0)]) == {}


def test_a_shorter_model_is_spread_over_the_places_with_its_pairs_whole() -> None:
    assert spread(Pattern.parse("(af)*4"), 12).letters == "afafiiafafii"
    assert spread(Pattern.parse("afff"), 5).letters == "afffi"
    for depth in range(1, 13):
        whole = spread(Pattern.parse(f"a*{depth}"), 12)
        assert (len(whole), whole.count("attention")) == (12, depth)


def test_the_field_keeps_the_limits_and_merges_rivals_of_one_pattern() -> None:
    menu = Menu(num_blocks=4, letters=("a", "f", "i"))
    parameters = parameter_prices(CONFIG, menu.letters)
    limits = [Limit(prices=PRICES, most=9.0)]
    found = field(menu, limits, parameters, seed=0)
    assert all(limits[0].allows(pattern) for pattern in found.values())
    assert len(set(found.values())) == len(found)
    assert any("interleaved" in name for name in found)
    assert "most parameters" in "; ".join(found)
    assert field(menu, limits, parameters, seed=0) == found
    without = field(Menu(num_blocks=4, letters=("a", "i")), limits, parameters, seed=0)
    assert not any("PAR" in name for name in without)


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
