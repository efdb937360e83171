"""Tokens chosen to be predicted from both of their sides, as in BERT (Devlin et al. 2018, 1810.04805, section 3.1).

15 % of a window's tokens are chosen; 80 % of these are replaced by a mask, 10 % by any token, and 10 % stay.
As many are chosen in every window, so that micro-batches and processes have the same share of a loss.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from pennyweight.data.tokens import TextWindows, TokenSplit

_SHARE, _MASKED, _REPLACED = 0.15, 0.8, 0.1


@dataclass(frozen=True, kw_only=True)
class Marks:
    """The tokens that an encoder has beyond those of its tokenizer: one for what is hidden, one for what is no text."""

    mask: int
    padding: int

    @classmethod
    def beyond(cls, vocab_size: int) -> "Marks":
        """The two numbers after a tokenizer's."""
        return cls(mask=vocab_size, padding=vocab_size + 1)

    @property
    def vocab_size(self) -> int:
        """How many tokens there are with these two."""
        return self.padding + 1


def num_chosen(length: int) -> int:
    """How many of so many tokens are chosen: 15 %, at least one."""
    return max(1, round(_SHARE * length))


def masked(
    tokens: Int64[np.ndarray, "time"], marks: Marks, generator: np.random.Generator
) -> tuple[Int64[np.ndarray, "time"], Int64[np.ndarray, "chosen"]]:
    """A copy of the tokens with some of them hidden, and the places of the chosen ones in ascending order."""
    places = np.sort(generator.permutation(len(tokens))[: num_chosen(len(tokens))])
    draws = generator.random(len(places))
    others = generator.integers(marks.mask, size=len(places))
    replaced = np.where(draws < _MASKED + _REPLACED, others, tokens[places])
    hidden = tokens.copy()
    hidden[places] = np.where(draws < _MASKED, marks.mask, replaced)
    return hidden, places


class MaskedWindows:
    """Training windows of ``context`` tokens by number, each with choices of its own: a later epoch chooses anew."""

    def __init__(self, split: TokenSplit, *, context: int, marks: Marks, seed: int) -> None:
        self._windows = TextWindows(split, context=context - 1, seed=seed)
        self._marks = marks
        self._seed = seed

    def batch(self, numbers: Int64[np.ndarray, "batch"]) -> dict[str, Int64[np.ndarray, "batch width"]]:
        """``tokens`` [batch, context] with some hidden; ``places`` and ``targets`` [batch, chosen] of those chosen."""
        texts = self._windows.batch(numbers)["tokens"]
        drawn = [
            masked(text, self._marks, np.random.Generator(np.random.Philox(key=[self._seed, number])))
            for text, number in zip(texts, numbers.tolist(), strict=True)
        ]
        places = np.stack([places for _, places in drawn])
        return {
            "tokens": np.stack([tokens for tokens, _ in drawn]),
            "places": places,
            "targets": np.take_along_axis(texts, places, axis=1),
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class HeldOutMasks:
    """Every token of a split in one window, with choices that never change.

    ``targets`` and ``documents`` are -1 where the last window has fewer choices; a separator belongs to the document
    that it opens.
    """

    tokens: Int64[np.ndarray, "windows context"]
    places: Int64[np.ndarray, "windows chosen"]
    targets: Int64[np.ndarray, "windows chosen"]
    documents: Int64[np.ndarray, "windows chosen"]
    num_documents: int


def held_out_masks(split: TokenSplit, *, context: int, marks: Marks) -> HeldOutMasks:
    """A split in consecutive windows, the last one padded, with some tokens hidden by the window's number alone."""
    num_windows = -(-len(split.tokens) // context)
    tokens = np.full((num_windows, context), marks.padding, np.int64)
    places = np.zeros((num_windows, num_chosen(context)), np.int64)
    targets, documents = np.full_like(places, -1), np.full_like(places, -1)
    for number in range(num_windows):
        start = number * context
        text = np.asarray(split.tokens[start : start + context]).astype(np.int64)
        hidden, chosen = masked(text, marks, np.random.Generator(np.random.Philox(key=[0, number])))
        tokens[number, : len(text)] = hidden
        places[number, : len(chosen)] = chosen
        targets[number, : len(chosen)] = text[chosen]
        documents[number, : len(chosen)] = np.searchsorted(split.starts, start + chosen, side="right") - 1
    return HeldOutMasks(
        tokens=tokens, places=places, targets=targets, documents=documents, num_documents=split.num_documents
    )
