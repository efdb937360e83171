"""Judging a reader: its answers to questions, and beside them what answers are worth that were not read for."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from pennyweight.arrays.statistics import ratio_of_sums
from pennyweight.core.task import Evaluation
from pennyweight.data.analyser import STOP_WORDS, terms
from pennyweight.data.answers import exact_match, f1
from pennyweight.data.questions import Question

_SENTENCE = re.compile(r"\S.*?(?:[.!?](?=\s)|\n|$)", re.DOTALL)
_WORD = re.compile(r"\S+")
_LONGEST = 12


def right_answers(question: Question) -> list[str]:
    """The right answers as texts; none where the passage does not say."""
    return [question.told] if question.told else question.right


def judged(questions: Sequence[Question], given: Sequence[tuple[str, str]]) -> Evaluation:
    """F1 of answers over all questions; the interval resamples passages."""
    scores = np.array([f1(text, right_answers(q)) for (_, text), q in zip(given, questions, strict=True)])
    exact = [exact_match(text, right_answers(q)) for (_, text), q in zip(given, questions, strict=True)]
    numbers = {passage: number for number, passage in enumerate(dict.fromkeys(q.passage for q in questions))}
    passages = np.array([numbers[question.passage] for question in questions])
    sums = np.bincount(passages, weights=scores).astype(np.float64)
    estimate = ratio_of_sums(sums, np.bincount(passages).astype(np.float64))
    kinds = np.array([q.told or ("span" if q.answers else "none") for q in questions])
    details = {"exact match": float(np.mean(exact)), "no answer given": float(np.mean([k == "none" for k, _ in given]))}
    for kind in ("span", "yes", "no", "none"):
        if (kinds == kind).any():
            details[f"F1 where the answer is {'a span' if kind == 'span' else kind}"] = float(
                scores[kinds == kind].mean()
            )
    return Evaluation(
        value=estimate.value, low=estimate.low, high=estimate.high,
        interval=f"95 % bootstrap over {len(numbers)} passages", details=details,
    )  # fmt: skip


def floors(questions: Sequence[Question]) -> Mapping[str, float]:
    """F1 of no answer, of the sentence most like the question, of the first one, and of any span of 1 to 12 words."""
    generator = np.random.default_rng(0)
    ways = {
        "no answer": [""] * len(questions),
        "most similar sentence": [similar_sentence(question) for question in questions],
        "first sentence": [first_sentence(question.passage) for question in questions],
        "random span": [_random_span(question.passage, generator) for question in questions],
    }
    return {
        name: float(np.mean([f1(a, right_answers(q)) for a, q in zip(given, questions, strict=True)]))
        for name, given in ways.items()
    }


def sentence_spans(passage: str) -> list[tuple[int, int]]:
    """The characters of a passage up to each full stop, question or exclamation mark, or the end of a line."""
    return [match.span() for match in _SENTENCE.finditer(passage)]


def sentences(passage: str) -> list[str]:
    """The sentences of `sentence_spans`."""
    return [passage[start:end].strip() for start, end in sentence_spans(passage)]


def first_sentence(passage: str) -> str:
    """The first of the sentences; "" where there is none."""
    found = _SENTENCE.search(passage)
    return found[0].strip() if found else ""


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
