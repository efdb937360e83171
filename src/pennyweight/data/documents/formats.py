"""One file's bytes as a document, by the format that its name tells; or the reason why it cannot be one."""

import codecs
import io
import re
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from pennyweight.data.documents.document import Document, Heading

MOST_BYTES = 64 << 20
"""A larger file is left out unless told."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)
_BLANK = re.compile(r"\s*\Z")


class Unreadable(ValueError):
    """The bytes cannot become a document; the message is the reason, for people."""


Parts = tuple[str, str, tuple[Heading, ...], tuple[int, ...]]
"""Title, text, headings and where pages begin."""


def read_document(key: str, content: bytes) -> Document:
    """A document from a file's bytes. ``key`` is its path, whose ending tells the format.

    Raises Unreadable for a format that is not known, binary data under a text's name, a damaged or locked file, and one
    without any text.
    """
    reader = _READERS.get(PurePosixPath(key).suffix.lower())
    if reader is None:
        raise Unreadable("not a format that is read")
    title, text, headings, pages = reader(content)
    text = text.encode("utf-8", "replace").decode()  # half a surrogate pair is no character
    if _BLANK.match(text):
        raise Unreadable("no text in it")
    return Document(key=key, title=title or PurePosixPath(key).name, text=text, headings=headings, pages=pages)


def suffixes() -> list[str]:
    """The endings of the names of files that are read."""
    return sorted(_READERS)


def decoded(content: bytes) -> str:
    """Bytes as text: by their byte order mark, as UTF-8, by the character set that a page names, or as Windows-1252.

    Raises Unreadable for binary data, which has zeros where text has none.
    """
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace")
    if b"\0" in content[: 1 << 16]:
        raise Unreadable("binary data")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        named = _CHARSET.search(content[:4096])
    try:
        return content.decode(named[1].decode("ascii") if named else "cp1252", errors="replace")
    except LookupError:
        return content.decode("cp1252", errors="replace")


def _plain(content: bytes) -> Parts:
    text = decoded(content)
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return (first if len(first) <= 80 else ""), text, (), ()


def _html(content: bytes) -> Parts:
    from pennyweight.data.documents.markup import read_html

    return (*read_html(decoded(content)), ())


def _markdown(content: bytes) -> Parts:
    from pennyweight.data.documents.markup import read_markdown

    return (*read_markdown(decoded(content)), ())


def _restructured(content: bytes) -> Parts:
    from pennyweight.data.documents.restructured import read_restructured

    return (*read_restructured(decoded(content)), ())


def _pdf(content: bytes) -> Parts:
    """The pages' text one after the other. A page without text, as of a scan, is an empty one."""
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("locked by a password")
        pages = [page.extract_text() for page in reader.pages]
        title = str((reader.metadata.title if reader.metadata else "") or "").strip()
    except Unreadable:
        raise
    except (PyPdfError, RecursionError, MemoryError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        # Damage inside of a file shows itself in many ways.
        raise Unreadable(f"a damaged PDF ({type(error).__name__})") from error
    starts, at = [], 0
    for page in pages:
        starts.append(at)
        at += len(page) + 2
    return title, "\n\n".join(pages), (), tuple(starts)


_READERS: Mapping[str, Callable[[bytes], Parts]] = {
    **dict.fromkeys((".txt", ".text", ".log"), _plain),
    **dict.fromkeys((".html", ".htm", ".xhtml"), _html),
    **dict.fromkeys((".md", ".markdown", ".mdown"), _markdown),
    **dict.fromkeys((".rst", ".rest"), _restructured),
    ".pdf": _pdf,
}
