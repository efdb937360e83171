"""What a search says in words: the answer, why it differs by stack, and the table of candidates."""

from collections.abc import Mapping

import numpy as np

from pennyweight.arrays.correlation import kendall
from pennyweight.blocks.pattern import Pattern
from pennyweight.methods.par.search.menu import Prices
from pennyweight.methods.par.search.result import Candidate, Elsewhere, SearchResult
from pennyweight.report.words import change, moment, number, score, size, times

WORDS = {
    "a": "attention",
    "w": "windowed attention",
    "f": "feed-forward",
    "f2": "feed-forward, half as wide",
    "f1": "feed-forward, a quarter as wide",
    "i": "nothing",
}
"""The kinds of block for people."""


def candidate_of(result: SearchResult, name: str) -> Candidate:
    """A candidate by its name."""
    return next(one for one in result.candidates if one.name == name)


def reference_of(result: SearchResult) -> Candidate:
    """The candidate that has the reference's pattern."""
    return next(one for one in result.candidates if one.origin == "reference")


def ranked(result: SearchResult) -> list[Candidate]:
    """The candidates within the limits, the best on validation first; the reference last."""
    order = sorted(result.candidates, key=lambda one: one.after, reverse=result.better == "higher")
    return [*(one for one in order if one.origin != "reference"), reference_of(result)]


def priced(prices: Mapping[str, float]) -> str:
    """The price of attention in feed-forward blocks, or "" where one of the two has none."""
    attention, feedforward = prices.get("a", 0.0), prices.get("f", 0.0)
    return f"{score(attention / feedforward, 2)} feed-forward blocks" if attention and feedforward else ""


def short_name(name: str) -> str:
    """Of a candidate that several proposed the first of them."""
    first, _, others = name.partition("; ")
    return f"{first} (+{others.count('; ') + 1})" if others else first


def cost_of(one: Candidate, quantity: str) -> float:
    """What a candidate costs in a quantity: measured where it was, else counted."""
    use = quantity.partition(" ")[0]
    return one.measured[use].value if use in one.measured else one.costs[quantity]


def prices_sentence(prices: Prices, stack: str) -> str:
    """What blocks cost on a stack, in a sentence."""
    if prices.unit != "s":
        costs = ", ".join(f"{letter} {_cost(cost, prices.unit)}" for letter, cost in prices.blocks.items())
        return f"{prices.quantity} on {stack}: {costs}; all else {_cost(prices.fixed, prices.unit)}"
    costs = ", ".join(f"{letter} {moment(cost)}" for letter, cost in prices.blocks.items() if cost)
    told = priced(prices.blocks)
    worth = f"; attention costs {told}" if told else ""
    return f"{prices.quantity} on {stack}: {costs}, all else {moment(prices.fixed)}{worth}"


def answer(result: SearchResult) -> list[str]:
    """What was found and what it costs, how it stands beside the rivals, and why it would differ elsewhere."""
    return [
        sentence for sentence in (found_sentence(result), rivals_sentence(result), stacks_sentence(result)) if sentence
    ]


def found_sentence(result: SearchResult) -> str:
    """What was found, against the reference."""
    found, reference = candidate_of(result, result.found), reference_of(result)
    costs = []
    for quantity in result.limits:
        use = quantity.partition(" ")[0]
        told = found.costs[quantity] / reference.costs[quantity]
        if use in found.measured:
            seen = found.measured[use].value / reference.measured[use].value
            costs.append(f"{times(seen)} the {quantity} as measured ({times(told)} foreseen)")
        else:
            costs.append(f"{times(told)} the {quantity}")
    better = change(found.value / reference.value, result.metric)
    return (
        f"Found {found.pattern} (by {found.name}): {', '.join(costs)} of {reference.pattern}, "
        f"{score(found.value)} {result.unit} on the test text against {score(reference.value)} ({better})."
    )


def rivals_sentence(result: SearchResult) -> str:
    """Where the searchers' patterns stand among the rivals within the same limits, on this one seed."""
    order = [one for one in ranked(result) if one.origin != "reference"]
    best = {origin: next((one for one in order if one.origin == origin), None) for origin in ("searched", "rival")}
    searched, rival = best["searched"], best["rival"]
    if searched is None or rival is None:
        return ""
    gap = searched.after - rival.after
    ahead = (gap < 0) == (result.better == "lower")
    return (
        f"The best searched pattern is {'ahead of' if ahead else 'behind'} the best rival within the same limits"
        f" ({rival.name}, {rival.pattern}) by {number(abs(gap), 2)} {result.unit} on validation. One seed a candidate"
        f" names no winner: undecided until raced."
    )


