"""How a search spends its budget: what is asked, the prices it is answered with, the time of each stage.

Fixed before the first stage, so that a search that was interrupted goes on with the same prices.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, cast, get_args

from pennyweight.blocks.pattern import Pattern
from pennyweight.blocks.transformer import TransformerConfig
from pennyweight.core import randomness
from pennyweight.core.budget import Budget
from pennyweight.core.cost import Rate, Use
from pennyweight.core.engine import Engine
from pennyweight.core.errors import UserError
from pennyweight.core.files import write_json
from pennyweight.core.recipe import FitConfig, from_document
from pennyweight.core.run import Run, read_document
from pennyweight.core.stack import Stack
from pennyweight.methods.par.search.choose import divisions, within
from pennyweight.methods.par.search.menu import (
    LETTERS,
    Limit,
    Menu,
    Prices,
    cache_prices,
    latency_prices,
    parameter_prices,
    parse_amount,
    parse_limit,
)
from pennyweight.methods.par.search.rivals import field
from pennyweight.methods.par.search.supernet import SuperNetConfig
from pennyweight.methods.par.text import Split, TextTask

_SHARES = {"parent": 0.30, "scoring": 0.14, "supernet": 0.20, "candidates": 0.36}
_FEWEST_STEPS = {"parent": 40, "scoring": 20, "supernet": 20, "candidates": 16}
_KEPT_BACK = 0.04
_MEASURING_SHARE, _WINDOWS = 0.04, (8, 128)
_RATE_SECONDS = 3.0
_ARCHITECTURE_REACH = 6.0
"""How far the super-network's logits may move in all: with fewer steps they take longer ones."""

Report = Callable[[str, float], None]
"""Hears the stage of a search and the part of it (0 to 1) that is done."""


class SearchedConfig(Protocol):
    """What a searched recipe's configuration has, whatever its task."""

    @property
    def context(self) -> int:
        """Tokens of a training example."""

    @property
    def fit(self) -> FitConfig:
        """The part that belongs to the loop."""

    def parsed_pattern(self) -> Pattern:
        """Which block stands where."""


class Instruments(Protocol):
    """What a search measures with; `pennyweight.lottery` has them."""

    def costs(self, stack: Stack, use: Use) -> Mapping[str, Rate]:
        """Seconds that each kind of block adds to a step of the model, by its letter, and the ``"fixed"`` rest."""

    def steps(self, stack: Stack, use: Use, patterns: Sequence[str]) -> Mapping[str, Rate]:
        """Seconds of a step of whole models, timed in turns."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked of a search.

    ``limits`` are the most that a model may cost, by quantity (``"train latency"``, ``"decode latency"``, ``"cache"``,
    ``"parameters"``), as `menu.parse_limit` reads them. ``reference`` is the pattern that they are parts of and that
    the parent has, ``letters`` the menu. ``parent`` is the folder of a trained run that is searched from, "" to train
    one. ``heal`` lets candidates inherit the parent's blocks and learn from it; without, they are trained from scratch.
    """

    limits: Mapping[str, str]
    reference: str
    letters: tuple[str, ...] = LETTERS
    parent: str = ""
    heal: bool = True

    def menu(self, reference: Pattern) -> Menu:
        """The kinds of block at each place of a pattern."""
        return Menu(num_blocks=len(reference), letters=self.letters)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A search that can be begun, or gone on with.

    ``prices`` holds for each stack the prices of the limited quantities, in the order of the limits: first the stack
    that is searched on, then those that the choice is looked at on as well. ``budgets`` is the training time of each
    stage (of "candidates": of one), ``num_windows`` how many held-out windows each substitute is measured on,
    ``architecture_lr`` the learning rate of the super-network's architecture.
    """

    recipe: str
    settings: dict[str, str]
    seed: int
    wish: Wish
    stack: str
    prices: dict[str, list[Prices]]
    asked: str
    budgets: dict[str, str]
    num_windows: int
    architecture_lr: float
    data: dict[str, str]
    setup_seconds: float

    def limits(self, reference: Pattern, stack: str = "") -> list[Limit]:
        """The limits at the prices of a stack, else of the one that is searched on; UserError where out of reach."""
        return read_limits(self.wish, self.prices[stack or self.stack], reference)


def read_limits(wish: Wish, prices: Sequence[Prices], reference: Pattern) -> list[Limit]:
    """The limits as numbers; UserError for one out of the menu's reach, or for all that no pattern keeps together."""
    menu = wish.menu(reference)
    limits = [
        parse_limit(text, price, reference=reference, menu=menu)
        for text, price in zip(wish.limits.values(), prices, strict=True)
    ]
    within(menu, divisions(menu), limits)
    return limits


