"""A weighing measures what it says, survives what a stack cannot do, and its tables are kept and read back."""

import dataclasses
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from pennyweight.arrays.trace.families import FAMILIES
from pennyweight.core.cost import CostTable, Rate
from pennyweight.core.errors import UserError, WorkFailed
from pennyweight.core.machine import BusyWatch, this_machine, usable_cores
from pennyweight.core.stack import Stack
from pennyweight.lottery.weighing import weigh as weighing
from pennyweight.lottery.weighing.microbench.benchmarks import Benchmark
from pennyweight.lottery.weighing.microbench.child import First
from pennyweight.lottery.weighing.pricing import Measured, Session, cost_table
from pennyweight.lottery.weighing.tables import load_table, load_tables, make_room, save_tables
from pennyweight.lottery.weighing.weigh import default_stacks, weigh
from tests.lottery.test_predict import TABLE

FP32, FP64 = Stack.parse("cpu/numpy/fp32/1t"), Stack.parse("cpu/numpy/fp64/1t")
SESSION = Session(measured="2026-11-25T10:00:00+00:00", seconds=60.0, busy=0.0)
CACHES = {"L1": 32_000, "L2": 1_000_000}


# --- a real one ---


@pytest.fixture(scope="module")
def weighed() -> list[CostTable]:
    with small():
        return weigh([FP32, FP64], seconds=2.5)


@contextmanager
def small() -> Iterator[pytest.MonkeyPatch]:
    """Memory of some megabytes: nobody waits for gigabytes to be swept in a test."""
    with pytest.MonkeyPatch.context() as patch:
        caches = {"L1": 48 << 10, "L2": 1 << 20}
        patch.setattr(weighing, "_caches", lambda *_: {"cpu": weighing._Caches(reported=caches, usable=caches)})
        patch.setattr(weighing, "_MEMORY_SHARE", 12e6 / psutil.virtual_memory().available)
        yield patch


def test_every_family_that_is_measured_has_a_rate_in_each_dtype(weighed: list[CostTable]) -> None:
    families = set(FAMILIES) - {"creation", "view", "other"}
    expected = {f"{family}/{dtype}" for family in families for dtype in ("float32", "float64")} | {"contraction/int8"}
    assert all(set(table.rates) == expected for table in weighed)


def test_numbers_are_of_the_size_that_any_processor_has(weighed: list[CostTable]) -> None:
    for table in weighed:
        assert 1e-8 < table.call.value < 1e-4
        assert all(1e8 < rate.value < 1e13 for rate in table.bandwidth.values())
        assert all(1e5 < rate.value < 1e14 for rate in table.rates.values())
        assert all(0.05 < check.value < 20 for check in table.checks.values())


def test_a_product_is_the_fastest_arithmetic_and_cache_no_slower_than_memory(weighed: list[CostTable]) -> None:
    for table in weighed:
        dtype = "float32" if "fp32" in table.stack else "float64"
        assert table.rates[f"contraction/{dtype}"].value > table.rates[f"elementwise/{dtype}"].value
        assert table.bandwidth["L2"].high > table.bandwidth["memory"].low


def test_a_table_says_where_when_and_on_what_it_was_measured(weighed: list[CostTable]) -> None:
    table = weighed[0]
    assert table.stack == "cpu/numpy/fp32/1t"
    assert table.fingerprint == this_machine().fingerprint
    assert table.machine["processor"] == this_machine().processor
    assert {"numpy", "blas", "kernel", "threads"} <= set(table.software)
    assert table.software["threads"].startswith("1 ")
    assert table.statements["contraction/float32"] == "np.matmul(a, b, out=c), 768 x 768, float32"
    assert table.first_calls.keys() == table.statements.keys()
    assert 0 < table.start_seconds < 60
    assert 0 < table.seconds < 60
    assert table.measured.endswith("+00:00")


