"""Conversational questions: CoQA (1808.07042) in its official layout, and QuAC (1808.07036) as text without offsets.

Answers are turned into spans of the passage, because that is what a reader learns: the history that a turn has is that
of earlier turns alone, with their right answers.
"""

import gzip
import json
import re
import string
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pennyweight.core.errors import UserError
from pennyweight.data.answers import normalised
from pennyweight.data.questions import Question, load_json, located

LEAST_F1 = 0.4
"""A free answer that no span of the passage resembles so much is left out of training."""

_NO_ANSWER = "CANNOTANSWER"
_ASKED = re.compile(r"question(\d+): (.*?)\n answer : \?(?:\n|\Z)", re.DOTALL)
_ANSWERED = re.compile(
    r"possible answers for question(\d+):\n(.*?)(?=\npossible answers for question\d+:|\Z)", re.DOTALL
)
_WORD = re.compile(r"\S+")
_EDGES = string.punctuation + "“”‘’"


def read_quac(path: Path) -> tuple[list[Question], tuple[str, ...]]:
    """The turns of a file of dialogues, an object a line (``passage``, ``question``, ``answer``), and what was noted.

    An answer that does not stand in its passage leaves its question out.
    """
    questions: list[Question] = []
    found = Counter[str]()
    for number, line in enumerate(_lines(path), 1):
        place = f"{path}, line {number}"
        passage, asked, answered = (_string(line, key, place) for key in ("passage", "question", "answer"))
        passage = passage.removesuffix(_NO_ANSWER).rstrip()
        turns = dict(_ASKED.findall(asked))
        answers = {key: text.strip() for key, text in _ANSWERED.findall(answered)}
        if not turns or turns.keys() != answers.keys():
            raise UserError(f"{place} with other questions than answers", expected="QuAC as text")
        before: tuple[str, ...] = ()
        for key, text in turns.items():
            answer = answers[key]
            at = None if answer == _NO_ANSWER else located(answer, passage, 0)
            if answer != _NO_ANSWER and at is None:
                found["questions left out whose answers stand nowhere"] += 1
            else:
                spans = () if at is None else ((answer, at),)
                questions.append(
                    Question(text=text.strip(), passage=passage, document=f"{number}", answers=spans, before=before)
                )
            before = (*before, text.strip(), "" if answer == _NO_ANSWER else answer)
    return questions, tuple(f"{count:,} {what}" for what, count in sorted(found.items()))


def read_coqa(path: Path) -> tuple[list[Question], tuple[str, ...]]:
    """The turns of a file in CoQA's layout, and what was noted. Each document is named ``source/id``.

    The answers are free: "yes", "no" and "unknown" are told, of others the span of the passage that is most alike in
    the F1 of words stands for them; where none reaches `LEAST_F1`, the turn is left out.
    """
    document = load_json(path)
    questions: list[Question] = []
    found = Counter[str]()
    conversations = document.get("data") if isinstance(document, dict) else None
    if not isinstance(conversations, list):
        raise UserError(f"{path} without a list 'data'", expected="CoQA's format")
    for number, conversation in enumerate(conversations):
        place = f"{path}, data[{number}]"
        story = _string(conversation, "story", place)
        name = f"{conversation.get('source', '')}/{_string(conversation, 'id', place)}"
        asked, answered = ({
            turn["turn_id"]: _string(turn, "input_text", place) for turn in conversation.get(key, [])
        } for key in ("questions", "answers"))  # fmt: skip
        if asked.keys() != answered.keys():
            raise UserError(f"{place} with other questions than answers", expected="CoQA's format")
        before: tuple[str, ...] = ()
        nearest = Nearest(story)
        for turn in sorted(asked):
            text, answer = asked[turn].strip(), answered[turn].strip()
            told = _told(answer)
            span = None if told is not None else nearest.span(answer)
            if told is None and span is None:
                found["turns left out whose answers resemble no span"] += 1
            else:
                spans = () if span is None else ((story[span[0] : span[1]], span[0]),)
                questions.append(
                    Question(text=text, passage=story, document=name, answers=spans, before=before, told=told or "")
                )
            before = (*before, text, answer)
    return questions, tuple(f"{count:,} {what}" for what, count in sorted(found.items()))


def _told(answer: str) -> Literal["yes", "no", ""] | None:
    """What an answer tells that is no span; "" for unknown, None where a span is meant."""
    plain = normalised(answer)
    return "yes" if plain == "yes" else "no" if plain == "no" else "" if plain == "unknown" else None


class Nearest:
    """Finds the span of a passage that has most words in common with a free answer."""

    def __init__(self, passage: str) -> None:
        self._spans: list[tuple[int, int]] = []
        self._words: list[str] = []
        for match in _WORD.finditer(passage):
            written = match[0]
            if word := normalised(written):
                first = match.start() + len(written) - len(written.lstrip(_EDGES))
                last = match.end() - (len(written) - len(written.rstrip(_EDGES)))
                self._spans.append((first, last) if first < last else match.span())
                self._words.append(word)

    def span(self, answer: str) -> tuple[int, int] | None:
        """The characters of the best span, the shortest and first of equal ones; None below `LEAST_F1`."""
        asked = normalised(answer).split()
        if not asked or not self._words:
            return None
        wanted = Counter(asked)
        best, where = 0.0, None
        for first, word in enumerate(self._words):
            if word not in wanted:
                continue  # a span that begins with another word is worse than the same without it
            left, common = dict(wanted), 0
            for last in range(first, min(len(self._words), first + 2 * len(asked) + 2)):
                own = self._words[last]
                if left.get(own, 0):
                    left[own] -= 1
                    common += 1
                    score = 2 * common / (len(asked) + last - first + 1)
                    if score > best + 1e-9:
                        best, where = score, (first, last)
        if where is None or best < LEAST_F1:
            return None
        return self._spans[where[0]][0], self._spans[where[1]][1]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    yield json.loads(line)
                except ValueError:
                    raise UserError(f"{path}, line {number} is no JSON", expected="an object a line") from None
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}", expected="JSON lines, gzipped or not") from None


def _string(holder: Any, key: str, place: str) -> str:
    value = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(value, str):
        raise UserError(f"{place} without a text {key!r}", expected="a conversation's format")
    return value
