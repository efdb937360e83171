"""From measured cells to the card: what may be concluded, and what must be refused on a busy machine."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from pennyweight.core.cost import CostTable
from pennyweight.core.machine import BusyWatch, this_machine
from pennyweight.lottery.holding import outlook, parts
from pennyweight.lottery.holding.board import REFUSED, WANDER, board, columns, flips, mean_index, regrets, wander
from pennyweight.lottery.holding.card import Card, Cell, Idea, Results, Work
from pennyweight.lottery.holding.hold import Held


def conclude(
    cells: Sequence[Cell], tables: Sequence[CostTable], *, busy: float, ideas: Sequence[Idea]
) -> Results | None:
    """Ranks, flips, the index, the parts of every loss, surprises and the outlook; None on a machine too busy to tell.

    The first idea is the baseline of the outlook, the first size the one that it is told for.
    """
    if busy > REFUSED:
        return None
    own = columns(cells, busy=busy)
    boards = tuple(
        board([column for column in own if column.size == size])
        for size in dict.fromkeys(column.size for column in own)
    )
    known = parts.limits(cells, tables)
    baseline, size = ideas[0].name, cells[0].size
    software = parts.software_ratios(own, known, baseline=baseline, size=size)
    return Results(
        boards=boards,
        index=mean_index(boards),
        flips=tuple(flips(own)),
        regrets=tuple(regrets(own)),
        losses=tuple(parts.losses(own, known)),
        surprises=tuple(parts.surprises(own, cells, tables)),
        forecasts=tuple(outlook.forecasts(_works(cells, size), software, baseline=baseline)),
        software=software,
    )


def _works(cells: Sequence[Cell], size: str) -> dict[str, Work]:
    """The work of each idea at a size on the first stack that tells it."""
    found: dict[str, Work] = {}
    for cell in cells:
        if cell.size == size and cell.work is not None:
            found.setdefault(cell.idea, cell.work)
    return found


def refusal(busy: float) -> str:
    """Why nothing is concluded."""
    return (
        f"refused: other processes took {busy:.0%} of this machine, and more than {REFUSED:.0%} leaves no order of"
        " speeds to be trusted; stop them, or wait, and run it again"
    )


def make_card(
    held: Held,
    tables: Sequence[CostTable],
    ideas: Sequence[Idea],
    *,
    name: str,
    asked: str,
    spent_seconds: float,
    quality: str,
    notes: Sequence[str] = (),
) -> Card:
    """The whole document of a lottery that was held."""
    results = conclude(held.cells, tables, busy=held.busy, ideas=ideas)
    machine = this_machine()
    return Card(
        name=name,
        status="refused" if results is None else "done",
        refusal=refusal(held.busy) if results is None else "",
        asked=asked,
        spent_seconds=spent_seconds,
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
        busy=held.busy,
        machine=asdict(machine),
        fingerprint=machine.fingerprint,
        software=held.software,
        quality=quality,
        stacks=tuple(dict.fromkeys(cell.stack for cell in held.cells)),
        sizes=tuple(dict.fromkeys(cell.size for cell in held.cells)),
        ideas=tuple(ideas),
        cells=held.cells,
        results=results,
        notes=(*_busy_note(held.busy), *held.notes, *notes, *_beaten(results)),
    )


def _busy_note(busy: float) -> list[str]:
    if not BusyWatch.LIMIT < busy <= REFUSED:
        return []
    return [
        f"other processes took {busy:.0%} of this machine: every time is taken as known to a factor of"
        f" {wander(busy):.2f}, where {WANDER:g} would do on a quiet one; intervals are wider, and more ideas share a"
        " rank"
    ]


def _beaten(results: Results | None) -> list[str]:
    """A cell that is faster than its limit tells that the limit is none: the rates were measured at other sizes."""
    found: dict[tuple[str, str, str], float] = {}
    for loss in results.losses if results else ():
        for idea, reached in ((loss.idea, loss.reached), (loss.winner, loss.winner_reached)):
            if reached is not None and reached > 1:
                found[loss.size, loss.stack, idea] = reached
    if not found:
        return []
    (size, stack, idea), most = max(found.items(), key=lambda one: one[1])
    others = f", and so did {len(found) - 1} more" if len(found) > 1 else ""
    return [
        f"{idea} at {size} on {stack} did {most:.2f} times what the best rates of this machine's cost tables"
        f" allow{others}: they were measured at other sizes, and the shares of the limit that are told here are too"
        " high by as much"
    ]
