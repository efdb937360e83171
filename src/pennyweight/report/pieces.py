"""What a page is made of: sections, drawn by templates out of pieces that are plain data.

One macro of ``templates/pieces.html`` draws each kind of piece. Whatever comes out of a run is escaped there;
only the drawings of `figures` are taken as markup.
"""

import hashlib
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pennyweight.core.run import read_document

_WIDE, _NARROW = 760, 358


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a page, drawn already: title, the id by which a link finds it, and its markup."""

    title: str
    anchor: str
    html: Markup


@dataclass(frozen=True)
class Cell:
    """A number or word, where it comes from (a link), how it is set, and a small remark behind it.

    ``tone`` is ``idea``, ``rival``, ``chosen``, or "".
    """

    text: str
    href: str = ""
    tone: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Prose:
    """A paragraph under a small label."""

    kind: ClassVar = "prose"
    text: str
    label: str = ""


@dataclass(frozen=True, kw_only=True)
class Banner:
    """A verdict: the sentence that a reader takes away, in the colour of the side it names."""

    kind: ClassVar = "banner"
    label: str
    sentence: str
    more: Sequence[str] = ()
    tone: str = ""


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A key figure."""

    label: str
    value: Cell


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """Key figures in a row."""

    kind: ClassVar = "tiles"
    tiles: Sequence[Tile]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Rows of a table under a title of their own; the first cell of a row names it and tones all of it."""

    rows: Sequence[Sequence[Cell]]
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table whose first column names the rows and whose others hold numbers, set to the right."""

    kind: ClassVar = "table"
    caption: str
    columns: Sequence[Cell]
    groups: Sequence[Group]
    below: str = ""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure in two widths, for a desk and for a phone; the markup comes from `figures`."""

    kind: ClassVar = "drawing"
    wide: Markup
    narrow: Markup
    caption: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Labels and what they stand for, under a title."""

    kind: ClassVar = "facts"
    title: str
    items: Sequence[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Notes:
    """What a reader should know before trusting the numbers."""

    kind: ClassVar = "notes"
    items: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """A text shown as it is, such as what a model wrote."""

    kind: ClassVar = "exhibit"
    text: str
    caption: str


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A line of a program: its number, text, what it does, its figures, and a bar (0 to 1) for its part of the time."""

    number: str
    source: str
    sentence: str
    figures: str
    share: float
    picture: Markup | str = ""
    remarks: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Lines of a program, in their order."""

    kind: ClassVar = "listing"
    title: str
    rows: Sequence[Listed]
    below: str = ""


@dataclass(frozen=True, kw_only=True)
class Record:
    """A document (a receipt, mostly) to be unfolded: lines for people, and the JSON below them."""

    anchor: str
    title: str
    name: str
    groups: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    raw: str


@dataclass(frozen=True, kw_only=True)
class Records:
    """Documents under a title, which a link can find as a group."""

    kind: ClassVar = "records"
    title: str
    anchor: str
    records: Sequence[Record]


Piece = Prose | Banner | Tiles | Table | Drawing | Facts | Notes | Exhibit | Listing | Records


def section(title: str, anchor: str, pieces: Sequence[Piece]) -> Section:
    """A section out of pieces, in their order; ``anchor`` is made fit for an id."""
    html = environment().get_template("section.html").render(pieces=pieces)
    return Section(title=title, anchor=slug(anchor), html=Markup(html))


def text_section(title: str, caption: str, text: str) -> Section:
    """A section that shows a text as it is, its line breaks kept."""
    # Two runs may write under one title.
    distinct = hashlib.sha256(f"{caption}\n{text}".encode()).hexdigest()[:6]
    return section(title, f"{slug(title)}-{distinct}", [Exhibit(text=text, caption=caption)])


@cache
def environment() -> Environment:
    """The templates of pages; whatever is put into them is escaped, and a name that they lack is an error."""
    return Environment(
        loader=PackageLoader("pennyweight.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def slug(text: str) -> str:
    """An id made of letters, digits, dots and dashes; texts that lose something keep apart by a short hash."""
    kept = re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-")
    if kept == text:
        return kept
    return f"{kept.lower()}-{hashlib.sha256(text.encode()).hexdigest()[:6]}".lstrip("-")


def drawing(draw: Callable[[int], Markup | None], caption: str) -> list[Drawing]:
    """A figure drawn in both widths, or nothing where there is nothing to draw."""
    wide, narrow = draw(_WIDE), draw(_NARROW)
    return [Drawing(wide=wide, narrow=narrow, caption=caption)] if wide and narrow else []


def titled(title: str, folder: Path) -> str:
    """A title with the four digits that end the names of runs: several may stand on a page."""
    ending = folder.name.rpartition("-")[2]
    return f"{title} ({ending})" if re.fullmatch("[0-9a-f]{4}", ending) else title


def receipt_link(run: str) -> str:
    """Link to the receipt of a run, given by its name or its path."""
    return f"#receipt-{slug(run.rpartition('/')[2])}"


def whole_document(title: str, folder: Path, name: str, anchor: str) -> Records:
    """A document of a folder as a piece of its own; numbers link to ``#record-<anchor>``."""
    raw = readable(read_document(folder / name))
    whole = Record(anchor=f"record-{anchor}", title=name, name=folder.name, groups=[], raw=raw)
    return Records(title=title, anchor=f"records-{anchor}", records=[whole])


def readable(document: Any) -> str:
    """A document as JSON for people, for the end of a `Record`."""
    return json.dumps(document, indent=1, ensure_ascii=False, default=str)