def test_rates_of_a_sibling_are_shared_and_what_was_run_is_not(weighed: list[CostTable]) -> None:
    one, other = weighed
    assert one.rates == other.rates
    assert "elementwise/float64" not in one.statements


def test_no_process_is_left_behind(weighed: list[CostTable]) -> None:
    assert not [one for one in psutil.Process().children() if "worker" in " ".join(one.cmdline())]


def test_a_benchmark_that_raises_crashes_or_dies_later_is_missed_alone() -> None:
    with small() as patch:
        patch.setattr(weighing, "_CHILD", "tests.lottery.frail_child")
        patch.setattr(BusyWatch, "share", lambda self: 0.8)
        (table,) = weigh([FP32], seconds=2.5)
    assert not {"fft/float32", "sort/float32", "scan/float32"} & set(table.rates)
    assert {"elementwise/float32", "linalg/float32", "contraction/int8"} <= set(table.rates)
    assert any(note.endswith("has no fft/float32: no transforms here") for note in table.notes)
    assert any("has no sort/float32" in note and "SIGKILL" in note for note in table.notes)
    assert table.busy == 0.8
    assert "busy" in table.notes[0]


def test_the_last_cache_is_swept_and_a_difference_said(monkeypatch: pytest.MonkeyPatch) -> None:
    reported = {"L1": 48 << 10, "L2": 1 << 20, "L3": 64 << 20}
    monkeypatch.setattr(weighing, "cache_bytes", lambda: reported)
    monkeypatch.setattr(weighing, "_CHILD", "tests.lottery.frail_child")
    with weighing._Team([FP32]) as team:
        found = weighing._caches(team, [FP32])["cpu"]
    assert found.usable == {**reported, "L3": 2 << 20}
    assert found.notes == ["L3 is reported to hold 64 MiB; a stream finds about 2 MiB of it"]


def test_a_time_that_is_too_short_is_refused_with_what_would_do() -> None:
    with pytest.raises(UserError, match=r"weigh budget 0.1s: expected at least \d+s for 1 of this machine's"), small():
        weigh([FP32], seconds=0.1)


def test_a_machine_on_which_nothing_runs_is_work_that_failed() -> None:
    with small() as patch:
        patch.setattr(weighing, "_CHILD", "tests.lottery.nowhere")
        with pytest.raises(WorkFailed, match=r"no stack could be weighed: .* has no call: No module named"):
            weigh([FP32], seconds=2.0)


@pytest.mark.parametrize(
    ("stack", "said"),
    [
        ("cpu/onnxruntime/fp32/1t", "numpy or jax on the cpu, or torch"),
        ("cpu/torch.compile/fp32/1t", "numpy or jax on the cpu, or torch"),
        ("cuda/jax/fp32", "numpy or jax on the cpu, or torch"),
        (f"cpu/numpy/fp32/{usable_cores() + 1}t", f"at most {usable_cores()} threads"),
    ],
)
def test_a_stack_that_cannot_be_weighed_here_is_refused(stack: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        weigh([Stack.parse(stack)], seconds=60.0)


def test_an_accelerator_and_a_library_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weighing, "this_machine", lambda: SimpleNamespace(accelerator=""))
    with pytest.raises(UserError, match="a CUDA device"):
        weigh([Stack.parse("cuda/torch/bf16")], seconds=60.0)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="jax to be installed"):
        weigh([Stack.parse("cpu/jax/fp32/1t")], seconds=60.0)


