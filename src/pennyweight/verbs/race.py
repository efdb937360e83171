"""``race``: an idea against its rival under one budget, and what the comparison says."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from pennyweight.console import Meter, Output
from pennyweight.core.budget import Budget
from pennyweight.core.errors import UserError
from pennyweight.core.fit import Interrupted
from pennyweight.core.race import SIDES, STEP_SECONDS, Contest, RaceResult
from pennyweight.core.recipe import to_document
from pennyweight.core.registry import find_method
from pennyweight.core.run import Run, find_run
from pennyweight.core.stack import Stack
from pennyweight.lottery.racing.lineup import choose_sides
from pennyweight.lottery.racing.plan import Plan, keep_plan, load_plan, make_plan, plan_config, plan_sides
from pennyweight.lottery.racing.race import Race
from pennyweight.report.sentences import (
    equality_name,
    equality_sentence,
    pace_sentence,
    recall_sentence,
    time_sentence,
    verdict_sentence,
)
from pennyweight.report.words import amount, listed, moment, number, plain, size
from pennyweight.verbs.report import write_page
from pennyweight.verbs.request import Place, read_settings, require_writable


def start(
    output: Output,
    place: Place,
    *,
    name: str,
    budget: str,
    equal: str,
    idea: str,
    rival: str,
    seeds: int,
    settings: Sequence[str],
    data: str,
    column: str,
    stack: str,
    dry_run: bool,
) -> None:
    """Race a method, or plan the race and print it."""
    chosen = read_settings(settings, data, column, place)
    contest = choose_sides(find_method(name).contest(), name, chosen, idea=idea, rival=rival)
    if not dry_run:
        require_writable(place.runs)
    with output.progress() as meter:
        plan = make_plan(
            contest,
            name=name,
            settings=chosen,
            budget=Budget.parse(budget),
            seeds=seeds,
            stack=Stack.parse(stack) if stack else None,
            equal=equal,
            cache=place.cache,
            report=meter.show,
        )
        if dry_run:
            _show_plan(output, contest, plan)
            return
        folder = keep_plan(plan, place.runs)
        result = run_race(folder, contest, plan, place, meter)
    _close(output, folder, result)


def go_on(output: Output, place: Place, *, resume: str) -> None:
    """Finish a race that was interrupted: its finished trials are kept."""
    run = find_run(resume, place.runs)
    if not (run.folder / "plan.json").is_file():
        raise UserError(f"{run.name} is no race", expected="the folder of an interrupted race")
    if run.race is not None:
        raise UserError(f"race {run.name} is finished", expected="an interrupted race", hint="pennyweight report")
    plan = load_plan(run.folder)
    with output.progress() as meter:
        result = run_race(run.folder, find_method(plan.name).contest(), plan, place, meter)
    _close(output, run.folder, result)


def run_race(folder: Path, contest: Contest, plan: Plan, place: Place, meter: Meter) -> RaceResult:
    """Run a planned race in its folder, which nobody else may write meanwhile."""
    run = Run(folder)
    try:
        with run.locked():
            return Race(folder, contest, plan, cache=place.cache, report=meter.show).run()
    except KeyboardInterrupt:
        raise Interrupted(run, "race") from None


def _show_plan(output: Output, contest: Contest, plan: Plan) -> None:
    sides = plan_sides(plan, contest)
    output.say(contest.claim)
    heading = [equality_name(plan.equality, plan.trial_budget), *(f"{side}: {sides[side].name}" for side in SIDES)]
    output.table("", heading, _figure_rows(plan.figures))
    for side in SIDES:
        output.say(f"the {side} sets {listed(sides[side].settings)}")
    output.say(plain(equality_sentence(plan.equality, plan.trial_budget)))
    output.say(
        f"{plan.recipe} on {plan.stack}; {len(plan.seeds)} seeds a side, {plain(amount(plan.trial_budget))} each"
    )
    if plan.sweep_budget:
        given = plain(amount(plan.sweep_budget))
        output.say(f"sweep of {contest.tuned} x {contest.factors}: {given} each, charged to both alike")
    configs = {side: to_document(plan_config(plan, contest, side)) for side in SIDES}
    words = ["pennyweight", "race", plan.name]
    if plan.equality.quantity:
        words += ["--equal", plan.equality.kind]
    own = find_method(plan.name).contest()
    for side in SIDES:
        if getattr(contest, side) != getattr(own, side):
            words += [f"--{side}", getattr(contest, side).name]
    output.done(result={"plan": to_document(plan), "configs": configs}, next_command=shlex.join(words))


def _close(output: Output, folder: Path, result: RaceResult) -> None:
    """Print a finished race as a table and write its page."""
    values = {side: [t.value for t in result.trials if t.side == side] for side in SIDES}
    rows = [
        [f"{result.metric}, seed {seed}", *(_score(values[side][index]) for side in SIDES)]
        for index, seed in enumerate(result.seeds)
    ]
    rows += _figure_rows(result.figures)
    rows += [[f"{name} ({s['unit']})", *(number(s[side], 4) for side in SIDES)] for name, s in result.speeds.items()]
    output.say(result.claim)
    heading = equality_name(result.equality, result.trial_budget)
    output.table("", [heading, *(f"{side}: {result.sides[side].name}" for side in SIDES)], rows)
    for sentence in (verdict_sentence(result), equality_sentence(result.equality, result.trial_budget)):
        output.say(plain(sentence))
    for sentence in (pace_sentence(result), time_sentence(result), recall_sentence(result)):
        if sentence:
            output.say(plain(sentence))
    for note in result.notes:
        output.say(f"note: {note}")
    page = write_page([folder], folder / "report.html")
    output.say(f"page: {page}")
    output.done(
        result=to_document(result) | {"page": str(page)},
        runs=[folder],
        next_command=f"pennyweight report {folder}",
    )


def _figure_rows(figures: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    return [
        [name, *(_figure(name, figures.get(side, {}).get(name)) for side in SIDES)]
        for name in next(iter(figures.values()), {})
        if "floor" not in name
    ]


def _score(value: float | None) -> str:
    return "diverged" if value is None else f"{value:.4f}"


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return "diverged"
    if name == "parameters":
        return f"{value:,.0f}"
    if name == STEP_SECONDS:
        return plain(moment(value))
    return plain(size(value)) if "bytes" in name else number(value, 4)
