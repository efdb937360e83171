"""The best pattern under budgets, exactly: dynamic programming over how many blocks of each kind there are.

What a block costs depends on its kind alone, what it is worth on its place too. So the best sum of worths is worked out
once for every way of dividing the places among the kinds, and any budget, in any quantity, at prices of any machine,
is then answered by looking through those: a new budget costs milliseconds, and the answer is exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray

from pennyweight.blocks.pattern import Pattern
from pennyweight.core.errors import UserError
from pennyweight.methods.par.search.menu import Limit, Menu

_MOST_STATES = 3_000_000
"""Divisions of the places among the kinds: 32 blocks of six kinds have 435,897."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A pattern, the sum of its blocks' worths, and what it costs in each limited quantity."""

    pattern: Pattern
    worth: float
    costs: tuple[float, ...]


class Front:
    """The best patterns of a menu for every count of each kind.

    ``worths`` [blocks, letters]: what each kind is worth at each place, more being better (a loss enters negative).
    Raises UserError for worths that are not numbers, of the wrong shape, or a menu too large to go through.
    """

    def __init__(self, menu: Menu, worths: Float[NDArray[np.float64], "blocks letters"]) -> None:
        worths = np.asarray(worths, np.float64)
        expected = (menu.num_blocks, len(menu.letters))
        if worths.shape != expected or not np.isfinite(worths).all():
            raise UserError(f"worths of shape {worths.shape}", expected=f"{expected}, all of them finite")
        self.menu = menu
        self.worths = worths
        self.counts = divisions(menu)
        """[divisions, letters]: how many blocks of each kind."""
        self.best, self._came_by = _best(self.counts, worths)

    def choose(self, limits: Sequence[Limit]) -> Choice:
        """The pattern of the greatest worth within all limits; of equal ones that which costs least of the first.

        Raises UserError when no pattern of the menu is within all of them together.
        """
        costs, allowed = within(self.menu, self.counts, limits)
        top = self.best[allowed].max()
        tied = np.flatnonzero(allowed & (self.best >= top - 1e-12 * max(1.0, abs(top))))
        index = int(tied[np.argmin(costs[0][tied])]) if limits else int(tied[0])
        return Choice(
            pattern=self._pattern(index),
            worth=float(self.best[index]),
            costs=tuple(float(cost[index]) for cost in costs),
        )

    def worth_of(self, pattern: Pattern) -> float:
        """The sum of worths of a pattern with a block at each place."""
        letters = [self.menu.letters.index(spec.letter) for spec in pattern]
        return float(self.worths[np.arange(len(letters)), letters].sum())

    def _pattern(self, index: int) -> Pattern:
        """Back from a division of all places to the block at each."""
        strides = _strides(self.menu.num_blocks, len(self.menu.letters))
        codes = self.counts[:, :-1] @ strides
        letters = []
        for came_by in reversed(self._came_by):
            letter = int(came_by[index])
            letters.append(self.menu.letters[letter])
            if letter < len(strides):
                index = int(np.searchsorted(codes, codes[index] - strides[letter]))
        return Pattern.parse("".join(reversed(letters)))


def _strides(num_blocks: int, num_letters: int) -> Int[NDArray[np.int64], " letters"]:
    """What one block more of each kind but the last adds to the number of a division; the last kind is the rest."""
    return (num_blocks + 1) ** np.arange(num_letters - 1, dtype=np.int64)


def within(
    menu: Menu, counts: Int[NDArray[np.int64], "divisions letters"], limits: Sequence[Limit]
) -> tuple[list[NDArray[np.float64]], NDArray[np.bool_]]:
    """What each division costs in each limited quantity, and which are within all limits; UserError when none is."""
    prices = [np.array([limit.prices.blocks[letter] for letter in menu.letters]) for limit in limits]
    costs = [limit.prices.fixed + counts @ price for limit, price in zip(limits, prices, strict=True)]
    allowed = np.ones(len(counts), bool)
    for limit, cost in zip(limits, costs, strict=True):
        # A sum in another order may end a bit above: a pattern that is the limit is within it.
        allowed &= cost <= limit.most * (1 + 1e-9)
    if not allowed.any():
        told = " and ".join(f"{limit.prices.quantity} {limit.most:.4g} {limit.prices.unit}".strip() for limit in limits)
        raise UserError(f"{told} together", expected="limits that one pattern of the menu can keep")
    return costs, allowed


def divisions(menu: Menu) -> Int[NDArray[np.int64], "divisions letters"]:
    """All ways of dividing the places among the kinds, in the order of their numbers."""
    num_blocks, num_letters = menu.num_blocks, len(menu.letters)
    size = 1
    for k in range(1, num_letters):
        size = size * (num_blocks + k) // k
    if size > _MOST_STATES:
        raise UserError(f"a menu of {num_letters} kinds for {num_blocks} blocks", expected="fewer of either")
    parts = np.zeros((1, 0), np.int64)
    for _ in range(num_letters - 1):
        rest = num_blocks - parts.sum(1)
        more = np.concatenate([np.arange(n + 1) for n in rest])
        parts = np.column_stack([more, parts.repeat(rest + 1, axis=0)])
    parts = parts[np.argsort(parts @ _strides(num_blocks, num_letters))]
    return np.column_stack([parts, num_blocks - parts.sum(1)])


def _best(counts: NDArray[np.int64], worths: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[NDArray[np.int8]]]:
    """The greatest worth of each division, and for each place by which kind it was reached.

    After so many places a division stands for its counts of all kinds but the last, which has the rest.
    """
    num_blocks, num_letters = worths.shape
    strides = _strides(num_blocks, num_letters)
    codes = counts[:, :-1] @ strides
    before = [np.searchsorted(codes, np.maximum(codes - stride, 0)) for stride in strides]
    possible = [counts[:, k] > 0 for k in range(num_letters - 1)]
    best = np.where(codes == 0, 0.0, -np.inf)
    came_by = []
    for worth in worths:
        reached = [np.where(possible[k], best[before[k]], -np.inf) + worth[k] for k in range(num_letters - 1)]
        reached.append(best + worth[-1])
        stacked = np.stack(reached)
        came_by.append(stacked.argmax(0).astype(np.int8))
        best = stacked.max(0)
    return best, came_by
