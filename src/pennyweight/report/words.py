"""Numbers as people read them, and the parts of sentences about them: the same on a page and in a terminal.

Light on purpose (no torch, no templates, no drawings): verbs that draw nothing speak in the same words.
"""

import math
from collections.abc import Mapping
from typing import Any

from pennyweight.core.budget import Budget
from pennyweight.core.race import Interval

SPACE = "\u00a0"
"""Between a number and its unit: they must not part at the end of a line."""


def plain(text: str) -> str:
    """A text for a terminal: with common spaces, which a search for what one sees finds."""
    return text.replace(SPACE, " ")


# --- numbers ---


def number(value: float, digits: int = 3) -> str:
    """A number for people: ``digits`` significant digits, zeros at the end dropped, thousands separated.

    >>> number(2.5), number(1604352), number(0.000123456), number(-3.14159)
    ('2.5', '1,604,352', '0.000123', '−3.14')
    """
    text = score(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def score(value: float, digits: int = 4) -> str:
    """A measured number, where zeros at the end say something: ``digits`` significant digits, all shown.

    >>> score(2.5), score(0.99996), score(12345.6)
    ('2.500', '1.000', '12,346')
    """
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    # Rounded first: 0.99996 has its first digit where 1.000 has it.
    magnitude = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if magnitude < -5:
        return f"{value:.{digits - 1}e}".replace("-", "−")
    return f"{value:,.{max(0, digits - 1 - magnitude)}f}".replace("-", "−")


def bound(end: float) -> str:
    """The end of a ratio's interval: two seeds can put it at 10⁻⁹ or 10⁹, which says no more than a hundredfold."""
    return "<0.01" if end < 0.01 else ">100" if end > 100 else score(end, 3)


def size(num_bytes: float) -> str:
    """Bytes in the unit that leaves one to three digits before the point (1 kB is 1,000 bytes)."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= 0.9995 * scale:
            return f"{number(num_bytes / scale)}{SPACE}{unit}"
    return f"{num_bytes:.0f}{SPACE}B"


def duration(seconds: float) -> str:
    """Seconds up to two minutes, then minutes and seconds, then hours and minutes."""
    if seconds < 120:
        return f"{number(seconds)}{SPACE}s"
    units = (("h", 3600), ("min", 60)) if seconds >= 7200 else (("min", 60), ("s", 1))
    (large, many), (small, one) = units
    whole, rest = divmod(round(seconds / one), many // one)
    return f"{whole}{SPACE}{large}" + (f" {rest}{SPACE}{small}" if rest else "")


def moment(seconds: float) -> str:
    """Short times in the unit that leaves one to three digits before the point; long ones as `duration`.

    >>> moment(0.0688).replace(SPACE, " "), moment(5.4e-6).replace(SPACE, " ")
    ('68.8 ms', '5.4 µs')
    """
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)):
        if seconds >= 0.9995 * scale:
            return duration(seconds) if scale == 1.0 else f"{number(seconds / scale)}{SPACE}{unit}"
    return f"0{SPACE}s"


def work(operations: float) -> str:
    """Floating-point operations in the unit that leaves one to three digits before the point: 206 MFLOP."""
    for unit, scale in (("TFLOP", 1e12), ("GFLOP", 1e9), ("MFLOP", 1e6), ("kFLOP", 1e3)):
        if operations >= 0.9995 * scale:
            return f"{number(operations / scale)}{SPACE}{unit}"
    return f"{operations:.0f}{SPACE}FLOP"


def percent(share: float) -> str:
    """A share (0 to 1, or more) in per cent with two significant digits: 3.1 %, 29 %, 0.04 %."""
    value = 100 * share
    return f"{score(value, 2 if abs(value) < 99.5 else 3)}{SPACE}%"


def points(difference: float) -> str:
    """A difference of two shares (0 to 1) in points, hundredths, with its sign.

    >>> points(0.0132).replace(SPACE, " "), points(-0.223).replace(SPACE, " "), points(-4e-11).replace(SPACE, " ")
    ('+1.3 points', '−22 points', '0 points')
    """
    value = 100 * difference
    text = f"{value:+.1f}" if abs(value) < 9.95 else f"{value:+.0f}"
    return f"{'0' if float(text) == 0 else text.replace('-', '−')}{SPACE}points"


def level(confidence: float) -> str:
    """The confidence of an interval (0 to 1) as people name it: 99 %, 99.9 %."""
    return f"{number(100 * confidence)}{SPACE}%"


# --- parts of sentences ---


def amount(budget: str) -> str:
    """What a budget limits, for a sentence: ``"63.00s"`` is 63 s, ``"20000samples"`` 20,000 samples."""
    limits = Budget.parse(budget)
    parts = []
    if limits.seconds is not None:
        parts.append(duration(limits.seconds))
    if limits.samples is not None:
        parts.append(f"{limits.samples:,}{SPACE}samples")
    if limits.bytes is not None:
        parts.append(size(limits.bytes))
    if limits.joules is not None:
        parts.append(f"{number(limits.joules)}{SPACE}J")
    return " and ".join(parts)


def times(ratio: float) -> str:
    """A ratio as a factor with three significant digits: 0.712×."""
    return f"{score(ratio, 3)}×"


def scored(value: float, metric: str) -> str:
    """``2.013 bits per byte``, ``accuracy 0.812``: what counts something per something reads as a unit."""
    text = score(value)
    return f"{text}{SPACE}{metric}" if " per " in metric else f"{metric}{SPACE}{text}"


def change(ratio: float, metric: str = "") -> str:
    """``3.1 % fewer bits per byte``, ``3.1 % higher accuracy``; without a metric ``3.1 % lower``.

    Beyond 99 % lower and ten times as much, which a few seeds cannot tell apart, it says no more than that.
    """
    if " per " in metric:
        word = "fewer" if ratio < 1 else "more"
    else:
        word = "lower" if ratio < 1 else "higher"
    share = abs(ratio - 1)
    told = f"over 99{SPACE}%" if ratio < 0.01 else f"over 900{SPACE}%" if ratio > 10 else percent(share)
    return f"{told} {word} {metric}".strip()


def bounded(low: float, high: float) -> bool:
    """Whether a ratio's interval has bounds; one seed tells nothing of the spread and leaves 0 and 1e9."""
    return low > 0 and high < 1e9


def span(interval: Interval) -> str:
    """A ratio's interval from end to end: 0.950–0.988, or that there is none."""
    if not bounded(interval.low, interval.high):
        return "no interval"
    return f"{bound(interval.low)}–{bound(interval.high)}"


def outcome(value: float | None) -> str:
    """A trial's value, or that it diverged."""
    return "diverged" if value is None else score(value)


def seeds(count: int) -> str:
    """``1 seed``, ``3 seeds``."""
    return f"{count}{SPACE}seed{'' if count == 1 else 's'}"


def listed(settings: Mapping[str, Any]) -> str:
    """Settings in one line: ``pattern = par(5), context = 256``."""
    return ", ".join(f"{key} = {value}" for key, value in settings.items()) or "nothing"
