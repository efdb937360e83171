"""Sourced numbers: texts against sums done by hand, and the rule of belief against cases and properties."""

import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.lottery.devices.sourced import TRUST, Figure, Kind, Reading, explanation, quantity, si, year


def reading(source: str, value: float, kind: Kind = "catalogue", follows: str = "") -> Reading:
    return Reading(source=source, kind=kind, text=f"{value} W", value=value, follows=follows)


def figure(*readings: Reading) -> Figure:
    return Figure(readings=readings, unit="W")


# --- texts ---


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("3350 GB/s", "B/s", 3350e9),
        ("3.35 TB/s", "B/s", 3.35e12),
        ("9.0e11 B/s", "B/s", 9e11),
        ("80 GB", "B", 80_000_000_000),
        ("80 GiB", "B", 85_899_345_920),
        ("114 MB x 2 sockets", "B", 228e6),
        ("1979 TFLOP/s", "FLOP/s", 1.979e15),
        ("1979 TFLOP/s sparse", "FLOP/s", 0.9895e15),
        ("1979 TFLOP/s / 2", "FLOP/s", 0.9895e15),
        ("660.6 TOP/s", "FLOP/s", 6.606e14),
        ("22600 GFLOP/s per die", "FLOP/s", 6 * 22.6e12),
        ("64 cores [a] x 2.45 GHz [a] x 16 FLOP/cycle [b]", "FLOP/s", 64 * 2_450_000_000 * 16),
        ("12 channels [a] x 4800 MT/s [a] x 8 B/T [a]", "B/s", 460.8e9),
        ("4096 elements [a] x 16 B [a] / 26 GB/s [a]", "s", 65536 / 26e9),
        ("360 W", "W", 360),
        ("1599 USD", "USD", 1599),
        ("2 dies", "", 2),
        ("2.5 us", "s", 2.5e-6),
    ],
)
def test_quantity_is_what_a_pocket_calculator_says(text: str, unit: str, value: float) -> None:
    assert quantity(text, unit, dies=6)[0] == pytest.approx(value, rel=1e-12)


def test_sources_of_factors_are_named_once_and_in_order() -> None:
    text = "4 cores [b, a] x 2 GHz [a] x 2 FLOP/cycle [c]"
    assert quantity(text, "FLOP/s")[1] == ("b", "a", "c")


