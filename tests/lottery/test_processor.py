"""Caches and cores are read off a system's files, and a measured sweep overrules what a virtual machine reports."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from pennyweight.lottery.weighing import processor
from pennyweight.lottery.weighing.processor import cache_bytes, cores_in_order, usable

MIB = 1 << 20


def a_system(root: Path, caches: Mapping[int, tuple[str, str, str]], siblings: str = "") -> Path:
    for core in os.sched_getaffinity(0):
        for index, (level, kind, size) in caches.items():
            folder = root / f"cpu{core}" / "cache" / f"index{index}"
            folder.mkdir(parents=True)
            for name, text in (("level", level), ("type", kind), ("size", size)):
                (folder / name).write_text(text + "\n")
        if siblings:
            (root / f"cpu{core}" / "topology").mkdir(parents=True)
            (root / f"cpu{core}" / "topology" / "thread_siblings_list").write_text(siblings + "\n")
    return root


def test_data_caches_are_read_by_level_and_those_of_instructions_left_out(tmp_path: Path) -> None:
    caches = {
        0: ("1", "Data", "48K"),
        1: ("1", "Instruction", "32K"),
        2: ("2", "Unified", "2048K"),
        3: ("3", "Unified", "260M"),
    }
    assert cache_bytes(a_system(tmp_path, caches)) == {"L1": 48 << 10, "L2": 2 * MIB, "L3": 260 * MIB}


def test_a_board_without_a_third_level_has_none(tmp_path: Path) -> None:
    caches = {0: ("1", "Data", "64K"), 1: ("2", "Unified", "1M")}
    assert cache_bytes(a_system(tmp_path, caches)) == {"L1": 64 << 10, "L2": MIB}


@pytest.mark.parametrize("size", ["", "unknown", "0K", "-1"])
def test_an_entry_that_says_nothing_is_left_out(tmp_path: Path, size: str) -> None:
    caches = {0: ("1", "Data", "32K"), 1: ("2", "Unified", size)}
    assert cache_bytes(a_system(tmp_path, caches)) == {"L1": 32 << 10}


def test_without_any_entry_common_sizes_are_assumed(tmp_path: Path) -> None:
    assert list(cache_bytes(tmp_path)) == ["L1", "L2", "L3"]


def test_a_shared_cache_ends_where_the_stream_slows() -> None:
    """A sweep as measured on a virtual machine that reports 260 MiB."""
    reported = {"L1": 48 << 10, "L2": 2 * MIB, "L3": 260 * MIB}
    sweep = [(4 * MIB, 25.8e9), (16 * MIB, 27.7e9), (64 * MIB, 25.8e9), (128 * MIB, 25.1e9), (181 * MIB, 14.0e9)]
    assert usable(reported, [*sweep, (512 * MIB, 12.6e9)]) == {**reported, "L3": 128 * MIB}


def test_a_cache_that_is_all_there_stays_as_reported() -> None:
    reported = {"L1": 32 << 10, "L2": MIB, "L3": 32 * MIB}
    sweep = [(2 * MIB, 100e9), (16 * MIB, 95e9), (32 * MIB, 90e9), (45 * MIB, 60e9), (64 * MIB, 35e9)]
    assert usable(reported, sweep) == reported


def test_one_size_that_another_program_slowed_does_not_end_the_cache() -> None:
    reported = {"L1": 32 << 10, "L2": MIB, "L3": 32 * MIB}
    sweep = [(2 * MIB, 100e9), (4 * MIB, 30e9), (16 * MIB, 95e9), (45 * MIB, 40e9), (64 * MIB, 35e9)]
    assert usable(reported, sweep)["L3"] == 16 * MIB


def test_a_sweep_without_a_step_says_nothing() -> None:
    reported = {"L1": 32 << 10, "L2": MIB, "L3": 32 * MIB}
    assert usable(reported, [(2 * MIB, 12e9), (64 * MIB, 10e9)]) == reported
    assert usable({"L1": 32 << 10}, [(2 * MIB, 12e9), (64 * MIB, 1e9)]) == {"L1": 32 << 10}


def test_a_cache_that_strangers_fill_ends_at_the_first_size_of_the_sweep() -> None:
    reported = {"L1": 32 << 10, "L2": MIB, "L3": 32 * MIB}
    assert usable(reported, [(2 * MIB, 100e9), (4 * MIB, 20e9), (64 * MIB, 20e9)])["L3"] == 2 * MIB


def test_cores_are_those_this_process_may_use() -> None:
    assert sorted(cores_in_order()) == sorted(os.sched_getaffinity(0))


def test_the_lowest_core_comes_last_where_nothing_is_known_of_siblings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor.os, "sched_getaffinity", lambda _: {0, 1, 5})
    assert cores_in_order(tmp_path) == [5, 1, 0]


def test_each_physical_core_comes_before_the_second_thread_of_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor.os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    for core, siblings in {0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}.items():
        (tmp_path / f"cpu{core}" / "topology").mkdir(parents=True)
        (tmp_path / f"cpu{core}" / "topology" / "thread_siblings_list").write_text(siblings)
    assert cores_in_order(tmp_path) == [1, 0, 3, 2]


def test_ranges_of_siblings_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processor.os, "sched_getaffinity", lambda _: {0, 1})
    a_system(tmp_path, {}, siblings="0-1")
    assert cores_in_order(tmp_path) == [0, 1]
