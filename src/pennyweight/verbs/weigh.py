"""``weigh``: measure this machine; print and keep its cost tables."""

import time
from collections.abc import Sequence
from pathlib import Path

from pennyweight.console import Output
from pennyweight.core.budget import Budget
from pennyweight.core.cost import CostTable, Rate
from pennyweight.core.errors import UserError, WorkFailed
from pennyweight.core.files import write_atomic
from pennyweight.core.recipe import to_document
from pennyweight.core.stack import Stack
from pennyweight.lottery.weighing.tables import make_room, save_tables
from pennyweight.lottery.weighing.weigh import default_stacks, weigh
from pennyweight.report.costs import column, doubtful, groups, notes, quantities, software_lines, variables_line
from pennyweight.report.words import duration, number, plain
from pennyweight.verbs.request import Place

_PAGE_SECONDS, _PAGE_SHARE = 1.5, 0.1


def run(output: Output, place: Place, *, stacks: Sequence[str], budget: str, out: str, started: float) -> None:
    """Weigh the stacks named, or those of this machine, within a total time from ``started`` (`time.monotonic`)."""
    asked = Budget.parse(budget)
    if asked.seconds is None or asked != Budget(seconds=asked.seconds):
        raise UserError(f"weigh budget {budget!r}", expected="a total time, such as 60s")
    chosen = list(dict.fromkeys(map(Stack.parse, stacks))) or default_stacks(asked.seconds)
    make_room(place.cache)
    page_seconds = min(_PAGE_SECONDS, _PAGE_SHARE * asked.seconds) if out else 0.0
    with output.progress() as meter:
        spent = time.monotonic() - started + page_seconds
        tables = weigh(chosen, seconds=asked.seconds, spent=spent, report=meter.show)
    paths = save_tables(tables, place.cache)
    page = _write_page(tables, Path(out)) if out else ""
    _show(output, tables)
    output.say(plain(f"spent {duration(time.monotonic() - started)} of {asked}; kept in {paths[0].parent}"))
    if page:
        output.say(f"page: {page}")
    output.done(
        result={"tables": [to_document(table) for table in tables], "files": list(map(str, paths)), "page": page},
        next_command="pennyweight trace SCRIPT",
    )


def _show(output: Output, tables: Sequence[CostTable]) -> None:
    for title, beside in groups(tables):
        names = [column(table) for table in beside]
        for quantity in quantities(beside):
            rows = [[row.label, *map(_cell, row.rates)] for row in quantity.rows]
            output.table(plain(f"{quantity.title}, {title}"), ["", *names], rows)
            output.say()
    for line in software_lines(tables):
        output.say(line)
    output.say(f"variables: {variables_line(tables)}")
    for line in (doubtful(tables), *(f"note: {note}" for note in notes(tables))):
        if line:
            output.say(plain(line))


def _cell(rate: Rate | None) -> str:
    return "" if rate is None else number(rate.value)


def _write_page(tables: Sequence[CostTable], path: Path) -> str:
    from pennyweight.report.page import render
    from pennyweight.report.weigh import weigh_section

    try:
        write_atomic(path, render("This machine", [weigh_section(tables)]))
    except OSError as error:
        raise WorkFailed(f"page {path} cannot be written: {error.strerror}; choose another place with --out") from error
    return str(path.absolute())
