"""Hold a lottery: rivals in a child process for each stack, judged, then timed in turns over the whole of a time.

What disturbs a measurement hits all cells alike, because they are taken in rounds, in another order each, across all
stacks (`rounds`). A stack that crashes or hangs loses the cell that did it; its process is started again for the rest.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Self

from pennyweight.core.machine import BusyWatch
from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.card import Cell, Work
from pennyweight.lottery.holding.ideas.runnable import Job
from pennyweight.lottery.weighing.rounds import Series, measure
from pennyweight.lottery.weighing.worker import CallFailed, Worker, WorkerLost

_CHILD = "pennyweight.lottery.holding.ideas.child"
_PREPARING = 60.0
"""Seconds in which arrays must be made, a graph exported, a result judged."""
_COMPILING = 30.0
_CALL_SHARE, _SHORTEST_LIMIT = 0.02, 0.5
_BEGIN_SHARE = 0.6

Report = Callable[[str, float], None]
"""Hears the stage of the lottery and the part of it (0 to 1) that is done."""


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A rival at a size, before it has met a stack: the job for the child, and its work by precision."""

    idea: str
    size: str
    job: Job
    works: Mapping[str, Work] | None


@dataclass(frozen=True, kw_only=True)
class Held:
    """All cells, what runs below each stack, and the part of the machine (0 to 1) that others took meanwhile."""

    cells: tuple[Cell, ...]
    software: Mapping[str, Mapping[str, str]]
    busy: float
    notes: tuple[str, ...] = ()


