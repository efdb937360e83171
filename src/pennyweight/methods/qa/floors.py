"""What answers are worth that were not read for: the floors beside every reader."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from pennyweight.data.analyser import STOP_WORDS, terms
from pennyweight.data.answers import f1
from pennyweight.data.questions import Question

_SENTENCE = re.compile(r"\S.*?(?:[.!?](?=\s)|\n|$)", re.DOTALL)
_WORD = re.compile(r"\S+")
_LONGEST = 12


def floors(questions: Sequence[Question]) -> Mapping[str, float]:
    """F1 of no answer, of the sentence most like the question, of the first one, and of any span of 1 to 12 words."""
    generator = np.random.default_rng(0)
    ways = {
        "no answer": [""] * len(questions),
        "most similar sentence": [similar_sentence(question) for question in questions],
        "first sentence": [next(iter(sentences(question.passage)), "") for question in questions],
        "random span": [_random_span(question.passage, generator) for question in questions],
    }
    return {
        name: float(np.mean([f1(a, [q.told] if q.told else q.right) for a, q in zip(given, questions, strict=True)]))
        for name, given in ways.items()
    }


def sentence_spans(passage: str) -> list[tuple[int, int]]:
    """The characters of a passage up to each full stop, question or exclamation mark, or the end of a line."""
    return [match.span() for match in _SENTENCE.finditer(passage)]


def sentences(passage: str) -> list[str]:
    """The sentences of `sentence_spans`."""
    return [passage[start:end].strip() for start, end in sentence_spans(passage)]


def similar_sentence(question: Question) -> str:
    """The sentence that has most of the question's words, of equal ones the first."""
    asked = {*terms(question.text)} - STOP_WORDS
    found = sentences(question.passage)
    return max(found, key=lambda sentence: len(asked & {*terms(sentence)}), default="")


def _random_span(passage: str, generator: np.random.Generator) -> str:
    words = _WORD.findall(passage)
    if not words:
        return ""
    first = int(generator.integers(len(words)))
    return " ".join(words[first : first + int(generator.integers(1, _LONGEST + 1))])
