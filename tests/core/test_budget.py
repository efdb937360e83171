"""Budgets are read and written without loss, and a pace ends every run on time at a fraction of exactly 1."""

import itertools
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pennyweight.core.budget import Budget, Pace
from pennyweight.core.errors import UserError, WorkFailed

positive = st.floats(min_value=1e-6, max_value=1e15, allow_nan=False)
counts = st.integers(min_value=1, max_value=10**15)
budgets = st.builds(
    Budget,
    seconds=st.none() | positive,
    samples=st.none() | counts,
    bytes=st.none() | counts,
    joules=st.none() | positive,
).filter(lambda budget: str(budget) != "")


@given(budgets)
def test_a_printed_budget_is_read_back_equal(budget: Budget) -> None:
    assert Budget.parse(str(budget)) == budget


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", Budget(seconds=90)),
        ("10min", Budget(seconds=600)),
        ("2h", Budget(seconds=7200)),
        ("1h30min5s", Budget(seconds=5405)),
        ("250ms", Budget(seconds=0.25)),
        (" 1.5 H , 4 gb", Budget(seconds=5400, bytes=4 * 10**9)),
        ("200_000samples", Budget(samples=200_000)),
        ("2e3samples", Budget(samples=2000)),
        ("1.5Msamples", Budget(samples=1_500_000)),
        ("4GiB", Budget(bytes=2**32)),
        ("500J,1sample", Budget(joules=500, samples=1)),
        ("0.5kWh", Budget(joules=1.8e6)),
    ],
)
def test_a_budget_is_read_as_people_write_it(text: str, expected: Budget) -> None:
    assert Budget.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            ",",
            "90",
            "s",
            "-5s",
            "+5s",
            "5 parsecs",
            "5s,",
            ",5s",
            "5s;6s",
            "5s5",
            "s5",
            "1es",
            "0x5s",
            "1..5s",
        ),
        *("0s", "0samples", "0.4samples", "0.5B", "0GB", "0J", "1e999s", "nans", "infs", "5s4GB", "5s,6s", "1GB,1MB"),
        *("1,5s", "٣s", "5 s\n", "1e-999s"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UserError, match="expected") as caught:
        Budget.parse(text)
    assert "\n" not in str(caught.value)


def test_a_budget_without_an_end_takes_the_ends_of_the_default() -> None:
    default = Budget(seconds=60, joules=9)
    assert Budget(bytes=5).or_default(default) == Budget(seconds=60, joules=9, bytes=5)
    assert Budget(samples=7, bytes=5).or_default(default) == Budget(samples=7, bytes=5)
    assert not Budget(bytes=5).ends
    assert all(Budget(**{kind: 1}).ends for kind in ("seconds", "samples", "joules"))


def _simulate(budget: Budget, durations: Iterable[float], *, first_guess: float) -> tuple[list[float], list[float]]:
    """Fractions and durations of the steps of a run whose clock is the sum of the durations."""
    pace = Pace(budget, batch=1, step_seconds=first_guess, joules=lambda: None)
    fractions, spent, seconds = [], [], 0.0
    for step, duration in enumerate(durations):
        fraction, last = pace.next(step=step, seconds=seconds)
        pace.record(duration)
        fractions.append(fraction)
        spent.append(duration)
        seconds += duration
        if last:
            return fractions, spent
    raise AssertionError("the run never ended")


_DURATIONS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "equal": lambda g: np.ones(3000),
    "normal": lambda g: np.abs(g.normal(1, 0.2, 3000)) + 0.01,
    "uniform": lambda g: g.uniform(0.1, 2, 3000),
    "two kinds of step": lambda g: np.where(np.arange(3000) % 2, 0.3, 1.7),
    "slower and slower": lambda g: np.linspace(0.2, 4, 3000),
    "faster and faster": lambda g: np.linspace(4, 0.2, 3000),
    "heavy tail": lambda g: 0.3 + g.pareto(2.0, 3000),
    "rare pauses": lambda g: np.where(g.random(3000) < 0.01, 15.0, 0.8),
}


@pytest.mark.parametrize("kind", _DURATIONS)
@pytest.mark.parametrize("first_guess", [0.1, 1.0, 5.0])
def test_a_time_budget_is_kept_to_five_percent_or_one_step(kind: str, first_guess: float) -> None:
    for seed in range(40):
        durations = _DURATIONS[kind](np.random.default_rng(seed))
        fractions, spent = _simulate(Budget(seconds=300.0), durations, first_guess=first_guess)
        assert fractions[-1] == 1.0
        assert all(f < 1 for f in fractions[:-1])
        assert all(a <= b for a, b in itertools.pairwise(fractions))
        assert sum(spent) - 300 <= max(0.05 * 300, max(spent))
        # A run that stops long before its end has wasted what it was given.
        assert 300 - sum(spent) <= max(0.05 * 300, 1.5 * max(spent))


