"""``lottery``: rivals on every stack at hand; where their order flips, and what of it is the hardware's."""

import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pennyweight.console import Output
from pennyweight.core.budget import Budget
from pennyweight.core.errors import UserError, did_you_mean
from pennyweight.core.files import write_json
from pennyweight.core.recipe import to_document
from pennyweight.core.registry import methods
from pennyweight.core.run import Run
from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.card import Card
from pennyweight.lottery.holding.conclude import make_card
from pennyweight.lottery.holding.hold import hold
from pennyweight.lottery.holding.ideas import layer
from pennyweight.lottery.holding.rivals import (
    Field,
    default_stacks,
    function_field,
    layer_field,
    require_here,
    three_stacks,
)
from pennyweight.lottery.holding.scales import tables_for
from pennyweight.verbs.lottery_races import race_stacks, read_races, run_races
from pennyweight.verbs.lottery_tables import show_card
from pennyweight.verbs.report import write_page
from pennyweight.verbs.request import Place, require_writable

BUDGET, RACES_BUDGET = "2min", "30min"
_CLOSING_SECONDS = 2.5

Report = Callable[[str, float], None]


def run(
    output: Output,
    place: Place,
    *,
    names: Sequence[str],
    stacks: Sequence[str],
    sizes: Sequence[str],
    tolerance: str,
    budget: str,
    started: float,
) -> int:
    """Hold a lottery of what is named, from ``started`` (`time.monotonic`) on; the exit code."""
    require_writable(place.runs)
    names = list(names) or [layer.NAME]
    folders = [found for name in names if (found := _race_folder(name, place)) is not None]
    if len(folders) == len(names):
        _refuse(of="finished races", size=sizes, tolerance=tolerance, stack=stacks, budget=budget)
        return _close(output, *read_races(output, place, folders, started=started))
    if len(names) == 1 and names[0] in methods():
        _refuse(of="races", size=sizes, tolerance=tolerance)
        asked, chosen = _seconds(budget or RACES_BUDGET), _stacks(stacks, race_stacks)
        return _close(output, *run_races(output, place, names[0], chosen, seconds=asked, started=started))
    _check_names(names)
    if names == [layer.NAME]:
        _refuse(of=f"{layer.NAME}, whose ideas have their own", tolerance=tolerance)
    asked = _seconds(budget or BUDGET)
    with output.progress() as meter:
        folder, card = _functions(
            place,
            names=names,
            stacks=_stacks(stacks, default_stacks),
            sizes=sizes,
            tolerance=_tolerance(tolerance),
            seconds=asked,
            report=meter.show,
            started=started,
        )
    show_card(output, card)
    again = f"pennyweight lottery {shlex.join(_asked_again(names, stacks, sizes, tolerance, budget))}".rstrip()
    return _close(output, folder, to_document(card), again if card.status == "refused" else _next(names), card.status)


def layer_lottery(
    place: Place,
    *,
    seconds: float,
    stacks: Sequence[Stack] = (),
    sizes: Sequence[str] = (),
    report: Report | None = None,
) -> Path:
    """Hold the built-in lottery within a total time and return its folder, with card and page: for the tour.

    Without stacks these are three libraries on one core each.
    """
    folder, _ = _functions(
        place,
        names=[layer.NAME],
        stacks=list(stacks) or three_stacks(),
        sizes=sizes,
        tolerance=None,
        seconds=seconds,
        report=report,
        started=time.monotonic(),
    )
    return folder


# --- what is asked ---


def _race_folder(name: str, place: Place) -> Path | None:
    """The folder of a finished race of this name, here or among the runs."""
    folders = (Path(name), place.runs / name)
    return next((folder for folder in folders if (folder / "race.json").is_file()), None)


def _check_names(names: Sequence[str]) -> None:
    if all("::" in name for name in names) or list(names) == [layer.NAME]:
        return
    wrong = next(name for name in names if "::" not in name)
    if wrong.endswith(".py") or Path(wrong).is_file():
        raise UserError(
            f"{wrong!r}", expected="SCRIPT.py::name for each rival", hint=f"add two, as {wrong}::one {wrong}::two"
        )
    known = {layer.NAME, *methods()}
    if wrong in known:
        raise UserError(f"{wrong} among {len(names)} names", expected=f"{wrong} alone, or rivals as SCRIPT.py::name")
    if Path(wrong).is_dir():
        raise UserError(f"{wrong} is no finished race", expected="a folder with a race.json", hint="pennyweight race")
    raise UserError(
        f"unknown name {wrong!r}",
        expected=f"{layer.NAME}, a method, SCRIPT.py::name, or folders of finished races",
        hint=did_you_mean(wrong, known),
    )


