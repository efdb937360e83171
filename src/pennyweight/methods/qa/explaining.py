"""Why this span: what each word of the question and of the passage does for an answer, and how far that may be trusted.

A word is erased by masking its pieces, which the reader was trained to know. Two scores are explained: by how much the
answer exceeds none, and by how much it exceeds the runner-up, the best answer that does not overlap it. Begin and end
are also explained apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from pennyweight.blocks.reader.head import NEVER, NO, NONE, YES, Logits
from pennyweight.blocks.reader.reader import Reader
from pennyweight.data.analyser import words
from pennyweight.data.judging import sentence_spans
from pennyweight.data.wordpieces import Pieces, Window, WordPieces
from pennyweight.explain.faithfulness import Faithfulness, faithfulness
from pennyweight.explain.gradients import gradient_times_input, integrated_gradients
from pennyweight.explain.occlusion import Counterfactual, counterfactual, leave_one_out
from pennyweight.methods.qa.data import Laid, collate

Aim = Literal["none", "runner-up", "begin", "end"]
"""What is explained: the answer over none, over the runner-up, or what begins and what ends it."""

_BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A word or a sentence: the characters ``start`` to before ``end`` of the question or the passage."""

    where: Literal["question", "passage"]
    start: int
    end: int
    positions: tuple[int, ...]