@pytest.mark.parametrize(
    ("text", "unit", "says"),
    [
        ("3350 GB", "B/s", "no quantity in B/s"),
        ("3350 GB/s", "B", "no quantity in B"),
        ("64 cores x 2.45 GHz", "FLOP/s", "no quantity in FLOP/s"),
        ("2 dies x 3 W", "", "no quantity in plain numbers"),
        ("3350 XB/s", "B/s", "unknown unit 'XB'"),
        ("3,350 GB/s", "B/s", "'3,350 GB/s' is not a number with a unit"),
        ("GB/s", "B/s", "not a number"),
        ("-1 W", "W", "not a number"),
        ("1 W x", "W", "not a number"),
        ("", "W", "not a number"),
        ("1979 TFLOP/s sparsely", "FLOP/s", "not a number"),
    ],
)
def test_text_that_is_no_such_quantity_is_refused(text: str, unit: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        quantity(text, unit)


def test_years_are_read_from_dates_and_from_nothing_else() -> None:
    assert [year(text) for text in ("2023", "2023-09", "2023-09-28")] == [2023, 2023, 2023]
    for text in ("23", "2023-13", "2023/09", "1850", "2023-09-28 12:00"):
        with pytest.raises(ValueError, match="no date"):
            year(text)


@given(st.floats(1e-7, 1e16), st.sampled_from(["FLOP/s", "B/s", "s"]))
def test_a_value_that_is_shown_is_read_back_to_four_digits(value: float, unit: str) -> None:
    shown = si(value, unit).replace(",", "")
    assert quantity(shown, unit)[0] == pytest.approx(value, rel=1e-3)


def test_watts_and_dollars_have_no_prefix() -> None:
    assert si(1400, "W") == "1,400 W"
    assert si(33600, "USD") == "33,600 USD"
    assert si(2, "") == "2"


# --- belief ---


def test_maker_is_believed_against_any_number_of_others() -> None:
    assert figure(reading("a", 100), reading("b", 100), reading("m", 53, "maker")).value == 53


def test_makers_own_documents_are_weighed_against_each_other_with_everybody_s_voice() -> None:
    assert figure(reading("m1", 2460, "maker"), reading("m2", 2765, "maker"), reading("e", 2765)).chosen.source == "m2"


def test_two_that_agree_outweigh_a_better_source_alone() -> None:
    assert figure(reading("o", 10, "operator"), reading("c", 20, "code"), reading("p", 20.5, "page")).value == 20.5


def test_a_copy_is_no_second_voice_and_never_wins_against_its_original() -> None:
    contradicted = figure(reading("t", 267.6), reading("copy", 267.6, follows="t"), reading("e", 133.8))
    assert contradicted.voices(contradicted.readings[0]) == 1
    assert contradicted.value == 133.8
    assert contradicted.voices(contradicted.readings[2]) == 1
    slip = figure(reading("t", 355), reading("copy", 335, follows="t"))
    assert slip.value == 355
    assert slip.conflict


def test_a_copy_speaks_for_itself_where_its_original_is_silent() -> None:
    assert figure(reading("copy", 300, follows="t")).value == 300


@pytest.mark.parametrize(("better", "worse"), list(pairwise(TRUST[1:])))
def test_between_two_alone_the_better_kind_wins_whichever_is_larger(better: Kind, worse: Kind) -> None:
    assert figure(reading("b", 10, better), reading("w", 20, worse)).value == 10
    assert figure(reading("b", 20, better), reading("w", 10, worse)).value == 20


def test_between_equals_the_middle_wins_and_of_two_the_lower() -> None:
    assert figure(reading("a", 90), reading("b", 180), reading("c", 320)).value == 180
    assert figure(reading("a", 61.3), reading("b", 81.7)).value == 61.3


def test_conflict_begins_above_five_per_cent() -> None:
    assert not figure(reading("a", 100), reading("b", 105)).conflict
    planted = figure(reading("a", 100), reading("b", 100), reading("c", 105.1))
    assert planted.conflict
    assert [r.source for r in planted.dissent] == ["c"]
    assert planted.sources == {"a": "100 W", "b": "100 W", "c": "105.1 W"}


def test_a_figure_has_readings_above_zero() -> None:
    with pytest.raises(ValueError, match="above zero"):
        figure()
    with pytest.raises(ValueError, match="above zero"):
        figure(reading("a", 0))


rows = st.lists(st.tuples(st.integers(1, 400), st.sampled_from(TRUST), st.booleans()), min_size=1, max_size=6)


@given(rows=rows, seed=st.integers(0, 99), scale=st.sampled_from([1e-6, 3.0, 1e12]))
def test_belief_depends_on_neither_the_order_nor_the_unit(
    rows: list[tuple[int, Kind, bool]], seed: int, scale: float
) -> None:
    readings = [
        reading(f"s{place}", value, kind, "s0" if copies and place else "")
        for place, (value, kind, copies) in enumerate(rows)
    ]
    one, other = figure(*readings), figure(*random.Random(seed).sample(readings, len(readings)))
    assert one.value == other.value
    assert set(one.dissent) == set(other.dissent)
    assert one.conflict == any(max(r.value, one.value) / min(r.value, one.value) > 1.05 + 1e-9 for r in readings)
    scaled = figure(*(reading(r.source, r.value * scale, r.kind, r.follows) for r in readings))
    assert math.isclose(scaled.value, one.value * scale)


def test_familiar_slips_are_named() -> None:
    assert explanation(192e9, 192 * 2**30) == explanation(192 * 2**30, 192e9) == "GB for GiB"
    assert explanation(121e12, 242e12) == "a factor of two"
    assert explanation(37.4, 149.7) == "a factor of four"
    assert explanation(335, 355) == ""
    assert explanation(300, 3350) == ""
