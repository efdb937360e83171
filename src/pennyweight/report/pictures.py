"""Small pictures of what an operation does with arrays, after figure 1 of the NumPy paper (Nature 585:357).

Boxes stand for arrays, with their shape below. A view is an outline (it holds nothing of its own); new memory is
filled; memory that was written in place is filled in the other colour; the part of an input that broadcasting
duplicates without copying is a dashed ghost.
"""

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from markupsafe import Markup

from pennyweight.lottery.tracing.examine import Box

_HEIGHT = 64
_GAP = 22
_DEPTH = 4
_LEAST, _MOST = 7.0, 34.0
_STYLES = {
    "input": "fill: var(--line); stroke: var(--muted)",
    "view": "fill: none; stroke: var(--muted); stroke-dasharray: 2 2",
    "new": "fill: var(--idea); fill-opacity: 0.3; stroke: var(--idea)",
    "copy": "fill: var(--idea); fill-opacity: 0.3; stroke: var(--idea)",
    "in place": "fill: var(--rival); fill-opacity: 0.3; stroke: var(--rival)",
}
_GHOST = "fill: none; stroke: var(--muted); stroke-dasharray: 1.5 2.5"


def picture(boxes: Sequence[Box], label: str) -> Markup:
    """The inputs, an arrow and the result of one operation; an empty string when there is nothing to draw."""
    if not boxes:
        return Markup("")
    result = boxes[-1] if boxes[-1].role != "input" else None
    parts, x = [], 4.0
    for number, box in enumerate(boxes):
        stretched = result.shape if result is not None and box.role == "input" and _is_stretched(box, result) else ()
        drawn, width = _box(box, x, stretched)
        parts.append(drawn)
        x += width
        if number < len(boxes) - 1:
            sign = "→" if boxes[number + 1] is result else ","
            parts.append(f'<text x="{x + _GAP / 2:.1f}" y="26" text-anchor="middle">{sign}</text>')
            x += _GAP
    return Markup(
        f'<svg class="picture" role="img" aria-label="{escape(label, {chr(34): "&quot;"})}" width="{x + 4:.0f}"'
        f' height="{_HEIGHT}" viewBox="0 0 {x + 4:.0f} {_HEIGHT}">{"".join(parts)}</svg>'
    )


def _is_stretched(box: Box, result: Box) -> bool:
    return (
        result.role in ("new", "in place")
        and math.prod(box.shape) < math.prod(result.shape)
        and all(a in (1, b) for a, b in zip(reversed(box.shape), reversed(result.shape), strict=False))
    )


def _box(box: Box, x: float, stretched: tuple[int, ...]) -> tuple[str, float]:
    """An array at a place, and how much room it took; with its ghost when it is stretched."""
    shape = stretched or box.shape
    wide, tall, deep = _extents(shape)
    real = _extents(_padded(box.shape, len(shape))) if stretched else (wide, tall, deep)
    drawn = []
    if stretched:
        drawn.append(_cuboid(x, wide, tall, deep, _GHOST))
    drawn.append(_cuboid(x, *real, _STYLES.get(box.role, _STYLES["input"])))
    text = f"({', '.join(map(str, box.shape))}{',' if len(box.shape) == 1 else ''})"
    room = max(wide + _DEPTH * deep, 5.6 * len(text))
    shift = (room - wide - _DEPTH * deep) / 2
    label = f'<text class="shape" x="{x + room / 2:.1f}" y="{_HEIGHT - 4}" text-anchor="middle">{text}</text>'
    return f'<g transform="translate({shift:.1f} 0)">{"".join(drawn)}</g>{label}', room


def _padded(shape: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    return (1,) * (ndim - len(shape)) + shape


def _extents(shape: tuple[int, ...]) -> tuple[float, float, int]:
    """Width, height, and how many sheets lie behind (0 to 3): long axes are drawn longer, by their logarithm."""
    last = shape[-1] if shape else 1
    rows = shape[-2] if len(shape) > 1 else 1
    behind = math.prod(shape[:-2]) if len(shape) > 2 else 1
    sheets = 0 if behind == 1 else min(3, 1 + int(math.log10(behind)))
    return _length(last), _length(rows), sheets


def _length(extent: int) -> float:
    return min(_MOST, _LEAST + 6.0 * math.log10(max(1, extent)))


def _cuboid(x: float, wide: float, tall: float, deep: int, style: str) -> str:
    top = 44 - tall
    sheets = [
        f'<rect x="{x + _DEPTH * back:.1f}" y="{top - _DEPTH * back:.1f}" width="{wide:.1f}" height="{tall:.1f}"'
        f' style="{style}"/>'
        for back in range(deep, -1, -1)
    ]
    return "".join(sheets)
