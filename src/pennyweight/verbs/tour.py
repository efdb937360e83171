"""``tour``: every work on real data under one total budget, and one page about it.

First the instruments, which the rest is judged with: attention priced on this machine, the machine weighed, a
program traced, a lottery held. Then the methods' races, in equal shares of the time that is left.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pennyweight import __version__
from pennyweight.console import Meter, Output
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
from pennyweight.lottery.racing.plan import keep_plan, make_plan
from pennyweight.lottery.tracing.program import Request
from pennyweight.lottery.weighing.tables import save_tables
from pennyweight.lottery.weighing.weigh import default_stacks, weigh
from pennyweight.methods.par.search.kept import kept_scores
from pennyweight.report.lottery import load_card, lottery_section
from pennyweight.report.lottery_words import verdict
from pennyweight.report.page import render
from pennyweight.report.pieces import Facts, Section, section, text_section
from pennyweight.report.prices import price_sentence, prices_section
from pennyweight.report.race import race_section
from pennyweight.report.trace import load_examination, trace_section
from pennyweight.report.weigh import weigh_section
from pennyweight.report.words import number, plain
from pennyweight.verbs.lottery import layer_lottery
from pennyweight.verbs.race import run_race
from pennyweight.verbs.request import Place, require_writable
from pennyweight.verbs.search_prices import PART, price_by_length
from pennyweight.verbs.trace import example, summary, trace_program

_SEEDS = 3
_PAGE_SECONDS = 8.0
_PROMPT = "def "
_WITH_INSTRUMENTS = 420.0
"""Seconds from which a tour has time for the instruments beside races; a shorter one goes to the races and says so."""


@dataclass(frozen=True, kw_only=True)
class _Stop:
    """One stop of the tour: its sections, its folder, and what it says in a line."""

    sections: list[Section]
    folder: Path | None
    sentence: str


def run(output: Output, place: Place, *, budget: str, out: str) -> None:
    """Make all stops within the time, then write the page."""
    started = time.monotonic()
    asked = Budget.parse(budget)
    if asked.seconds is None or asked != Budget(seconds=asked.seconds):
        raise UserError(f"tour budget {budget!r}", expected="a total time, such as 10min")
    until = started + asked.seconds - _PAGE_SECONDS
    require_writable(place.runs)
    stops: list[_Stop] = []
    results: list[RaceResult] = []
    with output.progress() as meter:
        if asked.seconds >= _WITH_INSTRUMENTS:
            stops += _instruments(place, asked.seconds, meter)
        waiting = list(methods().values())
        while waiting:
            method = waiting.pop(0)
            seconds = max(1.0, (until - time.monotonic()) / (len(waiting) + 1))
            stop, result = _race(place, method.name, seconds, meter)
            stops.append(stop)
            results.append(result)
    machine = this_machine()
    facts = {
        "asked": str(asked),
        "spent": f"{time.monotonic() - started:.0f} s",
        "machine": f"{machine.processor}, {machine.cores} cores, {machine.system}",
        "program": f"pennyweight {__version__}, torch {machine.torch}",
    }
    if asked.seconds < _WITH_INSTRUMENTS:
        facts["left out"] = f"weigh, trace and lottery, for which a tour takes {Budget(seconds=_WITH_INSTRUMENTS)}"
    folders = [stop.folder for stop in stops if stop.folder is not None]
    path = Path(out) if out else folders[-1] / "tour.html"
    outcome = Facts(title="What came out", items=[_told(stop.sentence) for stop in stops])
    sections = [section("In short", "in-short", [outcome]), *(one for stop in stops for one in stop.sections)]
    lead = "What things cost here, why, and whether each idea wins against its rival. Numbers lead to their receipts."
    try:
        write_atomic(path, render("Tour", sections, lead=lead, facts=facts))
    except OSError as error:
        raise WorkFailed(f"page {path} cannot be written: {error.strerror}") from error
    for stop in stops:
        output.say(plain(stop.sentence))
    output.say(f"spent {time.monotonic() - started:.0f} s of {asked}")
    output.say(f"page: {path.absolute()}")
    output.done(
        result={
            "page": str(path.absolute()),
            "stops": [stop.sentence for stop in stops],
            "races": [to_document(result) for result in results],
        },
        runs=folders,
        next_command="pennyweight trace",
    )


def _told(sentence: str) -> tuple[str, str]:
    """The name of a stop, and the rest of what it says."""
    name, _, rest = sentence.partition(": ")
    return name, rest


# --- instruments ---


def _instruments(place: Place, total: float, meter: Meter) -> Iterator[_Stop]:
    """The price of attention, weigh, trace, lottery: about a quarter of a ten-minute tour."""
    yield _prices(place, meter.show)
    yield _weigh(place, max(20.0, min(25.0, 0.04 * total)), meter.show)
    meter.show("tracing a program", 0.0)
    yield _trace(place)
    yield _lottery(place, max(45.0, min(90.0, 0.13 * total)), meter.show)


def _weigh(place: Place, seconds: float, report: Callable[[str, float], None]) -> _Stop:
    tables = weigh(default_stacks(seconds), seconds=seconds, report=report)
    save_tables(tables, place.cache)
    sentence = f"weigh: {len(tables)} stacks of this machine in {number(tables[0].seconds)} s"
    return _Stop(sections=[weigh_section(tables)], folder=None, sentence=sentence)


def _prices(place: Place, report: Callable[[str, float], None]) -> _Stop:
    rows = price_by_length(place, report=report)
    made = prices_section(rows, kept_scores(), PART, anchor=f"prices-{this_machine().fingerprint}")
    return _Stop(sections=[made], folder=None, sentence=f"search: {price_sentence(rows)}")


def _trace(place: Place) -> _Stop:
    request = Request(script=example(), seconds=20.0, advice_seconds=6.0, cache=str(place.cache))
    folder = trace_program(place, request, quiet=True)
    return _Stop(
        sections=[trace_section(folder)], folder=folder, sentence=f"trace: {summary(load_examination(folder))}"
    )


def _lottery(place: Place, seconds: float, report: Callable[[str, float], None]) -> _Stop:
    folder = layer_lottery(place, seconds=seconds, report=report)
    sentence = f"lottery: {verdict(load_card(folder))}"
    return _Stop(sections=[lottery_section(folder)], folder=folder, sentence=sentence)


# --- races ---


def _race(place: Place, name: str, seconds: float, meter: Meter) -> tuple[_Stop, RaceResult]:
    """A method's idea against its rival, and what the better side's model makes."""
    contest = methods()[name].contest()
    plan = make_plan(
        contest, name=name, budget=Budget(seconds=seconds), seeds=_SEEDS, cache=place.cache, report=meter.show
    )
    folder = keep_plan(plan, place.runs)
    result = run_race(folder, contest, plan, place, meter)
    ratio = f", ratio {number(result.ratio.value, 4)}" if result.ratio else ""
    sides = f"{result.sides['idea'].name} against {result.sides['rival'].name}"
    sections = [race_section(folder), *_exhibits(folder, result, place)]
    return _Stop(sections=sections, folder=folder, sentence=f"{name}: {sides}: {result.verdict}{ratio}"), result


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
