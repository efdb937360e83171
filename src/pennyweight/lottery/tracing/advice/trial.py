"""Try a rewrite against what the program did: on the same inputs, in turns, with the numbers compared.

Nothing is believed of a rewrite. It is shown only when it was measured to be faster or smaller, with the error that
it was measured to make.
"""

import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pennyweight.arrays.statistics import Estimate, median
from pennyweight.arrays.trace.look import Look
from pennyweight.arrays.trace.operations import Where
from pennyweight.arrays.trace.replay import Replay, difference
from pennyweight.arrays.trace.tape import Entry
from pennyweight.core.machine import keep_memory
from pennyweight.lottery.tracing.advice.region import Arrays, Prepare, Way

_PAIRS = 9
_LEAST_PAIRS = 5
_MOST_SECONDS = 1.2
_PAIR_SECONDS = 2e-3
_WORST_ERROR = 1e-3
_FASTER, _SMALLER, _NOT_SLOWER = 0.9, 0.7, 1.1
_SMALL_BYTES = 1 << 20


def _as_it_is(result: Any) -> Any:
    return result


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A rewrite that could be tried: its name, where, when (the operation before which its inputs are all there).

    ``compared`` brings the program's result to the form of the rewrite's, for the comparison of their numbers.
    ``narrows``: the rewrite is meant to give a narrower type. ``runs`` is how often the program does this.
    """

    rewrite: str
    where: Where
    at: int
    advice: str
    prepare: Prepare
    compared: Callable[[Any], Any] = _as_it_is
    narrows: bool = False
    runs: int = 1


@dataclass(frozen=True, kw_only=True)
class Advice:
    """A rewrite that was tried and found better.

    ``time`` is the rewrite's time over the program's own, with its 95 % interval; ``bytes_before`` and ``bytes_after``
    are the most memory that each took beside its inputs; ``error`` is the largest error relative to the largest
    magnitude, 0 when equal to the bit.
    """

    rewrite: str
    where: Where
    advice: str
    time: Estimate
    seconds_before: float
    seconds_after: float
    bytes_before: int
    bytes_after: int
    error: float
    runs: int


def nothing() -> None:
    """For ways that write into nothing but their own results."""


def try_all(look: Look, proposals: Sequence[Proposal], *, seconds: float = 20.0) -> list[Advice]:
    """Try proposals on the arrays that the program had; keep those that are better, at most one for a line."""
    keep_memory()
    waiting: dict[int, list[Proposal]] = {}
    for proposal in proposals:
        waiting.setdefault(proposal.at, []).append(proposal)
    found: list[Advice] = []
    until = time.perf_counter() + seconds

    def visit(index: int, entry: Entry, arrays: Arrays) -> None:
        for proposal in waiting.pop(index, ()):
            if time.perf_counter() < until and (advice := try_one(proposal, arrays)) is not None:
                found.append(advice)

    if waiting:
        Replay(look.tape.raw).play(visit)
    best: dict[tuple[str, int], Advice] = {}
    for advice in found:
        place = advice.where[:2]
        if place not in best or advice.time.value < best[place].time.value:
            best[place] = advice
    return sorted(best.values(), key=lambda a: -(a.seconds_before - a.seconds_after) * a.runs)


def try_one(proposal: Proposal, arrays: Arrays) -> Advice | None:
    """Compare once for the numbers, once for the memory, then in turns for the time; None when it is no better."""
    try:
        before, after, reset = proposal.prepare(arrays)
        reset()
        expected = _copied(proposal.compared(before()))
        reset()
        error = _error(_copied(after()), expected, narrows=proposal.narrows)
        del expected
        if not error <= _WORST_ERROR:
            return None
        bytes_before, bytes_after = _peak(before, reset), _peak(after, reset)
        times = _in_turns(before, after, reset)
    except (ValueError, TypeError, IndexError, MemoryError):
        return None  # the rewrite does not fit these arrays; then it is no advice
    ratio = median([b / a for a, b in times])
    is_smaller = bytes_before > _SMALL_BYTES and bytes_after < _SMALLER * bytes_before and ratio.value < _NOT_SLOWER
    if ratio.high >= _FASTER and not is_smaller:
        return None
    return Advice(
        rewrite=proposal.rewrite,
        where=proposal.where,
        advice=proposal.advice,
        time=ratio,
        seconds_before=median([a for a, _ in times]).value,
        seconds_after=median([b for _, b in times]).value,
        bytes_before=bytes_before,
        bytes_after=bytes_after,
        error=error,
        runs=proposal.runs,
    )


def _in_turns(before: Way, after: Way, reset: Callable[[], None]) -> list[tuple[float, float]]:
    """Seconds of both ways, pair by pair; short ways are repeated within a pair."""
    repeats = max(1, int(_PAIR_SECONDS / max(1e-7, _time(before, reset, 1))))
    pairs: list[tuple[float, float]] = []
    until = time.perf_counter() + _MOST_SECONDS
    while len(pairs) < _PAIRS and (len(pairs) < _LEAST_PAIRS or time.perf_counter() < until):
        pairs.append((_time(before, reset, repeats), _time(after, reset, repeats)))
    return pairs


def _time(way: Way, reset: Callable[[], None], repeats: int) -> float:
    total = 0.0
    for _ in range(repeats):
        reset()
        start = time.perf_counter()
        way()
        total += time.perf_counter() - start
    return total / repeats


def _peak(way: Way, reset: Callable[[], None]) -> int:
    """The most bytes that a way allocates (NumPy tells tracemalloc of its arrays)."""
    reset()
    tracemalloc.start(1)
    try:
        way()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _copied(result: Any) -> Any:
    return np.array(result)


def _error(got: Any, expected: Any, *, narrows: bool) -> float:
    """The largest error relative to the largest magnitude; a narrower result is compared in the wider type."""
    if narrows and got.dtype.kind == expected.dtype.kind:
        got = got.astype(expected.dtype)
    return difference(got, expected)
