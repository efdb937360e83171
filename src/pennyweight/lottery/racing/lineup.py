"""Both sides before their race: which two they are, and what a method's equaliser may ask of them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pennyweight.core import randomness, registry
from pennyweight.core.engine import Engine
from pennyweight.core.errors import UserError
from pennyweight.core.race import SIDES, Contest, Equality, Lineup, Match, Side, SideName
from pennyweight.core.recipe import Config, override
from pennyweight.core.stack import Stack

if TYPE_CHECKING:
    from pennyweight.core.task import Task

TIME = "time"

_PAIRS = (7, 31)
_PATIENCE = 3.0
_WARM_UP = 2


def side_config(recipe: str, side: Side, settings: Mapping[str, str]) -> Config:
    """The configuration of a side: its recipe, then the user's settings, then the side's own."""
    method, name = registry.find_recipe(recipe)
    return override(override(method.recipe(name), settings), side.settings)


def choose_sides(
    contest: Contest, name: str, settings: Mapping[str, str], *, idea: str = "", rival: str = ""
) -> Contest:
    """The contest with another idea or rival, each given by its value of the setting in which the sides differ.

    `UserError` for a value that the recipe does not take with the user's ``settings``.
    """
    asked: dict[SideName, str] = {"idea": idea, "rival": rival}
    if not any(asked.values()):
        return contest
    if not contest.differ:
        options = " and ".join(f"--{side}" for side in SIDES if asked[side])
        raise UserError(f"{options} with {name}", expected=f"{name}'s own sides", hint="change both with --set")
    sides = {side: _chosen(getattr(contest, side), contest.differ, asked[side]) for side in SIDES}
    for side in SIDES:
        try:
            side_config(contest.recipe, sides[side], settings)
        except UserError as error:
            if not asked[side]:
                raise
            raise UserError(f"--{side}: {str(error).removeprefix(f'--set {contest.differ}: ')}") from None
    if sides["idea"].settings == sides["rival"].settings:
        raise UserError(f"{sides['idea'].name} against itself", expected="an idea and a rival that differ")
    return replace(contest, idea=sides["idea"], rival=sides["rival"])


def _chosen(side: Side, setting: str, value: str) -> Side:
    if not value or side.settings[setting] == value:
        return side
    return replace(side, name=value, settings={**side.settings, setting: value})


def require_equality(contest: Contest, name: str, kind: str) -> None:
    """Refuse a kind of equality that the contest does not offer, with what it offers."""
    offered = [TIME, *contest.equalisers]
    if kind not in offered:
        raise UserError(f"--equal {kind} with {name}", expected=f"one of {', '.join(offered)}")


def match_sides(
    contest: Contest, kind: str, *, recipe: str, settings: Mapping[str, str], stack: Stack, cache: Path
) -> tuple[Match, "StepClock"]:
    """The two sides made equal on a stack, and the clock that their steps were timed by."""
    clock = StepClock(lambda side: side_config(recipe, side, settings), recipe=recipe, stack=stack, cache=cache)
    if kind == TIME:
        return Match(idea=contest.idea, rival=contest.rival, equality=Equality()), clock
    lineup = Lineup(
        idea=contest.idea,
        rival=contest.rival,
        configure=clock.configure,
        build=clock.build,
        step_seconds=clock,
    )
    return contest.equalisers[kind](lineup), clock


class StepClock:
    """Times the training steps of two sides in turn, so that whatever slows the machine down hits both."""

    def __init__(
        self,
        configure: Callable[[Side], Config],
        *,
        recipe: str,
        stack: Stack,
        cache: Path,
        patience: float = _PATIENCE,
    ) -> None:
        self.configure = configure
        self._method, _ = registry.find_recipe(recipe)
        self._stack = stack
        self._cache = cache
        self._patience = patience
        self._kept: tuple[Side, Engine] | None = None

    def build(self, side: Side) -> "Task":
        """The untrained task of a side."""
        config = self.configure(side)
        randomness.seed_all(config.fit.seed)
        return self._method.build(config, cache=self._cache)

    def __call__(self, idea: Side, rival: Side) -> tuple[list[float], list[float]]:
        """Seconds of training steps of both, as pairs: as many as some seconds hold, but a handful at least."""
        if self._kept is None or self._kept[0] != idea:  # an equaliser holds one idea against many rivals
            self._kept = (idea, self._engine(idea))
        engines = (self._kept[1], self._engine(rival))
        for number in range(_WARM_UP):
            warm = sum(self._step(engine, number) for engine in engines)
        num_pairs = min(max(int(self._patience / warm), _PAIRS[0]), _PAIRS[1])
        seconds: tuple[list[float], list[float]] = ([], [])
        for number in range(num_pairs):
            for side in (0, 1) if number % 2 else (1, 0):
                seconds[side].append(self._step(engines[side], _WARM_UP + number))
        return seconds

    def _engine(self, side: Side) -> Engine:
        return Engine(self.build(side), self.configure(side).fit, stack=self._stack)

    def _step(self, engine: Engine, number: int) -> float:
        self._stack.synchronize()
        started = time.perf_counter()
        engine.step(number, samples=number * engine.config.batch, fraction=1.0)
        self._stack.synchronize()
        return time.perf_counter() - started
