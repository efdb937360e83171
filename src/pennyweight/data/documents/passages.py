"""A document cut into passages: the units that are found, about a hundred words each, at borders that a text has.

Together the passages hold every word of the document, each once, so that what is found can be counted on.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass

from pennyweight.data.analyser import pattern
from pennyweight.data.documents.document import Document

CHARACTERS, MOST_CHARACTERS = 600, 960
"""A passage ends at the first border after so many characters, and has at most so many, but for a longer word."""

_PARAGRAPH = re.compile(r"\n[ \t\r]*\n\s*")
_BORDER = re.compile(r"\n[ \t\r]*\n\s*|[.!?…][\"'”’)\]]*\s+|[。！？]\s*|\n(?=[ \t]*(?:[-*•]|\d{1,3}[.)])[ \t])")
_SPACE = re.compile(r"\s+(?=\S*\Z)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """The characters ``start`` to before ``end`` of a document, and its words."""

    start: int
    end: int
    words: list[str]


def passages(document: Document) -> list[Passage]:
    """The passages of a document, in order: paragraphs or sentences, as many as make a passage.

    None goes past a heading, and none is without a word.
    """
    text, find = document.text, pattern().findall
    stops = [*(heading.start for heading in document.headings if heading.start), len(text)]
    found: list[Passage] = []
    start = 0
    while start < len(text):
        cut = _end(text, start, stops[bisect_right(stops, start)])
        if words := find(text, start, cut):
            found.append(Passage(start=start, end=start + len(text[start:cut].rstrip()), words=words))
        start = cut
    return found


def _end(text: str, start: int, stop: int) -> int:
    """Where the passage that begins at ``start`` ends, ``stop`` at the latest: where the next begins."""
    most = start + MOST_CHARACTERS
    if stop <= most:
        return stop
    border = _BORDER.search(text, start + CHARACTERS, most)
    if border is None or "\n" not in border[0]:
        # Rather a short passage of whole paragraphs than one that ends in the middle of the next.
        for paragraph in _PARAGRAPH.finditer(text, start + CHARACTERS // 2, start + CHARACTERS):
            border = paragraph
    if border is not None:
        return border.end()
    if space := _SPACE.search(text, start + CHARACTERS, most):
        return space.end()
    # No white space for long: between words, or after the one that is longer than a passage.
    cut = most
    for word in pattern().finditer(text, start):
        if word.start() > most:
            break
        cut = word.start() if word.end() > most and word.start() > start else word.end()
    return max(cut, start + 1)
