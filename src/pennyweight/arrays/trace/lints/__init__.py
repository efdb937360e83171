"""What is likely to be a mistake, or to cost for nothing, found on a tape.

Each lint is a function from a `Look` to findings. Lints that speak of speed speak only of what takes a part of the
program's time worth speaking of; whether another way is really faster is not theirs to say:
`pennyweight.lottery.tracing.advice` tries it.
"""

from collections.abc import Callable, Iterator

from pennyweight.arrays.trace.lints.common import Finding, Lint
from pennyweight.arrays.trace.lints.loops import escape, growth, loop
from pennyweight.arrays.trace.lints.memory import copy, strided, temporaries
from pennyweight.arrays.trace.lints.mistakes import outer, promotion
from pennyweight.arrays.trace.look import Look

__all__ = ["LINTS", "Finding", "Lint", "find"]

LINTS: tuple[Callable[[Look], Iterator[Finding]], ...] = (
    outer,
    promotion,
    copy,
    temporaries,
    strided,
    loop,
    escape,
    growth,
)


def find(look: Look) -> list[Finding]:
    """All findings, the costliest first; outer products and promotions, which change results, before all others."""
    found = [finding for lint in LINTS for finding in lint(look)]
    accidents = {finding.where[:2] for finding in found if finding.kind == "outer"}
    # A temporary that should not be there at all needs no advice about its size.
    found = [f for f in found if f.kind != "temporaries" or f.where[:2] not in accidents]
    return sorted(found, key=lambda f: (f.kind not in ("outer", "promotion"), -f.seconds))