def _refuse(*, of: str, **given: object) -> None:
    """Options without effect are refused."""
    extra = [f"--{name}" for name, value in given.items() if value]
    if extra:
        raise UserError(f"{', '.join(extra)} with a lottery of {of}", expected=f"none of {', '.join(extra)}")


def _seconds(budget: str) -> float:
    asked = Budget.parse(budget)
    if asked.seconds is None or asked != Budget(seconds=asked.seconds):
        raise UserError(f"lottery budget {budget!r}", expected="a total time, such as 2min")
    return asked.seconds


def _tolerance(text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise UserError(f"--tolerance {text!r}", expected="a relative error from 0 to 1, such as 0.001")
    return value


def _stacks(names: Sequence[str], default: Callable[[], list[Stack]]) -> list[Stack]:
    chosen = list(dict.fromkeys(map(Stack.parse, names))) or default()
    for stack in chosen:
        require_here(stack)
    return chosen


# --- array functions ---


def _functions(
    place: Place,
    *,
    names: Sequence[str],
    stacks: Sequence[Stack],
    sizes: Sequence[str],
    tolerance: float | None,
    seconds: float,
    report: Report | None,
    started: float,
) -> tuple[Path, Card]:
    """Hold a lottery of array functions and write its folder."""

    def left() -> float:
        return seconds - (time.monotonic() - started)

    report = report or (lambda stage, done: None)
    report("starting", 0.0)
    if names == [layer.NAME]:
        field = layer_field(sizes, num_stacks=len(stacks), seconds=seconds)
    else:
        field = function_field(names, sizes, tolerance=tolerance, seconds=seconds)
    tables, notes = tables_for(stacks, cache=place.cache, seconds=seconds, report=report)
    held = hold(field.tickets, stacks, seconds=left() - _CLOSING_SECONDS, report=report)
    if all(cell.status == "skipped" for cell in held.cells):
        raise UserError(
            f"lottery budget {Budget(seconds=seconds)}",
            expected=f"more time: {len(stacks)} stacks were started, and then none was left",
            hint="give more, or fewer stacks with --stack",
        )
    card = make_card(
        held,
        tables,
        field.ideas,
        name=field.name,
        asked=str(Budget(seconds=seconds)),
        spent_seconds=seconds - left(),
        quality=field.quality,
        notes=notes,
    )
    return _keep(place, field, names, stacks, card), card


def _keep(place: Place, field: Field, names: Sequence[str], stacks: Sequence[Stack], card: Card) -> Path:
    document = {
        "kind": "lottery",
        "names": list(names),
        "stacks": [str(stack) for stack in stacks],
        "sizes": list(card.sizes),
        "budget": card.asked,
    }
    folder = Run.create(place.runs, f"lottery-{field.name}", document).folder
    write_json(folder / "lottery.json", to_document(card))
    write_page([folder], folder / "report.html")
    return folder


def _next(names: Sequence[str]) -> str:
    script = names[0].partition("::")[0]
    return (
        f"pennyweight trace {script}" if "::" in names[0] else "pennyweight lottery SCRIPT.py::one SCRIPT.py::another"
    )


def _asked_again(
    names: Sequence[str], stacks: Sequence[str], sizes: Sequence[str], tolerance: str, budget: str
) -> list[str]:
    """The words of the same request."""
    options = [("--stack", stack) for stack in stacks] + [("--size", size) for size in sizes]
    options += [(name, value) for name, value in (("--tolerance", tolerance), ("--budget", budget)) if value]
    return [*names, *(word for option in options for word in option)]


def _close(output: Output, folder: Path, document: dict[str, Any], next_command: str, status: str = "done") -> int:
    page = str((folder / "report.html").absolute())
    output.say(f"page: {page}")
    output.done(result=document | {"page": page}, runs=[folder], status=status, next_command=next_command)
    return 0 if status == "done" else 1
