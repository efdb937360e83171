"""How a race spends its budget: the stack, the floors, the size of a trial. Fixed before the first trial."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pennyweight.arrays.statistics import median
from pennyweight.core import randomness, registry
from pennyweight.core.budget import Budget
from pennyweight.core.engine import Calibration, Engine
from pennyweight.core.errors import UserError
from pennyweight.core.files import write_json
from pennyweight.core.race import SIDES, STEP_SECONDS, Contest, Equality, Match, Side, SideName
from pennyweight.core.recipe import Config, from_document
from pennyweight.core.run import Run, read_document
from pennyweight.core.stack import Stack, candidates
from pennyweight.core.task import Metric, Task
from pennyweight.lottery.racing.lineup import TIME, StepClock, match_sides, require_equality, side_config

CONFIDENCE = 0.99
SWEEP_SHARE = 0.25
VALIDATIONS = 6
_SLACK = 1.1
"""Steps of a race take this much longer than those that a plan times; a budget of samples cannot make up for it."""

Report = Callable[[str, float], None]
"""Hears the stage of the race and the part of it (0 to 1) that is done."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a race spends its budget, fixed before the first trial so that it can be resumed.

    ``sides`` are the two as they race, made equal as ``equality`` says; ``figures`` what is known of each untrained.
    A plan of an older version has none of the three: its sides are the contest's, as they are.
    """

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
    sides: dict[str, Side] = field(default_factory=dict)
    equality: Equality = Equality()
    figures: dict[str, dict[str, float]] = field(default_factory=dict)


def plan_sides(plan: Plan, contest: Contest) -> dict[SideName, Side]:
    """The sides that a plan settled on."""
    return {side: plan.sides.get(side) or getattr(contest, side) for side in SIDES}


def plan_config(plan: Plan, contest: Contest, side: SideName) -> Config:
    """The configuration of a side of a plan: recipe, then the user's settings, then the side's."""
    return side_config(plan.recipe, plan_sides(plan, contest)[side], plan.settings)


def make_plan(
    contest: Contest,
    *,
    name: str,
    recipe: str = "",
    settings: Mapping[str, str] | None = None,
    budget: Budget,
    seeds: int = 3,
    stack: Stack | None = None,
    equal: str = TIME,
    cache: Path,
    report: Report | None = None,
) -> Plan:
    """Set a race up: the stack, the sides made equal, floors, the budget of a trial. Writes nothing.

    ``budget`` is the total, in seconds (of wall time) or samples (of all trials together). ``equal`` is a kind of
    equality that the contest offers. The stack is chosen with the sides as they were before they were made equal.
    """
    started = time.monotonic()
    report = report or (lambda stage, done: None)
    recipe = recipe or contest.recipe
    settings = dict(settings or {})
    require_equality(contest, name, equal)
    if seeds < 1:
        raise UserError(f"{seeds} seeds", expected="at least 1; a winner needs 3")
    if (budget.seconds is None) == (budget.samples is None) or budget.joules is not None:
        raise UserError(f"race budget {budget}", expected="seconds or samples, one of them")
    entrants = _enter({"idea": contest.idea, "rival": contest.rival}, recipe, settings, cache)
    report("measuring this machine", 0.0)
    steps = {str(s): _calibrate(entrants, s) for s in ([stack] if stack else candidates())}
    sums = {name: sum(c.step_seconds for c in both.values()) for name, both in steps.items()}
    chosen = min(sums, key=lambda stack_name: sums[stack_name])
    on, step = Stack.parse(chosen), steps[chosen]
    if equal != TIME:
        report("making the sides equal", 0.2)
    match, clock = match_sides(contest, equal, recipe=recipe, settings=settings, stack=on, cache=cache)
    if (match.idea, match.rival) != (contest.idea, contest.rival):
        entrants = _enter({"idea": match.idea, "rival": match.rival}, recipe, settings, cache)
        step = _calibrate(entrants, on)
    seconds = {side: step[side].step_seconds for side in SIDES}
    if match.equality.budget == "samples":
        seconds = _careful_seconds(clock, match)
    report("measuring the floors", 0.3)
    baselines, evaluation = _floors(entrants, on, cache)
    figures, probing = _untrained(contest, entrants, on)
    fit = entrants["rival"].config.fit
    spent = time.monotonic() - started
    sweep_budget, trial_budget = _divide(
        budget,
        spent=spent,
        num_sweep=2 * len(contest.factors) if len(contest.factors) > 1 else 0,
        num_trials=2 * seeds,
        step_seconds=max(seconds.values()),
        batch=fit.batch,
        evaluation=evaluation,
        probing=probing,
    )
    if match.equality.budget == "samples":
        pace = _SLACK * sum(seconds.values()) / len(seconds)
        sweep_budget, trial_budget = (_as_samples(part, pace, fit.batch) for part in (sweep_budget, trial_budget))
    task = entrants["rival"].task
    return Plan(
        name=name,
        recipe=recipe,
        settings=settings,
        seeds=tuple(range(fit.seed, fit.seed + seeds)),
        stack=chosen,
        stack_seconds=sums,
        asked=str(budget),
        sweep_budget=sweep_budget,
        trial_budget=trial_budget,
        setup_seconds=spent,
        metric=task.metric,
        data=dict(task.data_receipt()),
        step_bytes={side: step[side].step_bytes for side in SIDES},
        baselines=baselines,
        sides={side: entrants[side].side for side in SIDES},
        equality=match.equality,
        figures={side: {**figures[side], STEP_SECONDS: seconds[side]} for side in SIDES},
    )


@dataclass(frozen=True, kw_only=True)
class _Entrant:
    """A side with its configuration and its untrained task."""

    side: Side
    config: Config
    task: Task


def _enter(
    sides: Mapping[SideName, Side], recipe: str, settings: Mapping[str, str], cache: Path
) -> dict[SideName, _Entrant]:
    method, _ = registry.find_recipe(recipe)
    found: dict[SideName, _Entrant] = {}
    for name, side in sides.items():
        config = side_config(recipe, side, settings)
        randomness.seed_all(config.fit.seed)
        found[name] = _Entrant(side=side, config=config, task=method.build(config, cache=cache))
    return found


def _calibrate(entrants: Mapping[SideName, _Entrant], stack: Stack) -> dict[SideName, Calibration]:
    return {side: Engine(one.task, one.config.fit, stack=stack).calibrate() for side, one in entrants.items()}


def _careful_seconds(clock: StepClock, match: Match) -> dict[SideName, float]:
    """Median seconds of a step of each side: a budget of samples must fit, and nothing corrects it on the way."""
    idea, rival = clock(match.idea, match.rival)
    return {"idea": median(idea).value, "rival": median(rival).value}


def _as_samples(budget: str, pace: float, batch: int) -> str:
    """A trial's seconds as samples, where a step takes ``pace`` seconds in the mean of both; others as they are."""
    seconds = Budget.parse(budget).seconds if budget else None
    return budget if seconds is None else f"{max(1, int(seconds / pace)) * batch}samples"


