"""What a lottery prints."""

from pennyweight.console import Output
from pennyweight.lottery.holding.card import Card, Results
from pennyweight.lottery.holding.heats import Heats
from pennyweight.report.heats import holds, names, rows, turn_sentence
from pennyweight.report.lottery_words import (
    counterfactual,
    elsewhere,
    elsewhere_sentence,
    factor,
    failures,
    flip_sentence,
    index_sentence,
    parts_words,
    regret_sentence,
    short,
    shown,
    surprise_sentence,
    told,
    verdict,
)
from pennyweight.report.words import duration, plain

_BESIDE = 3
"""Stacks in one table, so that a line fits into 80 columns."""
_FAILURES, _FLIPS, _LOSSES, _SURPRISES = 8, 8, 14, 5


def show_card(output: Output, card: Card) -> None:
    """Print the verdict, the boards, and with results all that was concluded."""
    output.say()
    output.say(plain(verdict(card)))
    output.say()
    _boards(output, card)
    for line in told(failures(card), _FAILURES):
        output.say(plain(line))
    if card.results is not None:
        _flips(output, card, card.results)
        _losses(output, card, card.results)
        _outlook(output, card, card.results)
    for note in card.notes:
        output.say(plain(f"note: {note}"))
    output.say(plain(card.quality))
    output.say(plain(f"spent {duration(card.spent_seconds)} of {card.asked}"))


def _boards(output: Output, card: Card) -> None:
    boards = {board.size: board for board in (card.results.boards if card.results else ())}
    for size in card.sizes:
        title = f"{size}: rank, time of a call, times the fastest" if boards else f"{size}: time of a call"
        for start in range(0, len(card.stacks), _BESIDE):
            beside = card.stacks[start : start + _BESIDE]
            lines = []
            for idea in card.ideas:
                seen = [shown(card, boards.get(size), size, stack, idea.name) for stack in beside]
                cells = [f"{f'{one.rank}. ' if one.rank else ''}{one.time}  {one.behind}".rstrip() for one in seen]
                lines.append([idea.name, *map(plain, cells)])
            output.table("" if start else title, ["", *map(short, beside)], lines)
            output.say()


def _flips(output: Output, card: Card, results: Results) -> None:
    output.say()
    first = [flip_sentence(flip) for flip in results.flips if flip.size == card.sizes[0]]
    for sentence in told(first, _FLIPS):
        output.say(plain(f"flip: {sentence}"))
    for sentence in (index_sentence(results), regret_sentence(results)):
        if sentence:
            output.say(plain(sentence))


def _losses(output: Output, card: Card, results: Results) -> None:
    own = [loss for loss in results.losses if loss.size == card.sizes[0] and loss.hardware is not None]
    if not own:
        return
    lines = [
        [
            loss.idea,
            short(loss.stack),
            factor(loss.ratio.value, at_least=loss.at_least),
            *map(plain, (*parts_words(loss), *counterfactual(loss))),
        ]
        for loss in own[:_LOSSES]
    ]
    output.say()
    output.table(
        f"why they lose at {card.sizes[0]}: loss = hardware x software; reached and needed shares of their limit",
        ["idea", "on", "loss", "hardware", "software", "reaches", "wins at"],
        lines,
    )


def _outlook(output: Output, card: Card, results: Results) -> None:
    output.say()
    for sentence in told([surprise_sentence(one) for one in results.surprises], _SURPRISES):
        output.say(plain(f"surprise: {sentence}"))
    for one in elsewhere(results):
        output.say(plain(f"elsewhere, {one.idea}: {elsewhere_sentence(one, card.ideas[0].name)}"))


def show_heats(output: Output, heats: Heats) -> None:
    """Print races beside one another, and what turns between them."""
    output.say()
    output.say(heats.claim)
    lines = [
        [row.name, *(plain(f"{text} ({note})" if note else text) for text, note in row.cells)] for row in rows(heats)
    ]
    output.table(f"{heats.sides['idea']} over {heats.sides['rival']}", ["", *names(heats)], lines)
    output.say(plain(holds(heats)))
    for turn in heats.turns:
        output.say(plain(turn_sentence(heats, turn)))
    for name, heat in zip(names(heats), heats.heats, strict=True):
        for note in filter(None, (heat.unsplit, *heat.notes)):
            output.say(plain(f"note: {name}: {note}"))
    for note in heats.notes:
        output.say(plain(f"note: {note}"))
    output.say(plain(f"spent {duration(heats.spent_seconds)}{f' of {heats.asked}' if heats.asked else ''}"))
