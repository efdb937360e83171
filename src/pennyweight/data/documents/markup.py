"""HTML and Markdown as text. What is not read as text (scripts, styles, drawings) is left out; nothing is fetched."""

import re
from collections.abc import Mapping
from html.parser import HTMLParser

from markdown_it import MarkdownIt

from pennyweight.data.documents.document import Heading
from pennyweight.data.documents.writing import TextWriter

_LEFT_OUT = {"script", "style", "template", "noscript", "svg", "math", "iframe", "object", "canvas", "audio", "video"}
_NEW_LINE = {"li", "tr", "dt", "dd", "option", "caption", "summary", "legend", "label", "figcaption"}
_EMPTY_LINES = """
address article aside blockquote body details dialog div dl fieldset figure footer form header hr main nav ol p
section table tbody tfoot thead ul pre
"""
_EMPTY_LINE = frozenset(_EMPTY_LINES.split())
_FRONT_MATTER = re.compile(r"\A---[ \t]*\r?\n(.*?)\r?\n(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_TITLE_LINE = re.compile(r"^title:[ \t]*(.+?)[ \t]*$", re.MULTILINE)

Read = tuple[str, str, tuple[Heading, ...]]
"""Title ("" where there is none), text and headings."""


def read_html(source: str) -> Read:
    """A page's title, its text and its headings (h1 to h6).

    >>> read_html("<title>T</title><p>a<b>b</b><script>x</script><li>c &amp; d")
    ('T', 'ab\\nc & d', ())
    """
    page = _Page()
    page.feed(source)
    page.close()
    page.writer.close_heading()
    headings = tuple(page.writer.headings)
    return " ".join(page.title.split()) or (headings[0].text if headings else ""), page.writer.text, headings


def read_markdown(source: str) -> Read:
    """A Markdown text (CommonMark with tables) as a page would show it. A title in the front matter goes first."""
    matter = _FRONT_MATTER.match(source)
    body = source[matter.end() :] if matter else source
    title, text, headings = read_html(_MARKDOWN.render(body))
    told = _TITLE_LINE.search(matter[1]) if matter else None
    return (told[1].strip("\"'") if told else title), text, headings


_MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


class _Page(HTMLParser):
    """Writes down what a page shows. It keeps no tree, so that no depth of nesting matters."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.writer = TextWriter()
        self.title = ""
        self._in_title = False
        self._left_out: list[str] = []
        self._exact = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _LEFT_OUT:
            self._left_out.append(tag)
        elif tag == "title":
            self._in_title = not self.title
        elif tag == "pre":
            self._exact += 1
        elif tag == "img" and (told := _told(dict(attrs))) and not self._left_out:
            self.writer.write(f" {told} ")
        self._parted(tag, opening=True)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._left_out:  # an end tag that is missing must not hide the rest of the page
            del self._left_out[self._left_out.index(tag) :]
        elif tag == "title":
            self._in_title = False
        elif tag == "pre":
            self._exact = max(0, self._exact - 1)
        self._parted(tag, opening=False)

    def _parted(self, tag: str, *, opening: bool) -> None:
        if self._left_out:
            return
        if tag in ("td", "th"):
            self.writer.part("\t")
        elif tag == "br" or tag in _NEW_LINE:
            self.writer.part("\n")
        elif tag in _EMPTY_LINE:
            self.writer.part("\n\n")
        elif len(tag) == 2 and tag[0] == "h" and tag[1] in "123456":
            if opening:
                self.writer.open_heading(int(tag[1]))
            else:
                self.writer.close_heading()

    def handle_data(self, data: str) -> None:
        if self._left_out:
            return
        if self._in_title:
            self.title += data
        elif self._exact:
            self.writer.write_exactly(data)
        else:
            self.writer.write(data)


def _told(attributes: Mapping[str, str | None]) -> str:
    """What an image is said to show."""
    return (attributes.get("alt") or "").strip()