class Explained:
    """An answer of one window, ready to be explained.

    ``first`` and ``last`` are pieces of the passage. What is computed is computed once.
    """

    def __init__(
        self,
        reader: Reader,
        pieces: WordPieces,
        laid: Laid,
        window: Window,
        *,
        question: str,
        passage: str,
        first: int,
        last: int,
        longest: int,
    ) -> None:
        self._reader = reader
        self._pieces = pieces
        self._longest = longest
        shift = len(window.head) - window.first
        self._first, self._last = first + shift, last + shift
        arrays = collate([(laid, window)], pieces)
        names = ("tokens", "kinds", "real", "inside")
        self._batch: Mapping[str, Tensor] = {name: torch.from_numpy(arrays[name]) for name in names}
        self.words = [
            *self._units("question", question, pieces.encode([question])[0], self._question_at(window, question)),
            *self._units("passage", passage, laid.passage, shift, window),
        ]
        self.sentences = self._sentences(passage, laid, window, shift)

    def _question_at(self, window: Window, question: str) -> int:
        """Where the question itself begins in the window: what was asked before stands in front of it."""
        return len(window.head) - 1 - len(self._pieces.encode([question])[0].ids)

    def _units(
        self,
        where: Literal["question", "passage"],
        text: str,
        encoded: Pieces,
        shift: int,
        window: Window | None = None,
    ) -> list[Unit]:
        found = []
        for word in words(text):
            at = encoded.at(word.start, word.end)
            if at is None or (window is not None and not (window.first <= at[0] and at[1] < window.stop)):
                continue
            positions = tuple(range(at[0] + shift, at[1] + shift + 1))
            found.append(Unit(where=where, start=word.start, end=word.end, positions=positions))
        return found

    def _sentences(self, passage: str, laid: Laid, window: Window, shift: int) -> list[Unit]:
        found = []
        for start, end in sentence_spans(passage):
            at = laid.passage.at(start, end)
            if at is None:
                continue
            first, last = max(at[0], window.first), min(at[1], window.stop - 1)
            if first <= last:
                positions = tuple(range(first + shift, last + shift + 1))
                found.append(Unit(where="passage", start=start, end=end, positions=positions))
        return found

    @cached_property
    def _whole(self) -> Logits:
        with torch.no_grad():
            logits: Logits = self._reader(**self._batch)
        return logits

    @cached_property
    def runner_up(self) -> tuple[int, int] | None:
        """The best span that shares no position with the answer, as positions; None where yes, no or none beats it."""
        scores = self._whole.spans(self._longest)[0].clone()
        time = scores.shape[0]
        firsts = torch.arange(time)[:, None]
        lasts = firsts + torch.arange(self._longest)[None, :]
        scores[(firsts <= self._last) & (lasts >= self._first)] = 2 * NEVER
        best, where = scores.flatten().max(0)
        if float(best) < NEVER / 2 or best < self._whole.others.max():
            return None
        first = int(where) // self._longest
        return first, first + int(where) % self._longest

    def _score(self, logits: Logits, aim: Aim) -> Float[Tensor, " batch"]:
        begins, ends = logits.begins[:, self._first], logits.ends[:, self._last]
        if aim == "begin":
            return begins - logits.begins.logsumexp(1)
        if aim == "end":
            return ends - logits.ends.logsumexp(1)
        if aim == "none":
            return begins + ends - logits.others[:, NONE]
        if self.runner_up is None:
            return begins + ends - logits.others[:, [YES, NO, NONE]].max(1).values
        return begins + ends - logits.begins[:, self.runner_up[0]] - logits.ends[:, self.runner_up[1]]

    def _of_embeddings(self, aim: Aim) -> Callable[[Tensor], Tensor]:
        def score(embeddings: Tensor) -> Tensor:
            number = len(embeddings)
            kinds, real, inside = (self._batch[name].expand(number, -1) for name in ("kinds", "real", "inside"))
            states = self._reader.encoder.read(embeddings, kinds, real)
            return self._score(self._reader.answers(states, inside), aim)

        return score

    @cached_property
    def _embeddings(self) -> Float[Tensor, "1 time width"]:
        words: Tensor = self._reader.encoder.word(self._batch["tokens"])
        return words.detach()

    @cached_property
    def _mask(self) -> Float[Tensor, "1 1 width"]:
        return self._reader.encoder.word.weight[self._pieces.mask].detach()[None, None]

    def at_once(self, aim: Aim = "none") -> Float[NDArray[np.float64], "words"]:
        """What each word adds, by gradient times input beside the mask: one forward and one backward."""
        return self._summed(gradient_times_input(self._of_embeddings(aim), self._embeddings, self._mask))

    def integrated(self, aim: Aim = "none", *, steps: int = 16) -> tuple[Float[NDArray[np.float64], "words"], float]:
        """The same by integrated gradients, and the gap: what they leave unexplained, in units of the score."""
        found, gap = integrated_gradients(self._of_embeddings(aim), self._embeddings, self._mask, steps=steps)
        return self._summed(found), float(gap[0])

    def _summed(self, found: Float[Tensor, "1 time"]) -> Float[NDArray[np.float64], "words"]:
        own = found[0].double().numpy()
        return np.array([own[list(unit.positions)].sum() for unit in self.words], np.float64)

    def _erased(
        self, units: Sequence[Unit], aim: Aim
    ) -> Callable[[Bool[NDArray[np.bool_], "inputs units"]], NDArray[np.float64]]:
        """The score with some units masked."""
        place = np.zeros((len(units), self._batch["tokens"].shape[1]), bool)
        for number, unit in enumerate(units):
            place[number, list(unit.positions)] = True

        @torch.no_grad()
        def score(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
            hidden = torch.from_numpy((masks.astype(np.int64) @ place.astype(np.int64)) > 0)
            values = []
            for part in torch.split(hidden, _BATCH):
                number = len(part)
                tokens = self._batch["tokens"].expand(number, -1).masked_fill(part, self._pieces.mask)
                rest = {name: self._batch[name].expand(number, -1) for name in ("kinds", "real", "inside")}
                values.append(self._score(self._reader(tokens, **rest), aim).double().numpy())
            return np.concatenate(values)

        return score

    def by_sentence(self, aim: Aim = "none") -> Float[NDArray[np.float64], "sentences"]:
        """What the score loses without each sentence of the passage: exact, sentence by sentence."""
        return leave_one_out(self._erased(self.sentences, aim), len(self.sentences))

    def turned(self, importance: Float[NDArray[np.float64], "words"], *, most: int = 32) -> Counterfactual | None:
        """Few words outside of the answer without which it is no longer the best: behind another or none.

        None where masking ``most`` words does not do it.
        """
        outside = [n for n, unit in enumerate(self.words) if not self._touches(unit)]
        units = [self.words[n] for n in outside]
        order = np.argsort(-importance[outside], kind="stable")
        best_other = [self._erased(units, aim) for aim in ("none", "runner-up")]

        def least(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
            return np.minimum(best_other[0](masks), best_other[1](masks))

        found = counterfactual(least, order.tolist(), len(units), most=most)
        if found is None:
            return None
        return Counterfactual(
            units=tuple(outside[number] for number in found.units), score=found.score, tried=2 * found.tried
        )

    def _touches(self, unit: Unit) -> bool:
        return any(self._first <= position <= self._last for position in unit.positions)

    def trusted(self, importance: Float[NDArray[np.float64], "words"], aim: Aim = "none") -> Faithfulness:
        """How much the score falls without the most important words outside of the answer, and beside chance."""
        outside = [n for n, unit in enumerate(self.words) if not self._touches(unit)]
        units = [self.words[n] for n in outside]
        return faithfulness(self._erased(units, aim), importance[outside])
