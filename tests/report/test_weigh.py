"""The page of a weighed machine shows each table's numbers with their bands, and a roofline of them."""

import dataclasses
import re
from collections.abc import Sequence
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from pennyweight.core.cost import CostTable, Rate
from pennyweight.report.costs import doubtful, groups, notes, quantities, software_lines, variables_line
from pennyweight.report.page import render
from pennyweight.report.roofline import roofline
from pennyweight.report.weigh import weigh_section
from tests.report.made import Reader
from tests.report.test_page import HOSTILE


def about(value: float, reach: float = 0.05) -> Rate:
    return Rate(value=value, low=value * (1 - reach), high=value * (1 + reach))


def a_table(stack: str, dtype: str, **changes: object) -> CostTable:
    rates = {
        f"{family}/{dtype}": about(rate)
        for family, rate in {"elementwise": 4e9, "contraction": 160e9, "linalg": 20e9, "sort": 2e8}.items()
    }
    table = CostTable(
        stack=stack,
        machine={"processor": "A processor", "cores": 2, "system": "Linux", "variables": {"OMP_NUM_THREADS": "2"}},
        fingerprint="0123456789ab",
        measured="2026-11-25T10:00:00+00:00",
        seconds=59.5,
        busy=0.012,
        software={"numpy": "2.4.6", "blas": "openblas 0.3.31", "kernel": "SkylakeX", "threads": "1"},
        cache_bytes={"L1": 49_152, "L2": 2_097_152},
        call=about(3.5e-7),
        bandwidth={"L2": about(46e9), "memory": about(12e9)},
        rates=rates,
        checks={"memory/copy": about(1.1)},
        statements={name: f"{name.partition('/')[0]}(x), 8 elements, {dtype}" for name in rates},
        intensities={f"elementwise/{dtype}": 1 / 12, f"contraction/{dtype}": 128.0, f"linalg/{dtype}": 42.0},
        first_calls={f"linalg/{dtype}": 0.4},
        start_seconds=0.12,
        notes=("L1 is unknown",),
    )
    return dataclasses.replace(table, **changes)  # type: ignore[arg-type]


TABLES = [
    a_table("cpu/numpy/fp64/1t", "float64"),
    a_table("cpu/numpy/fp32/1t", "float32"),
    a_table("cpu/torch/bf16/2t", "bfloat16", software={"torch": "2.13.0", "build": "oneDNN v3", "threads": "2"}),
]


def shown(tables: Sequence[CostTable]) -> dict[str, dict[str, list[float | None]]]:
    return {
        quantity.title: {row.label: [rate and round(rate.value, 6) for rate in row.rates] for row in quantity.rows}
        for quantity in quantities(tables)
    }


def test_numbers_are_shown_in_their_units_a_column_a_stack() -> None:
    found = shown(TABLES[:2])
    assert found["calls, µs"] == {"8 numbers": [0.35, 0.35]}
    assert found["bandwidth, GB/s read and written"] == {"L2": [46.0, 46.0], "memory": [12.0, 12.0]}
    rates = found["rates in cache, GFLOP/s or billion elements/s"]
    assert rates["contraction"] == [160.0, 160.0]
    assert rates["sort"] == [0.2, 0.2]
    assert "fft" not in rates


def test_products_in_another_dtype_stand_where_they_were_measured_and_nowhere_else() -> None:
    extra = {"contraction/int8": about(1e12)}
    own = a_table("cpu/torch/fp32/1t", "float32")
    with_own = dataclasses.replace(
        own, rates={**own.rates, **extra}, statements={**own.statements, "contraction/int8": "q"}
    )
    shared = dataclasses.replace(a_table("cpu/torch/bf16/1t", "bfloat16"), rates=with_own.rates)
    assert shown([with_own, shared])["rates in cache, GFLOP/s or billion elements/s"]["its int8"] == [1000.0, None]


def test_stacks_stand_beside_those_with_as_many_threads() -> None:
    found = [(name.replace("\u00a0", " "), [table.stack for table in beside]) for name, beside in groups(TABLES)]
    assert found == [
        ("1 thread", ["cpu/numpy/fp64/1t", "cpu/numpy/fp32/1t"]),
        ("2 threads", ["cpu/torch/bf16/2t"]),
    ]
    assert groups([a_table("cuda/torch/bf16", "bfloat16")])[0][0] == "cuda"


