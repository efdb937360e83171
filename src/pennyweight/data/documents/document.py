"""What a document is once it has been read. Types only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading and the character of the text where it begins; ``level`` 1 is the highest."""

    start: int
    level: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A document's text, as it is searched, read and shown: all offsets anywhere are characters of ``text``.

    ``key`` names it within its corpus: the path below the folder, with slashes. ``pages`` are the characters where
    pages begin, of formats that have pages.
    """

    key: str
    title: str
    text: str
    headings: tuple[Heading, ...] = ()
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A file that was not taken in, and why."""

    key: str
    reason: str