def prices_of(
    wish: Wish, model: TransformerConfig, stack: Stack, instruments: Instruments, *, context: int
) -> list[Prices]:
    """The prices of the limited quantities on a stack, in the order of the limits.

    UserError for those of writing in a model that only reads.
    """
    if not model.causal and (wrong := [name for name in wish.limits if name in ("decode latency", "cache")]):
        raise UserError(f"a limit on the {wrong[0]} of an encoder", expected="train or prefill latency, or parameters")
    found = []
    for quantity in wish.limits:
        use, _, latency = quantity.partition(" ")
        if latency:
            found.append(latency_prices(use, instruments.costs(stack, cast(Use, use))))
        elif quantity == "cache":
            itemsize = 2 if stack.precision == "bf16" else 4
            found.append(cache_prices(model, context=context, itemsize=itemsize))
        else:
            found.append(parameter_prices(model))
    return found


def wished_limits(latency: Sequence[str], cache: str, parameters: str) -> dict[str, str]:
    """``--latency``, ``--cache`` and ``--parameters`` by quantity. A latency without a use is that of training.

    UserError for what is no limit; whether the menu can reach it needs prices.
    """
    limits: dict[str, str] = {}
    for text in latency:
        use, _, most = text.rpartition("=")
        use = use or "train"
        if use.strip() not in get_args(Use):
            raise UserError(
                f"latency {text!r}", expected=f"0.6x, or one of {', '.join(get_args(Use))} as in decode=0.6x"
            )
        if f"{use.strip()} latency" in limits:
            raise UserError(f"{use.strip()} latency given twice", expected="one limit for a use")
        limits[f"{use.strip()} latency"] = most
    limits |= {name: text for name, text in (("cache", cache), ("parameters", parameters)) if text}
    for quantity, most in limits.items():
        parse_amount(most, quantity)
    if not limits:
        raise UserError("a search without a limit", expected="--latency, --cache or --parameters")
    return limits


def total_seconds(budget: Budget) -> float:
    """The time of a search; UserError for a budget of anything else."""
    if budget.seconds is None or budget != Budget(seconds=budget.seconds):
        raise UserError(f"search budget {budget}", expected="a total time, such as 30min")
    return budget.seconds


