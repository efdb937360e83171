"""Schedules start low, are held at one, and end at their final factor when the budget ends."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.core.errors import UserError
from pennyweight.core.schedule import Schedule

parts = st.just(0.0) | st.floats(1e-9, 1)


def schedules() -> st.SearchStrategy[Schedule]:
    return st.tuples(parts, parts, parts, st.sampled_from(["linear", "cosine"])).map(
        lambda t: Schedule(warmup=t[0] / 2, decay=t[1] / 2, final=t[2], shape=t[3])  # type: ignore[arg-type]
    )


@given(schedules())
def test_a_schedule_ends_at_its_final_factor(schedule: Schedule) -> None:
    assert schedule.factor(1.0) == (schedule.final if schedule.decay else 1.0)
    assert schedule.factor(0.0) == (0.0 if schedule.warmup else 1.0)


@given(schedules())
def test_a_schedule_rises_then_holds_then_falls(schedule: Schedule) -> None:
    fractions = np.linspace(0, 1, 501)
    factors = np.array([schedule.factor(f) for f in fractions])
    rising, falling = fractions <= schedule.warmup, fractions >= 1 - schedule.decay
    assert (np.diff(factors[rising]) >= 0).all()
    assert (np.diff(factors[falling]) <= 1e-12).all()
    assert (factors[~rising & ~falling] == 1).all()
    assert ((factors >= 0) & (factors <= 1)).all()


@pytest.mark.parametrize("shape", ["linear", "cosine"])
def test_a_schedule_has_no_jumps(shape: str) -> None:
    schedule = Schedule(warmup=0.2, decay=0.3, final=0.1, shape=shape)  # type: ignore[arg-type]
    factors = np.array([schedule.factor(f) for f in np.linspace(0, 1, 10_001)])
    assert np.abs(np.diff(factors)).max() < 1e-3


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_cosine_is_the_closed_form(fraction: float, final: float) -> None:
    schedule = Schedule(warmup=0.0, decay=1.0, final=final, shape="cosine")
    expected = final + (1 - final) * (1 + math.cos(math.pi * fraction)) / 2
    assert schedule.factor(fraction) == pytest.approx(expected, abs=1e-12)


@given(st.floats(0, 1))
def test_the_linear_parts_are_straight_lines(fraction: float) -> None:
    schedule = Schedule(warmup=0.25, decay=0.5, final=0.2)
    expected = float(np.interp(fraction, [0, 0.25, 0.5, 1], [0, 1, 1, 0.2]))
    assert schedule.factor(fraction) == pytest.approx(expected, abs=1e-12)


def test_fractions_outside_the_budget_count_as_its_ends() -> None:
    schedule = Schedule(warmup=0.1, decay=0.5, final=0.02)
    assert schedule.factor(-1) == schedule.factor(0.0)
    assert schedule.factor(1.5) == schedule.factor(1.0) == 0.02


@pytest.mark.parametrize(
    "wrong",
    [
        {"warmup": -0.1},
        {"decay": -0.1},
        {"warmup": 0.6, "decay": 0.6},
        {"final": -1.0},
        {"warmup": math.nan},
        {"final": math.nan},
    ],
)
def test_parts_that_are_no_parts_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match="sum to at most 1"):
        Schedule(**wrong)  # type: ignore[arg-type]
