"""Weigh this machine: a cost table for each stack, out of micro-benchmarks taken in turns within a budget.

What disturbs a measurement lasts from a millisecond (another process) to minutes (a neighbour, the clock). So
all benchmarks of all stacks are run in short slices, in rounds over the whole time (`rounds`). A slice gives
the low decile of its calls, which short interference misses; a table holds the median of the slices.
"""

import importlib.util
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

import psutil

from pennyweight.core.cost import CostTable, Rate
from pennyweight.core.errors import UserError, WorkFailed
from pennyweight.core.machine import BusyWatch, this_machine, usable_cores
from pennyweight.core.stack import Library, Stack
from pennyweight.lottery.weighing.microbench.benchmarks import (
    DTYPES,
    Benchmark,
    benchmarks,
    contraction,
    memory_bytes,
    sizes_of,
)
from pennyweight.lottery.weighing.microbench.child import First
from pennyweight.lottery.weighing.pricing import Measured, Session, cost_table
from pennyweight.lottery.weighing.processor import cache_bytes, usable
from pennyweight.lottery.weighing.rounds import least_seconds, measure
from pennyweight.lottery.weighing.worker import CallFailed, Worker, WorkerLost

_CHILD = "pennyweight.lottery.weighing.microbench.child"
_PRECISIONS: dict[Library, tuple[str, ...]] = {"numpy": ("fp64", "fp32"), "torch": ("fp32", "bf16"), "jax": ("fp32",)}
_MEMORY_SHARE = 1 / 16  # of what is available; there may be six processes
_CLOSING_SECONDS = 0.4
_BRIEF = 30.0
_LIMIT = 30.0
_NEEDED = {"call", "bandwidth/memory"}
_NOTES = {"jax": ["jax writes each result into a new array, and its numbers hold what making one costs"]}

Report = Callable[[str, float], None]
"""Hears the stage of the weighing and the part of it (0 to 1) that is done."""


def default_stacks(seconds: float) -> list[Stack]:
    """NumPy, PyTorch and, where it is installed, JAX on one core and on all; PyTorch on a CUDA device.

    In less than half a minute there is no time for those on one core.
    """
    threads = sorted({1, usable_cores()})[-1 if seconds < _BRIEF else 0 :]
    names = [
        f"cpu/{library}/{precision}/{number}t"
        for library, precisions in _PRECISIONS.items()
        if importlib.util.find_spec(library)
        for number in threads
        for precision in precisions
    ]
    names += [f"cuda/torch/{precision}" for precision in ("fp32", "bf16") if this_machine().accelerator]
    return [Stack.parse(name) for name in names]


def require_weighable(stack: Stack) -> None:
    """Refuse a stack that cannot be weighed here, and say why."""
    if stack.library not in _PRECISIONS or (stack.device, stack.library) == ("cuda", "jax"):
        raise UserError(f"stack {stack}", expected="numpy or jax on the cpu, or torch", hint="try cpu/numpy/fp64/1t")
    if not importlib.util.find_spec(stack.library):
        raise UserError(
            f"stack {stack}", expected=f"{stack.library} to be installed", hint=f"pip install {stack.library}"
        )
    if stack.device == "cuda" and not this_machine().accelerator:
        raise UserError(f"stack {stack}", expected="a CUDA device", hint="try cpu/torch/bf16")
    if stack.threads > usable_cores():
        raise UserError(f"stack {stack}", expected=f"at most {usable_cores()} threads here")


class _Team:
    """The processes of a weighing: one for each device, library and number of threads, whatever the precision.

    A process that is lost is started again when it is asked next.
    """

    def __init__(self, stacks: Sequence[Stack]) -> None:
        # JAX has 64-bit types only where its process was started with them.
        self._first = {_process(stack): stack for stack in sorted(stacks, key=lambda stack: stack.precision)}
        self._workers: dict[str, Worker] = {}
        self.start_seconds: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers.values():
            worker.close()

    def call(self, stack: Stack, function: str, *arguments: Any, limit: float = _LIMIT) -> Any:
        """Run a function of the child's module on the process of a stack."""
        process = _process(stack)
        if process not in self._workers or not self._workers[process].alive:
            self._workers[process] = Worker(self._first.get(process, stack))
            self.start_seconds.setdefault(process, self._workers[process].start_seconds)
        return self._workers[process].call(f"{_CHILD}:{function}", *arguments, limit=limit)


def _process(stack: Stack) -> str:
    return str(replace(stack, precision="fp32"))


