"""``tour``: every method's race on real data under one total budget, and one page about it."""

import time
from pathlib import Path

from pennyweight import __version__
from pennyweight.console import Output
from pennyweight.core.budget import Budget
from pennyweight.core.errors import UserError, WorkFailed
from pennyweight.core.files import write_atomic
from pennyweight.core.fit import load_task
from pennyweight.core.machine import this_machine
from pennyweight.core.race import RaceResult
from pennyweight.core.recipe import to_document
from pennyweight.core.registry import methods
from pennyweight.core.run import Run
from pennyweight.core.stack import Stack
from pennyweight.core.task import WritesText
from pennyweight.lottery.plan import keep_plan, make_plan
from pennyweight.report.page import render
from pennyweight.report.pieces import Section, text_section
from pennyweight.report.race import race_section
from pennyweight.report.words import number
from pennyweight.verbs.race import run_race
from pennyweight.verbs.request import Place, require_writable

_SEEDS = 3
_PAGE_SECONDS = 8.0
_PROMPT = "def "


def run(output: Output, place: Place, *, budget: str, out: str) -> None:
    """Race every method with an equal share of the time that is left, then write the page."""
    started = time.monotonic()
    asked = Budget.parse(budget)
    if asked.seconds is None or str(asked) != str(Budget(seconds=asked.seconds)):
        raise UserError(f"tour budget {budget!r}", expected="a total time, such as 10min")
    require_writable(place.runs)
    sections: list[Section] = []
    folders: list[Path] = []
    results: list[RaceResult] = []
    waiting = list(methods().values())
    with output.progress() as meter:
        while waiting:
            method = waiting.pop(0)
            left = asked.seconds - (time.monotonic() - started) - _PAGE_SECONDS
            contest = method.contest()
            plan = make_plan(
                contest,
                name=method.name,
                budget=Budget(seconds=max(1.0, left / (len(waiting) + 1))),
                seeds=_SEEDS,
                cache=place.cache,
                report=meter.show,
            )
            folder = keep_plan(plan, place.runs)
            result = run_race(folder, contest, plan, place, meter)
            results.append(result)
            folders.append(folder)
            sections += [race_section(folder), *_exhibits(folder, result, place)]
    seconds = time.monotonic() - started
    machine = this_machine()
    facts = {
        "asked": str(asked),
        "spent": f"{seconds:.0f} s",
        "machine": f"{machine.processor}, {machine.cores} cores, {machine.system}",
        "program": f"pennyweight {__version__}, torch {machine.torch}",
    }
    path = Path(out) if out else folders[-1] / "tour.html"
    lead = "Every idea against its rival, on this machine, under one budget. Each number leads to its receipt."
    try:
        write_atomic(path, render("Tour", sections, lead=lead, facts=facts))
    except OSError as error:
        raise WorkFailed(f"page {path} cannot be written: {error.strerror}") from error
    for result in results:
        ratio = f", ratio {number(result.ratio.value, 4)}" if result.ratio else ""
        output.say(f"{result.name}: {result.sides['idea'].name} against {result.sides['rival'].name}: "
                   f"{result.verdict}{ratio}")  # fmt: skip
    output.say(f"spent {time.monotonic() - started:.0f} s of {asked}")
    output.say(f"page: {path.absolute()}")
    output.done(
        result={"page": str(path.absolute()), "races": [to_document(result) for result in results]},
        runs=folders,
        next_command="pennyweight fit --budget 4min",
    )


def _exhibits(folder: Path, result: RaceResult, place: Place) -> list[Section]:
    """What the better side's last model makes, where its task makes something to be shown."""
    side = "rival" if result.verdict == "rival" else "idea"
    trial = next((t for t in reversed(result.trials) if t.side == side and t.value is not None), None)
    if trial is None:
        return []
    Stack.parse("cpu").activate()
    task = load_task(Run(folder / trial.run), cache=place.cache)
    if not isinstance(task, WritesText):
        return []
    text = task.write(_PROMPT, num_tokens=160, temperature=0.7, top_k=40, seed=0)
    caption = (
        f"What {result.sides[side].name} (seed {trial.seed}) writes after {trial.seconds:.0f} s of training,"
        f" continuing {_PROMPT!r}: temperature 0.7, the 40 likeliest tokens, first draw."
    )
    return [text_section("Written by the model", caption, text)]