class Team:
    """A process for each stack, started again when it is lost. ``ready`` are the jobs that it has prepared."""

    def __init__(self, stacks: Sequence[Stack]) -> None:
        self.lost: dict[Stack, str] = {}
        self._workers: dict[Stack, Worker] = {}
        self.ready: dict[Stack, set[str]] = {stack: set() for stack in stacks}
        with ThreadPoolExecutor(max_workers=max(1, len(stacks))) as pool:
            started = {stack: pool.submit(Worker, stack) for stack in stacks}
        for stack, future in started.items():
            try:
                self._workers[stack] = future.result()
            except (CallFailed, WorkerLost) as error:
                self.lost[stack] = error.message if isinstance(error, CallFailed) else str(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers.values():
            worker.close()

    def call(self, stack: Stack, function: str, *arguments: Any, limit: float) -> Any:
        """Run a function of the child's module on the stack's process; raises `CallFailed` and `WorkerLost`."""
        if stack in self.lost:
            raise WorkerLost(self.lost[stack])
        if not self._workers[stack].alive:
            self.ready[stack].clear()
            self._workers[stack] = Worker(stack)
        return self._workers[stack].call(f"{_CHILD}:{function}", *arguments, limit=limit)

    def prepare(self, stack: Stack, job: Job) -> tuple[str, bool, str]:
        """`child.prepare`, remembered."""
        told: tuple[str, bool, str] = self.call(stack, "prepare", str(stack), job, limit=_PREPARING)
        self.ready[stack].add(job.key)
        return told


@dataclass(kw_only=True)
class _Timed(Series):
    """A cell while it is timed."""

    cell: Cell


def hold(tickets: Sequence[Ticket], stacks: Sequence[Stack], *, seconds: float, report: Report | None = None) -> Held:
    """Measure every ticket on every stack within a total time; raises nothing for what a stack cannot do.

    Tickets come in the order of their importance: those at the end are skipped when preparing takes too long.
    A call may take a fiftieth of the time, half a second at least; one that takes longer is stopped.
    """
    started = time.monotonic()
    report = report or (lambda stage, done: None)
    watch = BusyWatch()
    limit = max(_SHORTEST_LIMIT, _CALL_SHARE * seconds)
    report("starting", 0.0)
    with Team(stacks) as team:
        software = _software(team, stacks)
        order = _in_order(tickets, stacks)
        cells: list[Cell] = []
        series: list[_Timed] = []
        for number, (stack, ticket) in enumerate(order):
            report("first calls", number / len(order))
            if time.monotonic() - started > _BEGIN_SHARE * seconds:
                cells.append(_cell(stack, ticket, "skipped", reason="there was no time left for it"))
                continue
            cell, call_seconds = _begin(team, stack, ticket, limit)
            cells.append(cell)
            if cell.status == "ok":
                take = _taker(team, stack, ticket.job, limit)
                series.append(_Timed(take=take, call_seconds=call_seconds, cell=cell))
        left = max(_SHORTEST_LIMIT, seconds - (time.monotonic() - started))
        measure(series, seconds=left, report=lambda done: report("measuring", done))
    busy = watch.share()  # now that the children have been waited for; before, they would be others
    taken = {id(one.cell): one for one in series}
    return Held(
        cells=tuple(_closed(cell, taken.get(id(cell))) for cell in cells),
        software=software,
        busy=busy,
        notes=tuple(f"{stack} could not be started: {why}" for stack, why in team.lost.items()),
    )


def _in_order(tickets: Sequence[Ticket], stacks: Sequence[Stack]) -> list[tuple[Stack, Ticket]]:
    """Size by size, and within a size stack by stack."""
    sizes = list(dict.fromkeys(ticket.size for ticket in tickets))
    return [(stack, ticket) for size in sizes for stack in stacks for ticket in tickets if ticket.size == size]


def _software(team: Team, stacks: Sequence[Stack]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for stack in stacks:
        try:
            found[str(stack)] = team.call(stack, "software", str(stack), limit=_PREPARING)
        except (CallFailed, WorkerLost):
            found[str(stack)] = {}
    return found


def _cell(stack: Stack, ticket: Ticket, status: Any, **rest: Any) -> Cell:
    work = None if ticket.works is None else ticket.works[stack.precision]
    return Cell(stack=str(stack), size=ticket.size, idea=ticket.idea, status=status, work=work, **rest)


def _begin(team: Team, stack: Stack, ticket: Ticket, limit: float) -> tuple[Cell, float]:
    """Prepare, call, judge, call again: the cell, and about how long a call takes."""
    known: dict[str, Any] = {}
    try:
        statement, compiled, missing = team.prepare(stack, ticket.job)
        if missing:
            return _cell(stack, ticket, "not available", reason=missing), 0.0
        known["statement"] = statement
        first = _first(team, stack, ticket.job, limit + (_COMPILING if compiled else 0.0))
        if first is None:
            return _stopped(stack, ticket, statement, limit, compiled), 0.0
        known["first_seconds"] = first
        error, wrong = team.call(stack, "judge", ticket.job.key, limit=_PREPARING)
        known["error"] = error if error < math.inf else None
        if wrong:
            return _cell(stack, ticket, "wrong", reason=wrong, **known), 0.0
        later: float = team.call(stack, "settle", ticket.job.key, limit=_COMPILING + limit)
    except CallFailed as failed:
        missing = failed.message if failed.kind == "NotAvailable" else ""
        status = "not available" if missing else "failed"
        return _cell(stack, ticket, status, reason=missing or _told(failed), **known), 0.0
    except WorkerLost as lost:
        return _cell(stack, ticket, "lost", reason=str(lost), **known), 0.0
    return _cell(stack, ticket, "ok", **known), later


def _first(team: Team, stack: Stack, job: Job, limit: float) -> float | None:
    """Seconds of the first call; None where it was stopped at the limit."""
    begun = time.monotonic()
    try:
        seconds: float = team.call(stack, "first", job.key, limit=limit)
    except WorkerLost:
        if time.monotonic() - begun < limit:
            raise  # it died, and of something else
        return None
    return seconds


def _stopped(stack: Stack, ticket: Ticket, statement: str, limit: float, compiled: bool) -> Cell:
    """A first call that was stopped. Where it compiles, that says nothing of the calls to come."""
    if compiled:
        reason = f"its first call, which compiles, took over {limit + _COMPILING:.2g} s"
        return _cell(stack, ticket, "too slow", reason=reason, statement=statement)
    return _cell(stack, ticket, "too slow", reason=f"> {limit:.2g} s a call", statement=statement, bound=limit)


def _told(failed: CallFailed) -> str:
    """The library's own words, one line of them."""
    line = next((line.strip() for line in failed.message.splitlines() if line.strip()), "")
    told = line if failed.kind == "ScriptFailed" else f"{failed.kind}: {line}".rstrip(": ")
    return told if len(told) <= 200 else told[:199] + "…"


def _taker(team: Team, stack: Stack, job: Job, limit: float) -> Callable[[float], float | None]:
    def take(seconds: float) -> float | None:
        try:
            if job.key not in team.ready[stack]:
                _again(team, stack, job, limit)
            taken: float = team.call(stack, "take", job.key, seconds, limit=_COMPILING + 10 * limit + seconds)
        except (CallFailed, WorkerLost):
            return None
        return taken

    return take


def _again(team: Team, stack: Stack, job: Job, limit: float) -> None:
    """Prepare a job once more on a process that was started again."""
    team.prepare(stack, job)
    team.call(stack, "first", job.key, limit=_COMPILING + limit)
    team.call(stack, "settle", job.key, limit=_COMPILING + limit)


def _closed(cell: Cell, timed: _Timed | None) -> Cell:
    """The cell with its slices; without any it was lost on the way."""
    if timed is None:
        return cell
    if not timed.slices:
        return replace(cell, status="lost", reason="its process was lost while it was timed")
    return replace(cell, slices=tuple(timed.slices))
