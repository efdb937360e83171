"""The board of a lottery: which idea comes first on each stack, where the order flips, and one number for how often.

Pure functions of cells; no clock. Everything rests on one bootstrap: the slices of each cell are resampled, and the
medians of the resamples are carried through ranks and correlations (Efron and Tibshirani 1993, chapter 13).

- A run's slices cannot tell how the next run would differ. So each resample is also off by a factor of its own, within
  3 % in 19 of 20 cases: that far this kind of clock wanders between processes. On a machine that others used by the
  part ``busy``, more than a tenth, a time is known to that part and no better, and the factor is as wide.
- The order of two ideas on a stack is clear when the 95 % interval of the ratio of their times leaves out 1.
- Ideas share a rank unless each of the faster ones is clearly ahead of each of the slower ones.
"""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, permutations

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from pennyweight.arrays.correlation import kendall
from pennyweight.core.machine import BusyWatch
from pennyweight.core.race import Interval
from pennyweight.lottery.holding.card import Board, Cell, Flip, Place, Regret

RESAMPLES = 1000
WANDER = 1.03
REFUSED = 0.25
"""The part of a machine that others may use before nothing is concluded from times taken on it."""
_TAILS = (0.025, 0.975)
_NINETEEN_OF_TWENTY = 1.96  # standard deviations of a normal distribution


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A cell's median time and those of its resamples; ``at_least`` where it is a lower bound."""

    idea: str
    value: float
    draws: Float[NDArray[np.float64], " resamples"]
    at_least: bool = False


@dataclass(frozen=True, kw_only=True)
class Column:
    """The ranked cells of one stack at one size, from the fastest."""

    stack: str
    size: str
    samples: tuple[Sample, ...]

    def clear(self, faster: Sample, slower: Sample) -> bool:
        """Whether one is faster than the other beyond doubt."""
        return self.ratio(slower, faster).low > 1

    def ratio(self, over: Sample, under: Sample) -> Interval:
        """The ratio of two times with its 95 % interval."""
        low, high = np.quantile(over.draws / under.draws, _TAILS)
        value = over.value / under.value
        return Interval(value=value, low=float(min(low, value)), high=float(max(high, value)))

    @cached_property
    def ranks(self) -> dict[str, int]:
        """Each idea's rank: 1 for all that nobody is clearly ahead of, and so on; ties share one."""
        ranks: dict[str, int] = {}
        for place, sample in enumerate(self.samples):
            apart = all(self.clear(a, b) for a in self.samples[:place] for b in self.samples[place:])
            ranks[sample.idea] = place + 1 if apart else ranks[self.samples[place - 1].idea]
        return ranks

    def drawn(self, names: Sequence[str]) -> Float[NDArray[np.float64], "resamples ideas"]:
        """The resampled times of some ideas."""
        by_name = {sample.idea: sample.draws for sample in self.samples}
        return np.stack([by_name[name] for name in names], axis=1)

    def find(self, idea: str) -> Sample | None:
        """An idea's sample where it was ranked here."""
        return next((sample for sample in self.samples if sample.idea == idea), None)


def columns(cells: Sequence[Cell], *, busy: float = 0.0) -> list[Column]:
    """The ranked cells by size and stack, in their order; a cell without a time is in none.

    A cell that was stopped is ranked last when it took longer than all others of its column do, and else not at all.
    """
    found = []
    for size in dict.fromkeys(cell.size for cell in cells):
        for stack in dict.fromkeys(cell.stack for cell in cells if cell.size == size):
            own = [cell for cell in cells if (cell.size, cell.stack) == (size, stack)]
            samples = sorted((sample_of(cell, busy) for cell in own if cell.slices), key=lambda sample: sample.value)
            slowest = max((seconds(sample).high for sample in samples), default=0.0)
            for cell in own:
                if not cell.slices and cell.bound is not None and cell.bound > slowest:
                    draws = np.full(RESAMPLES, cell.bound)
                    samples.append(Sample(idea=cell.idea, value=cell.bound, draws=draws, at_least=True))
            found.append(Column(stack=stack, size=size, samples=tuple(samples)))
    return found


def wander(busy: float) -> float:
    """The factor by which a time may be off, in 19 of 20 cases."""
    return 1 / (1 - busy) if BusyWatch.LIMIT < busy <= REFUSED else WANDER


def sample_of(cell: Cell, busy: float = 0.0) -> Sample:
    """The median of a cell's slices, and those of its resamples, each off by a factor of its own."""
    slices = np.asarray(cell.slices)
    generator = np.random.default_rng(zlib.crc32(f"{cell.stack} {cell.size} {cell.idea}".encode()))
    chosen = generator.integers(0, len(slices), (RESAMPLES, len(slices)))
    off = np.exp(generator.normal(0.0, math.log(wander(busy)) / _NINETEEN_OF_TWENTY, RESAMPLES))
    return Sample(idea=cell.idea, value=float(np.median(slices)), draws=np.median(slices[chosen], axis=1) * off)


def seconds(sample: Sample) -> Interval:
    """A cell's time with its 95 % interval."""
    low, high = np.quantile(sample.draws, _TAILS)
    return Interval(value=sample.value, low=float(min(low, sample.value)), high=float(max(high, sample.value)))


