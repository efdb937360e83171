"""Questions and passages as windows of tokens, in which answers are spans of positions.

A window is: separator, question, separator, a part of the passage, padding. Its first position stands for "not here".
The parts overlap, so that every token of a passage, and every span no longer than the overlap, is whole in one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, Integer
from numpy.typing import NDArray

from pennyweight.data.masking import Marks
from pennyweight.data.questions import Question
from pennyweight.data.tokens import Tokenizer

_QUESTION_SHARE = 3  # a question takes at most a third of the context


@dataclass(frozen=True, kw_only=True, eq=False)
class Passage:
    """A passage in tokens: ``bounds`` are the places of their first bytes, and at the end the number of bytes."""

    content: bytes
    ids: Integer[np.ndarray, "tokens"]
    bounds: Int64[np.ndarray, "bounds"]

    @classmethod
    def of(cls, text: str, tokenizer: Tokenizer) -> "Passage":
        """A text in tokens."""
        ids = tokenizer.encode(text)
        return cls(content=text.encode(), ids=ids, bounds=np.cumsum([0, *tokenizer.byte_lengths(ids).tolist()]))

    def text(self, first: int, last: int) -> str:
        """What the tokens ``first`` to ``last`` say, without white space at its ends."""
        return self.content[self.bounds[first] : self.bounds[last + 1]].decode(errors="replace").strip()

    def tokens_of(self, start: int, end: int) -> tuple[int, int]:
        """The first and the last token of the bytes from ``start`` to before ``end`` (at least one byte)."""
        first = int(np.searchsorted(self.bounds, start, side="right")) - 1
        return first, int(np.searchsorted(self.bounds, end, side="left")) - 1


def parts(length: int, capacity: int, overlap: int) -> list[tuple[int, int]]:
    """Where the parts of so many tokens begin and end, each of at most ``capacity``; at least one, of none if need be.

    They overlap by ``overlap`` tokens, but by at most half of a part.
    """
    step = capacity - min(overlap, capacity // 2)
    starts = [0]
    while starts[-1] + capacity < length:
        starts.append(starts[-1] + step)
    return [(start, min(start + capacity, length)) for start in starts]


@dataclass(frozen=True, kw_only=True, eq=False)
class SpanWindows:
    """Windows of questions: ``arrays`` are those of a batch, the rest tells whose and of what.

    ``arrays``: ``tokens`` [windows, context]; ``start`` and ``stop``, the positions of the passage; ``first`` and
    ``last``, those of the first right answer, 0 where it is not in the window. ``questions`` are their numbers,
    ``offsets`` the token of the passage that stands at ``start``.
    """

    arrays: dict[str, NDArray[np.generic]]
    questions: Int64[np.ndarray, "windows"]
    offsets: Int64[np.ndarray, "windows"]
    passages: Sequence[Passage]
    """Of each question."""


def span_windows(questions: Sequence[Question], tokenizer: Tokenizer, *, context: int, overlap: int) -> SpanWindows:
    """All windows of questions, in their order."""
    marks = Marks.beyond(tokenizer.vocab_size)
    known: dict[str, Passage] = {}
    asked = tokenizer.encode_documents([question.text.encode() for question in questions])
    rows, places, numbers, offsets = [], [], [], []
    for number, (question, ids) in enumerate(zip(questions, asked, strict=True)):
        if question.passage not in known:
            known[question.passage] = Passage.of(question.passage, tokenizer)
        passage = known[question.passage]
        head = [tokenizer.separator, *ids[: context // _QUESTION_SHARE].tolist(), tokenizer.separator]
        answer = _answer(question, passage)
        for start, end in parts(len(passage.ids), context - len(head), overlap):
            row = np.full(context, marks.padding, np.min_scalar_type(marks.padding))
            row[: len(head)] = head
            row[len(head) : len(head) + end - start] = passage.ids[start:end]
            inside = answer is not None and start <= answer[0] and answer[1] < end
            first, last = (at - start + len(head) for at in answer) if answer is not None and inside else (0, 0)
            rows.append(row)
            places.append((len(head), len(head) + end - start, first, last))
            numbers.append(number)
            offsets.append(start)
    columns = np.array(places, np.int32).reshape(-1, 4).T
    return SpanWindows(
        arrays={"tokens": np.stack(rows), **dict(zip(("start", "stop", "first", "last"), columns, strict=True))},
        questions=np.array(numbers, np.int64),
        offsets=np.array(offsets, np.int64),
        passages=[known[question.passage] for question in questions],
    )


def _answer(question: Question, passage: Passage) -> tuple[int, int] | None:
    """The first right answer's first and last token."""
    if not question.answers:
        return None
    text, at = question.answers[0]
    start = len(question.passage[:at].encode())
    return passage.tokens_of(start, start + len(text.encode()))
