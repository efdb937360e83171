"""The menu of a pattern search and its prices: what each kind of block costs, in every quantity that has a budget.

PAR (2009.04534, section 3) prices blocks by a table of latencies. Here the table is measured on this machine and
handed over by the caller; training, prefill and decoding are separate quantities, and so are the bytes of the cache
and the parameters, which need no clock.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pennyweight.blocks.pattern import Pattern
from pennyweight.blocks.transformer import TransformerConfig
from pennyweight.core.cost import FIXED, Rate
from pennyweight.core.errors import UserError

LETTERS = ("a", "w", "f", "f2", "f1", "i")


@dataclass(frozen=True, kw_only=True)
class Menu:
    """The kinds of block that may stand at each of so many places."""

    num_blocks: int
    letters: tuple[str, ...] = LETTERS

    def __post_init__(self) -> None:
        unknown = [letter for letter in self.letters if letter not in LETTERS]
        if not self.letters or unknown or len(set(self.letters)) < len(self.letters):
            raise UserError(f"a menu of {', '.join(self.letters) or 'nothing'}", expected=", ".join(LETTERS))
        if self.num_blocks < 1:
            raise UserError(f"a menu for {self.num_blocks} blocks", expected="1 or more")


@dataclass(frozen=True, kw_only=True)
class Prices:
    """What a model costs in one quantity: a fixed part, and so much for each block by its letter."""

    quantity: str
    unit: str
    fixed: float
    blocks: Mapping[str, float]

    def of(self, pattern: Pattern) -> float:
        """The price of a whole model."""
        return self.fixed + sum(self.blocks[spec.letter] for spec in pattern)

    def lowest(self, menu: Menu) -> float:
        """The least that any pattern of the menu costs."""
        return self.fixed + menu.num_blocks * min(self.blocks[letter] for letter in menu.letters)


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The most that a model may cost in one quantity."""

    prices: Prices
    most: float

    def allows(self, pattern: Pattern) -> bool:
        """Whether a pattern stays within it; a sum in another order may end a bit above."""
        return self.prices.of(pattern) <= self.most * (1 + 1e-9)


def latency_prices(use: str, costs: Mapping[str, Rate]) -> Prices:
    """Seconds of a step, from measured costs of blocks and the ``"fixed"`` rest.

    For ``use`` see `pennyweight.lottery.weighing.blocks.block_costs`, which measures them.
    """
    blocks = {letter: rate.value for letter, rate in costs.items() if letter != FIXED}
    return Prices(quantity=f"{use} latency", unit="s", fixed=costs[FIXED].value, blocks=blocks)


def parameter_prices(config: TransformerConfig, letters: Sequence[str] = LETTERS) -> Prices:
    """Parameters of a model of this size, whatever its own pattern."""
    return _exact("parameters", "", config, letters, lambda one: one.num_parameters)


def cache_prices(config: TransformerConfig, *, context: int, itemsize: int, letters: Sequence[str] = LETTERS) -> Prices:
    """Bytes of the keys and values of one sequence of ``context`` tokens; ``itemsize`` are those of a number."""
    return _exact("cache", "B", config, letters, lambda one: one.cache_bytes(1, context, itemsize))


def _exact(
    quantity: str,
    unit: str,
    config: TransformerConfig,
    letters: Sequence[str],
    count: Callable[[TransformerConfig], int],
) -> Prices:
    """Prices of what can be counted: one block more, less the same without it."""
    one = {letter: count(replace(config, pattern=Pattern.parse(letter))) for letter in letters}
    two = {letter: count(replace(config, pattern=Pattern.parse(f"{letter}*2"))) for letter in letters}
    fixed = 2 * one[letters[0]] - two[letters[0]]
    return Prices(
        quantity=quantity,
        unit=unit,
        fixed=float(fixed),
        blocks={letter: float(two[letter] - one[letter]) for letter in letters},
    )


_SCALES = {
    "s": {"s": 1.0, "ms": 1e-3, "us": 1e-6},
    "B": {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9},
    "": {"": 1.0, "k": 1e3, "M": 1e6},
}
"""What an amount may be given in, by the unit of the quantity."""


UNITS = {"latency": "s", "cache": "B", "parameters": ""}
"""The unit of each quantity, by the last word of its name."""


def parse_amount(text: str, quantity: str) -> tuple[float, str]:
    """A limit as a user writes it: ``0.6x`` of what the reference costs, or an amount such as ``120ms`` or ``1.5M``.

    Returns the number and what it is given in. Raises UserError for anything else.
    """
    scales = _SCALES[UNITS[quantity.split()[-1]]]
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-z]*)\s*", text)
    if match is None or match[2] not in {"x", *scales} or float(match[1]) == 0:
        units = ", ".join(unit or "1" for unit in scales)
        raise UserError(f"{quantity} {text!r}", expected=f"a part of the reference's, as 0.6x, or an amount in {units}")
    return float(match[1]), match[2]


def parse_limit(text: str, prices: Prices, *, reference: Pattern, menu: Menu) -> Limit:
    """A limit out of `parse_amount`; UserError for less than the menu can reach, with what it can."""
    amount, unit = parse_amount(text, prices.quantity)
    whole = prices.of(reference)
    scale = whole if unit == "x" else _SCALES[prices.unit][unit]
    most, least = amount * scale, prices.lowest(menu)
    if most < least:
        reach = f"{_up(least / whole)}x" if unit == "x" else f"{least / scale:.4g}{unit}"
        raise UserError(
            f"{prices.quantity} {text.strip()}",
            expected=f"at least {reach}, which is the lowest that {', '.join(menu.letters)} can reach",
        )
    return Limit(prices=prices, most=most)


def _up(ratio: float) -> str:
    """Two decimals, rounded up: what is said to be reachable must be."""
    return f"{math.ceil(round(100 * ratio, 6)) / 100:.2f}"