def weigh(
    stacks: Sequence[Stack], *, seconds: float, spent: float = 0.0, report: Report | None = None
) -> list[CostTable]:
    """Measure the stacks within a total time and return their tables; nothing is written.

    ``spent`` seconds of the total are gone already, or promised to what comes after.
    Raises `UserError` for a stack that this machine has not and for a time that is too short, `WorkFailed` when
    no stack could be measured. What a stack cannot run is absent from its table and named in its notes.
    """
    started = time.monotonic()
    report = report or (lambda stage, done: None)
    watch = BusyWatch()
    for stack in stacks:
        require_weighable(stack)
    report("starting", 0.0)
    with _Team(stacks) as team:
        caches = _caches(team, stacks)
        measured, refused = _begin_all(team, _work(stacks, caches), report)
        left = seconds - spent - _CLOSING_SECONDS - (time.monotonic() - started)
        if (least := least_seconds(measured)) > left:
            raise UserError(
                f"weigh budget {seconds:g}s",
                expected=f"at least {math.ceil(seconds - left + least)}s for {len(stacks)} of this machine's stacks",
                hint="give more time, or fewer stacks with --stack",
            )
        measure(measured, seconds=left, report=lambda done: report("measuring", done))
        known = {stack: own for stack in stacks if (own := _by_name(measured, stack)).keys() >= _NEEDED}
        if not known:
            raise WorkFailed(f"no stack could be weighed: {refused[0][1] if refused else 'all processes were lost'}")
        software = {stack: team.call(stack, "software", str(stack)) for stack in known}
    session = Session(
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=time.monotonic() - started,
        busy=watch.share(),  # now that the children have been waited for; before, they would be others
    )
    tables = {
        stack: cost_table(
            stack,
            own,
            session,
            cache_bytes=caches[stack.device].usable,
            software=software[stack],
            start_seconds=team.start_seconds[_process(stack)],
            notes=[
                *caches[stack.device].notes,
                *_NOTES.get(stack.library, []),
                *(note for of, note in refused if of == stack or of not in known),
            ],
        )
        for stack, own in known.items()
    }
    return [_with_siblings(stack, tables) for stack in tables]


def _by_name(measured: Sequence[Measured], stack: Stack) -> dict[str, Measured]:
    return {one.benchmark.name: one for one in measured if one.stack == stack and one.slices}


def _begin_all(
    team: _Team, work: Sequence[tuple[Stack, Benchmark]], report: Report
) -> tuple[list[Measured], list[tuple[Stack, str]]]:
    """First calls of all benchmarks; those that a stack cannot run, or does not survive, as sentences."""
    measured, refused = [], []
    for number, (stack, benchmark) in enumerate(work):
        report("first calls", number / len(work))
        try:
            measured.append(_begin(team, stack, benchmark))
        except (CallFailed, WorkerLost) as error:
            said = error.message if isinstance(error, CallFailed) else str(error)
            refused.append((stack, f"{stack} has no {benchmark.name}: {said.strip().splitlines()[0][:200]}"))
    return measured, refused


def _begin(team: _Team, stack: Stack, benchmark: Benchmark) -> Measured:
    first: First = team.call(stack, "begin", str(stack), benchmark)

    def take(seconds: float) -> float | None:
        try:
            low: float = team.call(stack, "take", str(stack), benchmark, seconds, limit=_LIMIT + seconds)
        except (CallFailed, WorkerLost):
            return None
        return low

    return Measured(take=take, call_seconds=first.call_seconds, stack=stack, benchmark=benchmark, first=first)


# --- what is measured, on what ---


@dataclass(frozen=True, kw_only=True)
class _Caches:
    """A device's caches in bytes by level: as reported, and as a sweep shows them."""

    reported: dict[str, int]
    usable: dict[str, int]

    @property
    def notes(self) -> list[str]:
        return [
            f"{level} is reported to hold {size >> 20} MiB; a stream finds about {self.usable[level] >> 20} MiB of it"
            for level, size in self.reported.items()
            if self.usable[level] < 0.7 * size
        ]


def _caches(team: _Team, stacks: Sequence[Stack]) -> dict[str, _Caches]:
    """The caches of each device that the stacks need."""
    found = {}
    if any(stack.device == "cpu" for stack in stacks):
        reported = cache_bytes()
        *_, before, last = (0, *reported.values())
        sweeper = next((stack for stack in stacks if stack.library == "numpy"), Stack(library="numpy", threads=1))
        sweep = team.call(sweeper, "sweep", 2 * before or last // 4, memory_bytes(reported, _limit_bytes()))
        found["cpu"] = _Caches(reported=reported, usable=usable(reported, sweep))
    if cuda := [stack for stack in stacks if stack.device == "cuda"]:
        reported = team.call(cuda[0], "accelerator_caches")
        found["cuda"] = _Caches(reported=reported, usable=reported)
    return found


def _limit_bytes() -> int:
    """How large the arrays in memory of one process may be together."""
    return int(psutil.virtual_memory().available * _MEMORY_SHARE)


def _work(stacks: Sequence[Stack], caches: Mapping[str, _Caches]) -> list[tuple[Stack, Benchmark]]:
    """All benchmarks of all stacks; what does not depend on the precision is measured on its process's first."""
    limit = _limit_bytes()
    work: list[tuple[Stack, Benchmark]] = []
    for stack in stacks:
        own = caches[stack.device]
        sizes = sizes_of(stack, own.reported, usable=own.usable, limit_bytes=limit)
        work += [(stack, benchmark) for benchmark in benchmarks(DTYPES[stack.precision], sizes)]
        if _process(stack) not in map(_process, stacks[: stacks.index(stack)]):
            extra = ["int8"] if stack.library != "torch" or _has(stacks, stack, "fp64") else ["int8", "float64"]
            work += [(stack, contraction(dtype, sizes)) for dtype in extra]
    return work


def _has(stacks: Sequence[Stack], stack: Stack, precision: str) -> bool:
    return any(_process(one) == _process(stack) and one.precision == precision for one in stacks)


def _with_siblings(stack: Stack, tables: Mapping[Stack, CostTable]) -> CostTable:
    """A stack's table with the rates in other dtypes that its process was measured with."""
    rates: dict[str, Rate] = {}
    for other, table in tables.items():
        if _process(other) == _process(stack):
            rates |= dict(table.rates)
    return replace(tables[stack], rates=rates)
