"""What a search must beat under the same limits: fixed rules, a smaller model of the usual kind, chance, and size.

PAR's own rule (2009.04534, section 5), the sandwich (1911.03864), each with fewer blocks where the limits ask it, a
pattern drawn at random, and that with the most parameters, which Javaheripi et al. (2203.02094) found hard to beat.
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


def fitting(num_blocks: int, limits: Sequence[Limit]) -> dict[str, Pattern]:
    """Of each rule the deepest pattern within the limits, by the rule's name; those of which there is one."""
    found: dict[str, Pattern] = {}
    for depth in range(num_blocks, 1, -1):
        for name, pattern in rules(depth).items():
            if name not in found and all(limit.allows(pattern) for limit in limits):
                found[name] = pattern
    return found


def spread(pattern: Pattern, num_blocks: int) -> Pattern:
    """The same model written with ``num_blocks`` places, the left-out ones even among them.

    Where both numbers are even, pairs stay together, so that a shorter interleaved model inherits whole pairs.
    """
    unit = 2 if len(pattern) % 2 == num_blocks % 2 == 0 else 1
    places, groups = num_blocks // unit, len(pattern) // unit
    letters = ["i"] * num_blocks
    for group in range(groups):
        at = group * places // groups
        letters[unit * at : unit * (at + 1)] = [
            spec.letter for spec in pattern.blocks[unit * group : unit * (group + 1)]
        ]
    return Pattern.parse("".join(letters))


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


def field(menu: Menu, limits: Sequence[Limit], parameters: Prices, *, seed: int) -> dict[str, Pattern]:
    """All rivals within the limits, by name: two of chance, the largest, and each rule as deep as the limits let it be.

    Those of the same pattern are one rival with both names. A rule that needs a kind that the menu lacks is absent.
    """
    generator = np.random.default_rng(seed)
    found = {f"random {number}": drawn(menu, limits, generator) for number in (1, 2)}
    found["most parameters"] = largest(menu, limits, parameters)
    for name, pattern in fitting(menu.num_blocks, limits).items():
        full = "" if len(pattern) == menu.num_blocks else f", {len(pattern)} blocks"
        if {spec.letter for spec in pattern} <= set(menu.letters) and (not full or "i" in menu.letters):
            found[f"{name}{full}"] = spread(pattern, menu.num_blocks)
    merged: dict[Pattern, str] = {}
    for name, pattern in found.items():
        merged[pattern] = f"{merged[pattern]}; {name}" if pattern in merged else name
    return {name: pattern for pattern, name in merged.items()}
