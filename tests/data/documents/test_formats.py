"""Files of each format as documents: what a reader would see, and nothing that is hidden in them."""

from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.data.documents.formats import Unreadable, decoded, read_document
from pennyweight.data.documents.markup import read_html, read_markdown
from pennyweight.data.documents.restructured import read_restructured

PAGE = """<!doctype html><html><head><title>Of  mice</title><style>p {color: red}</style></head>
<body><script>evil()</script><nav>Home</nav>
<h1>Of <em>mice</em></h1><p>Small,
grey&nbsp;and quick.</p>
<h2>Food</h2><ul><li>corn</li><li>bread &amp; cheese</li></ul>
<table><tr><th>kind</th><th>legs</th></tr><tr><td>mouse</td><td>4</td></tr></table>
<pre>for x in y:
    eat(x)</pre><img alt="a mouse" src="http://elsewhere/m.png"><p>End.</body></html>"""


def test_a_page_is_read_as_it_is_shown() -> None:
    title, text, headings = read_html(PAGE)
    assert title == "Of mice"
    assert text == (
        "Home\n\nOf mice\n\nSmall, grey\u00a0and quick.\n\nFood\n\ncorn\nbread & cheese\n\nkind\tlegs\nmouse\t4\n\n"
        "for x in y:\n    eat(x)\n\na mouse\n\nEnd."
    )
    assert [(one.level, one.text, text[one.start : one.start + len(one.text)]) for one in headings] == [
        (1, "Of mice", "Of mice"),
        (2, "Food", "Food"),
    ]


@given(st.text(alphabet="<>/=\"' abph1scripttitle!-&;x\n", max_size=200))
def test_any_tag_soup_is_read_and_headings_are_where_they_say(source: str) -> None:
    _, text, headings = read_html(source)
    for heading in headings:
        assert " ".join(text[heading.start :].split()).startswith(heading.text)


def test_what_is_nested_without_end_is_read_in_linear_time() -> None:
    assert read_html("<div>" * 200_000 + "deep")[1] == "deep"
    assert read_html("<b>" * 200_000 + "<script>x</script>y")[1] == "y"


def test_markdown_is_read_as_its_page() -> None:
    title, text, headings = read_markdown(
        "---\ntitle: 'A title'\ntags: [x]\n---\n\n# Mice\n\nSmall *grey* `code` [link](http://x).\n\n"
        "- one\n- two\n\n```py\nx  =  1\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<script>evil()</script>\n"
    )
    assert title == "A title"
    assert text == "Mice\n\nSmall grey code link.\n\none\ntwo\n\nx  =  1\n\n\na\tb\n\n1\t2"
    assert [heading.text for heading in headings] == ["Mice"]


def test_restructured_text_keeps_what_only_sphinx_understands_and_includes_nothing() -> None:
    title, text, headings = read_restructured(
        ".. _mice:\n\nMice\n====\n\nSee :func:`~os.path.join` and :ref:`the rest <rest>`.\n\n"
        ".. function:: eat(x, y)\n   :noindex:\n\n   Eats it.\n\n   .. versionadded:: 3.2\n      It is new.\n\n"
        ".. include:: /etc/passwd\n\n.. raw:: html\n\n   <script>evil()</script>\n\n"
        "Food\n----\n\n* corn\n* bread\n\n::\n\n    x  =  1\n"
    )
    assert title == "Mice"
    assert text == (
        "Mice\n\nSee os.path.join and the rest.\n\neat(x, y)\n\nEats it.\n\n3.2 It is new.\n\nFood\n\ncorn\nbread\n\n"
        "x  =  1"
    )
    assert [(one.level, one.text) for one in headings] == [(1, "Mice"), (2, "Food")]


def a_pdf(pages: Sequence[str]) -> bytes:
    """A PDF with a line of text on each page."""
    bodies = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    kids = []
    for text in pages:
        stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode("latin-1") if text else b""
        bodies.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        bodies.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Resources << /Font << /F1 "
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>" % len(bodies)
        )
        kids.append(b"%d 0 R" % len(bodies))
    bodies[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    made, places = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    trailer = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(bodies) + 1, len(made))
    return made + b"xref\n0 %d\n0000000000 65535 f \n%s%s" % (len(bodies) + 1, table, trailer)


def test_a_pdf_is_its_pages_one_after_the_other() -> None:
    document = read_document("a/mice.pdf", a_pdf(["Small and grey.", "", "Quick."]))
    assert document.title == "mice.pdf"
    assert document.text == "Small and grey.\n\n\n\nQuick."
    assert [document.text[page:][:5] for page in document.pages] == ["Small", "\n\nQui", "Quick"]


@pytest.mark.parametrize(
    ("key", "content", "reason"),
    [
        ("a.exe", b"MZ", "not a format"),
        ("a.txt", b"a\0b", "binary"),
        ("a.md", b"  \n ", "no text"),
        ("a.html", b"<script>x</script>", "no text"),
        ("a.pdf", b"no pdf at all", "damaged PDF"),
        ("a.pdf", a_pdf(["x"])[:200], "damaged PDF"),
        ("a.pdf", a_pdf([""]), "no text"),
    ],
)
def test_what_cannot_be_a_document_says_why(key: str, content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read_document(key, content)


@given(st.binary(max_size=300))
def test_any_bytes_under_the_name_of_a_pdf_are_read_or_refused(content: bytes) -> None:
    with suppress(Unreadable):
        read_document("a.pdf", b"%PDF-1.4\n" + content)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("größe".encode(), "größe"),
        ("größe".encode("utf-8-sig"), "größe"),
        ("größe".encode("utf-16"), "größe"),
        ("größe".encode("utf-32"), "größe"),
        ("größe".encode("cp1252"), "größe"),
        ('<meta charset="koi8-r">мышь'.encode("koi8-r"), '<meta charset="koi8-r">мышь'),
        (b'<meta charset="no-such">\xe9', '<meta charset="no-such">é'),
        (b"a\r\nb\rc", "a\r\nb\rc"),
    ],
)
def test_text_is_decoded_by_its_mark_as_utf_8_by_what_it_says_or_as_windows_1252(content: bytes, text: str) -> None:
    assert decoded(content) == text


def test_a_plain_text_keeps_every_character() -> None:
    content = "Mice\r\n\r\nsmall 😀 e\u0301 \u202eright to left\u202c\n".encode()
    document = read_document("x/y.txt", content)
    assert document.text.encode() == content
    assert document.title == "Mice"
