"""The pattern of a transformer, ``"(afff)*6 f*8"``: which block stands where, as a string and as a list.

PAR (2009.04534) varies exactly this, so it is the one way a transformer is described anywhere.

Letters: a = attention, w = windowed attention, f = feed-forward four times as wide as the model (also
f4; f1 and f2 are narrower), i = identity. ``*N`` repeats a letter or a group in parentheses. White space
may stand between any two of these. Presets: ``interleaved``, ``par(5)``, ``par(5, 2/3)``, ``sandwich(6)``.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from pennyweight.core.errors import UserError

Kind = Literal["attention", "window", "feedforward", "identity"]

MAX_BLOCKS = 4096
"""The longest pattern; far above any model trained, far below what would fill memory."""

_LONGEST_GROUP = 32  # a repeated group of more blocks than this is written out: finding it costs time for nothing


@dataclass(frozen=True, kw_only=True)
class BlockSpec:
    """One block: its kind and, for a feed-forward block, how many times the model's width it is wide."""

    kind: Kind
    expansion: int = 0

    def __post_init__(self) -> None:
        allowed = (1, 2, 4) if self.kind == "feedforward" else (0,)
        if self.expansion not in allowed:
            raise UserError(
                f"a block of kind {self.kind} with expansion {self.expansion}",
                expected="expansion " + " or ".join(map(str, allowed)),
            )

    @property
    def letter(self) -> str:
        """How a pattern spells this block; a feed-forward block of expansion 4 is a plain ``f``."""
        return _LETTERS[self]


_BLOCKS = {
    "a": BlockSpec(kind="attention"),
    "w": BlockSpec(kind="window"),
    "f": BlockSpec(kind="feedforward", expansion=4),
    "f1": BlockSpec(kind="feedforward", expansion=1),
    "f2": BlockSpec(kind="feedforward", expansion=2),
    "i": BlockSpec(kind="identity"),
}
_LETTERS = {spec: letter for letter, spec in _BLOCKS.items()}


@dataclass(frozen=True)
class Pattern:
    """The blocks of a transformer from the embedding to the head, at least one and at most ``MAX_BLOCKS``.

    >>> pattern = Pattern.parse("par(5)", num_blocks=32)
    >>> str(pattern), pattern.count("attention"), len(pattern)
    ('(afff)*6 f*8', 6, 32)
    """

    blocks: tuple[BlockSpec, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.blocks) <= MAX_BLOCKS:
            raise UserError(f"a pattern of {len(self.blocks)} blocks", expected=f"1 to {MAX_BLOCKS}")

    @classmethod
    def parse(cls, text: str, *, num_blocks: int | None = None) -> "Pattern":
        """Read a pattern string or, when ``num_blocks`` is given, the name of a preset.

        Raises UserError for a malformed string, with the position and what was expected there, and for a
        string that does not have ``num_blocks`` blocks.
        """
        preset = _PRESET.fullmatch(text)
        if preset:
            return _parse_preset(preset["name"], preset["arguments"] or "", num_blocks)
        blocks = tuple(_BLOCKS[letter] for letter in _expand(text))
        if num_blocks not in (None, len(blocks)):
            raise UserError(f"pattern {_quote(text)} has {len(blocks)} blocks", expected=str(num_blocks))
        return cls(blocks)

    @property
    def letters(self) -> str:
        """The pattern written out, ``'afffafff'``; it parses back to the same pattern."""
        return "".join(spec.letter for spec in self.blocks)

    def count(self, kind: Kind) -> int:
        """How many blocks are of this kind."""
        return sum(spec.kind == kind for spec in self.blocks)

    def __len__(self) -> int:
        return len(self.blocks)

    def __iter__(self) -> Iterator[BlockSpec]:
        return iter(self.blocks)

    def __str__(self) -> str:
        return _compact(tuple(spec.letter for spec in self.blocks))


