"""Exact match and F1, against the definition written out and against cases worked by hand."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.data.answers import exact_match, f1, normalised

WORDS = st.lists(
    st.sampled_from(["the", "a", "an", "A.", "Cat", "cat!", "dog", "1990s", "theatre", "-", "é"]), max_size=8
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Cat", "cat"),
        ("  a  b\tc\n", "b c"),
        ("theatre, an", "theatre"),
        ("U.S.", "us"),
        ("it's", "its"),
        ("(1, 2)", "1 2"),
        ("The.", ""),
        ("...", ""),
        ("A-the", "athe"),
        ("x–a–y", "x– –y"),
    ],
)
def test_normalised_by_hand(text: str, expected: str) -> None:
    assert normalised(text) == expected


@pytest.mark.parametrize(
    ("answer", "right", "exact", "overlap"),
    [
        ("in the late 1990s", ["late 1990s"], 0, 0.8),
        ("Cat cat dog", ["cat dog dog"], 0, 2 / 3),
        ("the dog", ["Dog!"], 1, 1),
        ("dog", ["cat", "a dog"], 1, 1),
        ("", [], 1, 1),
        ("dog", [], 0, 0),
        ("", ["dog"], 0, 0),
        ("the", ["..."], 1, 1),
    ],
)
def test_scores_by_hand(answer: str, right: list[str], exact: float, overlap: float) -> None:
    assert exact_match(answer, right) == exact
    assert f1(answer, right) == pytest.approx(overlap)


def naive_f1(answer: str, right: str) -> float:
    """The definition in loops: precision and recall of words, each right word found at most once."""

    def words(text: str) -> list[str]:
        kept = "".join(sign for sign in text.lower() if sign not in set(string.punctuation))
        return [word for word in re.split(r"\s+", kept) if word and word not in ("a", "an", "the")]

    given, wanted = words(answer), words(right)
    if not given or not wanted:
        return float(given == wanted)
    rest, same = [*wanted], 0
    for word in given:
        if word in rest:
            rest.remove(word)
            same += 1
    if same == 0:
        return 0.0
    precision, recall = same / len(given), same / len(wanted)
    return 2 * precision * recall / (precision + recall)


@given(answer=WORDS, right=st.lists(WORDS, max_size=3))
def test_f1_is_that_of_a_naive_loop(answer: list[str], right: list[list[str]]) -> None:
    told, texts = " ".join(answer), [" ".join(words) for words in right]
    expected = max((naive_f1(told, text) for text in texts), default=naive_f1(told, ""))
    assert f1(told, texts) == pytest.approx(expected)
    assert exact_match(told, texts) <= f1(told, texts)


@given(text=st.text())
def test_a_text_is_its_own_exact_match_whatever_it_is(text: str) -> None:
    assert exact_match(text, [text]) == f1(text, [text]) == 1
    assert normalised(normalised(text)) == normalised(text) or "İ" in text or not text.isascii()