@settings(max_examples=200)
@given(
    st.floats(0.05, 50),
    st.floats(0.02, 10),
    st.lists(st.floats(0.02, 20), min_size=1, max_size=30),
)
def test_no_sequence_of_steps_costs_more_than_its_two_longest(seconds: float, guess: float, some: list[float]) -> None:
    durations = itertools.islice(itertools.cycle(some), 200_000)
    fractions, spent = _simulate(Budget(seconds=seconds), durations, first_guess=guess)
    assert fractions[-1] == 1.0
    assert all(a <= b for a, b in itertools.pairwise(fractions))
    assert all(0 < f < 1 for f in fractions[:-1])
    assert sum(spent) - seconds <= sum(sorted(spent)[-2:]) + 1e-9


@given(st.integers(1, 500), st.integers(1, 40))
def test_a_sample_budget_buys_exactly_its_whole_batches(samples: int, batch: int) -> None:
    pace = Pace(Budget(samples=samples), batch=batch, step_seconds=1.0, joules=lambda: None)
    expected = max(1, samples // batch)
    assert pace.samples_ahead(step=0, seconds=0.0) == expected * batch
    for step in range(expected):
        fraction, last = pace.next(step=step, seconds=1e9)
        assert last == (step == expected - 1)
        assert fraction == (1.0 if last else pytest.approx((step + 1) / expected))
    assert fraction == 1.0


def test_the_first_limit_that_is_reached_ends_the_run() -> None:
    pace = Pace(Budget(seconds=100, samples=50), batch=10, step_seconds=1.0, joules=lambda: None)
    assert [pace.next(step=step, seconds=float(step))[1] for step in range(5)] == [False] * 4 + [True]
    pace = Pace(Budget(seconds=3, samples=500), batch=10, step_seconds=1.0, joules=lambda: None)
    assert [pace.next(step=step, seconds=float(step)) for step in range(2)] == [
        (pytest.approx(1 / 3), False),
        (pytest.approx(2 / 3), False),
    ]
    assert pace.next(step=2, seconds=2.0) == (1.0, True)


def test_a_budget_that_is_over_before_the_first_step_still_makes_one() -> None:
    pace = Pace(Budget(seconds=1), batch=1, step_seconds=0.1, joules=lambda: None)
    assert pace.next(step=0, seconds=7.0) == (1.0, True)


def test_joules_end_a_run_as_seconds_do() -> None:
    spent = [0.0]
    pace = Pace(Budget(joules=100), batch=1, step_seconds=1.0, joules=lambda: spent[0])
    for step in itertools.count():
        fraction, last = pace.next(step=step, seconds=float(step))
        spent[0] += 2.0
        pace.record(1.0, 2.0)
        if last:
            break
    assert fraction == 1.0
    assert 95 <= spent[0] <= 105


def test_joules_without_a_counter_are_refused() -> None:
    with pytest.raises(UserError, match="energy counter"):
        Pace(Budget(joules=500), batch=1, step_seconds=1.0, joules=lambda: None)


def test_a_counter_that_falls_silent_does_not_make_an_endless_run() -> None:
    answers = iter([0.0, 10.0])
    pace = Pace(Budget(joules=500), batch=1, step_seconds=1.0, joules=lambda: next(answers, None))
    pace.next(step=0, seconds=0.0)
    with pytest.raises(WorkFailed, match="energy"):
        pace.next(step=1, seconds=1.0)


def test_a_budget_that_never_ends_is_refused() -> None:
    with pytest.raises(UserError, match="seconds"):
        Pace(Budget(bytes=10**9), batch=1, step_seconds=1.0, joules=lambda: None)


def test_what_lies_ahead_follows_the_present_speed() -> None:
    pace = Pace(Budget(seconds=10), batch=4, step_seconds=0.5, joules=lambda: None)
    assert pace.samples_ahead(step=0, seconds=0.0) == 80
    assert pace.samples_ahead(step=10, seconds=5.0) == 40
    assert pace.seconds_ahead(step=10, seconds=5.0) == 5.0
    assert pace.seconds_ahead(step=30, seconds=15.0) == 0.0
    by_samples = Pace(Budget(samples=40), batch=4, step_seconds=0.5, joules=lambda: None)
    assert by_samples.seconds_ahead(step=4, seconds=2.0) == 3.0
