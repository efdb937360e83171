"""Passages together are the document: every word once, at borders that a text has."""

from hypothesis import given
from hypothesis import strategies as st

from pennyweight.data.analyser import TERMS, terms
from pennyweight.data.documents.document import Document, Heading
from pennyweight.data.documents.passages import MOST_CHARACTERS, passages

_LINES = ["\n\n", "\r\n\r\n", "\n- item", "\t"]
_WORDS = ["word ", "long" * 30 + " ", "A sentence. ", "Another one! ", "東京です。", "e\u0301", "😀 ", "'", "x" * 1100]
PIECES = st.sampled_from(_LINES + _WORDS)


@given(st.lists(PIECES, max_size=300), st.sets(st.integers(0, 3000), max_size=5))
def test_every_word_is_in_one_passage_and_none_is_too_long(pieces: list[str], places: set[int]) -> None:
    text = "".join(pieces)
    starts = sorted(place for place in places if place < len(text))
    document = Document(key="a", title="", text=text, headings=tuple(Heading(place, 1, str(place)) for place in starts))
    found = passages(document)
    before = 0
    for passage in found:
        assert before <= passage.start < passage.end <= len(text)
        before = passage.end
        written = text[passage.start : passage.end]
        assert [TERMS[word] for word in passage.words] == terms(written)
        assert len(written) <= MOST_CHARACTERS or len(passage.words) == 1 or " " not in written
        assert not any(passage.start < place < passage.end and _parts_words(text, place) for place in starts)
    if not any(_inside_a_word(text, place) for place in starts):
        assert [word for passage in found for word in passage.words] == _words(text), "no word is lost or cut"


def _words(text: str) -> list[str]:
    from pennyweight.data.analyser import pattern

    return pattern().findall(text)


def _inside_a_word(text: str, place: int) -> bool:
    return len(_words(text[:place])) + len(_words(text[place:])) != len(_words(text)) or (
        _words(text[:place]) + _words(text[place:]) != _words(text)
    )


def _parts_words(text: str, place: int) -> bool:
    """Whether there are words before and after a place."""
    return bool(_words(text[:place])) and bool(_words(text[place:])) and not _inside_a_word(text, place)


def test_passages_end_where_sentences_and_paragraphs_do() -> None:
    sentence = "This is a sentence of some words that says nothing. "
    text = sentence * 30 + "\n\n" + "Short.\n\n" + sentence * 3
    found = passages(Document(key="a", title="", text=text))
    written = [text[one.start : one.end] for one in found]
    assert all(one.endswith(".") for one in written)
    assert all(one.startswith(("This", "Short")) for one in written)
    assert len(found) == 3


def test_a_text_without_a_word_has_no_passage() -> None:
    assert passages(Document(key="a", title="", text=" ... \n\n 😀 !")) == []
