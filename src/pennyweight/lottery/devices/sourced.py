"""Numbers with their sources: what each source prints, what that is in SI units, and which of them is believed.

A reading keeps the text as it stands in its source, so that a slip (GB for GiB, a rate with sparsity) can be seen
where it was made. Nothing is chosen by hand: the value of a `Figure` follows from its readings by this rule.

1. If the maker of the device is among the sources, only the maker's own readings are eligible.
2. A source that copies another one is not heard beside it; of the rest the reading wins that most sources agree with,
   within 5 %.
3. Between equals the better kind of source wins: maker, operator (who runs or measures the device), catalogue, our own
   product of sourced factors, page, table in a program.
4. Then the reading nearest to their median (of the logarithms), and then the lower one: the usual fault is a figure too
   good to be true.
"""

import math
import re
import statistics
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Kind = Literal["maker", "operator", "catalogue", "derived", "page", "code"]

TRUST: tuple[Kind, ...] = ("maker", "operator", "catalogue", "derived", "page", "code")
"""Kinds of source, the most trusted first."""

TOLERANCE = 0.05
"""Two readings that are further apart than this part of the smaller one contradict each other."""

_PREFIXES = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_PREFIXES |= {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
# An integer operation counts as a floating-point one; T alone is a transfer, as in MT/s.
_BASES = {"FLOP": "FLOP", "OP": "FLOP", "B": "B", "s": "s", "W": "W", "USD": "USD", "T": "T", "cycle": "cycle"}
_COUNTED = {"boards", "channels", "cores", "CUs", "devices", "dies", "elements", "groups", "lanes", "pipes"}
_COUNTED |= {"sockets", "stacks", "tensor-cores"}
_ATOM = re.compile(rf"({'|'.join(_PREFIXES)})?({'|'.join(_BASES)})")
_FACTOR = re.compile(r"([0-9]+(?:\.[0-9]+)?(?:e[0-9]+)?)(?: ([A-Za-z/-]+))?(?: \[([a-z0-9, -]+)\])?")
_FLAGGED = re.compile(r"(.*) (sparse|per die)")


def quantity(text: str, unit: str, *, dies: float | None = None) -> tuple[float, tuple[str, ...]]:
    """Read a quantity and give it in SI units, with the sources named in brackets behind its factors.

    Factors are joined by `` x `` and `` / ``. The word ``sparse`` at the end halves the quantity (2:4 sparsity counts
    twice the work that is done), ``per die`` multiplies it by ``dies``. Raises ValueError when the text cannot be
    read or is no quantity in ``unit``.

    >>> quantity("3.35 TB/s", "B/s")
    (3350000000000.0, ())
    >>> quantity("64 cores [a] x 2.5 GHz [b] x 16 FLOP/cycle [a]", "FLOP/s")
    (2560000000000.0, ('a', 'b'))
    """
    flagged = _FLAGGED.fullmatch(text)
    parts = re.split(r" ([x/]) ", flagged[1] if flagged else text)
    value, powers = 1.0, Counter[str]()
    cited: list[str] = []
    for operator, factor in zip(["x", *parts[1::2]], parts[::2], strict=True):
        match = _FACTOR.fullmatch(factor)
        if match is None:
            raise ValueError(f"{text!r}: {factor!r} is not a number with a unit")
        scale, own = _unit(match[2] or "")
        sign = 1 if operator == "x" else -1
        value *= (float(match[1]) * scale) ** sign
        powers.update({base: sign * power for base, power in own.items()})
        cited += match[3].split(", ") if match[3] else []
    if {base: power for base, power in powers.items() if power} != _unit(unit)[1]:
        raise ValueError(f"{text!r} is no quantity in {unit or 'plain numbers'}")
    if flagged and flagged[2] == "sparse":
        value /= 2
    elif flagged:
        if dies is None:
            raise ValueError(f"{text!r} of a device whose dies are not given")
        value *= dies
    return value, tuple(dict.fromkeys(cited))


def year(text: str) -> int:
    """The year of a date written 2023, 2023-09 or 2023-09-28."""
    if not re.fullmatch(r"(?:19|20)\d\d(?:-(?:0[1-9]|1[0-2])(?:-[0-3]\d)?)?", text):
        raise ValueError(f"{text!r} is no date such as 2023, 2023-09 or 2023-09-28")
    return int(text[:4])


def si(value: float, unit: str) -> str:
    """A value in SI units for people, with four digits and the prefix that leaves one to three before the point.

    >>> si(6.691e13, "FLOP/s"), si(2.5e-6, "s"), si(350, "W")
    ('66.91 TFLOP/s', '2.5 us', '350 W')
    """
    scales = {scale: prefix for prefix, scale in _PREFIXES.items() if len(prefix) == 1} | {1.0: ""}
    scale = max((scale for scale in scales if scale <= value * (1 + 1e-9)), default=1.0)
    if unit in ("W", "USD", ""):
        scale = 1.0
    return f"{float(f'{value / scale:.4g}'):,g} {scales[scale]}{unit}".strip()


def _unit(text: str) -> tuple[float, dict[str, int]]:
    """A unit's scale and the powers of its base units: ``GB/s`` is 1e9 and ``{"B": 1, "s": -1}``."""
    scale, powers = 1.0, dict[str, int]()
    for place, atom in enumerate(text.replace("Hz", "cycle/s").split("/") if text else ()):
        if atom in _COUNTED:
            continue
        match = _ATOM.fullmatch(atom)
        if match is None:
            raise ValueError(f"unknown unit {atom!r}")
        sign = -1 if place else 1
        scale *= _PREFIXES.get(match[1], 1.0) ** sign
        powers[_BASES[match[2]]] = sign
    return scale, powers


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one source says: its name, the text as it stands there, and that in SI units.

    A product of our own has the source ``"derived"`` and cites the sources of its factors. ``follows`` names the
    source that this one copies.
    """

    source: str
    kind: Kind
    text: str
    value: float
    cited: tuple[str, ...] = ()
    follows: str = ""

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources that the reading stands on."""
        return self.cited or (self.source,)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One quantity in ``unit`` with all its readings: which of them is its value, and which contradict that one."""

    readings: tuple[Reading, ...]
    unit: str
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        if not self.readings or any(reading.value <= 0 for reading in self.readings):
            raise ValueError("a figure needs readings, all of them above zero")

    @cached_property
    def _heard(self) -> tuple[Reading, ...]:
        """The readings but those that copy another one's source."""
        names = {reading.source for reading in self.readings}
        return tuple(reading for reading in self.readings if reading.follows not in names)

    @cached_property
    def chosen(self) -> Reading:
        """The reading that the rule at the head of this module selects."""
        eligible = [reading for reading in self._heard if reading.kind == "maker"] or self._heard
        middle = math.exp(statistics.median(math.log(reading.value) for reading in self._heard))
        return min(eligible, key=lambda reading: self._rank(reading, middle))

    def _rank(self, reading: Reading, middle: float) -> tuple[float, ...]:
        # Rounded, so that two readings on either side of the middle are equally near to it.
        near = round(_distance(reading.value, middle), 9)
        return -self.voices(reading), TRUST.index(reading.kind), near, reading.value

    @property
    def value(self) -> float:
        """The value of the chosen reading, in SI units."""
        return self.chosen.value

    @property
    def sources(self) -> Mapping[str, str]:
        """What stands in each source."""
        return {reading.source: reading.text for reading in self.readings}

    @property
    def dissent(self) -> tuple[Reading, ...]:
        """The readings that contradict the chosen one."""
        return tuple(reading for reading in self.readings if self._apart(reading.value, self.value))

    @property
    def conflict(self) -> bool:
        """Whether any reading contradicts the chosen one."""
        return bool(self.dissent)

    def voices(self, reading: Reading) -> int:
        """How many sources agree with a reading, copies left out."""
        return sum(not self._apart(other.value, reading.value) for other in self._heard)

    def _apart(self, a: float, b: float) -> bool:
        # The last digits are those of the arithmetic: 105 is not more than 5 % above 100.
        return _distance(a, b) > self.tolerance + 1e-9


def _distance(a: float, b: float) -> float:
    """How much the larger of two positive numbers exceeds the smaller, as a part of the smaller."""
    return max(a, b) / min(a, b) - 1


def explanation(a: float, b: float) -> str:
    """What the ratio of two contradictory readings looks like, or an empty string.

    >>> explanation(192e9, 192 * 2.0**30)
    'GB for GiB'
    """
    ratio = 1 + _distance(a, b)
    usual = ((2**30 / 1e9, 0.003, "GB for GiB"), (2.0, 0.015, "a factor of two"), (4.0, 0.015, "a factor of four"))
    return next((name for factor, slack, name in usual if _distance(ratio, factor) < slack), "")
