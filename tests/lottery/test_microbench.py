"""Benchmarks do what their names say, the same on every library, and are timed without what disturbs."""

import ast
import importlib.util
import math
import timeit
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from pennyweight.core.stack import Stack
from pennyweight.lottery.weighing.microbench import child, on_numpy, on_torch, timing
from pennyweight.lottery.weighing.microbench.benchmarks import (
    ITEMSIZE,
    Benchmark,
    Sizes,
    benchmarks,
    contraction,
    row_of,
    sizes_of,
)
from pennyweight.lottery.weighing.microbench.dialect import Dialect, arrays

MIB = 1 << 20
SIZES = Sizes(levels={"L1": 3000, "L2": 30_000, "memory": 120_000}, cached=12_000, matrix=16, int8_matrix=32)
CACHES = {"L1": 48 << 10, "L2": 2 * MIB, "L3": 128 * MIB}


def dialects() -> dict[str, Any]:
    found: dict[str, Any] = {"numpy": on_numpy.dialect, "torch": lambda: on_torch.dialect("cpu")}
    if importlib.util.find_spec("jax"):
        from pennyweight.lottery.weighing.microbench import on_jax

        found["jax"] = on_jax.dialect
    return found


DIALECTS = dialects()


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Iterator[Dialect]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield DIALECTS[request.param]()
    torch.set_num_threads(threads)


def as_numpy(value: Any) -> np.ndarray[Any, Any]:
    """A copy of an array of any library's."""
    return value.numpy().copy() if isinstance(value, torch.Tensor) else np.array(value)


def ran(dialect: Dialect, benchmark: Benchmark) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]], Any]:
    """The arrays before a benchmark and after it, and what its last expression returned."""
    made = arrays(dialect, benchmark.arrays, benchmark.count, benchmark.dtype)
    before = {name: as_numpy(value) for name, value in made.items()}
    text = dialect.statements[benchmark.statement]
    names = {**made, **dialect.names}
    if isinstance(ast.parse(text).body[0], ast.Expr):
        returned = eval(text, names)
    else:
        exec(text, names)
        returned = None
    return before, {name: as_numpy(value) for name, value in made.items()}, returned


def result(dialect: Dialect, benchmark: Benchmark) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    """The arrays before a benchmark, and its result: what it wrote into, else what it returned."""
    before, after, returned = ran(dialect, benchmark)
    written = [name for name in before if not np.array_equal(before[name], after[name], equal_nan=True)]
    if written:
        assert written in (["z"], ["c"])
        return before, after[written[0]]
    if benchmark.statement == "sort" and not hasattr(returned, "dtype"):
        returned = returned.values  # torch sorts into values and indices
    return before, as_numpy(returned)


def by_name(dtype: str) -> dict[str, Benchmark]:
    return {one.name: one for one in benchmarks(dtype, SIZES)}


