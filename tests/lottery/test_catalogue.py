"""The catalogue: its schema, what its numbers must satisfy, known conflicts, reported names, rooflines."""

import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.core.errors import UserError
from pennyweight.lottery.devices.catalogue import (
    DTYPES,
    Device,
    audit,
    devices,
    find_device,
    limit,
    limit_seconds,
    main,
    read_catalogue,
    recognise,
    sources,
)
from tests.pages import page_module

ALL = list(devices().values())
every = pytest.mark.parametrize("device", ALL, ids=lambda device: device.key)

SMALL = """
[source.good]
title = "A data sheet"
kind = "page"
maker = "Acme"
where = "acme.example"
licence = "none"
date = ""
[source.copy]
title = "A copy"
kind = "code"
follows = "other"
where = "copy.example"
licence = "none"
date = ""
[source.other]
title = "A list"
kind = "catalogue"
where = "list.example"
licence = "none"
date = ""
[device.one]
name = "Acme One"
kind = "gpu"
vendor = "Acme"
patterns = ['Acme One']
memory = { other = "80 GB" }
bandwidth = { other = "100 GB/s" }
[device.one.vector]
float64 = { other = "1 TFLOP/s" }
float32 = { good = "2 TFLOP/s", other = "2 TFLOP/s", copy = "2 TFLOP/s" }
[device.one.matrix]
bfloat16 = { other = "8 TFLOP/s" }
"""


def one(text: str = SMALL) -> Device:
    return read_catalogue(text)[1]["one"]


# --- the data ---


def test_there_are_devices_of_every_kind() -> None:
    kinds = Counter(device.kind for device in ALL)
    assert sum(kinds.values()) >= 50
    assert all(kinds[kind] >= 4 for kind in ("cpu", "gpu", "tpu", "apple", "board"))
    assert {"NVIDIA", "AMD", "Intel", "Google", "Apple"} <= {device.vendor for device in ALL}


def test_every_number_has_a_source_and_every_source_a_number() -> None:
    used = {name for device in ALL for _, figure in device.figures() for r in figure.readings for name in r.sources}
    assert used == set(sources())
    assert all(source.where and source.licence and source.title for source in sources().values())


def test_most_numbers_have_two_sources() -> None:
    figures = [figure for device in ALL for _, figure in device.figures()]
    assert sum(len(figure.readings) > 1 for figure in figures) > 0.6 * len(figures)


@every
def test_rates_are_in_the_order_of_their_widths(device: Device) -> None:
    vector = {dtype: figure.value for dtype, figure in device.vector.items()}
    matrix = {dtype: figure.value for dtype, figure in device.matrix.items()}
    assert vector.get("float64", 0) <= 1.001 * vector.get("float32", 1e99)
    assert vector.get("float32", 0) <= 1.001 * vector.get("float16", 1e99)
    for wide, narrow in (("float64", "float32"), ("float32", "tf32"), ("tf32", "bfloat16"), ("bfloat16", "int8")):
        assert matrix.get(wide, 0) <= 1.001 * matrix.get(narrow, 1e99)
    for dtype in ("bfloat16", "float16"):
        assert matrix.get(dtype, 1e99) > 1.5 * vector.get("float32", 0), (
            "a tensor rate that is that of the vector units"
        )
    assert matrix.get("float64", 1e99) >= vector.get("float64", 0)


@every
def test_memory_is_a_whole_number_of_gigabytes_of_one_sort_or_the_other(device: Device) -> None:
    if device.memory is not None:
        size = device.memory.value
        assert any(abs(size / unit - round(size / unit)) < 0.001 * size / unit for unit in (1e9, 2**30))


@every
def test_balance_of_computing_and_moving_is_plausible(device: Device) -> None:
    """Operations per byte at which the roofline bends: ten or so for processors, hundreds for matrix units."""
    best = max(figure.value for rates in (device.vector, device.matrix) for figure in rates.values())
    assert 5 < best / device.bandwidth.value < 2000


