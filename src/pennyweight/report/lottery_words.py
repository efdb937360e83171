"""What a lottery says, in words and cells of tables: the same on a page and in a terminal."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from pennyweight.core.race import Interval
from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.card import Board, Card, Cell, Flip, Forecast, Loss, Place, Regret, Results, Surprise
from pennyweight.report.words import SPACE, moment, number, percent, score

NEVER = "never"
"""Of an idea that could not win on this device: at its limit it would still be behind the winner as it is."""


class Shown(NamedTuple):
    """A cell of the board: its rank, its time, and how many times the fastest of its stack; or why it has none."""

    rank: str
    time: str
    behind: str
    place: Place | None


def factor(ratio: float, *, at_least: bool = False) -> str:
    """``6.9×``, ``over 1,490×``: three digits at most."""
    return f"{'over ' if at_least else ''}{number(ratio, 3 if ratio < 100 else 2)}×"


def short(stack: str) -> str:
    """A stack for the head of a column: ``torch fp32 1t``, ``cuda torch bf16``."""
    parsed = Stack.parse(stack)
    threads = f" {parsed.threads}t" if parsed.threads else ""
    device = "" if parsed.device == "cpu" else f"{parsed.device} "
    return f"{device}{parsed.library} {parsed.precision}{threads}"


def interval(of: Interval, digits: int = 3) -> str:
    """The ends of an interval."""
    return f"{number(of.low, digits)}–{number(of.high, digits)}"


# --- the board ---


def shown(card: Card, board: Board | None, size: str, stack: str, idea: str) -> Shown:
    """What stands on the board for an idea on a stack."""
    cell = next(one for one in card.cells if (one.size, one.stack, one.idea) == (size, stack, idea))
    places = [] if board is None else [one for one in board.places if one.stack == stack]
    place = next((one for one in places if one.idea == idea), None)
    if place is None:
        return Shown("", moment(_median(cell)) if cell.slices else cell.status, "", None)
    fastest = min(one.time.value for one in places)
    rank = str(place.rank) if place.low == place.high else f"{place.rank} ({place.low}–{place.high})"
    time = f"{'> ' if place.at_least else ''}{moment(place.time.value)}"
    behind = "" if place.time.value == fastest else factor(place.time.value / fastest, at_least=place.at_least)
    return Shown(rank, time, behind, place)


def _median(cell: Cell) -> float:
    ordered = sorted(cell.slices)
    return ordered[len(ordered) // 2]


def failures(card: Card) -> list[str]:
    """What could not be ranked and why, a sentence for each reason of an idea on a stack."""
    found: dict[tuple[str, str, str, str], list[str]] = {}
    skipped = [cell for cell in card.cells if cell.status == "skipped"]
    for cell in card.cells:
        if cell.status not in ("ok", "skipped"):
            found.setdefault((cell.idea, cell.stack, cell.status, cell.reason), []).append(cell.size)
    sizes = list(dict.fromkeys(cell.size for cell in skipped))
    return [
        f"{idea} on {stack}{f', {joined(own)}' if len(card.sizes) > 1 else ''}: {status}, {reason}"
        for (idea, stack, status, reason), own in found.items()
    ] + ([f"{len(skipped)} cells at {joined(sizes)} were skipped: there was no time left"] if skipped else [])


# --- the index, flips, regrets ---


def verdict(card: Card) -> str:
    """The sentence that a reader takes away."""
    results = card.results
    if results is None:
        return card.refusal[0].upper() + card.refusal[1:] + "."
    stacks = len(card.stacks)
    if results.index is None:
        return f"No two of the {stacks} stacks order two of the ideas, so there is no lottery to be told of."
    first = "; ".join(
        f"{joined(ideas)}{', tied,' if len(ideas) > 1 else ''} on {joined(list(map(short, own)))}"
        for ideas, own in winners(results)
    )
    return f"First at {results.boards[0].size}: {first}. {changes(results)}."


def joined(words: Sequence[str]) -> str:
    """``a, b and c``."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def changes(results: Results) -> str:
    """How many pairs of ideas change places between stacks."""
    pairs = {frozenset((flip.ahead, flip.behind)) for flip in results.flips}
    if not pairs:
        return "No pair of ideas clearly changes places between stacks"
    if len(pairs) == 1:
        return "1 pair of ideas changes places between stacks"
    return f"{len(pairs)} pairs of ideas change places between stacks"


def winners(results: Results) -> list[tuple[list[str], list[str]]]:
    """Who is first on which stacks at the first size: groups of ideas that share the rank, with their stacks."""
    by_stack: dict[str, list[str]] = {}
    for place in results.boards[0].places:
        if place.rank == 1:
            by_stack.setdefault(place.stack, []).append(place.idea)
    ordered = sorted(by_stack.items(), key=lambda one: sorted(one[1]))
    return [
        (list(ideas), [stack for stack, _ in own])
        for ideas, own in groupby(ordered, key=lambda one: tuple(sorted(one[1])))
    ]