def interleaved(num_blocks: int) -> Pattern:
    """Attention and feed-forward in turn, as in nearly every published transformer."""
    _check_depth("interleaved", num_blocks, even=True)
    return _pattern("af" * (num_blocks // 2))


def par(num_blocks: int, p: int, cut: float | Fraction = Fraction(2, 3)) -> Pattern:
    """PAR's rule (section 5): one block in ``p`` is attention, spread evenly over the first ``cut`` of them.

    ``cut`` is a fraction of the depth, above 0 and at most 1. The string for 32 blocks and p = 5 is
    ``(afff)*6 f*8``. Raises UserError when there is no room for an attention block or for one in each group.
    """
    _check_depth("par", num_blocks)
    exact = Fraction(cut).limit_denominator(1000)  # 36 * 0.6666... must not fall below 24
    if not 0 < exact <= 1:
        raise UserError(f"par with cut {cut}", expected="a fraction of the depth, above 0 and at most 1")
    if not 1 <= p <= num_blocks:
        raise UserError(f"par({p}) with {num_blocks} blocks", expected=f"p from 1 to {num_blocks}")
    num_attention = num_blocks // p
    end = math.floor(num_blocks * exact)
    # The last group may reach past the cut, never past the last block.
    width = min((end + end // num_attention) // num_attention, num_blocks // num_attention)
    if width < 1:
        raise UserError(
            f"par({p}) puts {num_attention} attention blocks into the first {end} of {num_blocks}",
            expected=f"at most {end}",
            hint="take a larger p or cut",
        )
    groups = ("a" + "f" * (width - 1)) * num_attention
    return _pattern(groups + "f" * (num_blocks - len(groups)))


def sandwich(num_blocks: int, k: int) -> Pattern:
    """The sandwich of Press et al. (1911.03864): k attention first, k feed-forward last, the rest in turn."""
    _check_depth("sandwich", num_blocks, even=True)
    num_pairs = num_blocks // 2
    if not 0 <= k <= num_pairs:
        raise UserError(f"sandwich({k}) with {num_blocks} blocks", expected=f"k from 0 to {num_pairs}")
    return _pattern("a" * k + "af" * (num_pairs - k) + "f" * k)


def _check_depth(name: str, num_blocks: int, *, even: bool = False) -> None:
    # Before anything is built: a preset is a few characters and could ask for all of memory.
    if not 1 <= num_blocks <= MAX_BLOCKS or (even and num_blocks % 2):
        wanted = f"{'an even number from 2' if even else 'from 1'} to {MAX_BLOCKS}"
        raise UserError(f"{name} with {num_blocks} blocks", expected=wanted)


def _pattern(letters: str) -> Pattern:
    return Pattern(tuple(_BLOCKS[letter] for letter in letters))


_PRESET = re.compile(r"\s*(?P<name>interleaved|par|sandwich)\s*(?:\((?P<arguments>[^()]*)\))?\s*")
_PRESET_ARGUMENTS = {
    "interleaved": (r"\s*", "interleaved"),
    "par": (
        r"\s*(\d{1,9})\s*(?:,\s*(\d{1,9}/0*[1-9]\d{0,8}|\d{0,9}\.?\d{1,9})\s*)?",
        "par(5) or par(5, 2/3)",
    ),
    "sandwich": (r"\s*(\d{1,9})\s*", "sandwich(6)"),
}


def _parse_preset(name: str, arguments: str, num_blocks: int | None) -> Pattern:
    grammar, example = _PRESET_ARGUMENTS[name]
    match = re.fullmatch(grammar, arguments, re.ASCII)
    if match is None:
        raise UserError(f"preset {_quote(f'{name}({arguments})')}", expected=example)
    if num_blocks is None:
        raise UserError(f"preset {name} without a number of blocks", expected="num_blocks beside it")
    if name == "interleaved":
        return interleaved(num_blocks)
    if name == "sandwich":
        return sandwich(num_blocks, int(match[1]))
    return par(num_blocks, int(match[1]), Fraction(match[2] or "2/3"))


_TOKEN = re.compile(r"\*\s*[0-9]+|f[0-9]|\S")


def _expand(text: str) -> list[str]:
    """The letters of a pattern string, repeats written out; a loop, so that no depth is too deep."""
    groups: list[list[str]] = [[]]  # what each open group holds so far, the innermost last
    opened: list[int] = []  # where its parenthesis stands
    item: list[str] | None = None  # what a '*' would repeat
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in _BLOCKS or token == "f4":
            item = [token.replace("4", "")]
            groups[-1].extend(item)
        elif token == "(":
            item = None
            groups.append([])
            opened.append(match.start())
        elif token == ")" and opened and groups[-1]:
            item = groups.pop()
            opened.pop()
            groups[-1].extend(item)
        elif token[0] == "*" and len(token) > 1 and item is not None:
            groups[-1].extend(item * (_times(text, match, len(item)) - 1))
            item = None
        else:
            raise _mistake(text, match, after_item=item is not None, inside=bool(opened))
        if len(groups[-1]) > MAX_BLOCKS:
            raise _too_long(text, match.start())
    if opened:
        where = f"the '(' at position {opened[-1] + 1} is never closed"
        raise UserError(f"pattern {_quote(text)}: {where}", expected=f"')' at position {len(text.rstrip()) + 1}")
    if not groups[0]:
        raise UserError(f"pattern {_quote(text)} ends at position 1", expected=_ITEM)
    return groups[0]


def _times(text: str, match: re.Match[str], size: int) -> int:
    digits = match[0].lstrip("*0 \t\n\r\v\f")
    if not digits:
        raise UserError(f"pattern {_quote(text)} at position {match.start() + 1}: '*0'", expected="*1 or more")
    # The digits are counted first: int() refuses thousands of them, and the product must not be built.
    if len(digits) > len(str(MAX_BLOCKS)) or size * int(digits) > MAX_BLOCKS:
        raise _too_long(text, match.start())
    return int(digits)


_ITEM = "a letter (a, w, f, f1, f2, f4, i) or '('"


def _mistake(text: str, match: re.Match[str], *, after_item: bool, inside: bool) -> UserError:
    """What ``match`` found does not belong there: say where it stands and what would have been right."""
    position, found, hint = match.start(), match[0], ""
    if found == "*" and after_item:
        expected = "a number after '*', as in a*2"
    elif found[0] == "f":
        position, found, hint = position + 1, found[1:], f"to repeat a block write f*{found[1:]}"
        expected = "f1, f2 or f4"
    else:
        expected = _ITEM + (" or '*'" if after_item else "") + (" or ')'" if after_item and inside else "")
    return UserError(f"pattern {_quote(text)} at position {position + 1}: {found!r}", expected=expected, hint=hint)


def _too_long(text: str, position: int) -> UserError:
    given = f"pattern {_quote(text)} at position {position + 1} has too many blocks"
    return UserError(given, expected=f"at most {MAX_BLOCKS}")


def _quote(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


@lru_cache(maxsize=4096)
def _compact(letters: tuple[str, ...]) -> str:
    """The shortest string for these letters; between equally short ones, that with the fewest repeats.

    Dynamic programming from the end: ``best[i][previous]`` is (length, repeats, text) of the letters from i
    on when a letter, a repeat or nothing stands before them, which decides whether a space is needed.
    """
    size = len(letters)
    longest = min(size // 2, _LONGEST_GROUP)
    same = [0] * (longest + 1)  # same[p]: how many letters from i on equal the letter p places later
    best: list[dict[str, tuple[int, int, str]]] = [{} for _ in range(size)]
    best.append(dict.fromkeys(("letter", "repeat", "nothing"), (0, 0, "")))
    for i in reversed(range(size)):
        items = [(letters[i], "letter", i + 1)]
        for period in range(1, longest + 1):
            equal = i + period < size and letters[i] == letters[i + period]
            same[period] = same[period] + 1 if equal else 0
            most = same[period] // period + 1
            # One repeat fewer than possible leaves a last letter to what follows: a*3 (af)*5.
            for times in {most, most - 1} - {0, 1}:
                inner = _compact(letters[i : i + period])
                inner = inner if period == 1 else f"({inner})"
                items.append((f"{inner}*{times}", "repeat", i + period * times))
        for previous in ("letter", "repeat", "nothing"):
            choices = []
            for text, kind, after in items:
                space = "" if previous == "nothing" or previous == kind == "letter" else " "
                length, repeats, rest = best[after][kind]
                text = space + text
                choices.append((len(text) + length, repeats + (kind == "repeat"), text + rest))
            best[i][previous] = min(choices)
    return best[0]["nothing"][2]
