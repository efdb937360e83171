"""Why an idea loses on a stack: the hardware's part and the software's part, and what would have to be otherwise.

``t = limit(device) / efficiency(stack)``: the limit is what the device could do for the idea at best, the efficiency
the share of it that the stack reaches. So the ratio of two times is the ratio of the limits (the hardware lottery)
times that of the efficiencies (the software lottery), and nothing is left over.
"""

import math
from collections.abc import Mapping, Sequence

from pennyweight.core.cost import CostTable
from pennyweight.core.race import Interval
from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.board import Column, Sample
from pennyweight.lottery.holding.card import Cell, Loss, Surprise
from pennyweight.lottery.holding.limits import limits_of
from pennyweight.lottery.weighing.work import expected_seconds

SURPRISING = 2.0


def limits(cells: Sequence[Cell], tables: Sequence[CostTable]) -> dict[tuple[str, str, str], float]:
    """The device's least seconds for every cell whose work and device are known, by stack, size and idea."""
    by_stack = {name: limits_of(Stack.parse(name), tables) for name in {cell.stack for cell in cells}}
    known = {
        (cell.stack, cell.size, cell.idea): by_stack[cell.stack].seconds(cell.work)
        for cell in cells
        if cell.work is not None
    }
    return {key: seconds for key, seconds in known.items() if seconds is not None and seconds > 0}


def losses(columns: Sequence[Column], known: Mapping[tuple[str, str, str], float]) -> list[Loss]:
    """Every idea that is not first on a stack, with the parts of its loss where limits are known; the worst first."""
    found = [
        _loss(column, sample, column.samples[0], known)
        for column in columns
        for sample in column.samples
        if column.ranks[sample.idea] > 1
    ]
    return sorted(found, key=lambda loss: -loss.ratio.value)


def _loss(column: Column, loser: Sample, winner: Sample, known: Mapping[tuple[str, str, str], float]) -> Loss:
    limit, winners = (known.get((column.stack, column.size, one.idea)) for one in (loser, winner))
    parts: dict[str, float] = {}
    if limit is not None and winners is not None:
        reached, winner_reached = limit / loser.value, winners / winner.value
        parts = {
            "hardware": limit / winners,
            "software": winner_reached / reached,
            "reached": reached,
            "winner_reached": winner_reached,
            "needed": limit / winner.value,
        }
    return Loss(
        size=column.size,
        stack=column.stack,
        idea=loser.idea,
        winner=winner.idea,
        ratio=column.ratio(loser, winner),
        at_least=loser.at_least,
        **parts,
    )


def software_ratios(
    columns: Sequence[Column], known: Mapping[tuple[str, str, str], float], *, baseline: str, size: str
) -> dict[str, Interval]:
    """For each idea, the software's part of its time over the baseline's: from the least to the most of the stacks.

    The ends take in the intervals of the times; the value is the geometric mean. Ideas seen beside the baseline on
    fewer than two stacks are left out: one stack says nothing of another.
    """
    seen: dict[str, list[Interval]] = {}
    for column in columns:
        base = column.find(baseline)
        base_limit = known.get((column.stack, column.size, baseline))
        if column.size != size or base is None or base_limit is None:
            continue
        for sample in column.samples:
            limit = known.get((column.stack, column.size, sample.idea))
            if sample.idea != baseline and limit is not None and not sample.at_least:
                ratio = column.ratio(sample, base)
                hardware = limit / base_limit
                part = Interval(value=ratio.value / hardware, low=ratio.low / hardware, high=ratio.high / hardware)
                seen.setdefault(sample.idea, []).append(part)
    return {
        idea: Interval(
            value=math.exp(sum(math.log(part.value) for part in parts) / len(parts)),
            low=min(part.low for part in parts),
            high=max(part.high for part in parts),
        )
        for idea, parts in seen.items()
        if len(parts) > 1
    }


def surprises(columns: Sequence[Column], cells: Sequence[Cell], tables: Sequence[CostTable]) -> list[Surprise]:
    """Cells that took more than twice, or less than half, of what their own stack's table predicts; largest first."""
    by_stack = {table.stack: table for table in tables}
    works = {(cell.stack, cell.size, cell.idea): cell.work for cell in cells}
    found = []
    for column in columns:
        for sample in column.samples:
            work = works[(column.stack, column.size, sample.idea)]
            table = by_stack.get(column.stack)
            predicted = None if work is None or table is None else expected_seconds(work.steps, table)
            if predicted is None or sample.at_least:
                continue
            factor = sample.value / predicted
            if not 1 / SURPRISING <= factor <= SURPRISING:
                found.append(
                    Surprise(
                        size=column.size,
                        stack=column.stack,
                        idea=sample.idea,
                        seconds=sample.value,
                        predicted=predicted,
                        factor=factor,
                    )
                )
    return sorted(found, key=lambda one: -abs(math.log(one.factor)))
