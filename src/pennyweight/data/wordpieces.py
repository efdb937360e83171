"""Texts as word pieces of a BERT checkpoint, each with its characters; and windows of a question and part of a passage.

A window is: [CLS], what was asked before, the question, [SEP], a part of the passage, [SEP]. The parts overlap, and
their union is the passage, so that no token goes unread.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int32
from tokenizers import Tokenizer

from pennyweight.core.errors import UserError
from pennyweight.data.spans import parts

_SPECIAL = ("[CLS]", "[SEP]", "[MASK]", "[PAD]")


@dataclass(frozen=True, kw_only=True, eq=False)
class Pieces:
    """A text's word pieces: their numbers, and the characters ``starts`` to before ``ends`` of each."""

    ids: Int32[np.ndarray, "pieces"]
    starts: Int32[np.ndarray, "pieces"]
    ends: Int32[np.ndarray, "pieces"]

    def at(self, start: int, end: int) -> tuple[int, int] | None:
        """The first and the last piece of the characters from ``start`` to before ``end``; None where none has any."""
        first = int(np.searchsorted(self.ends, start, side="right"))
        last = int(np.searchsorted(self.starts, end, side="left")) - 1
        return (first, last) if first <= last else None

    def characters(self, first: int, last: int) -> tuple[int, int]:
        """The characters of the pieces ``first`` to ``last``."""
        return int(self.starts[first]), int(self.ends[last])


class WordPieces:
    """The tokenizer of a checkpoint (its ``tokenizer.json``)."""

    def __init__(self, path: Path) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # noqa: BLE001 - the library raises Exception itself
            raise UserError(f"{path} is no tokenizer: {error}", expected="a tokenizer.json") from None
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.start, self.separator, self.mask, self.padding = (self._special(token, path) for token in _SPECIAL)
        self.vocab_size: int = self._tokenizer.get_vocab_size()

    def _special(self, token: str, path: Path) -> int:
        number = self._tokenizer.token_to_id(token)
        if number is None:
            raise UserError(f"{path} without some of {', '.join(_SPECIAL)}", expected="BERT's word pieces")
        return number

    def encode(self, texts: Sequence[str]) -> list[Pieces]:
        """Each text's pieces, without special ones."""
        return [
            Pieces(
                ids=np.array(one.ids, np.int32),
                starts=np.array([start for start, _ in one.offsets], np.int32),
                ends=np.array([end for _, end in one.offsets], np.int32),
            )
            for one in self._tokenizer.encode_batch([*texts], add_special_tokens=False)
        ]

    def text(self, piece: int) -> str:
        """A piece as the vocabulary has it."""
        return str(self._tokenizer.id_to_token(piece))

    def save(self, path: Path) -> None:
        """As ``tokenizer.json``."""
        self._tokenizer.save(str(path))


@dataclass(frozen=True, kw_only=True)
class Window:
    """A window's tokens: those of the question, with the special ones, and the pieces ``first`` to before ``stop``."""

    head: tuple[int, ...]
    first: int
    stop: int

    @property
    def length(self) -> int:
        """How many tokens it has."""
        return len(self.head) + self.stop - self.first + 1


def windows_of(
    question: Pieces, passage: Pieces, pieces: WordPieces, *, context: int, overlap: int, before: Sequence[Pieces] = ()
) -> list[Window]:
    """All windows of a question and a passage, in order.

    Of what was asked ``before`` as much as fits into a sixth of the context is kept, the newest. Raises UserError for a
    question that leaves less than half of the context to the passage.
    """
    room = context // 2 - 3
    if len(question.ids) > room:
        raise UserError(
            f"a question of {len(question.ids)} tokens", expected=f"at most {room}", hint="ask more briefly"
        )
    history: list[int] = []
    budget = min(context // 6, room - len(question.ids))
    for one in reversed(before):
        if len(one.ids) + 1 > budget:
            break
        history = [*one.ids.tolist(), pieces.separator, *history]
        budget -= len(one.ids) + 1
    head = (pieces.start, *history, *question.ids.tolist(), pieces.separator)
    return [
        Window(head=head, first=first, stop=stop)
        for first, stop in parts(len(passage.ids), context - len(head) - 1, overlap)
    ]