def waves(n: int) -> np.ndarray:
    return np.exp(-2j * np.pi * np.outer(np.arange(n), np.arange(n // 2 + 1)) / n)


ORACLES = {
    "elementwise": lambda b: b["x"] * b["y"],
    "transcendental": lambda b: np.array([math.exp(v) for v in b["x"].tolist()]),
    "reduction": lambda b: math.fsum(b["x"].tolist()),
    "scan": lambda b: np.array([math.fsum(b["x"][: n + 1].tolist()) for n in range(len(b["x"]))]),
    "fft": lambda b: b["r"].astype(np.float64) @ waves(b["r"].shape[1]),
    "sort": lambda b: np.array(sorted(b["x"].tolist())),
    "gather": lambda b: np.array([b["x"][index] for index in b["i"].tolist()]),
    "scatter": lambda b: np.array([b["x"][b["i"].tolist().index(place)] for place in range(len(b["x"]))]),
    "copy": lambda b: b["x"],
    "contraction": lambda b: np.einsum("ij,jk->ik", b["a"].astype(np.float64), b["b"].astype(np.float64)),
    "linalg": lambda b: np.linalg.inv(b["s"].astype(np.float64)) @ b["v"].astype(np.float64),
}


@pytest.mark.parametrize("family", ORACLES)
def test_a_statement_computes_what_its_family_names(dialect: Dialect, family: str) -> None:
    before, found = result(dialect, by_name("float32")[f"{family}/float32"])
    np.testing.assert_allclose(found, ORACLES[family](before), rtol=2e-5, atol=1e-3 if family == "fft" else 0)


def test_the_stream_adds(dialect: Dialect) -> None:
    for name in ("call", "bandwidth/L1", "bandwidth/memory"):
        before, found = result(dialect, by_name("float32")[name])
        np.testing.assert_array_equal(found, before["x"] + before["y"])


def test_products_of_8_bit_integers_do_not_overflow(dialect: Dialect) -> None:
    before, found = result(dialect, contraction("int8", SIZES))
    assert found.dtype == np.int32
    exact = before["a"].astype(np.int64) @ before["b"].astype(np.int64)
    assert abs(exact).max() > 127
    np.testing.assert_array_equal(found, exact)


def test_no_benchmark_meets_a_number_that_is_slow_to_compute_with(dialect: Dialect) -> None:
    """Denormals take a hundred times as long on some processors; infinities would hide an overflow."""
    tiny = np.finfo(np.float32).tiny
    for benchmark in benchmarks("float32", SIZES):
        before, after, _ = ran(dialect, benchmark)
        for values in (*before.values(), *after.values()):
            sizes = np.abs(values.astype(np.float64))
            assert np.isfinite(sizes).all(), benchmark
            assert ((sizes == 0) | (sizes > tiny)).all(), benchmark


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_shared_memory_holds_ordinary_numbers_in_every_dtype(dtype: str) -> None:
    for module in (on_numpy, on_torch):
        large = module.large if module is on_numpy else on_torch.dialect("cpu").large
        for values in large(10_000, dtype).values():
            ordinary = as_numpy(values)
            assert len(ordinary) == 10_000
            assert ((ordinary > 1e-5) & (ordinary < 1)).all()


def test_dtypes_share_one_memory() -> None:
    first = on_numpy.large(50_000, "float64")["x"]
    assert on_numpy.large(100_000, "float32")["x"].ctypes.data == first.ctypes.data
    large = on_torch.dialect("cpu").large
    assert large(100_000, "bfloat16")["z"].data_ptr() == large(50_000, "float32")["z"].data_ptr()


def test_arrays_of_numpy_lie_where_its_large_arrays_do() -> None:
    for count in (8, 1000, 100_000):
        values = np.arange(count, dtype=np.float32)
        placed = on_numpy.placed(values)
        assert placed.ctypes.data % 4096 == 16
        np.testing.assert_array_equal(placed, values)
    assert all(vector.ctypes.data % 4096 == 16 for vector in on_numpy.large(5000, "float32").values())


def test_what_a_library_cannot_run_is_told_by_the_library() -> None:
    refused = by_name("bfloat16")["fft/bfloat16"]
    with pytest.raises(RuntimeError, match="BFloat16"):
        child.begin("cpu/torch/bf16/1t", refused)


def test_a_benchmark_is_made_once_and_taken_in_slices() -> None:
    benchmark = by_name("float64")["scan/float64"]
    first = child.begin("cpu/numpy/fp64/1t", benchmark)
    assert first.statement == "np.cumsum(x, out=z)"
    made = child._timed[benchmark]
    assert 0 < child.take("cpu/numpy/fp64/1t", benchmark, 0.002) < 1
    assert child._timed[benchmark] is made


# --- counts ---


def test_operations_are_those_of_the_plain_algorithms() -> None:
    known = by_name("float64")
    rows = known["contraction/float64"].count
    assert known["contraction/float64"].operations == sum(
        2 for _ in range(rows) for _ in range(rows) for _ in range(rows)
    )
    count, row = known["fft/float64"].count, row_of(known["fft/float64"].count)
    assert known["fft/float64"].operations == pytest.approx(count / row * 0.5 * 5 * row * math.log2(row))
    for family in ("elementwise", "sort", "gather", "copy"):
        assert known[f"{family}/float64"].operations == known[f"{family}/float64"].count


def test_the_count_of_a_solution_is_that_of_elimination() -> None:
    solution = by_name("float64")["linalg/float64"]
    n = solution.count
    eliminating = sum(1 + 2 * (n - k - 1) for k in range(n) for _ in range(k + 1, n))
    substituting = sum(2 * k for k in range(n)) + sum(2 * k + 1 for k in range(n))
    assert solution.operations == pytest.approx(eliminating + substituting, rel=0.01)


def test_bytes_are_those_of_the_arrays_that_a_statement_names() -> None:
    for benchmark in [*benchmarks("float32", SIZES), contraction("int8", SIZES)]:
        text = on_numpy.dialect().statements[benchmark.statement]
        used = set(compile(text, "", "exec").co_names)
        made = arrays(on_numpy.dialect(), benchmark.arrays, benchmark.count, benchmark.dtype)
        named = sum(value.nbytes for name, value in made.items() if name in used - {"i"})
        returned = {"fft": 1, "sort": 1}.get(benchmark.statement, 0) * benchmark.count * 4
        solution = {"linalg": 4 * benchmark.count, "int8": 4 * benchmark.count**2}.get(benchmark.statement, 0)
        assert benchmark.num_bytes == named + returned + solution, benchmark.name


def test_streams_fill_their_level() -> None:
    for dtype in ("float64", "float32", "bfloat16"):
        known = by_name(dtype)
        for level, size in SIZES.levels.items():
            assert size - 3 * ITEMSIZE[dtype] < known[f"bandwidth/{level}"].num_bytes <= size


def test_names_of_benchmarks_differ() -> None:
    names = [one.name for one in benchmarks("float32", SIZES)]
    assert len(names) == len(set(names))


# --- sizes ---


def test_streams_lie_well_inside_each_level_and_far_outside_the_last() -> None:
    reported = {**CACHES, "L3": 260 * MIB}
    sizes = sizes_of(Stack.parse("cpu/numpy/fp64/1t"), reported, usable=CACHES, limit_bytes=4096 * MIB)
    assert sizes.levels == {"L1": 24 << 10, "L2": MIB, "L3": 8 * MIB, "memory": 390 * MIB}


def test_memory_takes_no_more_than_its_limit() -> None:
    sizes = sizes_of(Stack.parse("cpu/numpy/fp64/1t"), CACHES, usable=CACHES, limit_bytes=100 * MIB)
    assert sizes.levels["memory"] == 100 * MIB


def test_rates_are_measured_on_each_threads_share_of_cache_where_a_library_spreads_vectors() -> None:
    def cached(name: str) -> int:
        return sizes_of(Stack.parse(name), CACHES, usable=CACHES, limit_bytes=512 * MIB).cached

    assert cached("cpu/torch/fp32/2t") == 2 * cached("cpu/torch/fp32/1t") == 2 * MIB
    assert cached("cpu/numpy/fp64/2t") == cached("cpu/numpy/fp64/1t") == MIB


def test_a_device_with_one_cache_can_be_weighed() -> None:
    only = {"L2": 50 * MIB}
    sizes = sizes_of(Stack.parse("cuda/torch/bf16"), only, usable=only, limit_bytes=4096 * MIB)
    assert sizes.levels == {"L2": 25 * MIB, "memory": 96 * MIB}
    assert len(benchmarks("bfloat16", sizes)) > 10


# --- timing ---


class Scripted(timeit.Timer):
    """A timer whose calls take what a script says, on a clock of its own."""

    def __init__(self, seconds: Iterator[float]) -> None:
        self.now = 0.0
        self.calls: list[int] = []
        self._script = seconds

    def timeit(self, number: int = 1) -> float:
        self.calls.append(number)
        taken = number * next(self._script)
        self.now += taken
        return taken

    def clock(self) -> float:
        return self.now


def forever(*values: float) -> Iterator[float]:
    yield from values
    while True:
        yield values[-1]


def test_the_first_call_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    timed = timing.Timed(Scripted(forever(3.0, 1e-3)))
    assert (timed.first_seconds, timed.call_seconds) == (3.0, 1e-3)


def test_short_calls_are_timed_in_batches_that_the_clock_can_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    timer = Scripted(forever(1e-3, 1e-6))
    monkeypatch.setattr(timing.time, "perf_counter", timer.clock)
    assert timing.Timed(timer).low(0.02) == pytest.approx(1e-6)
    assert timer.calls[2] == pytest.approx(timing.BATCH_SECONDS / 1e-6, abs=1)
    assert timer.now == pytest.approx(0.021, rel=0.02)


def test_cold_calls_at_the_beginning_of_a_slice_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    timer = Scripted(forever(1e-3, 1e-3, 1.1e-3, 1.1e-3, 1.1e-3, 1e-3, 9e-4))
    monkeypatch.setattr(timing.time, "perf_counter", timer.clock)
    assert timing.Timed(timer).low(0.02) == pytest.approx(9e-4)


def test_a_slice_gives_the_low_decile_of_its_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    script = [1e-3, 1e-3, *[1e-3 * (1 + (7 * n % 40) / 100) for n in range(400)]]
    timer = Scripted(forever(*script))
    monkeypatch.setattr(timing.time, "perf_counter", timer.clock)
    assert timing.Timed(timer).low(0.4) == pytest.approx(1.04e-3, rel=0.01)


def test_a_call_longer_than_its_slice_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    timer = Scripted(forever(1.0, 0.5))
    monkeypatch.setattr(timing.time, "perf_counter", timer.clock)
    assert timing.Timed(timer).low(0.01) == 0.5
    assert timer.calls == [1, 1, 1]


def test_an_asynchronous_call_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    timer = Scripted(forever(1e-3))

    def wait() -> None:
        timer.now += 0.25

    monkeypatch.setattr(timing.time, "perf_counter", timer.clock)
    assert timing.Timed(timer, wait).low(0.3) == pytest.approx(0.251)
