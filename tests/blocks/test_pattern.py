"""Patterns: the grammar against a naive expander, the presets against the strings of the papers, and the errors."""

import re
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pennyweight.blocks.pattern import MAX_BLOCKS, BlockSpec, Pattern, interleaved, par, sandwich
from pennyweight.core.errors import UserError

SPECS = {
    "a": BlockSpec(kind="attention"),
    "w": BlockSpec(kind="window"),
    "f": BlockSpec(kind="feedforward", expansion=4),
    "f1": BlockSpec(kind="feedforward", expansion=1),
    "f2": BlockSpec(kind="feedforward", expansion=2),
    "f4": BlockSpec(kind="feedforward", expansion=4),
    "i": BlockSpec(kind="identity"),
}


def expand_naively(text: str) -> list[BlockSpec]:
    """Rewrite the innermost group until there is none; no parser shared with the product."""
    text = re.sub(r"\s", "", text)
    while "(" in text or "*" in text:
        text = re.sub(r"([awi]|f[124]?)\*(\d+)", lambda m: m[1] * int(m[2]), text)
        text = re.sub(r"\(([^()*]*)\)(?:\*(\d+))?", lambda m: m[1] * int(m[2] or 1), text)
    return [SPECS[letter] for letter in re.findall(r"[awi]|f[124]?", text)]


spaces = st.sampled_from(["", "", " ", "\t", "\n"])
times = st.one_of(st.just(""), st.tuples(spaces, st.integers(1, 4)).map(lambda t: f"{t[0]}*{t[0]}{t[1]}"))


