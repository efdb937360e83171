"""The lottery of a method: its race on every stack that can train here, or finished races set beside one another."""

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pennyweight.console import Meter, Output
from pennyweight.core.budget import Budget
from pennyweight.core.cost import CostTable
from pennyweight.core.errors import UserError, WorkFailed
from pennyweight.core.files import write_json
from pennyweight.core.race import SideName
from pennyweight.core.recipe import to_document
from pennyweight.core.registry import find_method
from pennyweight.core.run import Run
from pennyweight.core.stack import Stack, candidates
from pennyweight.lottery.holding.heats import gather, least_seconds, load_heat, step_work
from pennyweight.lottery.holding.scales import tables_for, usable_tables
from pennyweight.lottery.racing.plan import Plan, keep_plan, make_plan
from pennyweight.verbs.lottery_tables import show_heats
from pennyweight.verbs.race import run_race
from pennyweight.verbs.report import write_page
from pennyweight.verbs.request import Place

_SEEDS = 3
_TRACING_SECONDS = 20.0

Closed = tuple[Path, dict[str, Any], str]
"""The folder of a lottery, its document, and the command to try next."""


def race_stacks() -> list[Stack]:
    """The stacks that can train here: those of a race, and one core beside them."""
    return list(dict.fromkeys([*candidates(), Stack.parse("cpu/torch/fp32/1t")]))


def run_races(
    output: Output, place: Place, name: str, stacks: Sequence[Stack], *, seconds: float, started: float
) -> Closed:
    """Race a method on each stack with an equal share of the time; all are planned before any is run."""
    if len(stacks) < 2:
        raise UserError(f"{name} on {stacks[0]} alone", expected="two stacks or more", hint="give --stack twice")
    contest = find_method(name).contest()
    folders: list[Path] = []
    with output.progress() as meter:
        tables, _ = tables_for(stacks, cache=place.cache, seconds=seconds, report=meter.show)
        left = seconds - (time.monotonic() - started) - _TRACING_SECONDS
        share = Budget(seconds=max(1.0, math.floor(left / len(stacks))))
        plans: list[Plan] = []
        for stack in stacks:
            output.aside(f"planning {name} on {stack}")
            try:
                plans.append(
                    make_plan(
                        contest,
                        name=name,
                        budget=share,
                        seeds=_SEEDS,
                        stack=stack,
                        cache=place.cache,
                        report=meter.show,
                    )
                )
            except UserError as error:
                raise UserError(f"{stack}'s share of {Budget(seconds=seconds)}, {error}") from None
        for plan in plans:
            output.aside(f"{name} on {plan.stack}")
            folder = keep_plan(plan, place.runs)
            run_race(folder, contest, plan, place, meter)
            folders.append(folder)
        asked = str(Budget(seconds=seconds))
        return _gather(output, place, folders, tables=tables, asked=asked, started=started, meter=meter)


def read_races(output: Output, place: Place, folders: Sequence[Path], *, started: float) -> Closed:
    """Finished races, made on whatever machines; nothing is trained."""
    if len(folders) < 2:
        raise UserError(f"{folders[0].name} alone", expected="races on two stacks or more")
    with output.progress() as meter:
        return _gather(output, place, folders, tables=usable_tables(place.cache), started=started, meter=meter)


def _gather(
    output: Output,
    place: Place,
    folders: Sequence[Path],
    *,
    tables: Sequence[CostTable],
    asked: str = "",
    started: float,
    meter: Meter,
) -> Closed:
    """Set races beside one another, keep and print what they say."""
    races = [(folder, *load_heat(folder)) for folder in folders]
    least = []
    for number, (folder, result, machine) in enumerate(races):
        meter.show("tracing a training step", number / len(races))
        least.append(_least(folder, Stack.parse(result.stack), machine, place, tables))
    heats = gather(races, least, asked=asked, spent_seconds=time.monotonic() - started)
    document = {"kind": "lottery", "names": [folder.name for folder in folders], "budget": asked}
    kept = Run.create(place.runs, f"lottery-{heats.name}", document).folder
    write_json(kept / "lottery.json", to_document(heats))
    write_page([kept], kept / "report.html")
    show_heats(output, heats)
    return kept, to_document(heats), f"pennyweight report {folders[0]}"


def _least(
    folder: Path, stack: Stack, machine: str, place: Place, tables: Sequence[CostTable]
) -> Mapping[SideName, float] | str:
    """The least seconds of a step of each side, or why they are not known: another machine's data, say."""
    try:
        works = step_work(folder, stack, cache=place.cache)
    except (UserError, WorkFailed, OSError) as error:
        return f"no training step could be traced here: {error}"
    return least_seconds(works, stack, machine, tables)
