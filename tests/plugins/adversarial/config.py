"""Recipes of the adversarial toy."""

from dataclasses import dataclass

from pennyweight.core.optimizer import AdamW
from pennyweight.core.recipe import FitConfig
from pennyweight.core.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class AdversarialConfig:
    """A generator of points on a line and a critic.

    ``critic`` is the critic's own optimiser; the generator's is ``fit.optimizer``, and its turn comes in
    every ``generator_every``-th step. ``memory`` is the decay of the target that follows the generator.
    """

    width: int = 16
    dropout: float = 0.0
    norm: bool = False
    generator_every: int = 2
    memory: float = 0.9
    critic: AdamW = AdamW(lr=4e-3, beta1=0.5)
    fit: FitConfig = FitConfig(
        batch=32,
        optimizer=AdamW(lr=2e-3, beta1=0.5, weight_decay=0.0),
        schedule=Schedule(decay=0.3),
        ema=0.9,
        validations=2,
        budget="12800samples",
    )


def line() -> AdversarialConfig:
    """Points around two centres: seconds on one core."""
    return AdversarialConfig()


def noisy() -> AdversarialConfig:
    """The same with dropout and batch normalisation, for whatever depends on random states and buffers."""
    return AdversarialConfig(dropout=0.1, norm=True)


RECIPES = {"line": line, "noisy": noisy}
DEFAULT = "line"
