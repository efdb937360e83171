"""What a search must beat under the same limits: fixed rules, a smaller model of the usual kind, chance, and size.

PAR's own rule (2009.04534, section 5), the sandwich (1911.03864), an interleaved model with fewer blocks, a pattern
drawn at random, and that with the most parameters, which Javaheripi et al. (2203.02094) found hard to beat.
"""

from collections.abc import Sequence
from math import lgamma

import numpy as np

from pennyweight.blocks.pattern import Pattern, interleaved, par, sandwich
from pennyweight.core.errors import UserError
from pennyweight.methods.par.search.choose import Front, divisions, within
from pennyweight.methods.par.search.menu import Limit, Menu, Prices

_RULES = (3, 4, 5)


def rules(num_blocks: int) -> dict[str, Pattern]:
    """The patterns that a rule gives without looking at any price, by the rule's name; those with room for it."""
    found = {"interleaved": interleaved(num_blocks)} if num_blocks % 2 == 0 else {}
    for p in _RULES:
        try:
            found[f"PAR, p = {p}"] = par(num_blocks, p)
        except UserError:
            continue
    if num_blocks % 4 == 0:
        found["sandwich"] = sandwich(num_blocks, num_blocks // 4)
    return found


def shrunk(num_blocks: int, limits: Sequence[Limit]) -> Pattern | None:
    """The deepest interleaved pattern within the limits; None where not even one pair of blocks is."""
    for pairs in range(num_blocks // 2, 0, -1):
        pattern = interleaved(2 * pairs)
        if all(limit.allows(pattern) for limit in limits):
            return pattern
    return None


def drawn(menu: Menu, limits: Sequence[Limit], generator: np.random.Generator) -> Pattern:
    """A pattern within the limits, each with the same chance. UserError when none is within them.

    What a pattern costs depends on how many blocks of each kind it has. So first those numbers are drawn, in
    proportion to the patterns that have them, then their order.
    """
    counts = divisions(menu)
    _, allowed = within(menu, counts, limits)
    counts = counts[allowed]
    factorials = np.array([lgamma(n + 1) for n in range(menu.num_blocks + 1)])
    log_patterns = factorials[menu.num_blocks] - factorials[counts].sum(1)
    chances = np.exp(log_patterns - log_patterns.max())
    numbers = counts[generator.choice(len(counts), p=chances / chances.sum())]
    letters = [letter for letter, number in zip(menu.letters, numbers, strict=True) for _ in range(number)]
    return Pattern.parse("".join(str(letter) for letter in generator.permutation(letters)))


def largest(menu: Menu, limits: Sequence[Limit], parameters: Prices) -> Pattern:
    """The pattern with the most parameters within the limits; of equal ones that which costs least of the first."""
    worth = np.tile([parameters.blocks[letter] for letter in menu.letters], (menu.num_blocks, 1))
    return Front(menu, worth).choose(limits).pattern
