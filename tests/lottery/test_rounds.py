"""Slices are taken in turns, fill the time they are given, and say together what an undisturbed call takes."""

import itertools
import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.lottery.weighing.rounds import FEWEST_ROUNDS, MOST_ROUNDS, Series, estimate, least_seconds, measure


class Machine:
    """A clock that only moves while a series is taken, and the order in which they were."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.order: list[str] = []
        self.given: list[float] = []

    def clock(self) -> float:
        return self.now

    def series(self, name: str, call_seconds: float, *, fails_after: int = 10**9) -> Series:
        def take(seconds: float) -> float | None:
            self.now += max(seconds, call_seconds)
            self.order.append(name)
            self.given.append(seconds)
            return call_seconds if self.order.count(name) <= fails_after else None

        return Series(take=take, call_seconds=call_seconds)


@pytest.mark.parametrize("seconds", [1.0, 5.0, 40.0])
@pytest.mark.parametrize("count", [3, 60])
def test_slices_fill_the_time_and_no_more(seconds: float, count: int) -> None:
    machine = Machine()
    measure([machine.series(str(n), 1e-5) for n in range(count)], seconds=seconds, clock=machine.clock)
    assert machine.now - 1000 == pytest.approx(seconds, rel=1e-6)


def test_long_calls_do_not_push_the_end_out_by_more_than_one_of_them() -> None:
    machine = Machine()
    series = [machine.series(str(n), 1e-5) for n in range(50)] + [machine.series(f"long {n}", 0.1) for n in range(9)]
    measure(series, seconds=8.0, clock=machine.clock)
    assert 7.9 <= machine.now - 1000 <= 8.1
    assert all(one.slices for one in series)


def test_each_round_goes_through_all_in_another_order() -> None:
    machine = Machine()
    names = [str(n) for n in range(20)]
    measure([machine.series(name, 1e-6) for name in names], seconds=20.0, clock=machine.clock)
    rounds = [tuple(machine.order[at : at + 20]) for at in range(0, len(machine.order), 20)]
    assert len(rounds) == MOST_ROUNDS
    assert all(sorted(one) == sorted(names) for one in rounds)
    assert len(set(rounds)) == len(rounds)


def test_what_takes_long_is_taken_seldom_and_gets_what_it_needs() -> None:
    machine = Machine()
    series = [machine.series(str(n), 1e-6) for n in range(20)] + [machine.series("long", 0.2)]
    measure(series, seconds=10.0, clock=machine.clock)
    assert {len(one.slices) for one in series[:-1]} == {MOST_ROUNDS}
    assert len(series[-1].slices) == MOST_ROUNDS / 3


def test_a_series_that_ends_is_not_asked_again() -> None:
    machine = Machine()
    series = [machine.series("short-lived", 1e-6, fails_after=2), machine.series("other", 1e-6)]
    measure(series, seconds=2.0, clock=machine.clock)
    assert machine.order.count("short-lived") == 3
    assert len(series[0].slices) == 2
    assert 1.5 < machine.now - 1000 < 2.001


def test_every_series_gets_a_slice_even_when_there_is_no_time() -> None:
    machine = Machine()
    series = [machine.series(str(n), 0.5) for n in range(10)]
    measure(series, seconds=0.1, clock=machine.clock)
    assert [len(one.slices) for one in series] == [1] * 10


def test_the_least_time_leaves_useful_slices_to_all() -> None:
    machine = Machine()
    series = [machine.series(str(n), 1e-6) for n in range(100)] + [machine.series(f"long {n}", 0.05) for n in range(10)]
    measure(series, seconds=least_seconds(series), clock=machine.clock)
    assert min(len(one.slices) for one in series[:100]) >= FEWEST_ROUNDS - 1
    assert min(len(one.slices) for one in series[100:]) >= 1
    assert min(machine.given) > 0.001


def test_progress_is_told_up_to_the_end() -> None:
    machine = Machine()
    heard: list[float] = []
    measure([machine.series("one", 1e-6)], seconds=1.0, report=heard.append, clock=machine.clock)
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(1.0)


def test_the_estimate_of_calm_slices_is_their_median() -> None:
    rate = estimate([1.02, 1.0, 1.01, 0.99, 1.03])
    assert rate.value == 1.01
    beyond = 1.05 * math.sqrt(1.02 / 1.0)
    assert rate.low == pytest.approx(0.99 / beyond)
    assert rate.high == pytest.approx(1.03 * beyond)


def test_a_band_grows_with_what_lies_between_the_quartiles_and_not_without_end() -> None:
    narrow, wide, wild = (estimate([1.0, 1.0, middle, middle, middle, 9.0]) for middle in (1.0, 1.5, 8.0))
    assert (narrow.low, wide.low) == (pytest.approx(1 / 1.05), pytest.approx(1 / 1.05 / math.sqrt(1.5)))
    assert wild.low == pytest.approx(1 / 2.1)


def test_slices_that_others_disturbed_do_not_move_the_estimate() -> None:
    calm = [1.0, 1.01, 1.02, 1.0, 1.01, 1.02, 1.01]
    assert estimate([*calm, 1.9, 2.4, 30.0]).value == pytest.approx(1.01)
    assert estimate([*calm, 1.9, 30.0]).high < 1.2


def test_a_band_of_mostly_disturbed_slices_reaches_over_all_of_them() -> None:
    assert estimate([1.0, 1.01, 1.5, 1.9, 2.4, 3.0]).high > 3.0


def test_a_busy_machine_widens_the_band_to_what_an_idle_one_could_do() -> None:
    slices = [1.0, 1.01, 1.02, 1.03, 1.9]
    idle, busy = estimate(slices, busy=0.05), estimate(slices, busy=0.5)
    assert busy.value == idle.value
    assert busy.low == pytest.approx(idle.low / 2)
    assert busy.high == pytest.approx(1.9 / 1.03 * idle.high)
    assert idle.high < 1.2


@given(st.lists(st.floats(1e-7, 10.0), min_size=1, max_size=12), st.floats(0.0, 1.0))
def test_a_band_holds_its_value_and_the_fastest_slice(slices: Sequence[float], busy: float) -> None:
    rate = estimate(slices, busy=busy)
    assert rate.low <= min(slices) <= rate.value <= rate.high
    assert min(slices) <= rate.value <= max(slices)


def test_two_weighings_of_one_noisy_machine_agree() -> None:
    """Slices of a call of 1 s: 2 % of noise, and every fourth slowed by up to three times."""

    def slices(seed: int) -> list[float]:
        draw = random.Random(seed)
        return [draw.gauss(1.0, 0.02) * (draw.uniform(1.2, 3.0) if draw.random() < 0.25 else 1.0) for _ in range(12)]

    rates = [estimate(slices(seed)) for seed in range(100)]
    pairs = list(itertools.combinations(rates, 2))
    inside = [a.low <= b.value <= a.high for a, b in pairs]
    near = [abs(a.value / b.value - 1) < 0.05 for a, b in pairs]
    assert sum(inside) / len(inside) > 0.98
    assert sum(near) / len(near) > 0.98
