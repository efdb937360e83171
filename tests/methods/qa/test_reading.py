"""A reader's answers do not depend on how windows are laid side by side, and it learns to give them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pennyweight.core import randomness
from pennyweight.core.errors import UserError
from pennyweight.core.recipe import override
from pennyweight.core.task import to_tensors
from pennyweight.data.judging import floors, judged
from pennyweight.data.questions import Question
from pennyweight.methods.qa.config import QuestionDataConfig, ReaderConfig, tiny
from pennyweight.methods.qa.data import HIDDEN, Windows, collate, lay_out, open_data, unseen_documents
from pennyweight.methods.qa.reading import Said, decide, every_window, read
from pennyweight.methods.qa.task import Reading, build

COLOURS = ["red", "green", "blue", "grey", "white", "black"]
THINGS = ["mouse", "cellar", "kitten", "barn", "wagon", "river"]


def a_question(generator: np.random.Generator, number: int) -> Question:
    """Five things with their colours; what is said of one? Some are not there."""
    things = generator.permutation(THINGS)[:5]
    colours = generator.choice(COLOURS, 5)
    parts = [f"the {thing} is {colour} ." for thing, colour in zip(things, colours, strict=True)]
    passage = " ".join(parts)
    asked = str(generator.choice(THINGS))
    answers: tuple[tuple[str, int], ...] = ()
    if asked in things:
        sentence = parts[things.tolist().index(asked)]
        told = sentence.removeprefix("the ").removesuffix(" .")
        answers = ((told, passage.index(told)),)
    return Question(text=f"what is the {asked} ?", passage=passage, document=f"d{number}", answers=answers)


def squad(folder: Path, number: int = 300) -> Path:
    generator = np.random.default_rng(0)
    data = []
    for index in range(number):
        one = a_question(generator, index)
        answers = [{"text": text, "answer_start": start} for text, start in one.answers]
        qas = [{"question": one.text, "answers": answers, "is_impossible": not answers}]
        data.append({"title": one.document, "paragraphs": [{"context": one.passage, "qas": qas}]})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "questions.json").write_text(json.dumps({"data": data}))
    return folder / "questions.json"


def a_config(path: Path, **more: Any) -> ReaderConfig:
    return override(
        tiny(),
        {
            "width": "32", "num_layers": "2", "num_heads": "2", "vocab_size": "200", "context": "64", "overlap": "16",
            "longest_answer": "4", "data.path": str(path), "data.test_fraction": "0.1",
            "data.validation_fraction": "0.1", **more,
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Reading:
    folder = tmp_path_factory.mktemp("qa")
    randomness.seed_all(0)
    built = build(a_config(squad(folder)), cache=folder / "cache")
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return built.eval()


def long_questions() -> list[Question]:
    generator = np.random.default_rng(3)
    found = []
    for number in range(6):
        parts = [a_question(generator, number).passage for _ in range(number * 2)]
        found.append(Question(text="what is the mouse ?", passage=" ".join(parts), document="d", answers=()))
    return found


def test_what_a_window_says_depends_on_nothing_beside_it(task: Reading) -> None:
    laid = lay_out(long_questions(), task.pieces, task.config)
    chosen = [(one, window) for _, one, window in every_window(laid)]
    assert len(chosen) >= 20
    alone = [read(task.reader, task.pieces, [one], longest=4)[0] for one in chosen]
    for order, batch in ((range(len(chosen)), 7), (reversed(range(len(chosen))), 32), (range(len(chosen)), 1)):
        numbers = [*order]
        said = read(task.reader, task.pieces, [chosen[number] for number in numbers], longest=4, batch=batch)
        for number, one in zip(numbers, said, strict=True):
            expected = alone[number]
            assert (one.first, one.last) == (expected.first, expected.last)
            np.testing.assert_allclose([one.yes, one.no], [expected.yes, expected.no], rtol=1e-3, atol=1e-4)


def test_of_all_windows_that_answer_is_taken_which_exceeds_none_by_most() -> None:
    none = Said(first=0, last=0, span=-1.0, yes=-2.0, no=-3.0)
    assert decide([none, none]).kind == "none"
    assert decide([]).kind == "none"
    span, yes = Said(first=3, last=4, span=2.0, yes=1.0, no=0.0), Said(first=0, last=0, span=1.0, yes=2.5, no=0.0)
    assert (decide([none, span]).kind, decide([none, span]).window) == ("span", 1)
    assert (decide([span, yes, none]).kind, decide([span, yes, none]).window) == ("yes", 1)
    assert decide([span, span]).window == 0


def test_answers_are_cut_out_of_their_passage(task: Reading) -> None:
    questions = long_questions()
    for question, (kind, text, margin) in zip(questions, task.answer(questions), strict=True):
        assert (kind == "none") == (margin == 0)
        if kind == "span":
            assert text
            assert text in question.passage
        else:
            assert text == {"none": "", "yes": "yes", "no": "no"}[kind]
    assert task.answer([Question(text="what " * 100, passage="x", document="", answers=())])[0][0] == "none"


def test_right_answers_stand_where_the_windows_say(task: Reading) -> None:
    questions = task.data.splits["train"]
    laid = lay_out(questions, task.pieces, task.config)
    chosen = [(one, window) for _, one, window in every_window(laid)]
    arrays = collate(chosen, task.pieces)
    checked = 0
    for row, (number, one, window) in enumerate(every_window(laid)):
        spans = [span for span in arrays["right"][row].tolist() if span[0] >= 0]
        if not spans:
            assert arrays["other"][row] == 2
        for first, last in spans:
            shift = window.first - len(window.head)
            start, end = one.passage.characters(first + shift, last + shift)
            assert questions[number].passage[start:end] in questions[number].right
            assert arrays["inside"][row, first : last + 1].all()
            checked += 1
    assert checked > 100


def test_a_number_always_gives_the_same_window_and_an_epoch_every_question(task: Reading) -> None:
    source = task.source("train", seed=1)
    assert isinstance(source, Windows)
    whole = source.batch(np.arange(40))
    part = source.batch(np.array([7, 3]))
    for name in ("tokens", "kinds", "real", "inside"):
        time = part[name].shape[1]
        np.testing.assert_array_equal(part[name][0], whole[name][7][:time])
    np.testing.assert_array_equal(part["targets"][1], whole["targets"][3])
    number = len([one for one in task._windows("train") if one])
    assert sorted(source._order(0).tolist()) == list(range(number))
    assert source._order(0).tolist() != source._order(1).tolist()


def test_erased_tokens_are_masked_and_asked_for(task: Reading) -> None:
    source = task.source("train", seed=1)
    arrays = source.batch(np.arange(200))
    erased = (arrays["targets"] >= 0).any(1)
    assert 0.15 < erased.mean() < 0.45
    for row in np.flatnonzero(erased):
        asked = arrays["targets"][row] >= 0
        assert (arrays["tokens"][row][arrays["places"][row][asked]] == task.pieces.mask).all()
        assert asked.sum() <= HIDDEN
    shares = (arrays["tokens"] == task.pieces.mask).sum(1)[erased] / arrays["real"].sum(1)[erased]
    assert shares.max() > 0.5
    assert (arrays["tokens"][~erased] != task.pieces.mask).all()


def test_it_learns_to_find_what_is_said_and_that_nothing_is(tmp_path: Path) -> None:
    randomness.seed_all(0)
    task = build(a_config(squad(tmp_path, 600), width="64", erased="0.1"), cache=tmp_path / "cache")
    source = task.source("train", seed=0)
    optimizer = torch.optim.AdamW(task.parameters(), lr=3e-3, betas=(0.9, 0.98))
    for step in range(250):
        optimizer.param_groups[0]["lr"] = 3e-3 * min(1.0, (step + 1) / 40, (250 - step) / 100)
        batch = to_tensors(source.batch(np.arange(step * 32, step * 32 + 32)), torch.device("cpu"))
        loss = task(batch)["loss"]
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(task.parameters(), 1.0)
        optimizer.step()
    task.eval()
    measured = task.evaluate("test")
    assert measured.low > max(task.baselines(tmp_path).values()), measured
    assert measured.details["F1 where the answer is none"] > 0.8


def test_floors_and_judgements_are_those_of_the_metric() -> None:
    questions = [
        Question(
            text="what colour is it?", passage="It is old. Its colour is red.", document="a", answers=(("red", 25),)
        ),
        Question(text="is it old?", passage="It is old. Its colour is red.", document="a", answers=(), told="yes"),
        Question(text="why?", passage="Nobody knows.", document="b", answers=()),
    ]
    told = floors(questions)
    assert told["no answer"] == pytest.approx(1 / 3)
    assert told["most similar sentence"] == pytest.approx((2 / 5) / 3, abs=0.2)
    measured = judged(questions, [("span", "red"), ("yes", "yes"), ("none", "")])
    assert measured.value == 1.0
    wrong = judged(questions, [("none", ""), ("no", "no"), ("span", "x")])
    assert wrong.value == 0.0
    assert wrong.details["F1 where the answer is a span"] == 0.0


def test_conversations_that_are_to_stay_unseen_are_the_last_by_name() -> None:
    questions = [
        Question(text="x", passage="y", document=f"{source}/{name}", answers=(), before=before)
        for source, name in (("z", "3a"), ("a", "3b"), ("m", "3c"))
        for before in ((), ("x", "y"))
    ]
    assert unseen_documents(questions, 1) == {"m/3c"}
    assert unseen_documents(questions, 2) == {"m/3c", "a/3b"}
    assert unseen_documents(questions, 0) == set()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"encoder": "nowhere"}, "is no checkpoint"),
        ({"data.path": "nowhere"}, "no questions at"),
        ({"context": "8"}, "context >= 32"),
        ({"erased": "2"}, "a part from 0 to 1"),
        ({"data.validation_fraction": "1"}, "something to train on"),
    ],
)
def test_what_cannot_be_built_says_why(tmp_path: Path, settings: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        build(override(a_config(squad(tmp_path, 30)), settings), cache=tmp_path / "cache")


def test_questions_come_from_the_files_that_are_named(tmp_path: Path) -> None:
    squad(tmp_path, 40)
    config = QuestionDataConfig(path=str(tmp_path), files="questions.json", test_fraction=0.2, validation_fraction=0.2)
    data = open_data(config)
    assert "questions.json: 40 questions" in data.split_rule
    assert all(q.document.startswith("questions.json/") for q in data.splits["train"])
    with pytest.raises(UserError, match=r"without other\.json"):
        open_data(QuestionDataConfig(path=str(tmp_path), files="other.json"))
