"""Scores of blocks that were measured once and ship with the program: what prices alone would choose, without training.

They are of one model of one size on one text. A search of your own measures its own.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from pennyweight.blocks.pattern import Pattern
from pennyweight.core.recipe import from_document
from pennyweight.methods.par.search.choose import Front
from pennyweight.methods.par.search.menu import Limit, Menu, Prices
from pennyweight.methods.par.search.scoring import increases
from pennyweight.methods.par.search.substitutes import worths


@dataclass(frozen=True, kw_only=True)
class KeptScores:
    """What replacing one block adds to a trained model's loss, in nats per token, and which model that was.

    ``added`` and its standard ``errors`` are by letter and place (``"w at 3"``), ``own`` the model's own letters.
    """

    recipe: str
    data: str
    trained: str
    measured: str
    num_windows: int
    own: tuple[str, ...]
    added: Mapping[str, float]
    errors: Mapping[str, float]

    def cheapest(self, prices: Prices, part: float) -> Pattern:
        """The pattern with the least loss for this part of what the model's own pattern costs, of the priced kinds."""
        menu = Menu(num_blocks=len(self.own), letters=tuple(prices.blocks))
        front = Front(menu, worths(increases(self.added), menu, self.own))
        most = part * prices.of(Pattern.parse("".join(self.own)))
        return front.choose([Limit(prices=prices, most=most)]).pattern


def kept_scores() -> KeptScores:
    """The scores that ship with the program."""
    text = (resources.files("pennyweight.methods.par.search") / "kept_scores.json").read_text(encoding="utf-8")
    return from_document(KeptScores, json.loads(text))