def make_plan(
    parent: TextTask,
    config: SearchedConfig,
    *,
    recipe: str,
    settings: Mapping[str, str],
    wish: Wish,
    budget: Budget,
    stack: Stack,
    beside: Sequence[Stack],
    instruments: Instruments,
    report: Report = lambda stage, done: None,
    started: float | None = None,
) -> Plan:
    """Price the blocks on all stacks, measure a step and an evaluation, divide the time. Writes nothing.

    ``parent`` is the untrained task with the reference's pattern, made from ``config``. ``budget`` is the total, from
    ``started`` (`time.monotonic`) on. Raises UserError for limits out of reach and for too short a time.
    """
    started = time.monotonic() if started is None else started
    model = parent.model.config
    total = total_seconds(budget)
    prices = {}
    for number, one in enumerate([stack, *beside]):
        report(f"pricing blocks on {one}", number / (1 + len(beside)))
        prices[str(one)] = prices_of(wish, model, one, instruments, context=config.context)
        if not number:
            limits = read_limits(wish, prices[str(one)], model.pattern)  # before more is spent on it
    menu = wish.menu(model.pattern)
    num_candidates = 3 + len(field(menu, limits, parameter_prices(model), seed=config.fit.seed))
    report("measuring a step", 0.0)
    randomness.seed_all(config.fit.seed)
    engine = Engine(parent, config.fit, stack=stack)
    step = engine.calibrate().step_seconds
    evaluation: dict[str, float] = {}
    for split in get_args(Split):
        before = time.monotonic()
        with engine.evaluating():
            parent.evaluate(split)
        evaluation[split] = time.monotonic() - before
    spent = time.monotonic() - started
    # A substitute is measured by the blocks behind it; all kinds at all places, half of the model on the average.
    samples = len(next(iter(parent.examples("validation").values())))
    each_window = 0.5 * evaluation["validation"] / samples * menu.num_blocks * (len(menu.letters) - 1)
    num_windows = int(min(max(_MEASURING_SHARE * total / max(each_window, 1e-9), _WINDOWS[0]), _WINDOWS[1]))
    overhead = _overhead(
        step,
        evaluation,
        num_candidates=num_candidates,
        measuring=each_window * num_windows * 2,
        rates=_RATE_SECONDS * num_candidates * sum(" latency" in quantity for quantity in wish.limits),
    )
    left = (1 - _KEPT_BACK) * total - spent - overhead
    budgets = _divide(left, given_parent=bool(wish.parent), num_candidates=num_candidates)
    steps = {"parent": step, "scoring": 2.5 * step, "supernet": 4 * step, "candidates": step}
    if any(seconds < _FEWEST_STEPS[name] * steps[name] for name, seconds in budgets.items()):
        least = (_least(steps, num_candidates) + spent + overhead) / (1 - _KEPT_BACK)
        raise UserError(
            f"search budget {budget}",
            expected=f"at least {math.ceil(least / 10) * 10}s here, for {num_candidates} candidates",
            hint="give more time, or a smaller recipe or menu",
        )
    return Plan(
        recipe=recipe,
        settings=dict(settings),
        seed=config.fit.seed,
        wish=wish,
        stack=str(stack),
        prices=prices,
        asked=str(budget),
        budgets={name: f"{seconds:.2f}s" for name, seconds in budgets.items()},
        num_windows=num_windows,
        architecture_lr=_architecture_lr(budgets["supernet"] / steps["supernet"]),
        data=dict(parent.data_receipt()),
        setup_seconds=spent,
    )


def _overhead(
    step: float, evaluation: Mapping[str, float], *, num_candidates: int, measuring: float, rates: float
) -> float:
    """Seconds that are not training: calibrating, evaluating and saving each run, and the measurements at the end."""
    run = 4 * step + 2 * evaluation["validation"] + evaluation["test"] + 1.0
    return run * (2 + num_candidates) + 4 * run + measuring + rates + 10.0


def _divide(left: float, *, given_parent: bool, num_candidates: int) -> dict[str, float]:
    """The training seconds of each stage, of "candidates" those of one."""
    shares = {name: share for name, share in _SHARES.items() if not (given_parent and name == "parent")}
    seconds = {name: left * share / sum(shares.values()) for name, share in shares.items()}
    seconds["candidates"] /= num_candidates
    return seconds


def _least(steps: Mapping[str, float], num_candidates: int) -> float:
    """The training seconds below which some stage has too few steps, by the seconds of a step of each."""
    needed = {name: _FEWEST_STEPS[name] * seconds for name, seconds in steps.items()}
    needed["candidates"] *= num_candidates
    return max(seconds / _SHARES[name] for name, seconds in needed.items())


def _architecture_lr(num_steps: float) -> float:
    """The paper's 1e-2, but more where there are too few steps for the logits to part (each moves by at most that)."""
    usual = SuperNetConfig()
    return min(0.1, max(usual.optimizer.lr, _ARCHITECTURE_REACH / ((1 - usual.freeze) * num_steps)))


def keep_plan(plan: Plan, runs: Path) -> Path:
    """A new folder below ``runs`` for a search, with its plan."""
    document = {"kind": "search", "settings": plan.settings, "budget": plan.asked, "stack": plan.stack}
    folder = Run.create(runs, f"search-{plan.recipe}", document).folder
    write_json(folder / "plan.json", asdict(plan))
    return folder


def load_plan(folder: Path) -> Plan:
    """The plan of a search that was interrupted."""
    return from_document(Plan, read_document(folder / "plan.json"))
