"""The section of a weighed machine: what it is, its rooflines, its numbers with their bands, the tables behind."""

from collections.abc import Sequence
from dataclasses import asdict

from pennyweight.core.cost import CostTable, Rate
from pennyweight.report.costs import column, doubtful, groups, notes, quantities, software_lines, variables_line
from pennyweight.report.pieces import (
    Cell,
    Facts,
    Group,
    Notes,
    Piece,
    Record,
    Records,
    Section,
    Table,
    drawing,
    readable,
    receipt_link,
    section,
)
from pennyweight.report.roofline import roofline
from pennyweight.report.words import duration, number, percent, size


def weigh_section(tables: Sequence[CostTable]) -> Section:
    """All stacks of one weighing: facts, rooflines, a table for each quantity, notes, and the cost tables."""
    fingerprint = tables[0].fingerprint
    widest = groups(tables)[-1][1]
    pieces: list[Piece] = [
        _facts(tables),
        *drawing(
            lambda width: roofline(widest, width=width, key=fingerprint),
            "What arithmetic can reach at each ratio of operations to bytes, out of memory and out of the fastest"
            " cache, up to the rate of matrix products; dots are families of operations as measured in cache. Bands are"
            " those in which another weighing should fall. A multiply-add counts as two operations.",
        ),
        *(piece for title, beside in groups(tables) for piece in _tables(title, beside)),
    ]
    said = [*filter(None, [doubtful(tables)]), *notes(tables)]
    pieces += [Notes(items=said)] if said else []
    pieces.append(
        Records(title="Cost tables", anchor=f"costs-{fingerprint}", records=[_record(table) for table in tables])
    )
    return section("Weighed: this machine", f"weighed-{fingerprint}", pieces)


def _facts(tables: Sequence[CostTable]) -> Facts:
    first = tables[0]
    machine = first.machine
    caches = ", ".join(f"{level} {size(held)}" for level, held in first.cache_bytes.items())
    return Facts(
        title="The machine",
        items=[
            ("processor", f"{machine['processor']}, {machine['cores']} cores, {machine['system']}"),
            ("caches", caches),
            ("software", "; ".join(software_lines(tables))),
            ("variables", variables_line(tables)),
            ("weighed", f"{first.measured}, in {duration(first.seconds)}; others took {percent(first.busy)} meanwhile"),
        ],
    )


def _tables(title: str, beside: Sequence[CostTable]) -> list[Table]:
    columns = [Cell(""), *(Cell(column(table)) for table in beside)]
    return [
        Table(
            caption=f"{quantity.title}, {title}",
            columns=columns,
            groups=[
                Group(
                    rows=[
                        [Cell(row.label), *(_cell(rate, table) for rate, table in zip(row.rates, beside, strict=True))]
                        for row in quantity.rows
                    ]
                )
            ],
        )
        for quantity in quantities(beside)
    ]


def _cell(rate: Rate | None, table: CostTable) -> Cell:
    if rate is None:
        return Cell("")
    return Cell(number(rate.value), receipt_link(_name(table)), "", f"{number(rate.low)}–{number(rate.high)}")


def _name(table: CostTable) -> str:
    return f"{table.fingerprint}-{table.stack.replace('/', '-')}"


def _record(table: CostTable) -> Record:
    checks = [
        (f"{name.partition('/')[2]} in memory, measured over predicted", f"{number(rate.value)}×")
        for name, rate in table.checks.items()
    ]
    return Record(
        anchor=receipt_link(_name(table))[1:],
        title=table.stack,
        name=f"process started in {duration(table.start_seconds)}",
        groups=[
            ("software", list(table.software.items())),
            ("check of the model", checks),
            ("what was run", list(table.statements.items())),
            ("first calls", [(name, duration(seconds)) for name, seconds in table.first_calls.items()]),
        ],
        raw=readable(asdict(table)),
    )