def keep_plan(plan: Plan, runs: Path) -> Path:
    """A new folder below ``runs`` for a race, with its plan."""
    document: dict[str, Any] = {"kind": "race", "settings": plan.settings, "budget": plan.asked, "stack": plan.stack}
    document["equal"] = plan.equality.kind
    folder = Run.create(runs, f"race-{plan.name}", document).folder
    write_json(folder / "plan.json", asdict(plan))
    return folder


def load_plan(folder: Path) -> Plan:
    """The plan of a race that was interrupted."""
    return from_document(Plan, read_document(folder / "plan.json"))


def _floors(
    entrants: Mapping[SideName, _Entrant], stack: Stack, cache: Path
) -> tuple[dict[str, float], dict[Literal["validation", "test"], float]]:
    """The untrained networks and the task's own baselines on the test split; seconds of an evaluation."""
    baselines: dict[str, float] = {}
    seconds: dict[Literal["validation", "test"], float] = {}
    splits: tuple[Literal["validation", "test"], ...] = ("validation", "test")
    import torch

    with torch.no_grad(), stack.autocast():
        for side in SIDES:
            task = entrants[side].task.eval()
            for split in splits:
                started = time.perf_counter()
                value = task.evaluate(split).value
                seconds[split] = max(seconds.get(split, 0.0), time.perf_counter() - started)
            baselines[f"untrained {side}"] = value
    return baselines | dict(entrants["rival"].task.baselines(cache)), seconds


def _untrained(
    contest: Contest, entrants: Mapping[SideName, _Entrant], stack: Stack
) -> tuple[dict[SideName, dict[str, float]], float]:
    """What is known of each side before it is trained, and the seconds that the probe takes on one."""
    import torch

    figures: dict[SideName, dict[str, float]] = {}
    probing = 0.0
    with torch.no_grad(), stack.autocast():
        for side in SIDES:
            task = entrants[side].task.eval()
            plain = contest.traits(task, stack).figures
            figures[side] = {"parameters": float(task.num_parameters()), **plain}
            started = time.perf_counter()
            contest.probe(task, stack)
            probing = max(probing, time.perf_counter() - started)
    return figures, probing


def _divide(
    budget: Budget,
    *,
    spent: float,
    num_sweep: int,
    num_trials: int,
    step_seconds: float,
    batch: int,
    evaluation: Mapping[Literal["validation", "test"], float],
    probing: float,
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
    overhead += num_trials * (starting + (VALIDATIONS + 1) * evaluation["validation"] + evaluation["test"] + probing)
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
