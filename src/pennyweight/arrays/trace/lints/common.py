"""What every lint works with: findings, and operations grouped by the line that they belong to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pennyweight.arrays.trace.look import Look, Site
from pennyweight.arrays.trace.operations import Operation, Where

Lint = Literal["outer", "promotion", "copy", "temporaries", "strided", "loop", "escape", "growth"]

SHARE = 0.05
"""Of the time of all array operations: what takes less is not worth a word."""
_BYTES_SHARE = 0.2


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A finding: what kind, where, which operations, in one sentence; their steady seconds and the bytes at stake."""

    kind: Lint
    where: Where
    operations: tuple[int, ...]
    sentence: str
    seconds: float
    num_bytes: int


def finding(look: Look, kind: Lint, operations: Sequence[Operation], sentence: str, num_bytes: int) -> Finding:
    """A finding about some operations of one line."""
    indices = tuple(op.index for op in operations)
    return Finding(
        kind=kind,
        where=operations[0].where,
        operations=indices,
        sentence=sentence,
        seconds=look.spent(indices),
        num_bytes=num_bytes,
    )


def grouped(look: Look, wanted: Callable[[Operation], bool]) -> dict[Site, list[Operation]]:
    """Operations that are wanted, by line."""
    chosen = {site: [op for op in ops if wanted(op)] for site, ops in look.by_site.items()}
    return {site: ops for site, ops in chosen.items() if ops}


def weighs(look: Look, ops: Sequence[Operation]) -> bool:
    """Whether operations take a part of the time that is worth a word, or move a large part of the bytes.

    Bytes are asked too because time is not always what it seems: beside another busy program the threads of a matrix
    product wait for each other, and all else looks small.
    """
    if look.spent([op.index for op in ops]) >= SHARE * look.total_seconds:
        return True
    return sum(op.read + op.written for op in ops) >= _BYTES_SHARE * look.total_bytes


def wall(look: Look, ops: Sequence[Operation]) -> float:
    """Wall seconds from the first of these operations to the last, as the program ran."""
    starts = [entry.start for op in ops if (entry := look.entries[op.index]).start]
    stops = [entry.stop for op in ops if (entry := look.entries[op.index]).stop]
    return (max(stops) - min(starts)) / 1e9 if starts and stops else 0.0
