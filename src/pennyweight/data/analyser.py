"""The one analyser: how a text becomes terms, for the index, for highlighting and for explaining scores.

A word is a run of letters, digits and the marks that belong to them, with an apostrophe inside; an underscore divides,
so that ``read_csv`` is found by ``csv``. Ideographs and kana stand alone, each. A term is the word in lower case,
composed (NFC) and stemmed (Snowball's English; Porter 1980). The offsets are the word's in the text as it stands.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import Stemmer

MOST_LETTERS = 60
"""Of a longer word the rest says nothing: it is a key, a hash or a picture in letters."""


_ALONE = (0x3041, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF)


@cache
def pattern() -> re.Pattern[str]:
    """A word. One class of characters for a run, because `re` takes a nested repetition five times as long."""
    alone = {code for first, last in _ALONE for code in range(first, last + 1)}
    spans: list[list[int]] = []
    for code in range(1 << 16):
        letter = chr(code)
        if code not in alone and (letter.isalnum() or unicodedata.category(letter) in ("Mn", "Mc")):
            if spans and spans[-1][1] == code - 1:
                spans[-1][1] = code
            else:
                spans.append([code, code])
    run, one = (
        "[" + "".join(f"\\u{first:04x}-\\u{last:04x}" for first, last in ranges) + "]" for ranges in (spans, _ALONE)
    )
    return re.compile(rf"{run}+(?:['’]{run}+)*|{one}|[^\W\0-\uffff]+")


_STOP_WORDS = """
a about all also am an and any are as at be been but by can could d did do does for from get had has have how i
if in into is it its ll m may me might my of on or our re s shall should so some such t than that the their them
then there these they this those to ve was we were what when where which who whom whose why will with would you
your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Words that any question has. They count as words, are not stemmed, and are not searched for."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text: its term and the characters ``start`` to before ``end``."""

    term: str
    start: int
    end: int


class Terms(dict[str, str]):
    """The term of every word, worked out when it is first seen.

    >>> terms = Terms()
    >>> terms["Retrieving"], terms["company’s"]
    ('retriev', 'compani')
    """

    def __init__(self) -> None:
        super().__init__()
        self._stemmer = Stemmer.Stemmer("english")

    def __missing__(self, word: str) -> str:
        plain = word.lower()[:MOST_LETTERS]
        if not plain.isascii():
            plain = unicodedata.normalize("NFC", plain).replace("’", "'")
        term: str = plain if plain in STOP_WORDS else self._stemmer.stemWord(plain)
        if len(self) < 1 << 20:  # so that a stream of nonsense does not fill the memory
            self[word] = term
        return term


TERMS = Terms()


def words(text: str) -> Iterator[Word]:
    """The words of a text, in order.

    >>> [(word.term, word.start, word.end) for word in words("It's read_csv!")]
    [('it', 0, 4), ('read', 5, 9), ('csv', 10, 13)]
    """
    for match in pattern().finditer(text):
        yield Word(TERMS[match[0]], match.start(), match.end())


def terms(text: str) -> list[str]:
    """The terms of a text, in order: those of `words`, sooner."""
    return [TERMS[word] for word in pattern().findall(text)]


def searched(question: str) -> tuple[dict[str, list[str]], list[str]]:
    """The terms that a question is searched by, each with the words it was written as, and the words that are left out.

    >>> searched("What does the analyser do to words, Words?")
    ({'analys': ['analyser'], 'word': ['words', 'Words']}, ['What', 'does', 'the', 'do', 'to'])
    """
    kept: dict[str, list[str]] = {}
    left_out = []
    for word in words(question):
        written = question[word.start : word.end]
        if word.term in STOP_WORDS:
            left_out.append(written)
        else:
            kept.setdefault(word.term, []).append(written)
    return kept, left_out
