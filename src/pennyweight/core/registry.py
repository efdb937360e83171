"""What methods there are, by name. Strings only: a method is imported when it is used, torch when it trains.

A method is a package with ``config.py`` (``RECIPES``: recipe functions by name, ``DEFAULT``), ``task.py``
(``build(config, *, cache, folder=None)``), ``race.py`` (``CONTEST``) and ``card.md``. Other distributions add theirs
through the entry-point group ``pennyweight.methods`` (name = method, value = package).
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import import_module, resources
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from pennyweight.core.errors import UserError, did_you_mean
from pennyweight.core.recipe import Config

if TYPE_CHECKING:
    from pennyweight.core.race import Contest
    from pennyweight.core.task import Task

METHODS = {
    "par": "pennyweight.methods.par",
}
GROUP = "pennyweight.methods"

CARD_KEYS = ("name", "title", "summary", "paper", "year", "task", "metric", "data", "licence")
CARD_SECTIONS = ("What it is", "How to use it", "What it was measured to do", "What it cannot do")


@dataclass(frozen=True)
class Card:
    """A method's card: the machine-readable head (TOML between ``+++`` lines) and the Markdown body."""

    head: dict[str, Any]
    body: str

    def missing(self) -> list[str]:
        """Keys and sections that a complete card has and this one lacks."""
        absent = [key for key in CARD_KEYS if not self.head.get(key)]
        return absent + [section for section in CARD_SECTIONS if f"## {section}" not in self.body]


@dataclass(frozen=True)
class Method:
    """A registered method: a name, a package, and what can be asked of it without training anything."""

    name: str
    package: str

    def module(self, room: str) -> ModuleType:
        """One module of the method's package (``config``, ``task``, ``race``)."""
        return import_module(f"{self.package}.{room}")

    def recipe_names(self) -> list[str]:
        """Names of the recipes, the default first."""
        config = self.module("config")
        return sorted(config.RECIPES, key=lambda name: (name != config.DEFAULT, name))

    def recipe(self, name: str) -> Config:
        """The configuration that a recipe makes."""
        recipes = self.module("config").RECIPES
        if name not in recipes:
            raise UserError(
                f"unknown recipe '{self.name}/{name}'",
                expected=f"a recipe of {self.name}",
                hint=did_you_mean(f"{self.name}/{name}", (f"{self.name}/{known}" for known in recipes)),
            )
        return cast(Config, recipes[name]())

    def summary(self, recipe: str) -> str:
        """The first line of the recipe function's docstring."""
        return (self.module("config").RECIPES[recipe].__doc__ or "").strip().split("\n")[0]

    def build(self, config: Config, *, cache: Path, folder: Path | None = None) -> "Task":
        """The task; with ``folder`` (of a run) for use without its data."""
        return cast("Task", self.module("task").build(config, cache=cache, folder=folder))

    def contest(self) -> "Contest":
        """The method's idea, its rival and the paper's claim."""
        return cast("Contest", self.module("race").CONTEST)

    def card(self) -> Card:
        """The method's card."""
        text = (resources.files(self.package) / "card.md").read_text(encoding="utf-8")
        parts = text.split("+++\n", 2)
        if len(parts) != 3:
            return Card(head={}, body=text)
        return Card(head=tomllib.loads(parts[1]), body=parts[2])


@cache
def methods() -> dict[str, Method]:
    """All registered methods by name: our own, then those of installed plug-ins."""
    found = {name: Method(name, package) for name, package in METHODS.items()}
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, Method(entry.name, entry.value))
    return found


def register(name: str, package: str) -> Method:
    """Add a method for this process, as an entry point would; for tests and notebooks."""
    METHODS[name] = package
    methods.cache_clear()
    return methods()[name]


def find_method(name: str) -> Method:
    """A method by its name."""
    if name not in methods():
        raise UserError(f"unknown method {name!r}", expected="a registered method", hint=did_you_mean(name, methods()))
    return methods()[name]


def find_recipe(name: str) -> tuple[Method, str]:
    """``method/recipe``, or a bare method name for its default recipe."""
    method_name, _, recipe = name.partition("/")
    if method_name not in methods():
        recipes = [f"{m.name}/{r}" for m in methods().values() for r in m.recipe_names()]
        known = recipes if "/" in name else [*methods()]
        raise UserError(f"unknown recipe {name!r}", expected="method/recipe", hint=did_you_mean(name, known))
    method = methods()[method_name]
    recipe = recipe or method.recipe_names()[0]
    method.recipe(recipe)
    return method, recipe
