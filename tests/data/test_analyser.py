"""Words and terms: the same whichever way they are asked for, and offsets that say where a word stands."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.data.analyser import MOST_LETTERS, STOP_WORDS, TERMS, pattern, searched, terms, words


@given(st.text())
def test_words_and_terms_agree_and_every_letter_is_in_a_word(text: str) -> None:
    found = [*words(text)]
    assert [word.term for word in found] == terms(text)
    inside = set()
    before = 0
    for word in found:
        assert before <= word.start < word.end
        before = word.end
        assert word.term
        inside |= {*range(word.start, word.end)}
    for place, letter in enumerate(text):
        if letter.isalnum():
            assert place in inside, (text, place)


@given(st.text(alphabet="abc de_'’-é\u0301\u0345東かİß\u00b2\U0001d400😀\r\n\t.", max_size=30))
def test_a_word_is_letters_digits_and_marks_with_apostrophes_inside(text: str) -> None:
    for word in words(text):
        written = text[word.start : word.end]
        kinds = {unicodedata.category(letter)[0] for letter in written.replace("'", "").replace("’", "")}
        assert kinds <= {"L", "N", "M"}
        assert written[0] not in "'’"
        assert written[-1] not in "'’"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Retrieving retrieval RETRIEVED", ["retriev", "retriev", "retriev"]),
        ("the company's, the company’s", ["the", "compani", "the", "compani"]),
        ("os.path.join read_csv x86-64", ["os", "path", "join", "read", "csv", "x86", "64"]),
        ("東京 タワー", ["東", "京", "タ", "ワ", "ー"]),
        ("caf\u00e9 cafe\u0301", ["café", "café"]),
        ("हिन्दी שָׁלוֹם", ["हिन्दी", "שָׁלוֹם"]),
        ("𝐀𝐁😀x", ["𝐀𝐁", "x"]),
        ("''a''b' '", ["a", "b"]),
        ("", []),
    ],
)
def test_terms_of_texts_of_many_kinds(text: str, expected: list[str]) -> None:
    assert terms(text) == [unicodedata.normalize("NFC", term) for term in expected]


def test_words_that_any_question_has_are_not_searched_for_and_not_stemmed_into_others() -> None:
    kept, left_out = searched("How is a doing of does done?")
    assert kept == {"done": ["done"]}
    assert left_out == ["How", "is", "a", "doing", "of", "does"]
    assert all(TERMS[word] == word for word in STOP_WORDS)
    assert searched("who are you?") == ({}, ["who", "are", "you"])


def test_a_word_without_end_is_cut_and_takes_linear_time() -> None:
    (term,) = terms("a" * 1_000_000)
    assert len(term) == MOST_LETTERS
    assert len(terms("a'" * 200_000)) == 1
    assert len(pattern().findall("'" * 1_000_000)) == 0
