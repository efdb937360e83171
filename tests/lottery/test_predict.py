"""Predictions are the roofline of a cost table, by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.arrays.trace.families import FAMILIES, Family
from pennyweight.core.cost import CostTable, Rate
from pennyweight.core.errors import UserError
from pennyweight.lottery.weighing.predict import MODEL_REACH, predict_seconds


def about(value: float, reach: float = 0.1) -> Rate:
    return Rate(value=value, low=value * (1 - reach), high=value * (1 + reach))


TABLE = CostTable(
    stack="cpu/numpy/fp32/1t",
    machine={},
    fingerprint="0123456789ab",
    measured="2026-11-25T10:00:00+00:00",
    seconds=60.0,
    busy=0.0,
    software={"numpy": "2.4.6"},
    cache_bytes={"L1": 32_000, "L2": 1_000_000, "L3": 100_000_000},
    call=about(1e-6),
    bandwidth={"L2": about(50e9), "L3": about(20e9), "memory": about(10e9)},
    rates={
        "elementwise/float32": about(4e9),
        "elementwise/float64": about(2e9),
        "contraction/float32": about(100e9),
        "copy/float32": about(8e9),
    },
)


def test_arithmetic_bounds_what_computes_much_on_few_bytes() -> None:
    rate = predict_seconds(TABLE, "contraction", "float32", operations=2e9, num_bytes=12e6, reach=1.0)
    assert rate.value == pytest.approx(1e-6 + 0.02)
    assert rate.low == pytest.approx(0.9e-6 + 2e9 / 110e9)
    assert rate.high == pytest.approx(1.1e-6 + 2e9 / 90e9)


def test_memory_bounds_what_computes_little_on_many_bytes() -> None:
    rate = predict_seconds(TABLE, "elementwise", "float32", operations=1e8, num_bytes=1.2e9, reach=1.0)
    assert rate.value == pytest.approx(1e-6 + 0.12)


@pytest.mark.parametrize(
    ("working_set", "bandwidth"), [(30_000, 50e9), (1_000_000, 50e9), (1_000_001, 20e9), (2e8, 10e9)]
)
def test_bytes_move_at_the_speed_of_the_level_that_holds_them(working_set: float, bandwidth: float) -> None:
    """A level that was not weighed (L1) leaves its working sets to the next."""
    rate = predict_seconds(
        TABLE, "elementwise", "float32", operations=0.0, num_bytes=1e6, working_set=working_set, reach=1.0
    )
    assert rate.value == pytest.approx(1e-6 + 1e6 / bandwidth)


def test_without_a_working_set_the_bytes_decide() -> None:
    rate = predict_seconds(TABLE, "elementwise", "float32", operations=0.0, num_bytes=2e8, reach=1.0)
    assert rate.value == pytest.approx(1e-6 + 2e8 / 10e9)


@pytest.mark.parametrize(
    ("dtype", "rate"),
    [("float64", 2e9), ("int64", 2e9), ("complex128", 2e9), ("float32", 4e9), ("int16", 4e9), ("bool", 4e9)],
)
def test_a_dtype_that_was_not_weighed_takes_the_rate_of_the_nearest_width(dtype: str, rate: float) -> None:
    assert predict_seconds(TABLE, "elementwise", dtype, operations=1e9, num_bytes=0.0).value == pytest.approx(
        1e-6 + 1e9 / rate
    )


def test_a_view_costs_its_call() -> None:
    assert predict_seconds(TABLE, "view", "float32", operations=1e9, num_bytes=1e9).value == 1e-6


def test_creation_is_priced_as_a_copy() -> None:
    made, copied = (predict_seconds(TABLE, f, "float32", operations=1e7, num_bytes=4e7) for f in ("creation", "copy"))
    assert made == copied


def test_every_family_says_how_far_it_may_be_off() -> None:
    assert set(MODEL_REACH) == set(FAMILIES)
    rate = predict_seconds(TABLE, "contraction", "float32", operations=2e9, num_bytes=0.0)
    exact = predict_seconds(TABLE, "contraction", "float32", operations=2e9, num_bytes=0.0, reach=1.0)
    assert rate.high == pytest.approx(exact.high * MODEL_REACH["contraction"])
    assert rate.low == pytest.approx(exact.low / MODEL_REACH["contraction"])


def test_a_family_that_the_stack_cannot_run_is_refused_with_those_it_can() -> None:
    with pytest.raises(UserError, match=r"fft on cpu/numpy/fp32/1t: expected one of contraction, copy, elementwise"):
        predict_seconds(TABLE, "fft", "float32", operations=1.0, num_bytes=1.0)


@given(
    st.sampled_from(["elementwise", "contraction", "copy", "view", "creation", "other"]),
    st.floats(0, 1e12),
    st.floats(0, 1e12),
    st.floats(1.0, 5.0),
)
def test_more_work_never_takes_less_and_the_band_holds_the_value(
    family: Family, operations: float, num_bytes: float, factor: float
) -> None:
    assert family in FAMILIES
    less = predict_seconds(TABLE, family, "float32", operations=operations, num_bytes=num_bytes)
    more = predict_seconds(TABLE, family, "float32", operations=operations * factor, num_bytes=num_bytes * factor)
    assert less.low <= less.value <= less.high
    assert less.value <= more.value
    assert less.high >= less.value * MODEL_REACH[family]
