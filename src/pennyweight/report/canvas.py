"""What figures are drawn on: matplotlib's drawings as inline SVG, themable, accessible, small and byte-stable.

Colours are drawn as sentinels and become CSS variables (``--idea``, ``--rival``, ``--muted``, ``--line``) and
``currentColor``, so that one drawing reads well in light and in dark. ``width`` is in CSS pixels, and one unit
of a drawing is one pixel at that width: a page shows one drawing on a desk and a narrower one on a phone.
"""

import hashlib
import io
import itertools
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

IDEA, RIVAL, MUTED, LINE, INK = "#010203", "#020304", "#030405", "#040506", "#050607"
_THEME = {
    IDEA: "var(--idea)",
    RIVAL: "var(--rival)",
    MUTED: "var(--muted)",
    LINE: "var(--line)",
    INK: "currentColor",
}
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pennyweight",
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "font.size": 12.0,
    "path.simplify": False,
}
_FONT = "font-family: system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
NARROW = 520
"""A drawing below this width, in pixels, is one for a phone."""
_DRAWING = threading.Lock()  # matplotlib's settings are the process's; two threads must not draw at once


class Finish:
    """Turns the figure that was drawn into markup; called as the last act of a drawing.

    ``label`` says what is seen to those who cannot see it; ``key`` keeps the ids of equal drawings apart.
    """

    def __init__(self, figure: Figure, width: int) -> None:
        self._figure = figure
        self._width = width

    def __call__(self, label: str, key: str) -> Markup:
        """The drawing as an element to stand in a page."""
        self._figure.patch.set_visible(False)
        raw = io.BytesIO()
        self._figure.savefig(raw, format="svg", metadata={"Date": None})
        return _inline(raw.getvalue(), label=label, key=f"{key} {self._width}", width=self._width)


@contextmanager
def canvas(width: int, height: int) -> Iterator[tuple[Figure, Finish]]:
    """A figure of so many CSS pixels, with the house's settings, and what makes markup of it in the end."""
    with _DRAWING, matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        # The reader's fonts show what the measuring font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        yield figure, Finish(figure, width)


def place_axes(
    figure: Figure, *, left: float, right: float, top: float, bottom: float = 0.0, height: float | None = None
) -> Axes:
    """Axes with margins in pixels; from ``top`` down by ``height`` where that is given."""
    wide, tall = figure.get_size_inches() * 72
    high = tall - top - bottom if height is None else height
    axes = figure.add_axes((left / wide, (tall - top - high) / tall, (wide - left - right) / wide, high / tall))
    axes.patch.set_visible(False)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    return axes


def write_title(axes: Axes, text: str) -> None:
    """What the value axis measures, written level above it: nobody has to turn the head."""
    axes.annotate(
        text,
        (0, 1),
        xycoords="axes fraction",
        xytext=(-36, 10),
        textcoords="offset points",
        fontsize=12,
        color=MUTED,
    )


def spread(levels: Sequence[float], least: float) -> list[float]:
    """Levels moved apart to (nearly) the least distance, each pair by halves, in their order."""
    order = sorted(range(len(levels)), key=lambda index: levels[index])
    moved = list(levels)
    for _ in range(10 * len(levels)):
        for below, above in itertools.pairwise(order):
            lack = max(0.0, least - (moved[above] - moved[below]))
            moved[below] -= lack / 2
            moved[above] += lack / 2
    return moved


def _inline(svg: bytes, *, label: str, key: str, width: int) -> Markup:
    """Matplotlib's document as an element to stand in a page: no metadata, own ids, the page's colours."""
    root = ElementTree.fromstring(svg)
    prefix = "f" + hashlib.sha256(svg + key.encode() + label.encode()).hexdigest()[:8]
    for parent in root.iter():
        for child in list(parent):
            if child.tag.endswith(("metadata", "}style")):
                parent.remove(child)
    referred = set()
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for value in element.attrib.values():
            if value.startswith("#"):
                referred.add(value[1:])
            elif value.startswith("url(#"):
                referred.add(value[5:-1])
    for element in root.iter():
        element.attrib = dict(_attributes(element.attrib, referred, prefix))
        if element.tag != "text":
            element.text = None
        element.tail = None
    height = root.get("viewBox", "").split()[3]
    root.attrib = {
        "viewBox": f"0 0 {width} {height}",
        "role": "img",
        "aria-label": label,
        "style": f"max-width: {width}px; stroke-linejoin: round; {_FONT}",
    }
    title = ElementTree.Element("title")
    title.text = label
    root.insert(0, title)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _attributes(attributes: Mapping[str, str], referred: set[str], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in attributes.items():
        short = name.rpartition("}")[2]
        if short == "id":
            if value in referred:
                yield short, f"{prefix}-{value}"
        elif short == "href":
            yield short, f"#{prefix}-{value[1:]}"
        elif value.startswith("url(#"):
            yield short, f"url(#{prefix}-{value[5:]}"
        elif short == "style":
            parts = [part for part in value.split("; ") if not part.startswith("font-family")]
            text = "; ".join(parts)
            for sentinel, themed in _THEME.items():
                text = text.replace(sentinel, themed)
            yield short, text
        elif short == "d":
            yield short, " ".join(value.split())
        elif short == "transform" and value.startswith("rotate(-0 "):
            continue
        else:
            yield short, value
