"""Writing a document's text part by part: blocks apart, white space as a reader would see it, headings noted."""

import re

from pennyweight.data.documents.document import Heading

_SPACE = re.compile(r"[ \t\r\n\f\v]+")
_PARTED = ("", " ", "\t", "\n", "\n\n")  # each stronger than those before it


class TextWriter:
    """Collects running text and blocks; ``text`` and ``headings`` are what came of them.

    >>> page = TextWriter()
    >>> page.open_heading(1); page.write(" Of  mice "); page.close_heading(); page.write("and\\n men")
    >>> page.text, page.headings[0].text
    ('Of mice\\n\\nand men', 'Of mice')
    """

    def __init__(self) -> None:
        self.headings: list[Heading] = []
        self._parts: list[str] = []
        self._length = 0
        self._parted = ""
        self._level = 0
        self._heading: int | None = None
        self._at = 0

    @property
    def text(self) -> str:
        """All that was written."""
        return "".join(self._parts)

    @property
    def length(self) -> int:
        """How many characters were written."""
        return self._length

    def write(self, text: str) -> None:
        """Running text: white space of any kind counts as one space, and as none at the ends of a block."""
        squeezed = _SPACE.sub(" ", text)
        if squeezed.startswith(" "):
            self.part(" ")
        if inner := squeezed.strip(" "):
            self._put(inner)
        if squeezed.endswith(" "):
            self.part(" ")

    def write_exactly(self, text: str) -> None:
        """Text whose lines and spaces matter, as of a program."""
        if text:
            self._put(text)

    def part(self, by: str) -> None:
        """What follows is parted from what was written by a space, a tab, a new line or an empty line."""
        self._parted = max(self._parted, by, key=_PARTED.index)

    def open_heading(self, level: int) -> None:
        """What follows until `close_heading` is a heading of this level, 1 the highest."""
        self.close_heading()
        self.part("\n\n")
        self._level = level

    def close_heading(self) -> None:
        """The end of a heading, where one is open."""
        if self._level and self._heading is not None:
            written = "".join(self._parts[self._at :])
            self.headings.append(Heading(self._heading, self._level, " ".join(written.split())))
        if self._level:
            self.part("\n\n")
        self._level, self._heading = 0, None

    def _put(self, text: str) -> None:
        if self._length:
            self._parts.append(self._parted)
            self._length += len(self._parted)
        self._parted = ""
        if self._level and self._heading is None:
            self._heading, self._at = self._length, len(self._parts)
        self._parts.append(text)
        self._length += len(text)
