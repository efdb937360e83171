"""Recipes of the regression toy."""

from dataclasses import dataclass

from pennyweight.core.optimizer import AdamW
from pennyweight.core.recipe import FitConfig


@dataclass(frozen=True, kw_only=True)
class RegressionConfig:
    """A small network on a fixed function. ``salt`` changes the data, ``poison`` makes the loss infinite."""

    width: int = 16
    dropout: float = 0.1
    norm: bool = True
    salt: int = 0
    poison: bool = False
    fit: FitConfig = FitConfig(batch=32, optimizer=AdamW(lr=1e-2), ema=0.9, validations=2, budget="3200samples")


def plain() -> RegressionConfig:
    """Four inputs, one output."""
    return RegressionConfig()


RECIPES = {"plain": plain}
DEFAULT = "plain"