def test_the_stacks_of_a_machine_are_those_of_its_libraries_on_one_core_and_on_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(weighing, "usable_cores", lambda: 8)
    monkeypatch.setattr(weighing, "this_machine", lambda: SimpleNamespace(accelerator="a GPU"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name != "jax" or None)
    names = list(map(str, default_stacks(60)))
    assert names[:4] == ["cpu/numpy/fp64/1t", "cpu/numpy/fp32/1t", "cpu/numpy/fp64/8t", "cpu/numpy/fp32/8t"]
    assert names[-2:] == ["cuda/torch/fp32", "cuda/torch/bf16"]
    assert not any("jax" in name for name in names)
    assert not any("/1t" in name for name in map(str, default_stacks(15)))


# --- from slices to a table, by hand ---


def measured(name: str, seconds: float, *, operations: float = 0.0, num_bytes: float = 0.0) -> Measured:
    family = name.partition("/")[0]
    benchmark = Benchmark(
        name=name,
        dtype="float32",
        statement={"call": "stream", "bandwidth": "stream", "memory": "copy"}.get(family, family),  # type: ignore[arg-type]
        arrays="vectors",
        count=1000,
        operations=operations,
        num_bytes=num_bytes,
    )
    first = First(statement="work(x)", first_seconds=0.5, call_seconds=seconds)
    return Measured(
        take=lambda seconds: seconds,
        call_seconds=seconds,
        slices=[seconds] * 5,
        stack=FP32,
        benchmark=benchmark,
        first=first,
    )


KNOWN = [
    measured("call", 1e-6, operations=8, num_bytes=96),
    measured("bandwidth/L1", 1.5e-6, num_bytes=12_000),
    measured("bandwidth/L2", 11e-6, num_bytes=400_000),
    measured("bandwidth/memory", 0.010001, num_bytes=1e8),
    measured("elementwise/float32", 11e-6, operations=50_000, num_bytes=600_000),
    measured("copy/float32", 6e-6, operations=50_000, num_bytes=400_000),
    measured("memory/copy", 0.020001, operations=1e7, num_bytes=8e7),
]


def a_table(*, busy: float = 0.0) -> CostTable:
    return cost_table(
        FP32,
        {one.benchmark.name: one for one in KNOWN},
        dataclasses.replace(SESSION, busy=busy),
        cache_bytes=CACHES,
        software={"numpy": "2.4.6"},
        start_seconds=0.2,
        notes=["a note"],
    )


def test_rates_and_bandwidths_are_work_over_time_without_the_call() -> None:
    table = a_table()
    assert table.call.value == 1e-6
    assert table.bandwidth["L2"].value == pytest.approx(400_000 / 10e-6)
    assert table.bandwidth["memory"].value == pytest.approx(1e10, rel=1e-3)
    assert table.rates["elementwise/float32"].value == pytest.approx(50_000 / 10e-6)
    assert table.rates["elementwise/float32"].low == pytest.approx(50_000 / (11e-6 * 1.05 - 1e-6 / 1.05))
    assert table.rates["elementwise/float32"].high == pytest.approx(50_000 / (11e-6 / 1.05 - 1e-6 * 1.05))
    assert set(table.rates) == {"elementwise/float32", "copy/float32"}


def test_a_level_whose_arrays_take_less_than_the_call_is_unknown_and_said_to_be() -> None:
    table = a_table()
    assert "L1" not in table.bandwidth
    assert any(note.startswith("L1 is unknown") for note in table.notes)
    assert table.notes[-1] == "a note"


def test_a_check_is_measured_over_predicted_time() -> None:
    """8e7 bytes at 1e10 a second are 8 ms, 1e7 elements at 1e10 a second 1 ms; it took 20."""
    assert a_table().checks["memory/copy"].value == pytest.approx(20.001 / 8.001, rel=1e-3)


def test_a_family_without_a_rate_is_not_checked() -> None:
    known = {one.benchmark.name: one for one in KNOWN if one.benchmark.name != "copy/float32"}
    table = cost_table(FP32, known, SESSION, cache_bytes=CACHES, software={}, start_seconds=0.2)
    assert table.checks == {}


def test_operations_per_byte_and_first_calls_stand_beside_the_numbers() -> None:
    table = a_table()
    assert table.intensities["elementwise/float32"] == pytest.approx(1 / 12)
    assert table.first_calls["elementwise/float32"] == 0.5
    assert table.statements["elementwise/float32"] == "work(x), 1,000 elements, float32"


def test_a_busy_machine_is_said_and_widens_every_band() -> None:
    calm, busy = a_table(), a_table(busy=0.45)
    assert busy.notes[0].startswith("the machine was busy: other processes took 45% of its processors")
    assert not any("busy" in note for note in calm.notes)
    for name, rate in calm.rates.items():
        assert busy.rates[name].value == rate.value
        assert busy.rates[name].high > 1.5 * rate.high


# --- keeping ---


def test_tables_are_read_back_as_they_were_kept(tmp_path: Path, weighed: list[CostTable]) -> None:
    paths = save_tables([*weighed, TABLE], tmp_path)
    assert all(path.is_file() for path in paths)
    found = load_tables(tmp_path)
    assert sorted(found, key=repr) == sorted([*weighed, TABLE], key=repr)
    assert load_tables(tmp_path, fingerprint=TABLE.fingerprint) == [TABLE]
    assert load_table(tmp_path, FP64, fingerprint=weighed[0].fingerprint) == weighed[1]


@pytest.mark.parametrize(
    ("release", "usable"), [(version("numpy"), True), (version("numpy") + "+built", True), ("1.0", False)]
)
def test_a_table_of_another_version_of_its_library_has_to_be_measured_again(
    tmp_path: Path, release: str, usable: bool
) -> None:
    table = dataclasses.replace(TABLE, software={"numpy": release})
    save_tables([table], tmp_path)
    assert load_table(tmp_path, FP32, fingerprint=TABLE.fingerprint) == (table if usable else None)
    assert load_tables(tmp_path) == [table]


def test_what_was_never_weighed_is_none(tmp_path: Path) -> None:
    assert load_tables(tmp_path) == []
    assert load_table(tmp_path, FP32, fingerprint="0123456789ab") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        "null",
        '{"stack": "cpu"}',
        json.dumps(dataclasses.asdict(TABLE) | {"call": {"value": -1.0, "low": -2.0, "high": 0.0}}),
        json.dumps(dataclasses.asdict(TABLE) | {"call": {"value": float("nan"), "low": 0.0, "high": 1.0}}),
        json.dumps(dataclasses.asdict(TABLE) | {"of a later version": 1}),
    ],
)
def test_a_damaged_table_is_as_good_as_none(tmp_path: Path, text: str) -> None:
    (path,) = save_tables([TABLE], tmp_path)
    path.write_text(text)
    assert load_tables(tmp_path) == []
    assert load_table(tmp_path, FP32, fingerprint=TABLE.fingerprint) is None
    save_tables([TABLE], tmp_path)
    assert load_tables(tmp_path) == [TABLE]


def test_a_reader_never_sees_half_a_table_while_two_write(tmp_path: Path) -> None:
    tables = [dataclasses.replace(TABLE, notes=(letter * 20_000,)) for letter in "ab"]
    save_tables(tables[:1], tmp_path)
    stop = threading.Event()

    def write(table: CostTable) -> None:
        while not stop.is_set():
            save_tables([table], tmp_path)

    writers = [threading.Thread(target=write, args=(table,)) for table in tables]
    for writer in writers:
        writer.start()
    try:
        for _ in range(50):
            assert load_tables(tmp_path)[0] in tables
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert len(list((tmp_path / "costs").iterdir())) == 1


def test_a_place_that_cannot_be_written_is_noticed_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "costs").write_text("in the way")
    with pytest.raises(OSError, match="costs"):
        make_room(tmp_path)


@pytest.mark.parametrize(
    ("value", "low", "high"), [(1.0, 2.0, 3.0), (3.0, 1.0, 2.0), (-1.0, -2.0, 1.0), (1.0, 0.5, float("inf"))]
)
def test_a_rate_lies_within_its_band(value: float, low: float, high: float) -> None:
    with pytest.raises(ValueError, match="between"):
        Rate(value=value, low=low, high=high)
