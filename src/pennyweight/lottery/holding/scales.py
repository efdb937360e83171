"""The cost tables that a lottery needs: those kept of this machine, or a short weighing of the most telling stacks."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

from pennyweight.core.cost import CostTable
from pennyweight.core.errors import UserError, WorkFailed
from pennyweight.core.machine import this_machine
from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.board import REFUSED
from pennyweight.lottery.weighing.tables import load_tables, make_room, save_tables
from pennyweight.lottery.weighing.weigh import weigh

_MOST_SECONDS, _SHARE = 25.0, 0.3
_EACH = 5.0
"""Seconds in which a stack can be weighed, its process started and its first calls made."""

Report = Callable[[str, float], None]


def usable_tables(cache: Path) -> list[CostTable]:
    """Tables of this machine, from when it was not busy."""
    return [t for t in load_tables(cache, fingerprint=this_machine().fingerprint) if t.busy <= REFUSED]


def tables_for(
    stacks: Sequence[Stack], *, cache: Path, seconds: float, report: Report | None = None
) -> tuple[list[CostTable], list[str]]:
    """This machine's tables, and notes; ``seconds`` is the whole budget, of which a weighing takes the smaller part.

    Tables from a machine that was busy are not used. Where a device of the stacks has no table, its most telling
    stacks are weighed and kept; without time for that, a note says that losses cannot be split.
    """
    say = report or (lambda stage, done: None)
    kept = usable_tables(cache)
    missing = missing_devices(stacks, kept)
    if not missing:
        return kept, []
    allowed = min(_MOST_SECONDS, _SHARE * seconds)
    chosen = telling_stacks(missing)[: int(allowed / _EACH)]
    try:
        if not chosen:
            raise UserError(f"{allowed:g} s", expected=f"at least {_EACH:g} s for a weighing")
        make_room(cache)
        found = weigh(chosen, seconds=allowed, report=lambda stage, done: say("weighing this machine", done))
    except (UserError, WorkFailed):
        named = ", ".join(_named(device, threads) for device, threads in missing)
        return kept, [f"{named} was not weighed: losses are not split there (pennyweight weigh does it once)"]
    if found[0].busy <= REFUSED:
        save_tables(found, cache)
    return [*kept, *found], []


def _named(device: str, threads: int) -> str:
    return f"{device} with {threads} thread{'' if threads == 1 else 's'}" if threads else device


def missing_devices(stacks: Sequence[Stack], tables: Sequence[CostTable]) -> list[tuple[str, int]]:
    """Devices, with their threads, that the stacks use and no table tells of; those with the most threads first.

    NumPy's tables alone do not tell what a device can do in 8 and 16 bits.
    """
    telling = [stack for table in tables if (stack := Stack.parse(table.stack)).library != "numpy"]
    weighed = {(stack.device, stack.threads) for stack in telling}
    used = {(stack.device, stack.threads) for stack in stacks}
    return sorted(used - weighed, key=lambda one: (one[0], -one[1]))


def telling_stacks(missing: Sequence[tuple[str, int]]) -> list[Stack]:
    """What to weigh, the most telling first: torch tells rates in four formats, the others what they predict."""

    def stacks(library: str, *precisions: str) -> list[Stack]:
        return [
            Stack.parse(f"{device}/{library}/{precision}{f'/{threads}t' if threads else ''}")
            for device, threads in missing
            for precision in precisions
            if device == "cpu" or library == "torch"
        ]  # fmt: skip

    more = [one for library in ("numpy", "jax") if importlib.util.find_spec(library) for one in stacks(library, "fp32")]
    return [*stacks("torch", "fp32", "bf16"), *more]
