"""One recipe, and the fault to commit."""

from dataclasses import dataclass

from pennyweight.core.optimizer import AdamW
from pennyweight.core.recipe import FitConfig


@dataclass(frozen=True, kw_only=True)
class BrokenConfig:
    """A straight line fitted to points; ``fault`` names the promise to break."""

    fault: str = ""
    fit: FitConfig = FitConfig(batch=8, optimizer=AdamW(lr=0.01), validations=1, budget="80samples")


def line() -> BrokenConfig:
    """Eight points a step."""
    return BrokenConfig()


RECIPES = {"line": line}
DEFAULT = "line"