# --- boards ---


def board(own: Sequence[Column]) -> Board:
    """The ranks of one size with their intervals, and the index over its stacks."""
    places = []
    for column in own:
        if not column.samples:
            continue
        drawn = np.argsort(np.argsort(column.drawn([s.idea for s in column.samples]), axis=1), axis=1) + 1
        low, high = np.quantile(drawn, _TAILS, axis=0, method="nearest").astype(int)
        for place, sample in enumerate(column.samples):
            rank = column.ranks[sample.idea]
            places.append(
                Place(
                    stack=column.stack,
                    idea=sample.idea,
                    time=seconds(sample),
                    rank=rank,
                    low=int(min(low[place], rank)),
                    high=int(max(high[place], rank)),
                    at_least=sample.at_least,
                )
            )
    return Board(size=own[0].size, places=tuple(places), index=lottery_index(own))


def lottery_index(own: Sequence[Column]) -> Interval | None:
    """1 less the mean of Kendall's tau-b over all pairs of stacks, ties as ties: 0 where all order the ideas alike.

    1 is what unrelated orders give, 2 opposite ones. A pair of stacks counts with the ideas that both ranked, and
    not at all where they order fewer than two, or all is tied on one. The interval is that of the orders that the
    resamples have, without ties: an order that is not clear may be either.
    """
    taus, drawn = [], []
    for one, other in combinations(own, 2):
        names = [sample.idea for sample in one.samples if other.find(sample.idea)]
        if len(names) < 2:
            continue
        here, there = (np.array([c.ranks[name] for name in names], float) for c in (one, other))
        taus.append(float(kendall(here, there)))
        drawn.append(kendall(one.drawn(names), other.drawn(names)))
    known = [tau for tau in taus if not math.isnan(tau)]
    if not known:
        return None
    value = round(1 - float(np.mean(known)), 12)  # the roots in tau-b leave a zero at 2e-16
    low, high = np.quantile(1 - np.nanmean(np.stack(drawn), axis=0), _TAILS).round(12)
    return Interval(value=value, low=float(min(low, value)), high=float(max(high, value)))


def mean_index(boards: Sequence[Board]) -> Interval | None:
    """The mean over sizes: of the values, and of the ends of their intervals."""
    known = [one.index for one in boards if one.index is not None]
    if not known:
        return None
    value, low, high = (float(np.mean([getattr(one, end) for one in known])) for end in ("value", "low", "high"))
    return Interval(value=value, low=low, high=high)


# --- flips and regrets ---


def flips(all_columns: Sequence[Column]) -> list[Flip]:
    """Pairs of ideas that are clearly ordered one way on one stack and the other way on another, the largest first."""
    found = []
    for size in dict.fromkeys(column.size for column in all_columns):
        own = [column for column in all_columns if column.size == size]
        ideas = sorted({sample.idea for column in own for sample in column.samples})
        found += [flip for a, b in combinations(ideas, 2) if (flip := _flip(size, a, b, own)) is not None]
    return sorted(found, key=lambda flip: -flip.extent)


def _flip(size: str, a: str, b: str, own: Sequence[Column]) -> Flip | None:
    """The two stacks on which a pair's order differs most; ``ahead`` is the one that wins by more."""
    wins: dict[str, list[tuple[Interval, str, bool]]] = {a: [], b: []}
    for column in own:
        pair = {sample.idea: sample for sample in column.samples if sample.idea in (a, b)}
        if len(pair) == 2:
            for winner, loser in ((a, b), (b, a)):
                if column.clear(pair[winner], pair[loser]):
                    ratio = column.ratio(pair[loser], pair[winner])
                    wins[winner].append((ratio, column.stack, pair[loser].at_least))
    if not (wins[a] and wins[b]):
        return None
    best = {idea: max(won, key=lambda one: one[0].value) for idea, won in wins.items()}
    ahead, behind = sorted((a, b), key=lambda idea: -best[idea][0].value)
    (by, stack, by_at_least), (back, elsewhere, back_at_least) = best[ahead], best[behind]
    return Flip(
        size=size,
        ahead=ahead,
        behind=behind,
        stack=stack,
        elsewhere=elsewhere,
        by=by,
        back=back,
        by_at_least=by_at_least,
        back_at_least=back_at_least,
        extent=by.value * back.value,
        num_ahead=len(wins[ahead]),
        num_behind=len(wins[behind]),
    )


def regrets(all_columns: Sequence[Column]) -> list[Regret]:
    """For every two stacks: how much slower the one's winner is on the other than that one's own, the worst first."""
    found = []
    for chosen_on, run_on in permutations([column for column in all_columns if column.samples], 2):
        if chosen_on.size != run_on.size:
            continue
        best, choice = run_on.samples[0], run_on.find(chosen_on.samples[0].idea)
        factor = None if choice is None or choice.at_least else choice.value / best.value
        found.append(
            Regret(
                size=run_on.size,
                chosen_on=chosen_on.stack,
                run_on=run_on.stack,
                idea=chosen_on.samples[0].idea,
                factor=factor,
            )
        )
    return sorted(found, key=lambda one: -(math.inf if one.factor is None else one.factor))
