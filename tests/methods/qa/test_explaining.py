"""Explanations of a reader's span: exact where they claim to be, of words by their characters, none of them free."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pennyweight.blocks.reader.head import NONE, best_spans
from pennyweight.methods.qa.data import Laid, lay_out
from pennyweight.methods.qa.explaining import Explained
from pennyweight.methods.qa.task import Reading
from tests.methods.qa.test_reading import long_questions, task

__all__ = ["task"]  # the fixture


@pytest.fixture(scope="module")
def explained(task: Reading) -> Explained:
    question = long_questions()[1]
    (laid,) = lay_out([question], task.pieces, task.config)
    assert isinstance(laid, Laid)
    return Explained(
        task.reader, task.pieces, laid, laid.windows[0], question=question.text, passage=question.passage,
        first=4, last=5, longest=4,
    )  # fmt: skip


def test_words_are_those_of_question_and_passage_where_they_stand(explained: Explained) -> None:
    question = long_questions()[1]
    texts = {"question": question.text, "passage": question.passage}
    written = [texts[unit.where][unit.start : unit.end] for unit in explained.words]
    assert written[:4] == ["what", "is", "the", "mouse"]
    assert written[4:6] == question.passage.split()[:2]
    positions = [position for unit in explained.words for position in unit.positions]
    assert len(positions) == len(set(positions))
    tokens = explained._batch["tokens"][0].tolist()
    for unit, word in zip(explained.words, written, strict=True):
        pieces = "".join(explained._pieces.text(tokens[p]).removeprefix("##") for p in unit.positions)
        assert pieces == word


def test_gradients_are_those_of_the_score_itself(explained: Explained) -> None:
    """Beside differences: a small step along each word's way to the mask."""
    found = explained.at_once("none")
    score = explained._of_embeddings("none")
    whole = explained._embeddings
    for number in (0, 3, 7):
        step = torch.zeros_like(whole)
        places = list(explained.words[number].positions)
        step[0, places] = (whole - explained._mask)[0, places]
        with torch.no_grad():
            slope = (score(whole + 1e-3 * step) - score(whole - 1e-3 * step)) / 2e-3
        assert found[number] == pytest.approx(float(slope[0]), rel=0.05, abs=0.02)


def test_integrated_gradients_sum_to_the_score_but_for_their_gap(explained: Explained) -> None:
    gaps = []
    for steps in (4, 64):
        _, gap = explained.integrated("none", steps=steps)
        gaps.append(abs(gap))
    assert gaps[1] < 0.5 * gaps[0] + 1e-3


def test_erasing_is_masking_and_leaving_a_sentence_out_is_exact(explained: Explained) -> None:
    sentences = explained.sentences
    found = explained.by_sentence("none")
    assert len(found) == len(sentences) > 3
    tokens = explained._batch["tokens"].clone()
    tokens[0, list(sentences[2].positions)] = explained._pieces.mask
    rest = {name: explained._batch[name] for name in ("kinds", "real", "inside")}
    with torch.no_grad():
        whole, without = explained._reader(**explained._batch), explained._reader(tokens, **rest)
    lost = explained._score(whole, "none") - explained._score(without, "none")
    assert found[2] == pytest.approx(float(lost[0]), abs=1e-4)


def test_the_runner_up_is_the_best_span_that_does_not_touch_the_answer(explained: Explained) -> None:
    logits = explained._whole
    every = [
        (float(logits.begins[0, first] + logits.ends[0, last]), first, last)
        for first in range(logits.begins.shape[1])
        for last in range(first, min(first + 4, logits.begins.shape[1]))
        if last < explained._first or first > explained._last
    ]
    best = max(every)
    expected = None if best[0] < float(logits.others.max()) else best[1:]
    assert explained.runner_up == expected
    assert float(best_spans(logits, longest=4).margin[0]) >= best[0] - float(logits.others[0, NONE])


def test_a_counterfactual_makes_the_answer_fall_behind(explained: Explained) -> None:
    importance = np.maximum(explained.at_once("none"), explained.at_once("runner-up"))
    found = explained.turned(importance)
    if found is not None:
        units = [explained.words[number] for number in found.units]
        assert not any(explained._touches(unit) for unit in units)
        mask = np.ones((1, len(units)), bool)
        scores = [explained._erased(units, aim)(mask)[0] for aim in ("none", "runner-up")]
        assert min(scores) == pytest.approx(found.score, abs=1e-4)
        assert found.score < 0 or found.units == ()


def test_trust_is_measured_on_words_outside_of_the_answer(explained: Explained, tmp_path: Path) -> None:
    told = explained.trusted(explained.at_once("none"))
    assert len(told.falls) == len(told.shares) == len(told.keeps)
    assert np.isfinite([told.comprehensiveness, told.random_comprehensiveness, told.sufficiency]).all()