def sequences(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    repeated = st.tuples(spaces, items, times, spaces).map("".join)
    return st.lists(repeated, min_size=1, max_size=4).map("".join)


sources = st.recursive(
    sequences(st.sampled_from(sorted(SPECS))),
    lambda inner: sequences(st.one_of(st.sampled_from(sorted(SPECS)), inner.map(lambda text: f"({text})"))),
    max_leaves=4,
)
block_lists = st.one_of(
    st.lists(st.sampled_from(list(SPECS.values())), min_size=1, max_size=60),
    # Repeats of repeats, which chance alone hardly makes.
    st.tuples(
        st.lists(st.sampled_from(list(SPECS.values())), min_size=1, max_size=5),
        st.integers(1, 6),
        st.lists(st.sampled_from(list(SPECS.values())), min_size=1, max_size=3),
        st.integers(1, 4),
    ).map(lambda t: (t[0] * t[1] + t[2]) * t[3]),
)


@given(blocks=block_lists)
def test_string_of_any_blocks_parses_back_to_them(blocks: list[BlockSpec]) -> None:
    pattern = Pattern(tuple(blocks))
    assert Pattern.parse(str(pattern)) == pattern
    assert Pattern.parse(pattern.letters) == pattern
    assert len(str(pattern)) <= len(pattern.letters)


@given(source=sources)
@example(source="((a f1)*2 w ) * 3 f4*4")
def test_any_source_string_expands_as_the_naive_expander_does(source: str) -> None:
    expected = expand_naively(source)
    if len(expected) > MAX_BLOCKS:
        with pytest.raises(UserError, match="too many blocks"):
            Pattern.parse(source)
        return
    pattern = Pattern.parse(source)
    assert list(pattern) == expected
    assert len(pattern) == len(expected)
    assert str(Pattern.parse(str(pattern))) == str(pattern)


@pytest.mark.parametrize(
    ("letters", "compact"),
    [
        ("afff" * 6 + "f" * 8, "(afff)*6 f*8"),
        ("aff" * 7 + "f" * 15, "(aff)*7 f*15"),
        ("af" * 6, "(af)*6"),
        ("a" * 5 + "af" * 5 + "f" * 5, "a*5 (af)*5 f*5"),
        (("af" * 4 + "w") * 3, "((af)*4w)*3"),
        ("af", "af"),
        ("f2" * 3 + "i", "f2*3 i"),
    ],
)
def test_canonical_string_is_the_short_one(letters: str, compact: str) -> None:
    assert str(Pattern.parse(letters)).replace(" ", "") == compact.replace(" ", "")


def test_f_is_f4_and_is_spelt_f() -> None:
    assert Pattern.parse("f4 f f1 f2").letters == "fff1f2"
    assert Pattern.parse("f4") == Pattern.parse("f")


def test_count_counts_blocks_of_a_kind() -> None:
    pattern = Pattern.parse("(aff1)*3 w i*2")
    counts = {kind: pattern.count(kind) for kind in ("attention", "window", "feedforward", "identity")}
    assert counts == {"attention": 3, "window": 1, "feedforward": 6, "identity": 2}


@pytest.mark.parametrize(("num_blocks", "text"), [(32, "(afff)*6 f*8"), (36, "(aff)*7 f*15"), (24, "(affff)*4 f*4")])
def test_par_rule_gives_the_patterns_known_for_it(num_blocks: int, text: str) -> None:
    assert str(par(num_blocks, 5)) == text
    assert par(num_blocks, 5, 2 / 3) == Pattern.parse(text, num_blocks=num_blocks)
    for preset in ("par(5)", " par ( 5 , 2/3 ) ", "par(5, 0.6667)"):
        assert Pattern.parse(preset, num_blocks=num_blocks) == par(num_blocks, 5)


@given(num_blocks=st.integers(1, 100), p=st.integers(1, 100), cut=st.fractions(0, 1, max_denominator=12))
def test_par_rule_spreads_one_attention_block_in_p_evenly_or_refuses(num_blocks, p, cut) -> None:
    try:
        pattern = par(num_blocks, p, cut)
    except UserError:
        assert p > num_blocks or num_blocks // p > int(num_blocks * cut)
        return
    places = [place for place, spec in enumerate(pattern) if spec.kind == "attention"]
    assert len(pattern) == num_blocks
    assert len(places) == num_blocks // p
    assert places[0] == 0
    assert len({after - before for before, after in pairwise(places)}) <= 1
    # A group may straddle the cut, its attention block may not.
    assert places[-1] < num_blocks * cut


def test_sandwich_keeps_the_counts_of_interleaved() -> None:
    for k in range(9):
        pattern = sandwich(16, k)
        assert pattern.letters == "a" * k + "af" * (8 - k) + "f" * k
        assert pattern.count("attention") == pattern.count("feedforward") == 8
    assert sandwich(16, 0) == interleaved(16) == Pattern.parse("interleaved", num_blocks=16)
    assert Pattern.parse("sandwich(3)", num_blocks=16) == sandwich(16, 3)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("(af", r"'\(' at position 1 is never closed: expected '\)' at position 4"),
        ("", r"position 1: expected a letter"),
        ("af)", r"position 3: '\)': expected a letter"),
        ("a**2", r"position 2: '\*': expected a number"),
        ("a*", r"position 2: '\*': expected a number"),
        ("q", r"position 1: 'q': expected a letter"),
        ("af3", r"position 3: '3': expected f1, f2 or f4; to repeat a block write f\*3"),
        ("a*0", r"position 2: '\*0': expected \*1 or more"),
        ("()", r"position 2: '\)': expected a letter"),
        ("*2", r"position 1: '\*2': expected a letter"),
        ("a*2*3", r"position 4: '\*3': expected a letter"),
        ("a 2", r"position 3: '2': expected a letter"),
        ("(f*)", r"position 3: '\*': expected a number"),
        ("par(5", r"position 1: 'p': expected a letter"),
        ("a*999999999", r"position 2 has too many blocks: expected at most 4096"),
        ("((a*64)*64)*64*", r"position 12 has too many blocks"),
        ("af" * 2049, r"position 4097 has too many blocks"),
        ("a*" + "9" * 9999, r"position 2 has too many blocks"),
        ("(" * 50_000, r"position 50000 is never closed"),
    ],
)
def test_malformed_string_is_refused_with_position_and_expectation(text: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        Pattern.parse(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("text", "num_blocks", "says"),
    [
        ("(af)*3", 8, "has 6 blocks: expected 8"),
        ("par", 32, r"'par\(\)': expected par\(5\)"),
        ("par(5, 1/0)", 32, r"expected par\(5\)"),
        ("par(33)", 32, "p from 1 to 32"),
        ("par(1)", 32, "32 attention blocks into the first 21"),
        ("par(5, 1.5)", 32, "cut 3/2: expected a fraction"),
        ("sandwich(5)", 8, "k from 0 to 4"),
        ("sandwich(1)", 7, "an even number"),
        ("interleaved", 7, "an even number"),
        ("interleaved", 10**12, "from 2 to 4096"),
        ("par(5)", 10**12, "from 1 to 4096"),
        ("interleaved", None, "without a number of blocks"),
    ],
)
def test_number_of_blocks_that_does_not_fit_is_refused(text: str, num_blocks: int | None, says: str) -> None:
    with pytest.raises(UserError, match=says):
        Pattern.parse(text, num_blocks=num_blocks)


def test_impossible_blocks_and_patterns_are_refused() -> None:
    with pytest.raises(UserError, match="expansion 3: expected expansion 1 or 2 or 4"):
        BlockSpec(kind="feedforward", expansion=3)
    with pytest.raises(UserError, match="expected expansion 0"):
        BlockSpec(kind="attention", expansion=4)
    with pytest.raises(UserError, match="0 blocks"):
        Pattern(())


def test_pattern_needs_no_torch() -> None:
    code = "import sys, pennyweight.blocks.pattern; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
