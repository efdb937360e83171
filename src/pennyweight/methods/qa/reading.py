"""Reading windows: what each says, and which answer of a passage, or of many, is the best.

Windows are compared by how much an answer exceeds none in its own window, so that what is found does not depend on the
batch, on padding or on the order of windows. The threshold is 0: better than none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from pennyweight.blocks.reader.head import NEVER, NO, NONE, YES, best_spans
from pennyweight.blocks.reader.reader import Reader
from pennyweight.data.wordpieces import Window, WordPieces
from pennyweight.methods.qa.data import Laid, collate

Kind = Literal["span", "yes", "no", "none"]
_BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a window says: its best span as pieces of the passage, and by how much each answer exceeds none."""

    first: int
    last: int
    span: float
    yes: float
    no: float


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The best answer of some windows: its kind, the window it is from, and its margin over none (0 for none)."""

    kind: Kind
    window: int
    margin: float


@torch.no_grad()
def read(
    reader: Reader, pieces: WordPieces, chosen: Sequence[tuple[Laid, Window]], *, longest: int, batch: int = _BATCH
) -> list[Said]:
    """What each window says, in their order. They are read sorted by length, which changes no result but the time."""
    order = sorted(range(len(chosen)), key=lambda number: chosen[number][1].length)
    device = reader.answers.edges.weight.device
    said: list[Said | None] = [None] * len(chosen)
    for start in range(0, len(order), batch):
        numbers = order[start : start + batch]
        arrays = collate([chosen[number] for number in numbers], pieces)
        tensors = {name: torch.from_numpy(arrays[name]).to(device) for name in ("tokens", "kinds", "real", "inside")}
        logits = reader(**tensors)
        best = best_spans(logits, longest=longest)
        none = logits.others[:, NONE]
        columns = torch.stack(
            [
                best.first.double(),
                best.last.double(),
                best.margin.double(),
                (logits.others[:, YES] - none).double(),
                (logits.others[:, NO] - none).double(),
            ],
            1,
        )
        for number, row in zip(numbers, columns.tolist(), strict=True):
            window = chosen[number][1]
            shift = window.first - len(window.head)
            first, last, span, yes, no = row
            span = span if span > NEVER / 2 else float("-inf")  # a window without a passage
            said[number] = Said(first=int(first) + shift, last=int(last) + shift, span=span, yes=yes, no=no)
    return [one for one in said if one is not None]


def decide(said: Sequence[Said]) -> Decision:
    """The answer that exceeds none by most; of equal ones a span, and the earlier window."""
    best = Decision(kind="none", window=0, margin=0.0)
    kinds: tuple[Kind, ...] = ("span", "yes", "no")
    for kind in kinds:
        for number, one in enumerate(said):
            margin = getattr(one, kind)
            if margin > best.margin:
                best = Decision(kind=kind, window=number, margin=margin)
    return best


def every_window(laid: Sequence[Laid | None]) -> Iterator[tuple[int, Laid, Window]]:
    """All windows of all questions, each with the number of its question."""
    for number, one in enumerate(laid):
        if one is not None:
            for window in one.windows:
                yield number, one, window


def answers(
    reader: Reader, pieces: WordPieces, laid: Sequence[Laid | None], texts: Sequence[str], *, longest: int
) -> list[tuple[Kind, str, float]]:
    """The answer to each question in its passage: kind, text ("" for none) and margin."""
    numbered = [*every_window(laid)]
    said = read(reader, pieces, [(one, window) for _, one, window in numbered], longest=longest)
    by_question: dict[int, list[Said]] = {}
    for (number, _, _), window_says in zip(numbered, said, strict=True):
        by_question.setdefault(number, []).append(window_says)
    found: list[tuple[Kind, str, float]] = []
    for number, one in enumerate(laid):
        if one is None:
            found.append(("none", "", 0.0))
            continue
        own = by_question[number]
        decision = decide(own)
        text = decision.kind.removeprefix("none").removeprefix("span")
        if decision.kind == "span":
            best = own[decision.window]
            start, end = one.passage.characters(best.first, best.last)
            text = texts[number][start:end]
        found.append((decision.kind, text, decision.margin))
    return found
