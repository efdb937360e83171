"""Recipes of the reversal toy."""

from dataclasses import dataclass

from pennyweight.core.optimizer import AdamW
from pennyweight.core.recipe import FitConfig
from pennyweight.core.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class ReversalConfig:
    """An encoder-decoder that writes ``length`` digits backwards; without ``crossed`` it never sees them."""

    width: int = 32
    num_heads: int = 2
    length: int = 5
    dropout: float = 0.0
    crossed: bool = True
    fit: FitConfig = FitConfig(
        batch=32, optimizer=AdamW(lr=4e-3), schedule=Schedule(decay=0.5), validations=2, budget="9600samples"
    )


def digits() -> ReversalConfig:
    """Five digits: seconds on one core."""
    return ReversalConfig()


def long() -> ReversalConfig:
    """Eight digits."""
    return ReversalConfig(length=8)


RECIPES = {"digits": digits, "long": long}
DEFAULT = "digits"