@every
def test_year_and_dies_are_plausible(device: Device) -> None:
    assert device.year is None or 2015 <= device.year <= 2026
    assert device.devices is None or device.devices.value == 2
    assert device.dies is None or device.dies.value == 2


@pytest.mark.parametrize(
    ("device", "figure", "value", "against"),
    [
        ("mi300x", "bandwidth", 5.3e12, {"techpowerup"}),
        ("mi300x", "matrix.float16", 1307.4e12, {"huggingface"}),
        ("l4", "bandwidth", 300.1e9, {"torch"}),
        ("l4", "matrix.bfloat16", 121e12, {"torch"}),
        ("rtx-4090", "matrix.bfloat16", 165.15e12, {"epoch-techpowerup", "lightning"}),
        ("h200-sxm", "matrix.bfloat16", 989.5e12, {"lightning"}),
        ("h100-sxm", "bandwidth", 3.35e12, {"llm-viewer"}),
        ("h100-sxm", "vector.float16", 133.8e12, {"techpowerup", "huggingface"}),
        ("tpu-v5p", "bandwidth", 2.765e12, {"jax"}),
        ("tpu-v3", "matrix.bfloat16", 123e12, {"jax", "scaling-book"}),
    ],
)
def test_known_conflicts_are_found_and_decided(device: str, figure: str, value: float, against: set[str]) -> None:
    found = {(conflict.device, conflict.name): conflict for conflict in audit()}[device, figure]
    assert found.figure.value == pytest.approx(value)
    assert set(found.hints) == {reading.source for reading in found.figure.dissent} == against


def test_hints_name_the_trap() -> None:
    hints = {(c.device, c.name): c.hints for c in audit()}
    assert hints["rtx-4090", "matrix.float16"]["lightning"] == "the vector units' rate for float32"
    assert hints["h200-sxm", "matrix.int8"]["lightning"] == "a factor of two: sparsity or the accumulate type"
    assert set(hints["mi300x", "memory"].values()) == {"GB for GiB"}
    assert hints["a100-pcie-40", "bandwidth"] == {"epoch-techpowerup": ""}


def test_rates_where_sources_agree_are_those_of_the_data_sheets() -> None:
    assert find_device("h100-sxm").matrix["bfloat16"].value == pytest.approx(989.4e12, rel=1e-3)
    assert find_device("a100-sxm-80").matrix["tf32"].value == pytest.approx(156e12)
    assert find_device("epyc-7763").vector["float64"].value == pytest.approx(2.5088e12)
    assert find_device("raspberry-pi-5").vector["float32"].value == pytest.approx(153.6e9)
    assert find_device("mi250").vector["float32"].conflict is False


# --- names ---

