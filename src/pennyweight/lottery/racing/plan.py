"""How a race spends its budget: the stack, the floors, the size of a trial. Fixed before the first trial."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pennyweight.core import randomness, registry
from pennyweight.core.budget import Budget
from pennyweight.core.engine import Engine
from pennyweight.core.errors import UserError
from pennyweight.core.files import write_json
from pennyweight.core.race import SIDES, Contest, SideName
from pennyweight.core.recipe import Config, from_document, override
from pennyweight.core.run import Run, read_document
from pennyweight.core.stack import Stack, candidates
from pennyweight.core.task import Metric, Task

CONFIDENCE = 0.99
SWEEP_SHARE = 0.25
VALIDATIONS = 6

Report = Callable[[str, float], None]
"""Hears the stage of the race and the part of it (0 to 1) that is done."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a race spends its budget, fixed before the first trial so that it can be resumed."""

    name: str
    recipe: str
    settings: dict[str, str]
    seeds: tuple[int, ...]
    stack: str
    stack_seconds: dict[str, float]
    asked: str
    sweep_budget: str
    trial_budget: str
    setup_seconds: float
    metric: Metric
    data: dict[str, str]
    step_bytes: dict[str, int]
    baselines: dict[str, float]


def side_config(contest: Contest, recipe: str, side: SideName, settings: Mapping[str, str]) -> Config:
    """The configuration of one side of a contest."""
    method, name = registry.find_recipe(recipe)
    chosen = contest.idea if side == "idea" else contest.rival
    return override(override(method.recipe(name), settings), chosen.settings)


def make_plan(
    contest: Contest,
    *,
    name: str,
    recipe: str = "",
    settings: Mapping[str, str] | None = None,
    budget: Budget,
    seeds: int = 3,
    stack: Stack | None = None,
    cache: Path,
    report: Report | None = None,
) -> Plan:
    """Set a race up: choose the stack, measure floors and steps, divide the budget. Writes nothing.

    ``budget`` is the total, in seconds (of wall time) or samples (of all trials together).
    """
    started = time.monotonic()
    report = report or (lambda stage, done: None)
    recipe = recipe or contest.recipe
    settings = dict(settings or {})
    if seeds < 1:
        raise UserError(f"{seeds} seeds", expected="at least 1; a winner needs 3")
    if (budget.seconds is None) == (budget.samples is None) or budget.joules is not None:
        raise UserError(f"race budget {budget}", expected="seconds or samples, one of them")
    method, _ = registry.find_recipe(recipe)
    configs = {side: side_config(contest, recipe, side, settings) for side in SIDES}
    report("measuring this machine", 0.0)
    tasks = {}
    for side in SIDES:
        randomness.seed_all(configs[side].fit.seed)
        tasks[side] = method.build(configs[side], cache=cache)
    steps = {
        str(s): {side: Engine(tasks[side], configs[side].fit, stack=s).calibrate() for side in SIDES}
        for s in ([stack] if stack else candidates())
    }
    sums = {name: sum(c.step_seconds for c in sides.values()) for name, sides in steps.items()}
    chosen = min(sums, key=lambda stack_name: sums[stack_name])
    report("measuring the floors", 0.3)
    baselines, evaluation = _floors(tasks, Stack.parse(chosen), cache)
    spent = time.monotonic() - started
    longest = max(c.step_seconds for c in steps[chosen].values())
    num_sweep = 2 * len(contest.factors) if len(contest.factors) > 1 else 0
    sweep_budget, trial_budget = _divide(
        budget,
        spent=spent,
        num_sweep=num_sweep,
        num_trials=2 * seeds,
        step_seconds=longest,
        batch=configs["rival"].fit.batch,
        evaluation=evaluation,
    )
    return Plan(
        name=name,
        recipe=recipe,
        settings=settings,
        seeds=tuple(range(configs["rival"].fit.seed, configs["rival"].fit.seed + seeds)),
        stack=chosen,
        stack_seconds=sums,
        asked=str(budget),
        sweep_budget=sweep_budget,
        trial_budget=trial_budget,
        setup_seconds=spent,
        metric=tasks["rival"].metric,
        data=dict(tasks["rival"].data_receipt()),
        step_bytes={side: c.step_bytes for side, c in steps[chosen].items()},
        baselines=baselines,
    )


def keep_plan(plan: Plan, runs: Path) -> Path:
    """A new folder below ``runs`` for a race, with its plan."""
    document = {"kind": "race", "settings": plan.settings, "budget": plan.asked, "stack": plan.stack}
    folder = Run.create(runs, f"race-{plan.name}", document).folder
    write_json(folder / "plan.json", asdict(plan))
    return folder


def load_plan(folder: Path) -> Plan:
    """The plan of a race that was interrupted."""
    return from_document(Plan, read_document(folder / "plan.json"))


def _floors(
    tasks: Mapping[SideName, Task], stack: Stack, cache: Path
) -> tuple[dict[str, float], dict[Literal["validation", "test"], float]]:
    """The untrained networks and the task's own baselines on the test split; seconds of an evaluation."""
    baselines: dict[str, float] = {}
    seconds: dict[Literal["validation", "test"], float] = {}
    splits: tuple[Literal["validation", "test"], ...] = ("validation", "test")
    import torch

    with torch.no_grad(), stack.autocast():
        for side in SIDES:
            task = tasks[side].eval()
            for split in splits:
                started = time.perf_counter()
                value = task.evaluate(split).value
                seconds[split] = max(seconds.get(split, 0.0), time.perf_counter() - started)
            baselines[f"untrained {side}"] = value
    return baselines | dict(tasks["rival"].baselines(cache)), seconds


def _divide(
    budget: Budget,
    *,
    spent: float,
    num_sweep: int,
    num_trials: int,
    step_seconds: float,
    batch: int,
    evaluation: Mapping[Literal["validation", "test"], float],
) -> tuple[str, str]:
    """The budget of one sweep trial ("" without a sweep) and of one final trial.

    The sweep gets a quarter of what is left after set-up, calibration, evaluation and measuring.
    """
    share = SWEEP_SHARE if num_sweep else 0.0
    if budget.samples is not None:
        sweep = int(budget.samples * share / num_sweep) if num_sweep else 0
        final = int(budget.samples * (1 - share) / num_trials)
        if final < batch or (num_sweep and sweep < batch):
            raise UserError(f"race budget {budget}", expected=f"at least a batch of {batch} for every trial")
        return f"{sweep}samples" if num_sweep else "", f"{final}samples"
    assert budget.seconds is not None
    starting = 4 * step_seconds + 0.5
    overhead = num_sweep * (starting + 2 * evaluation["validation"])
    overhead += num_trials * (starting + (VALIDATIONS + 1) * evaluation["validation"] + evaluation["test"])
    measuring = 6 + 20 * step_seconds
    left = 0.96 * budget.seconds - spent - overhead - measuring
    needed = max(10 * step_seconds * num_trials / (1 - share), 5 * step_seconds * num_sweep / share if share else 0)
    if left < needed:
        least = math.ceil((needed + spent + overhead + measuring) / 0.96 / 10) * 10
        raise UserError(
            f"race budget {budget}",
            expected=f"at least {least}s here, for {num_trials} trials and {num_sweep} in the sweep",
            hint="give more time, fewer seeds or a smaller recipe",
        )
    sweep_seconds = left * share / num_sweep if num_sweep else 0.0
    return f"{sweep_seconds:.2f}s" if num_sweep else "", f"{left * (1 - share) / num_trials:.2f}s"
