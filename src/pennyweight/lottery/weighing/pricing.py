"""From the slices of a stack's benchmarks to its cost table."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from pennyweight.arrays.trace.families import FAMILIES, Family
from pennyweight.core.cost import CostTable, Rate
from pennyweight.core.machine import BusyWatch, this_machine
from pennyweight.core.stack import Stack
from pennyweight.lottery.weighing.microbench.benchmarks import Benchmark
from pennyweight.lottery.weighing.microbench.child import First
from pennyweight.lottery.weighing.predict import predict_seconds
from pennyweight.lottery.weighing.rounds import Series, estimate


@dataclass(kw_only=True)
class Measured(Series):
    """A benchmark on a stack, with what its first call took."""

    stack: Stack
    benchmark: Benchmark
    first: First


@dataclass(frozen=True, kw_only=True)
class Session:
    """When a weighing was, how long it took, and which part of the machine (0 to 1) others took meanwhile."""

    measured: str
    seconds: float
    busy: float


def cost_table(
    stack: Stack,
    own: Mapping[str, Measured],
    session: Session,
    *,
    cache_bytes: Mapping[str, int],
    software: Mapping[str, str],
    start_seconds: float,
    notes: Sequence[str] = (),
) -> CostTable:
    """The table of a stack out of its benchmarks by name; ``call`` and ``bandwidth/memory`` must be among them."""
    taken = {name: estimate(one.slices, busy=session.busy) for name, one in own.items()}
    work = {name: one.benchmark for name, one in own.items()}
    call = taken["call"]
    streams = {level: name for level in (*cache_bytes, "memory") if (name := f"bandwidth/{level}") in own}
    hidden = [level for level, name in streams.items() if level != "memory" and taken[name].value < 2 * call.value]
    machine = this_machine()
    table = CostTable(
        stack=str(stack),
        machine=asdict(machine),
        fingerprint=machine.fingerprint,
        measured=session.measured,
        seconds=session.seconds,
        busy=session.busy,
        software=software,
        cache_bytes=cache_bytes,
        call=call,
        bandwidth={
            level: _per_second(work[name].num_bytes, taken[name], call)
            for level, name in streams.items()
            if level not in hidden
        },
        rates={
            name: _per_second(work[name].operations, seconds, call)
            for name, seconds in taken.items()
            if name.partition("/")[0] in FAMILIES
        },
        statements={name: _described(one) for name, one in own.items()},
        intensities={name: one.operations / one.num_bytes for name, one in work.items() if one.num_bytes},
        first_calls={name: one.first.first_seconds for name, one in own.items()},
        start_seconds=start_seconds,
        notes=(
            *_busy_note(session),
            *(
                f"{level} is unknown: on arrays so small calling {stack.library} takes longer than the work"
                for level in hidden
            ),
            *notes,
        ),
    )
    checked = [name for name, one in work.items() if name.startswith("memory/") and _rate_name(one) in table.rates]
    return replace(table, checks={name: _check(table, work[name], taken[name]) for name in checked})


def _per_second(amount: float, taken: Rate, call: Rate) -> Rate:
    """What was done in a second, the call taken off; at most half of the time, or noise would make any rate."""

    def rate(whole: float, off: float) -> float:
        return amount / max(whole - off, whole / 2)

    return Rate(value=rate(taken.value, call.value), low=rate(taken.high, call.low), high=rate(taken.low, call.high))


def _check(table: CostTable, benchmark: Benchmark, taken: Rate) -> Rate:
    """Measured over predicted seconds of a benchmark whose arrays lie in memory."""
    predicted = predict_seconds(
        table,
        _family(benchmark),
        benchmark.dtype,
        operations=benchmark.operations,
        num_bytes=benchmark.num_bytes,
        reach=1.0,
    )
    return Rate(value=taken.value / predicted.value, low=taken.low / predicted.high, high=taken.high / predicted.low)


def _rate_name(benchmark: Benchmark) -> str:
    return f"{benchmark.statement}/{benchmark.dtype}"


def _family(benchmark: Benchmark) -> Family:
    return next(family for family in FAMILIES if family == benchmark.statement)


def _described(one: Measured) -> str:
    """What was run, for a reader: the statement and the size of its arrays."""
    benchmark = one.benchmark
    size = f"{benchmark.count:,}"
    matrix = benchmark.arrays in ("matrices", "system")
    return f"{one.first.statement}, {f'{size} x {size}' if matrix else f'{size} elements'}, {benchmark.dtype}"


def _busy_note(session: Session) -> list[str]:
    if session.busy <= BusyWatch.LIMIT:
        return []
    return [f"the machine was busy: other processes took {session.busy:.0%} of its processors; the bands are wider"]
