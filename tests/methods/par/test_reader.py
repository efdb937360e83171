"""The reader: its spans against a naive search, its score against a loop, that it learns, real files where they are."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from pennyweight.core.errors import UserError
from pennyweight.core.fit import load_task
from pennyweight.data.answers import exact_match, f1
from pennyweight.data.judging import first_sentence
from pennyweight.data.questions import QuestionsConfig, open_questions
from pennyweight.methods.par.config import ReaderConfig
from pennyweight.methods.par.reader import Reader, best_spans
from tests.methods.par.fitting import a_config, build, fitted, questions_of_colours


@pytest.fixture
def task(tmp_path: Path) -> Reader:
    path = questions_of_colours(tmp_path / "text", number=80)
    made = build(a_config("par/reader", **{"data.path": str(path), "overlap": 10, "longest_answer": 9}), tmp_path)
    assert isinstance(made, Reader)
    torch.manual_seed(1)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return made


@given(
    context=st.integers(2, 20),
    longest=st.integers(1, 25),
    seed=st.integers(0, 999),
    data=st.data(),
)
def test_the_best_span_is_that_of_a_search_through_all(context: int, longest: int, seed: int, data) -> None:
    start = data.draw(st.integers(1, context))
    stop = data.draw(st.integers(start, context))
    generator = torch.Generator().manual_seed(seed)
    begins, ends = torch.randn(2, 3, context, generator=generator).unbind(0)
    bounds = (torch.full((3,), start), torch.full((3,), stop))
    first, last, margin = best_spans(begins, ends, start=bounds[0], stop=bounds[1], longest=longest)
    for row in range(3):
        found = (-math.inf, 0, 0)
        for i in range(start, stop):
            for j in range(i, min(stop, i + longest)):
                found = max(found, (float(begins[row, i] + ends[row, j]), i, j))
        if stop == start:
            assert margin[row] < -1e8
        else:
            assert (first[row].item(), last[row].item()) == found[1:]
            assert margin[row].item() == pytest.approx(found[0] - float(begins[row, 0] + ends[row, 0]), abs=1e-5)


def by_hand(task: Reader, question: str, passage: str) -> str:
    """One question in loops: all windows, all spans."""
    separator, context = task.tokenizer.separator, task.config.context
    asked = task.tokenizer.encode(question).tolist()[: context // 3]
    ids = task.tokenizer.encode(passage).tolist()
    capacity = context - len(asked) - 2
    best, told = -math.inf, ""
    at = 0
    while True:
        part = ids[at : at + capacity]
        with torch.no_grad():
            states = task.model.hidden(torch.tensor([[separator, *asked, separator, *part]]))
            begins, ends = task.head(states)[0].T
        for i in range(len(part)):
            for j in range(i, min(len(part), i + task.config.longest_answer)):
                score = float(begins[i + len(asked) + 2] + ends[j + len(asked) + 2] - begins[0] - ends[0])
                if score > best:
                    best, told = score, task.tokenizer.decode(part[i : j + 1]).strip()
        if at + capacity >= len(ids):
            return "" if best < 0 else told
        at += capacity - min(task.config.overlap, capacity // 2)


def test_the_score_is_that_of_questions_answered_one_by_one(task: Reader) -> None:
    with torch.no_grad():
        told = task.evaluate("test")
    questions = task.data.splits["test"]
    answers = [by_hand(task, question.text, question.passage) for question in questions]
    assert len({*answers}) > 3
    assert [task.answer(question.text, question.passage) for question in questions] == answers
    scores = [f1(answer, q.right) for answer, q in zip(answers, questions, strict=True)]
    assert told.value == pytest.approx(np.mean(scores))
    exact = [exact_match(answer, q.right) for answer, q in zip(answers, questions, strict=True)]
    assert told.details["exact match"] == pytest.approx(np.mean(exact))
    assert told.details["no answer given"] == pytest.approx(np.mean([not answer for answer in answers]))
    assert len(task.windows("test").questions) > len(questions), "some passages need several windows"


def test_the_loss_is_of_the_places_where_the_answer_begins_and_ends(task: Reader) -> None:
    batch = next(iter(task.held_out("test")))
    with torch.no_grad():
        states = task.model.hidden(batch["tokens"])
        nats, counts = task.nats(states, batch)
        logits = task.head(states)
    for row in range(4):
        start, stop = int(batch["start"][row]), int(batch["stop"][row])
        kept = [0, *range(start, stop)]
        expected = sum(
            -F.log_softmax(logits[row, kept, side], -1)[kept.index(int(batch[name][row]))].item()
            for side, name in enumerate(("first", "last"))
        )
        assert nats[row].item() == pytest.approx(expected, rel=1e-4)
    assert counts.tolist() == [2.0] * len(counts)


def test_no_answer_is_given_only_where_training_had_questions_without_one(tmp_path: Path) -> None:
    path = questions_of_colours(tmp_path / "text", number=40, unanswered=False)
    task = build(a_config("par/reader", **{"data.path": str(path)}), tmp_path)
    assert isinstance(task, Reader)
    with torch.no_grad():
        # A head that finds nothing better than the first position.
        task.model.embedding.weight[task.tokenizer.separator] += 100.0
        task.head.weight.copy_(task.model.hidden(torch.tensor([[task.tokenizer.separator]]))[0].expand(2, -1))
    assert not bool(task.null_allowed)
    assert task.answer("Which colour has box 7?", "box 7 is red") != ""
    task.null_allowed.fill_(True)
    assert task.answer("Which colour has box 7?", "box 7 is red") == ""
    assert not task.answer("Where?", "")


def test_floors_are_no_answer_the_first_sentence_and_a_random_span(task: Reader, tmp_path: Path) -> None:
    floors = task.baselines(tmp_path)
    questions = task.data.splits["test"]
    assert floors["no answer"] == pytest.approx(np.mean([not q.answers for q in questions]))
    assert 0 < floors["random span"] < 1
    expected = [f1(q.passage.split(". ")[0] + ".", q.right) for q in questions]
    assert floors["first sentence"] == pytest.approx(np.mean(expected))
    assert task.baselines(tmp_path) == floors


@pytest.mark.parametrize(
    ("passage", "sentence"),
    [
        ("One. Two.", "One."),
        ("Is it 3.5 or 4? Yes", "Is it 3.5 or 4?"),
        ("def f(x):\n    return x", "def f(x):"),
        ("\n\n  only words", "only words"),
        ("", ""),
        (" \n", ""),
    ],
)
def test_the_first_sentence_ends_at_its_mark_or_with_the_line(passage: str, sentence: str) -> None:
    assert first_sentence(passage) == sentence


def test_it_learns_to_find_the_colour_and_answers_without_its_data(tmp_path: Path) -> None:
    path = questions_of_colours(tmp_path / "text", number=600)
    settings = {"data.tokenizer": "bpe", "data.vocab_size": 330, "fit.batch": 16, "fit.optimizer.lr": 3e-3}
    config = a_config("par/reader", **{"data.path": str(path), **settings})
    run = fitted("par/reader", config, tmp_path, samples=16 * 300, floors=True)
    assert run.receipt is not None
    floors = run.receipt["baselines"]
    assert run.receipt["result"]["low"] > max(floors.values())
    loaded = load_task(run, cache=tmp_path / "other")
    assert isinstance(loaded, Reader)
    assert bool(loaded.null_allowed)
    assert "amber" in loaded.answer("Which colour has box 17?", "It is dry. The box 17 is amber now. It was 33.")
    with pytest.raises(UserError, match="without its questions"):
        loaded.evaluate("test")


def test_an_encoder_can_be_begun_with(tmp_path: Path) -> None:
    text = tmp_path / "plain"
    text.mkdir()
    for n in range(20):
        (text / f"{n}.txt").write_text(f"The box {n} is red. " * 8)
    encoder = fitted("par/encoder", a_config("par/encoder", **{"data.path": str(text)}), tmp_path, samples=16)
    path = questions_of_colours(tmp_path / "text", number=40)
    task = build(a_config("par/reader", **{"data.path": str(path), "encoder": str(encoder.folder)}), tmp_path)
    assert isinstance(task, Reader)
    trained = load_task(encoder, cache=tmp_path)
    torch.testing.assert_close(task.model.state_dict(), trained.model.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("wrong", [{"context": 8}, {"overlap": -1}, {"longest_answer": 0}, {"longest_answer": 999}])
def test_settings_that_leave_no_room_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UserError):
        ReaderConfig(**wrong)


REAL = {
    "policyqa-dev.json.gz": (3_000, 0.0),
    "squad2-train-part.json.gz": (4_000, 0.03),
}


@pytest.mark.parametrize("name", REAL)
def test_real_files_are_read_and_laid_out(name: str, tmp_path: Path) -> None:
    folder = os.environ.get("PENNYWEIGHT_DATA", "")
    path = Path(folder, "text", name)
    if not folder or not path.is_file():
        pytest.skip(f"PENNYWEIGHT_DATA/text/{name} is not here")
    least, unanswered = REAL[name]
    found = open_questions(QuestionsConfig(path=str(path)))
    questions = [question for part in found.splits.values() for question in part]
    assert len(questions) > least
    assert np.mean([not question.answers for question in questions]) >= unanswered
    task = build(
        a_config("par/reader", **{"data.path": str(path), "context": 256, "data.max_validation": 30}), tmp_path
    )
    assert isinstance(task, Reader)
    windows = task.windows("validation")
    for number, question in enumerate(task.data.splits["validation"]):
        rows = np.flatnonzero((windows.questions == number) & (windows.arrays["last"] > 0))
        if question.answers and len(question.answers[0][0]) < task.config.overlap:
            row = rows[0]
            shift = int(windows.offsets[row]) - int(windows.arrays["start"][row])
            first, last = (int(windows.arrays[side][row]) + shift for side in ("first", "last"))
            assert windows.passages[number].text(first, last) == question.answers[0][0].strip()