def index_sentence(results: Results) -> str:
    """The lottery index with what it means."""
    if results.index is None:
        return "The lottery index is unknown: it takes two stacks that order two ideas."
    sizes = ""
    if len(results.boards) > 1:
        known = [f"{number(b.index.value, 2)} at {b.size}" for b in results.boards if b.index is not None]
        sizes = f" ({', '.join(known)})"
    ends = interval(results.index, 2)
    return (
        f"The lottery index is {score(results.index.value, 2)}, {ends} at 95{SPACE}%{sizes}. It is 1 less the mean of"
        " Kendall's tau between stacks: 0 when all order the ideas alike, 1 when one stack's order says nothing of"
        " another's, 2 when it is turned over."
    )


def flip_sentence(flip: Flip) -> str:
    """A pair that changes places."""
    by, back = factor(flip.by.value, at_least=flip.by_at_least), factor(flip.back.value, at_least=flip.back_at_least)
    return (
        f"{flip.ahead} is {by} faster than {flip.behind} on {short(flip.stack)}, and {flip.behind} is {back} faster"
        f" than {flip.ahead} on {short(flip.elsewhere)}"
    )


def regret_sentence(results: Results) -> str:
    """The worst price of choosing on one stack and running on another."""
    if not results.regrets:
        return ""
    broken = [one for one in results.regrets if one.factor is None]
    priced = [one for one in results.regrets if one.factor is not None]
    told = []
    if broken:
        told.append(f"{_chosen(broken[0])} is not to be had on {short(broken[0].run_on)}")
    if priced and (priced[0].factor or 1.0) > 1.0:
        told.append(f"{_chosen(priced[0])} costs {factor(priced[0].factor or 1.0)} on {short(priced[0].run_on)}")
    if not told:
        return "What one stack chooses is right on all others."
    return f"The worst regret: {'; and '.join(told)}."


def _chosen(regret: Regret) -> str:
    return f"{regret.idea}, chosen on {short(regret.chosen_on)} at {regret.size},"


# --- why, and elsewhere ---


def parts_words(loss: Loss) -> tuple[str, str]:
    """The hardware's part and the software's part of a loss; both empty where they are not known."""
    if loss.hardware is None or loss.software is None:
        return "", ""
    return factor(loss.hardware), factor(loss.software, at_least=loss.at_least)


def counterfactual(loss: Loss) -> tuple[str, str]:
    """The share of its limit that the loser reaches, and the share at which it would draw level, or that it cannot."""
    if loss.needed is None or loss.reached is None:
        return "", ""
    reached = f"{'under ' if loss.at_least else ''}{percent(loss.reached)}"
    return reached, NEVER if loss.needed > 1 else percent(loss.needed)


def surprise_sentence(one: Surprise) -> str:
    """A cell that its stack's cost table did not foresee."""
    slower = one.factor > 1
    ratio = factor(one.factor if slower else 1 / one.factor)
    return (
        f"{one.idea} on {short(one.stack)} at {one.size} is {ratio} {'slower' if slower else 'faster'} than its steps"
        f" should be: {moment(one.seconds)}, foreseen {moment(one.predicted)}"
    )


class Elsewhere(NamedTuple):
    """An idea on the devices of the catalogue, beside the baseline."""

    idea: str
    best: Forecast
    worst: Forecast
    faster: int
    slower: int
    total: int


def elsewhere(results: Results) -> list[Elsewhere]:
    """For each idea the devices whose limits suit it best and worst, and on how many its order is beyond doubt."""
    found = []
    for idea, group in groupby(results.forecasts, key=lambda one: one.idea):
        own = list(group)
        faster, slower = sum(one.high < 1 for one in own), sum(one.low > 1 for one in own)
        found.append(Elsewhere(idea, own[0], own[-1], faster, slower, len(own)))
    return found


def range_words(low: float, high: float) -> str:
    """A ratio of times that is only known to lie between two ends."""
    return f"{number(low, 2)}–{number(high, 2)}×"


def elsewhere_sentence(one: Elsewhere, baseline: str) -> str:
    """An idea's outlook."""
    open_ones = one.total - one.faster - one.slower
    return (
        f"suited best by {one.best.name}, {range_words(one.best.low, one.best.high)} the time of {baseline}, least by"
        f" {one.worst.name}, {range_words(one.worst.low, one.worst.high)}; of {one.total} devices faster on"
        f" {one.faster}, slower on {one.slower}, open on {open_ones}"
    )


def told(sentences: Sequence[str], most: int) -> list[str]:
    """The first few, and how many more there are."""
    more = len(sentences) - most
    return [*sentences[:most], *([f"and {more} more on the page"] if more > 0 else [])]