REPORTED = {
    "NVIDIA B200": "b200",
    "NVIDIA H200": "h200-sxm",
    "NVIDIA H100 80GB HBM3": "h100-sxm",
    "NVIDIA H100 PCIe": "h100-pcie",
    "NVIDIA A100-SXM4-80GB": "a100-sxm-80",
    "A100-SXM4-40GB": "a100-sxm-40",
    "NVIDIA A100-SXM4-40GB": "a100-sxm-40",
    "NVIDIA A100 80GB PCIe": "a100-pcie-80",
    "NVIDIA A100-PCIE-40GB": "a100-pcie-40",
    "Tesla V100-SXM2-32GB": "v100-sxm-32",
    "Tesla V100-PCIE-32GB": "v100-pcie-32",
    "Tesla P100-PCIE-16GB": "p100-pcie-16",
    "Tesla P4": "p4",
    "Tesla T4": "t4",
    "NVIDIA A10": "a10",
    "NVIDIA A40": "a40",
    "NVIDIA RTX A6000": "rtx-a6000",
    "NVIDIA L4": "l4",
    "NVIDIA L40": "l40",
    "NVIDIA GeForce RTX 5090": "rtx-5090",
    "NVIDIA GeForce RTX 4090": "rtx-4090",
    "NVIDIA GeForce RTX 3090 Ti": "rtx-3090-ti",
    "GeForce RTX 3090": "rtx-3090",
    "AMD Instinct MI350X": "mi350x",
    "AMD Instinct MI325X": "mi325x",
    "AMD Instinct MI300X": "mi300x",
    "AMD Instinct MI300A": "mi300a",
    "AMD Instinct MI250X": "mi250x",
    "AMD Instinct MI250": "mi250",
    "AMD Instinct MI210": "mi210",
    "AMD Instinct MI100": "mi100",
    "AMD Radeon RX 7900 XTX": "rx-7900-xtx",
    "Intel(R) Data Center GPU Max 1550": "max-1550",
    "TPU v2": "tpu-v2",
    "TPU v3": "tpu-v3",
    "TPU v4": "tpu-v4",
    "TPU v5 lite": "tpu-v5e",
    "TPU v5e": "tpu-v5e",
    "TPU v5": "tpu-v5p",
    "TPU v5p": "tpu-v5p",
    "TPU v6 lite": "tpu-v6e",
    "TPU7x": "tpu-v7",
    "AMD EPYC 7763 64-Core Processor": "epyc-7763",
    "AMD EPYC 9654P 96-Core Processor": "epyc-9654",
    "Intel(R) Xeon(R) Platinum 8380 CPU @ 2.30GHz": "xeon-8380",
    "Apple M1": "m1",
    "Apple M1 Pro": "m1-pro",
    "Apple M1 Max": "m1-max",
    "Apple M2": "m2",
    "Raspberry Pi 5 Model B Rev 1.0\0": "raspberry-pi-5",
    "NVIDIA Jetson Nano Developer Kit\0": "jetson-nano",
    "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super": "jetson-orin-nano-super",
}


