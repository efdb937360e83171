"""Every loss is its two parts and nothing else; limits are the roofline of the best rates; forecasts are ranges."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.core.race import Interval
from pennyweight.core.stack import Stack
from pennyweight.lottery.devices.catalogue import devices, find_device, limit
from pennyweight.lottery.holding.board import columns
from pennyweight.lottery.holding.card import Cell, Loss, Work
from pennyweight.lottery.holding.limits import limits_of
from pennyweight.lottery.holding.outlook import device_seconds, forecasts
from pennyweight.lottery.holding.parts import limits, losses, software_ratios, surprises
from pennyweight.lottery.weighing.work import Step, expected_seconds
from tests.lottery.cards import JAX, NUMPY, SIZE, TORCH, cell, failed, table, work

POSITIVE = st.floats(1e-6, 1e6)


def split(cells: list[Cell], *tables: object) -> list[Loss]:
    return losses(columns(cells), limits(cells, tables))  # type: ignore[arg-type]


# --- limits ---


def test_the_limit_is_the_longer_of_computing_at_the_best_rate_and_moving_at_the_best_bandwidth() -> None:
    slow, fast = table(NUMPY, contraction=1e11, memory=2e10), table(TORCH, contraction=2e11, memory=1e10)
    own = limits_of(Stack.parse(NUMPY), [slow, fast])
    assert own.seconds(work(1e9, 1e7)) == pytest.approx(1e9 / 2e11)
    assert own.seconds(work(1e6, 1e7)) == pytest.approx(1e7 / 2e10)


def test_what_fits_into_a_cache_moves_at_its_bandwidth() -> None:
    own = limits_of(Stack.parse(NUMPY), [table(NUMPY, memory=1e10)])
    assert own.seconds(work(1.0, 1 << 20)) == pytest.approx((1 << 20) / 1e11)
    assert own.seconds(work(1.0, (1 << 20) + 1)) == pytest.approx(((1 << 20) + 1) / 1e10)


def test_a_narrow_format_is_never_slower_than_a_wider_one_that_holds_it() -> None:
    own = limits_of(Stack.parse(TORCH), [table(TORCH, contraction=1e11, contraction_bfloat16=5e10)])
    assert own.seconds(work(1e9, dtype="bfloat16")) == pytest.approx(0.01)
    own = limits_of(Stack.parse(TORCH), [table(TORCH, contraction=1e11, contraction_int8=4e11)])
    assert own.seconds(work(1e9, dtype="int8")) == pytest.approx(0.0025)
    assert own.seconds(work(1e9)) == pytest.approx(0.01)


def test_matrix_units_are_for_matrix_products_alone() -> None:
    own = limits_of(Stack.parse(TORCH), [table(TORCH, contraction=1e11, contraction_bfloat16=8e11)])
    assert own.seconds(work(1e9, dtype="bfloat16", matrix=True)) == pytest.approx(1e9 / 8e11)
    assert own.seconds(work(1e9, dtype="bfloat16", matrix=False)) == pytest.approx(1e9 / 1e11)


def test_moving_elements_is_no_arithmetic_and_a_function_has_a_rate_of_its_own() -> None:
    moved = Step(family="gather", dtype="float32", operations=1e12, num_bytes=8.0)
    exp = Step(family="transcendental", dtype="float32", operations=1e6, num_bytes=8.0)
    own = limits_of(Stack.parse(NUMPY), [table(NUMPY, transcendental_float32=1e9)])
    assert own.seconds(Work(steps=(moved, exp), num_bytes=8.0)) == pytest.approx(1e-3)


def test_steps_add_up() -> None:
    own = limits_of(Stack.parse(NUMPY), [table(NUMPY)])
    one = work(1e9)
    assert own.seconds(replace(one, steps=one.steps * 3)) == pytest.approx(3e9 / 1e11)


def test_tables_of_more_threads_and_other_devices_say_nothing() -> None:
    tables = [table("cpu/torch/fp32/2t", contraction=2e11), table("cuda/torch/fp32", contraction=1e13)]
    assert limits_of(Stack.parse(TORCH), tables).seconds(work(1e9)) is None
    both = limits_of(Stack.parse("cpu/torch/fp32/2t"), [*tables, table(TORCH, contraction=1e11)])
    assert both.seconds(work(1e9)) == pytest.approx(1e9 / 2e11)


def test_without_a_rate_there_is_no_limit() -> None:
    exp = Step(family="transcendental", dtype="float32", operations=1e6, num_bytes=8.0)
    own = limits_of(Stack.parse(NUMPY), [table(NUMPY)])
    assert own.seconds(Work(steps=(exp,), num_bytes=8.0)) is None


# --- parts ---


@given(POSITIVE, POSITIVE, POSITIVE, POSITIVE)
def test_the_parts_multiply_back_to_the_loss(winner: float, loser: float, winner_flops: float, flops: float) -> None:
    cells = [
        cell(NUMPY, "winner", winner, noise=0.0, work=work(winner_flops * 1e6)),
        cell(NUMPY, "loser", winner * (1.1 + loser), noise=0.0, work=work(flops * 1e6)),
    ]
    (loss,) = split(cells, table(NUMPY))
    assert loss.hardware is not None and loss.software is not None  # noqa: PT018 - for the type checker
    assert loss.hardware * loss.software == pytest.approx(loss.ratio.value, rel=1e-12)
    assert loss.ratio.value == pytest.approx(1.1 + loser, rel=1e-12)


def test_the_hardwares_part_is_the_ratio_of_limits_and_shares_are_of_the_own_limit() -> None:
    cells = [
        cell(NUMPY, "low rank", 0.002, noise=0.0, work=work(1e8)),
        cell(NUMPY, "dense", 0.020, noise=0.0, work=work(1e9)),
    ]
    (loss,) = split(cells, table(NUMPY, contraction=1e11))
    assert loss.hardware == pytest.approx(10.0)
    assert loss.software == pytest.approx(1.0)
    assert (loss.reached, loss.winner_reached) == (pytest.approx(0.5), pytest.approx(0.5))
    assert loss.needed == pytest.approx(5.0)


def test_at_the_share_that_is_needed_the_loser_draws_level() -> None:
    cells = [
        cell(NUMPY, "dense", 0.010, noise=0.0, work=work(1e9)),
        cell(NUMPY, "sparse", 0.016, noise=0.0, work=work(1e8, matrix=False)),
    ]
    (loss,) = split(cells, table(NUMPY))
    assert loss.needed == pytest.approx(0.1)
    limit_seconds = 1e8 / 1e11
    assert limit_seconds / loss.needed == pytest.approx(0.010)


def test_a_loss_without_a_limit_has_no_parts_and_a_tie_is_no_loss() -> None:
    cells = [
        cell(NUMPY, "a", 1.0, work=work(1e9)),
        cell(NUMPY, "b", 1.001, work=work(1e9)),
        cell(NUMPY, "c", 2.0, work=None),
    ]
    (loss,) = split(cells, table(NUMPY))
    assert loss.idea == "c"
    assert loss.hardware is loss.software is loss.needed is None


def test_a_stopped_cell_loses_by_at_least_its_bound() -> None:
    cells = [
        cell(NUMPY, "a", 1.0, noise=0.0, work=work(1e9)),
        failed(NUMPY, "b", "too slow", bound=7.0, work=work(1e9)),
    ]
    (loss,) = split(cells, table(NUMPY))
    assert loss.at_least
    assert loss.ratio.value == 7.0


# --- surprises ---


def test_a_surprise_is_more_than_twice_or_less_than_half_of_what_the_own_table_foresees() -> None:
    own = table(NUMPY, contraction=1e11)
    foreseen = expected_seconds(work(1e9).steps, own)
    assert foreseen == pytest.approx(0.01, rel=1e-3)
    times = {"slow": 0.025, "fast": 0.004, "right": 0.019, "none": 0.9}
    cells = [cell(NUMPY, name, time, work=None if name == "none" else work(1e9)) for name, time in times.items()]
    found = surprises(columns(cells), cells, [own, table(TORCH)])
    assert [one.idea for one in found] == ["slow", "fast"]
    assert found[0].factor == pytest.approx(2.5, rel=0.01)
    assert not surprises(columns(cells), cells, [table(TORCH)])


# --- elsewhere ---


def test_software_is_told_from_the_least_to_the_most_of_the_stacks_and_of_two_at_least() -> None:
    times = {NUMPY: (0.01, 0.002), TORCH: (0.01, 0.008)}
    cells = [
        cell(stack, idea, time, noise=0.0, work=work(flops))
        for stack, (dense, thin) in times.items()
        for idea, time, flops in (("dense", dense, 1e9), ("thin", thin, 1e8))
    ]
    cells.append(cell(JAX, "dense", 0.01, noise=0.0, work=work(1e9)))
    cells.append(cell(NUMPY, "once", 0.01, noise=0.0, work=work(1e9)))
    known = limits(cells, [table(NUMPY)])
    told = software_ratios(columns(cells), known, baseline="dense", size=SIZE)
    assert list(told) == ["thin"]
    assert told["thin"].low < 2.0 < told["thin"].value < 8.0 < told["thin"].high
    assert told["thin"].value == pytest.approx(4.0, rel=0.01)


def test_the_least_time_on_a_device_is_the_catalogues_with_products_and_the_rest_added() -> None:
    device = find_device("h100-sxm")
    both = Work(steps=(*work(1e12, dtype="bfloat16").steps, *work(1e10, matrix=False).steps), num_bytes=1e6)
    products = limit(device, flops={"bfloat16": 1e12}, bytes=0, matrix=True).seconds
    rest = limit(device, flops={"float32": 1e10}, bytes=0, matrix=False).seconds
    assert device_seconds(device, both) == pytest.approx(products + rest)
    assert device_seconds(device, work(1.0, 1e9)) == pytest.approx(1e9 / device.bandwidth.value)


def test_vector_units_compute_narrow_formats_in_float32() -> None:
    device = find_device("h100-sxm")
    narrow, wide = (device_seconds(device, work(1e12, dtype=d, matrix=False)) for d in ("bfloat16", "float32"))
    assert narrow == wide


def test_a_forecast_is_the_devices_ratio_times_the_softwares_range_and_the_best_comes_first() -> None:
    works = {"dense": work(1e12), "bf16": work(1e12, dtype="bfloat16")}
    part = {"bf16": Interval(value=1.5, low=1.0, high=3.0)}
    found = forecasts(works, part, baseline="dense")
    assert len(found) > 20
    for one in found:
        device = devices()[one.device]
        least = [device_seconds(device, works[name]) for name in ("bf16", "dense")]
        assert least[0] and least[1]  # noqa: PT018 - for the type checker
        assert one.hardware == pytest.approx(least[0] / least[1])
        assert (one.low, one.high) == (pytest.approx(one.hardware), pytest.approx(3 * one.hardware))
    assert [one.hardware for one in found] == sorted(one.hardware for one in found)


def test_a_device_without_a_rate_that_is_needed_is_left_out() -> None:
    lacking = [d for d in devices().values() if device_seconds(d, work(1e9, dtype="float64", matrix=False)) is None]
    assert lacking
    works = {"dense": work(1e9, dtype="float64", matrix=False), "other": work(1e9)}
    part = {"other": Interval(value=1.0, low=1.0, high=1.0)}
    assert not {one.device for one in forecasts(works, part, baseline="dense")} & {d.key for d in lacking}
    assert not forecasts({"other": work(1e9)}, part, baseline="dense")


def test_no_limit_is_infinite_or_zero() -> None:
    cells = [cell(NUMPY, "nothing", 1.0, work=Work(steps=(), num_bytes=0.0))]
    assert limits(cells, [table(NUMPY)]) == {}
    assert math.isfinite(sum(limits([cell(NUMPY, "a", 1.0, work=work(1e9))], [table(NUMPY)]).values()))