def test_wide_bands_are_named_the_widest_first_and_never_in_absurd_numbers() -> None:
    wide = dataclasses.replace(TABLES[0], rates={
        "sort/float64": about(2e8, 0.3),
        "linalg/float64": Rate(value=1e9, low=1e6, high=2e9),
        "elementwise/float64": about(4e9, 0.05),
    })  # fmt: skip
    text = doubtful([wide])
    assert text.index("linalg float64 on cpu/numpy/fp64/1t over ±100") < text.index("sort float64")
    assert "elementwise" not in text
    assert doubtful(TABLES) == ""
    zero = dataclasses.replace(TABLES[0], call=Rate(value=1e-7, low=0.0, high=2e-7))
    assert "call on cpu/numpy/fp64/1t over ±100" in doubtful([zero])


def test_many_wide_bands_are_counted_rather_than_listed() -> None:
    wide = [dataclasses.replace(table, call=about(1e-7, 0.5)) for table in TABLES * 3]
    assert doubtful(wide).endswith(" and 5 more")


def test_software_variables_and_notes_are_each_said_once() -> None:
    assert software_lines(TABLES) == [
        "numpy 2.4.6: blas openblas 0.3.31, kernel SkylakeX",
        "torch 2.13.0: build oneDNN v3",
    ]
    assert variables_line(TABLES) == "OMP_NUM_THREADS=2"
    assert notes(TABLES) == ["L1 is unknown"]
    bare = a_table("cpu/numpy/fp32/1t", "float32", machine={"variables": {}}, notes=())
    assert variables_line([bare]) == "none"
    assert notes([bare]) == []


def test_every_number_of_a_page_leads_to_its_table_and_shows_its_band() -> None:
    reader = Reader(render("This machine", [weigh_section(TABLES)]))
    targets = {link[1:] for link in reader.links if link.startswith("#")}
    assert targets <= set(reader.ids)
    assert len([one for one in targets if one.startswith("receipt-")]) == len(TABLES)
    assert len(reader.ids) == len(set(reader.ids))
    text = render("This machine", [weigh_section(TABLES)])
    for said in ("152–168", "OMP_NUM_THREADS=2", "linalg(x), 8 elements, float64", "L1 is unknown", "1.1×"):
        assert said in text, said


def test_hostile_text_stays_text() -> None:
    evil = a_table(
        "cpu/numpy/fp32/1t", "float32", notes=(HOSTILE,), statements={HOSTILE: HOSTILE}, software={"numpy": HOSTILE},
    )  # fmt: skip
    text = render("This machine", [weigh_section([evil])])
    assert "<script>alert" not in text
    assert "<img src=x" not in text


@pytest.mark.parametrize("width", [358, 760])
def test_a_roofline_is_an_accessible_element_in_the_colours_of_its_page(width: int) -> None:
    text = roofline(TABLES, width=width, key="a") or Markup()
    assert text == roofline(TABLES, width=width, key="a")
    root = ElementTree.fromstring(text)
    assert root.get("role") == "img"
    assert root.get("viewBox", "").split()[:3] == ["0", "0", str(width)]
    colours = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", text))
    assert colours <= {"none", "currentColor", *(f"var(--{name})" for name in ("idea", "rival", "muted", "line"))}
    assert len(text) < 60_000


def test_a_roofline_says_its_peaks_and_bandwidths_for_each_stack() -> None:
    text = roofline(TABLES, key="a") or Markup()
    root = ElementTree.fromstring(text)
    label = root.get("aria-label", "")
    for stack in ("numpy fp64", "numpy fp32", "torch bf16"):
        assert f"{stack} reaches 160 GFLOP/s in matrix products, L2 46 GB/s, memory 12 GB/s" in label
    words = ["".join(element.itertext()) for element in root.iter("text")]
    assert words.count("memory 12 GB/s") == 3
    assert words.count("elementwise") == 3
    assert "sort" not in words, "nothing is computed there"


def test_roofs_meet_the_ceiling_where_arithmetic_and_memory_are_balanced() -> None:
    from matplotlib.figure import Figure

    from pennyweight.report.roofline import _roof

    axes = Figure().add_subplot()
    axes.set_xscale("log")
    axes.set_yscale("log")
    _roof(axes, "memory", about(10e9, 0.0), about(160e9, 0.0), "#010203", above=False)
    x, y = axes.lines[0].get_data()
    assert 16.0 in x
    assert list(y) == [min(10e9 * at, 160e9) for at in x]


def test_without_a_rate_of_products_there_is_no_roofline() -> None:
    assert roofline([dataclasses.replace(TABLES[0], rates={"sort/float64": about(2e8)})]) is None
    assert roofline([]) is None
