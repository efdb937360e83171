"""Conversations as questions with spans: history of earlier turns alone, and answers where they stand."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.core.errors import UserError
from pennyweight.data.answers import f1
from pennyweight.data.conversations import LEAST_F1, Nearest, read_coqa, read_quac

STORY = "Cotton was a white kitten. She lived in a barn, with her mother (and 5 sisters)."


def a_conversation(*turns: tuple[str, str]) -> dict[str, Any]:
    return {
        "data": [
            {
                "source": "mctest",
                "id": "x1",
                "story": STORY,
                "questions": [{"input_text": asked, "turn_id": turn} for turn, (asked, _) in enumerate(turns, 1)],
                "answers": [{"input_text": answer, "turn_id": turn} for turn, (_, answer) in enumerate(turns, 1)],
            }
        ]
    }


def test_coqa_is_read_as_spans_yes_no_and_unknown(tmp_path: Path) -> None:
    turns = [
        ("What colour?", "White."),
        ("Where?", "in the barn"),
        ("Alone?", "no"),
        ("Why?", "unknown"),
        ("Really?", "Yes"),
        ("How many?", "five of them"),
    ]
    path = tmp_path / "coqa.json"
    path.write_text(json.dumps(a_conversation(*turns)))
    questions, notes = read_coqa(path)
    assert [(q.text, q.told, q.right) for q in questions] == [
        ("What colour?", "", ["white"]),
        ("Where?", "", ["in a barn"]),
        ("Alone?", "no", []),
        ("Why?", "", []),
        ("Really?", "yes", []),
    ]
    assert notes == ("1 turns left out whose answers resemble no span",)
    assert questions[2].before == ("What colour?", "White.", "Where?", "in the barn")
    for question in questions:
        assert question.document == "mctest/x1"
        for text, start in question.answers:
            assert question.passage[start : start + len(text)] == text


def test_quac_is_read_as_text(tmp_path: Path) -> None:
    line = {
        "passage": STORY + " CANNOTANSWER",
        "question": "question1: What colour?\n answer : ?\nquestion2: Why?\n answer : ?\n"
        "question3: Where?\n answer : ?",
        "answer": "possible answers for question1:\nwhite kitten\npossible answers for question2:\nCANNOTANSWER\n"
        "possible answers for question3:\na burrow",
    }
    path = tmp_path / "quac.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(line).encode()))
    questions, notes = read_quac(path)
    assert [(q.text, q.right, q.before) for q in questions] == [
        ("What colour?", ["white kitten"], ()),
        ("Why?", [], ("What colour?", "white kitten")),
    ]
    assert notes == ("1 questions left out whose answers stand nowhere",)
    assert questions[0].passage == STORY


WORDS = st.lists(st.sampled_from(["mouse", "Cellar,", "the", "in", "(grey", "run.", "small"]), max_size=12)


@given(WORDS, WORDS)
def test_the_nearest_span_is_that_of_brute_force(passage: list[str], answer: list[str]) -> None:
    text, asked = " ".join(passage), " ".join(answer)
    found = Nearest(text).span(asked)
    spans = [
        " ".join(passage[first : last + 1]) for first in range(len(passage)) for last in range(first, len(passage))
    ]
    best = max((f1(span, [asked]) for span in spans if f1(asked, [""]) != 1.0), default=0.0)
    if found is None:
        assert best < LEAST_F1 + 1e-9
    else:
        assert f1(text[slice(*found)], [asked]) == pytest.approx(best)


@pytest.mark.parametrize(
    ("read", "content", "said"),
    [
        (read_coqa, "{}", "without a list 'data'"),
        (read_coqa, '{"data": [{}]}', "without a text 'story'"),
        (read_quac, "no json", "line 1 is no JSON"),
        (read_quac, '{"passage": "x"}', "without a text 'question'"),
        (read_quac, '{"passage": "x", "question": "", "answer": ""}', "other questions than answers"),
    ],
)
def test_what_is_not_of_the_format_is_refused(tmp_path: Path, read: Any, content: str, said: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(content)
    with pytest.raises(UserError, match=said):
        read(path)