@pytest.mark.parametrize(("reported", "key"), REPORTED.items())
def test_a_reported_name_is_that_of_one_device(reported: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = recognise(reported)
    assert found is not None
    assert found.key == key
    rest = {other: device for other, device in devices().items() if other != key}
    monkeypatch.setattr("pennyweight.lottery.devices.catalogue.devices", lambda: rest)
    assert recognise(reported) is None, "two devices claim the name"


def test_every_device_with_a_pattern_is_recognised_by_a_real_name() -> None:
    assert {device.key for device in ALL if device.patterns} == set(REPORTED.values())


@pytest.mark.parametrize(
    "reported",
    [
        "",
        "Orin",
        "cpu",
        "NVIDIA H100 NVL",
        "NVIDIA H200 NVL",
        "NVIDIA L40S",
        "NVIDIA A100-SXM4-40GB MIG 3g.20gb",
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "NVIDIA GeForce RTX 4090 D",
        "NVIDIA GeForce RTX 3060",
        "AMD EPYC 7713 64-Core Processor",
        "Apple M1 Ultra",
        "TPU v4 lite",
    ],
)
def test_a_name_that_is_not_in_the_catalogue_is_not_guessed(reported: str) -> None:
    assert recognise(reported) is None


def test_devices_are_found_by_key_or_name_and_misspelt_ones_suggested() -> None:
    assert find_device(" MI300X ") is find_device("amd instinct mi300x") is devices()["mi300x"]
    with pytest.raises(UserError, match=r"device 'h100sxm': expected .*did you mean h100-sxm\?"):
        find_device("h100sxm")


# --- rooflines ---


def test_limit_is_the_longer_of_computing_and_moving() -> None:
    device = one()
    square = limit(device, flops={"bfloat16": 2 * 1000**3}, bytes=3 * 1000**2 * 2, matrix=True)
    assert square.compute_seconds == pytest.approx(2e9 / 8e12)
    assert square.memory_seconds == pytest.approx(6e6 / 100e9)
    assert square.seconds == square.compute_seconds
    assert square.notes == ()
    assert limit_seconds(device, flops={"float32": 1e6}, bytes=12e6, matrix=False) == pytest.approx(12e6 / 100e9)
    assert limit_seconds(device, flops={}, bytes=0, matrix=False) == 0


def test_vector_work_does_not_get_matrix_rates_and_matrix_work_gets_the_better() -> None:
    device = one()
    assert limit_seconds(device, flops={"bfloat16": 8e12}, bytes=0, matrix=True) == pytest.approx(1)
    assert limit_seconds(device, flops={"bfloat16": 8e12}, bytes=0, matrix=False) == pytest.approx(4)
    for own, best in (("1 TFLOP/s", 4), ("4 TFLOP/s", 2)):
        with_own = one(f'{SMALL}float32 = {{ other = "{own}" }}')
        assert limit_seconds(with_own, flops={"float32": 8e12}, bytes=0, matrix=True) == pytest.approx(best)


def test_formats_take_turns_on_the_same_units() -> None:
    assert limit_seconds(one(), flops={"float32": 2e12, "float64": 2e12}, bytes=0, matrix=False) == pytest.approx(3)


def test_a_format_without_a_rate_runs_in_the_next_wider_with_a_note() -> None:
    device = one()
    assert limit(device, flops={"int8": 8e12}, bytes=0, matrix=True).notes == (
        "Acme One: no rate for int8, that of bfloat16 is taken",
    )
    half = limit(device, flops={"float16": 8e12}, bytes=0, matrix=True)
    assert half.seconds == pytest.approx(4), "bfloat16 does not hold every float16"
    assert "that of float32" in half.notes[0]
    volta = limit(find_device("v100-sxm-32"), flops={"bfloat16": 15.67e12}, bytes=0, matrix=True)
    assert volta.seconds == pytest.approx(1, rel=0.01)


def test_a_format_that_a_device_cannot_do_is_said() -> None:
    with pytest.raises(
        UserError, match=r"float64 on Apple M1 .*expected a format .* vector rate for; it has float16, float32"
    ):
        limit(find_device("m1"), flops={"float64": 1}, bytes=0, matrix=False)
    with pytest.raises(UserError, match="number format 'float8': expected one of float64, "):
        limit(one(), flops={"float8": 1}, bytes=0, matrix=False)
    with pytest.raises(ValueError, match="zero or more"):
        limit(one(), flops={"float32": -1}, bytes=1, matrix=False)


@given(
    key=st.sampled_from(sorted(devices())),
    flops=st.floats(0, 1e15),
    moved=st.floats(0, 1e12),
    matrix=st.booleans(),
    dtype=st.sampled_from(DTYPES),
)
def test_limit_grows_with_the_work_and_never_beats_either_peak(
    key: str, flops: float, moved: float, matrix: bool, dtype: str
) -> None:
    device = devices()[key]
    try:
        once = limit_seconds(device, flops={dtype: flops}, bytes=moved, matrix=matrix)
    except UserError:
        wider = set(DTYPES[: DTYPES.index(dtype) + 1]) - ({"bfloat16"} if dtype == "float16" else set())
        assert not wider & ({*device.vector} | ({*device.matrix} if matrix else set()))
        return
    peak = max(figure.value for rates in (device.vector, device.matrix) for figure in rates.values())
    assert once >= flops / peak
    assert once >= moved / device.bandwidth.value
    assert limit_seconds(device, flops={dtype: 2 * flops}, bytes=2 * moved, matrix=matrix) == pytest.approx(2 * once)


# --- the file ---


def test_a_planted_conflict_is_flagged_and_the_maker_believed() -> None:
    planted = SMALL.replace('good = "2 TFLOP/s"', 'good = "1 TFLOP/s"')
    conflicts = audit(read_catalogue(planted)[1])
    assert [(c.device, c.name, set(c.hints)) for c in conflicts] == [("one", "vector.float32", {"other", "copy"})]
    assert one(planted).vector["float32"].value == 1e12
    assert audit(read_catalogue(SMALL)[1]) == []


def test_dates_a_year_apart_are_in_conflict() -> None:
    planted = SMALL.replace("memory =", 'released = { other = "2023-12-31", good = "2024-01-01" }\nmemory =')
    assert one(planted).year == 2024
    assert [c.name for c in audit(read_catalogue(planted)[1])] == ["released"]


def test_figures_of_one_die_count_for_the_package() -> None:
    text = SMALL.replace('"80 GB"', '"40 GB per die"').replace(
        "[device.one.vector]", 'dies.good = "2 dies"\n[device.one.vector]'
    )
    assert one(text).memory is not None
    assert one(text).memory.value == 80e9
    with pytest.raises(ValueError, match="'40 GB per die' of a device whose dies are not given"):
        one(SMALL.replace('"80 GB"', '"40 GB per die"'))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('bandwidth = { other = "100 GB/s" }', "", "device.one: without bandwidth"),
        ("vendor =", "maker =", "device.one: without vendor"),
        ("memory =", "ram =", "device.one: unknown ram"),
        ('"gpu"', '"fpga"', "device.one: kind 'fpga', expected one of cpu, gpu"),
        ("float64 =", "float8 =", "device.one.vector: unknown float8"),
        ('other = "80 GB"', 'wiki = "80 GB"', "device.one.memory.wiki: 'wiki' is no source"),
        ('other = "80 GB"', 'other = "80 GB/s"', "device.one.memory.other: '80 GB/s' is no quantity in B"),
        (
            'other = "80 GB"',
            'other = "80 MB"',
            r"device.one.memory.other: '80 MB' is 8e\+07, expected 1e\+09 to 1e\+12 B",
        ),
        ('other = "100 GB/s"', 'other = "100 TB/s"', "device.one.bandwidth.other: '100 TB/s' is 1e.14"),
        ('other = "80 GB"', 'derived = "80 GB"', "sources stand in brackets"),
        ('other = "80 GB"', 'other = "8 GB [good] x 10"', "sources stand in brackets"),
        ('other = "80 GB"', 'derived = "8 GB [wiki] x 10"', "'wiki' is no source"),
        ('kind = "page"', 'kind = "maker"', "source.good: kind 'maker'"),
        ('follows = "other"', 'follows = "nobody"', "source.copy: it follows 'nobody'"),
        ('follows = "other"', 'follows = "copy"', "source.copy: it follows 'copy'"),
        ('licence = "none"\ndate = ""\n[source.copy]', 'date = ""\n[source.copy]', "source.good: without licence"),
        ("[device.one]", "[machine]\na = 1\n[device.one]", "unknown machine"),
        ("memory =", 'accumulate = { wiki = "float32" }\nmemory =', "device.one.accumulate: unknown wiki"),
        ("memory =", 'released = { other = "soon" }\nmemory =', "device.one.released.other: 'soon' is no date"),
    ],
)
def test_a_file_that_does_not_fit_the_schema_is_refused_with_the_place(old: str, new: str, says: str) -> None:
    assert old in SMALL
    with pytest.raises(ValueError, match=says):
        read_catalogue(SMALL.replace(old, new, 1))


def test_a_device_without_a_rate_is_refused() -> None:
    with pytest.raises(ValueError, match=r"device\.one: no rate"):
        read_catalogue(SMALL[: SMALL.index("[device.one.vector]")])


# --- the outside ---


def test_audit_prints_what_the_sources_disagree_about(capsys: pytest.CaptureFixture[str]) -> None:
    main()
    printed = capsys.readouterr().out
    assert "l4 bandwidth: 300.1 GB/s [techpowerup]\n    against 3350 GB/s [torch]\n" in printed
    assert "71.17 TFLOP/s [derived]" in printed
    assert f"{len(ALL)} devices, " in printed.splitlines()[-1]


def test_catalogue_needs_no_torch() -> None:
    module = "pennyweight.lottery.devices.catalogue"
    code = f"import sys; from {module} import devices; devices(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_page_of_the_documentation_names_every_device_source_and_conflict() -> None:
    page = page_module("catalogue_page").page()
    for device in ALL:
        assert f"| {device.name} |" in page
    for source in sources().values():
        assert source.title in page
    assert page.count("\n| `") >= len(audit())