def stacks_sentence(result: SearchResult) -> str:
    """Why the same scores choose another pattern, or the same, at the prices of another stack."""
    if len(result.stacks) < 2:
        return ""
    here, there = result.stacks[0], result.stacks[1]
    if not there.pattern:
        return f"On {there.stack} the limits are out of reach: {there.reason}."
    prices = [priced(one.blocks) for one in (here, there)]
    counts = [_kept(one) for one in (here, there)]
    if here.pattern == there.pattern:
        return f"At the prices of {there.stack} the same scores choose the same pattern, {here.pattern}."
    if all(prices):
        return (
            f"On {here.stack} attention costs {prices[0]}, on {there.stack} {prices[1]}; so under the same limits the"
            f" first keeps {counts[0]} ({here.pattern}), the second {counts[1]} ({there.pattern})."
        )
    return f"On {here.stack} the scores choose {here.pattern}, on {there.stack}, at its prices, {there.pattern}."


def _kept(one: Elsewhere) -> str:
    pattern = Pattern.parse(one.pattern)
    attention = pattern.count("attention") + pattern.count("window")
    return f"{attention} attention and {pattern.count('feedforward')} feed-forward blocks of {len(pattern)}"


def candidate_rows(result: SearchResult) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of the table of candidates, the best first."""
    uses = [quantity.partition(" ")[0] for quantity in result.limits if quantity.endswith(" latency")]
    header = ["who proposed it", "pattern", "before", "after", "test", *(f"{use}, measured" for use in uses)]
    header += ["parameters", "cache"]
    reference = reference_of(result)
    rows = []
    for one in ranked(result):
        measured = [
            f"{moment(one.measured[use].value)} ({times(one.measured[use].value / reference.measured[use].value)})"
            for use in uses
        ]
        rows.append(
            [
                one.name,
                one.pattern,
                score(one.before),
                score(one.after),
                score(one.value),
                *measured,
                number(one.parameters, 4),
                size(one.cache_bytes),
            ]
        )
    return header, rows


def orders_agree(result: SearchResult) -> float | None:
    """Kendall's tau between the candidates' order before and after training; None for fewer than three."""
    within = [one for one in result.candidates if one.origin != "reference"]
    if len(within) < 3:
        return None
    before, after = (np.array([getattr(one, when) for one in within]) for when in ("before", "after"))
    return float(kendall(before, after))


def _cost(cost: float, unit: str) -> str:
    return size(cost) if unit == "B" else number(cost, 4)


def why_sentences(result: SearchResult) -> list[tuple[str, str]]:
    """For each place of what was found: what its block costs and saves beside the best alternative for the loss."""
    found = Pattern.parse(candidate_of(result, result.found).pattern)
    quantity, here = next(iter(result.limits)), result.stacks[0]
    show = moment if result.units[quantity] == "s" else (size if result.units[quantity] == "B" else number)
    items = []
    for place, spec in enumerate(found):
        own = result.scores.own[place]
        saved = here.blocks[own] - here.blocks[spec.letter]
        if spec.letter == own:
            others = {k: result.scores.added[f"{k} at {place}"] for k in result.menu if k != own}
            if not others:
                continue
            least = min(others, key=lambda k: others[k])
            text = f"stays: {WORDS[least]} would add {_nats(others[least])}"
            cheaper = here.blocks[own] - here.blocks[least]
            text += f" and save {show(cheaper)}" if cheaper > 0 else f" and cost {show(-cheaper)} more"
        else:
            text = f"for {WORDS[own]}: adds {_nats(result.scores.added[f'{spec.letter} at {place}'])}"
            text += f", saves {show(saved)}" if saved > 0 else f", costs {show(-saved)} more"
        items.append((f"{place}: {WORDS[spec.letter]}", text))
    return items


def _nats(added: float) -> str:
    return f"{number(1000 * added, 2)} thousandths of a nat"
