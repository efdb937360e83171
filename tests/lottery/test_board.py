"""Ranks, ties, flips, the index and regrets say what is clear and no more, against SciPy, loops and known orders."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.lottery.holding.board import (
    REFUSED,
    WANDER,
    Column,
    board,
    columns,
    flips,
    lottery_index,
    mean_index,
    regrets,
    sample_of,
    seconds,
    wander,
)
from pennyweight.lottery.holding.card import Board, Cell
from tests.lottery.cards import JAX, NUMPY, SIZE, TORCH, cell, cells, failed


def ranked(times: dict[str, float], **more: float) -> dict[str, int]:
    (column,) = columns(cells({NUMPY: times}, **more))
    return column.ranks


def test_a_time_is_the_median_of_the_rounds_in_an_interval_around_it() -> None:
    made = cell(NUMPY, "a", 2e-3, noise=0.1)
    told = seconds(sample_of(made))
    assert told.value == np.median(made.slices)
    assert told.low < told.value < told.high
    assert min(made.slices) / WANDER**2 < told.low
    assert told.high < max(made.slices) * WANDER**2


def test_the_interval_of_a_time_covers_it_in_about_19_of_20_lotteries() -> None:
    generator = np.random.default_rng(5)
    covered = 0
    for number in range(200):
        off = math.exp(generator.normal(0, math.log(WANDER) / 1.96))  # of this process
        slices = tuple((1e-3 * off * (1 + 0.02 * generator.standard_normal(12))).tolist())
        made = Cell(stack=NUMPY, size=str(number), idea="a", status="ok", slices=slices)
        told = seconds(sample_of(made))
        covered += told.low <= 1e-3 <= told.high
    assert 0.90 <= covered / 200 <= 0.995


def test_clear_orders_are_ranks_from_one() -> None:
    assert ranked({"slow": 3.0, "fast": 1.0, "middle": 2.0}) == {"fast": 1, "middle": 2, "slow": 3}


def test_what_is_not_clear_shares_a_rank_and_the_next_counts_all_before_it() -> None:
    assert ranked({"a": 1.0, "b": 1.01, "c": 1.5}) == {"a": 1, "b": 1, "c": 3}


def test_a_chain_of_unclear_neighbours_shares_one_rank() -> None:
    """The ends are apart, but no border can be drawn between them."""
    assert ranked({"a": 1.0, "b": 1.03, "c": 1.06}) == {"a": 1, "b": 1, "c": 1}


def test_a_noisy_cell_is_tied_where_a_quiet_one_is_not() -> None:
    quiet, noisy = cell(NUMPY, "quiet", 1.0), cell(NUMPY, "noisy", 1.2, slices=(0.8, 1.1, 1.3, 1.6) * 3)
    (column,) = columns([quiet, noisy])
    assert set(column.ranks.values()) == {1}
    (column,) = columns([quiet, cell(NUMPY, "noisy", 1.2)])
    assert column.ranks == {"quiet": 1, "noisy": 2}


@given(st.lists(st.floats(0.1, 100), min_size=2, max_size=7), st.floats(0, 0.2))
def test_whoever_shares_no_rank_is_clearly_apart_and_in_the_order_of_the_medians(
    times: list[float], noise: float
) -> None:
    (column,) = columns([cell(NUMPY, f"i{n}", time, noise=noise) for n, time in enumerate(times)])
    assert min(column.ranks.values()) == 1
    for first, second in combinations(column.samples, 2):
        assert first.value <= second.value
        assert column.ranks[first.idea] <= column.ranks[second.idea]
        if column.ranks[first.idea] < column.ranks[second.idea]:
            assert column.clear(first, second)


def test_a_rank_stands_inside_of_its_interval_and_a_tie_has_a_wide_one() -> None:
    told = board(columns(cells({NUMPY: {"a": 1.0, "b": 1.005, "c": 2.0}})))
    assert all(place.low <= place.rank <= place.high for place in told.places)
    assert [(place.idea, place.low, place.high) for place in told.places if place.idea != "c"] == [
        ("a", 1, 2),
        ("b", 1, 2),
    ]


# --- cells without a time ---


def test_a_cell_without_a_time_has_no_place() -> None:
    told = board(columns([cell(NUMPY, "a", 1.0), failed(NUMPY, "b")]))
    assert [place.idea for place in told.places] == ["a"]


def test_a_stopped_cell_is_last_where_all_others_are_faster_and_else_has_no_place() -> None:
    slow = failed(NUMPY, "slow", "too slow", bound=5.0)
    (column,) = columns([cell(NUMPY, "a", 1.0), cell(NUMPY, "b", 2.0), slow])
    assert column.ranks == {"a": 1, "b": 2, "slow": 3}
    assert column.samples[-1].at_least
    (column,) = columns([cell(NUMPY, "a", 1.0), cell(NUMPY, "b", 6.0), slow])
    assert column.ranks == {"a": 1, "b": 2}


def test_two_stopped_cells_share_the_last_rank() -> None:
    slow = [failed(NUMPY, name, "too slow", bound=5.0) for name in ("s", "t")]
    (column,) = columns([cell(NUMPY, "a", 1.0), *slow])
    assert column.ranks == {"a": 1, "s": 2, "t": 2}


# --- the index ---


def index_of(*orders: dict[str, float]) -> float:
    stacks = [NUMPY, TORCH, JAX][: len(orders)]
    told = lottery_index(columns(cells(dict(zip(stacks, orders, strict=True)))))
    assert told is not None
    assert told.low <= told.value <= told.high
    return told.value


UP = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}
DOWN = {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}


def test_the_index_is_0_for_equal_orders_and_2_for_opposite_ones() -> None:
    assert index_of(UP, UP, UP) == 0.0
    assert index_of(UP, DOWN) == 2.0


@pytest.mark.parametrize("seed", range(6))
def test_the_index_is_1_less_the_mean_of_scipys_tau_b_over_the_printed_ranks(seed: int) -> None:
    generator = np.random.default_rng(seed)
    times = {
        stack: {name: float(t) for name, t in zip("abcdef", generator.integers(1, 5, 6), strict=True)}
        for stack in (NUMPY, TORCH, JAX)
    }
    own = columns(cells(times))
    told = board(own)
    ranks = {
        stack: [next(p.rank for p in told.places if (p.stack, p.idea) == (stack, name)) for name in "abcdef"]
        for stack in times
    }
    taus = [scipy.stats.kendalltau(ranks[a], ranks[b]).statistic for a, b in combinations(times, 2)]
    assert told.index is not None
    assert told.index.value == pytest.approx(1 - np.mean(taus), abs=1e-9)


def test_an_idea_that_fails_on_a_stack_is_left_out_of_its_pairs() -> None:
    """With it the two would be opposite; without it they agree."""
    both = [*cells({NUMPY: {"a": 1.0, "b": 2.0, "x": 0.5}, TORCH: {"a": 1.0, "b": 2.0}}), failed(TORCH, "x")]
    told = lottery_index(columns(both))
    assert told is not None
    assert told.value == 0.0


def test_there_is_no_index_without_two_stacks_that_order_two_ideas() -> None:
    assert lottery_index(columns(cells({NUMPY: UP}))) is None
    assert lottery_index(columns(cells({NUMPY: UP, TORCH: {"a": 1.0}}))) is None
    assert lottery_index(columns(cells({NUMPY: UP, TORCH: {"a": 1.0, "b": 1.001}}))) is None


def test_a_near_tie_widens_the_interval_of_the_index() -> None:
    clear = lottery_index(columns(cells({NUMPY: UP, TORCH: UP})))
    close = lottery_index(columns(cells({NUMPY: UP, TORCH: UP | {"b": 1.02}})))
    assert clear is not None and close is not None  # noqa: PT018 - one question
    assert close.high - close.low > clear.high - clear.low


def test_the_index_of_all_sizes_is_the_mean_and_sizes_without_one_are_left_out() -> None:
    one, two = (lottery_index(columns(cells({NUMPY: UP, TORCH: order}))) for order in (UP, DOWN))
    boards = [Board(size=str(n), places=(), index=index) for n, index in enumerate((one, None, two))]
    told = mean_index(boards)
    assert told is not None
    assert told.value == 1.0
    assert mean_index(boards[1:2]) is None


# --- flips and regrets ---


def test_a_flip_names_both_stacks_and_factors_and_the_largest_comes_first() -> None:
    times = {
        NUMPY: {"a": 1.0, "b": 3.0, "c": 30.0},
        TORCH: {"a": 2.0, "b": 1.0, "c": 0.1},
        JAX: {"a": 1.0, "b": 1.5, "c": 5.0},
    }
    found = flips(columns(cells(times)))
    assert [{flip.ahead, flip.behind} for flip in found] == [{"a", "c"}, {"b", "c"}, {"a", "b"}]
    small = found[-1]
    assert (small.ahead, small.stack, small.elsewhere) == ("a", NUMPY, TORCH)
    assert small.by.value == pytest.approx(3.0, rel=0.01)
    assert small.back.value == pytest.approx(2.0, rel=0.01)
    assert small.extent == pytest.approx(6.0, rel=0.02)
    assert (small.num_ahead, small.num_behind) == (2, 1)


def test_a_stopped_cell_flips_by_at_least_its_bound() -> None:
    cells_ = [*cells({NUMPY: {"a": 1.0}, TORCH: {"a": 2.0, "b": 1.0}}), failed(NUMPY, "b", "too slow", bound=9.0)]
    (flip,) = flips(columns(cells_))
    assert (flip.ahead, flip.by_at_least, flip.back_at_least) == ("a", True, False)
    assert flip.by.value == pytest.approx(9.0, rel=0.01)


def test_no_flip_where_one_of_the_orders_is_not_clear() -> None:
    assert not flips(columns(cells({NUMPY: {"a": 1.0, "b": 2.0}, TORCH: {"a": 1.01, "b": 1.0}})))


@given(st.floats(0.2, 5), st.floats(0.2, 5))
def test_a_flip_is_found_exactly_where_both_ratios_are_clear_and_opposite(one: float, other: float) -> None:
    own = columns(cells({NUMPY: {"a": 1.0, "b": one}, TORCH: {"a": 1.0, "b": other}}))

    def sign(column: Column) -> int:
        first, second = (column.find(name) for name in "ab")
        assert first and second  # noqa: PT018 - for the type checker
        return column.clear(first, second) - column.clear(second, first)

    assert bool(flips(own)) == (sign(own[0]) * sign(own[1]) < 0)


def test_the_regret_is_the_time_of_the_stranger_over_that_of_the_own_winner() -> None:
    times = {NUMPY: {"a": 1.0, "b": 2.0}, TORCH: {"a": 9.0, "b": 3.0}}
    told = {(one.chosen_on, one.run_on): one for one in regrets(columns(cells(times)))}
    assert told[NUMPY, TORCH].idea == "a"
    assert told[NUMPY, TORCH].factor == pytest.approx(3.0, rel=0.01)
    assert told[TORCH, NUMPY].factor == pytest.approx(2.0, rel=0.01)


def test_a_choice_that_does_not_run_elsewhere_is_the_worst_regret() -> None:
    found = regrets(columns([*cells({NUMPY: {"a": 1.0, "b": 2.0}, TORCH: {"b": 3.0}}), failed(TORCH, "a")]))
    assert found[0].factor is None
    assert (found[0].chosen_on, found[0].run_on, found[0].idea) == (NUMPY, TORCH, "a")


def test_sizes_are_told_apart() -> None:
    own = columns(cells({NUMPY: UP}, size="small") + cells({NUMPY: DOWN, TORCH: UP}, size="large"))
    assert [(column.size, column.stack) for column in own] == [("small", NUMPY), ("large", NUMPY), ("large", TORCH)]
    assert {flip.size for flip in flips(own)} == {"large"}
    assert {one.size for one in regrets(own)} == {"large"}


# --- on a busy machine ---


def test_a_quiet_machine_is_off_by_the_wander_and_a_busy_one_by_the_part_that_was_taken() -> None:
    assert wander(0.0) == wander(0.10) == WANDER
    assert wander(0.20) == pytest.approx(1.25)
    assert wander(REFUSED) == pytest.approx(4 / 3)


@pytest.mark.parametrize("busy", [0.12, 0.18, 0.25])
def test_under_load_intervals_hold_those_of_a_quiet_machine_and_no_order_is_turned(busy: float) -> None:
    times = {NUMPY: {"a": 1.0, "b": 1.2, "c": 3.0}, TORCH: {"a": 1.5, "b": 1.0, "c": 0.2}}
    quiet, loaded = (columns(cells(times), busy=share) for share in (0.0, busy))
    for one, other in zip(quiet, loaded, strict=True):
        for calm, wide in zip(one.samples, other.samples, strict=True):
            assert seconds(wide).low <= seconds(calm).low
            assert seconds(wide).high >= seconds(calm).high
        for first, second in combinations(one.samples, 2):
            assert one.ranks[first.idea] <= one.ranks[second.idea]
            assert other.ranks[first.idea] <= other.ranks[second.idea]
    named = {(flip.ahead, flip.behind) for flip in flips(quiet)}
    assert {(flip.ahead, flip.behind) for flip in flips(loaded)} <= named
    assert ("a", "c") in {tuple(sorted((flip.ahead, flip.behind))) for flip in flips(loaded)}


def test_equal_cells_give_equal_boards() -> None:
    made = cells({NUMPY: UP, TORCH: DOWN})
    assert board(columns(made)) == board(columns([replace(one) for one in made]))
    assert board(columns(made)).size == SIZE
