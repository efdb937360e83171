"""Runs have names, one writer at a time, and logs that survive a disk that refuses."""

import json
import os
import re
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

from pennyweight.core.errors import UserError
from pennyweight.core.files import write_json
from pennyweight.core.run import MetricsLog, Run, find_run, find_runs, read_document, read_records


def _create(runs: Path, recipe: str = "par/tiny") -> Run:
    return Run.create(runs, recipe, {"config": {"a": 1}})


def test_a_run_is_named_after_its_recipe_and_its_time(tmp_path: Path) -> None:
    run = _create(tmp_path / "runs")
    assert re.fullmatch(r"par-tiny-\d{8}T\d{6}Z-[0-9a-f]{4}", run.name)
    assert run.recipe == "par/tiny"
    assert run.document == {"schema": 1, "recipe": "par/tiny", "config": {"a": 1}}
    assert Run.open(run.folder).document == run.document


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--runs"):
        _create(tmp_path / "file")


def test_a_folder_without_a_configuration_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no run"):
        Run.open(tmp_path)


def _hold(folder: Path, ready: Any) -> None:
    with Run(folder).locked():
        ready.set()
        time.sleep(60)


def test_a_second_writer_is_refused_until_the_first_is_killed(tmp_path: Path, processes: ForkServerContext) -> None:
    run = _create(tmp_path)
    assert run.status == "interrupted"
    ready = processes.Event()
    holder = processes.Process(target=_hold, args=(run.folder, ready), daemon=True)
    holder.start()
    assert ready.wait(30)
    assert run.status == "running"
    with pytest.raises(UserError, match="another process"), run.locked():
        pass
    holder.kill()
    holder.join()
    with run.locked():
        assert run.status == "running"
    assert run.status == "interrupted"
    write_json(run.folder / "receipt.json", {"schema": 1})
    assert run.status == "finished"


def test_runs_are_found_by_path_name_beginning_and_age(tmp_path: Path) -> None:
    old, new = _create(tmp_path, "par/tiny"), _create(tmp_path, "qa/reader")
    os.utime(old.folder / "config.json", (1, 1))
    (tmp_path / "no-run").mkdir()
    assert [run.name for run in find_runs(tmp_path)] == [old.name, new.name]
    assert find_run("last", tmp_path).name == new.name
    for name in (str(old.folder), old.name, "par", old.name[:-1]):
        assert find_run(name, tmp_path).folder == old.folder


@pytest.mark.parametrize(
    ("name", "said"), [("zzz", "no run 'zzz'"), ("", "no run ''"), ("pa", "ambiguous"), ("../", "no run")]
)
def test_a_run_that_cannot_be_meant_is_refused(tmp_path: Path, name: str, said: str) -> None:
    runs = tmp_path / "runs"
    for recipe in ("par/tiny", "par/small"):
        _create(runs, recipe)
    with pytest.raises(UserError, match=re.escape(said)):
        find_run(name, runs)


def test_where_there_are_no_runs_the_place_is_named(tmp_path: Path) -> None:
    for name in ("last", "par"):
        with pytest.raises(UserError, match="which holds none"):
            find_run(name, tmp_path / "absent")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"])
def test_a_damaged_document_is_reported_by_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "config.json"
    with pytest.raises(UserError, match="missing"):
        read_document(path)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"config\.json"):
        read_document(path)


def _steps(path: Path) -> list[int]:
    return [record["step"] for record in read_records(path)]


def test_a_record_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path)
    for step in range(3):
        assert log.append({"step": step}) is None
    assert path.read_text() == '{"step": 0}\n{"step": 1}\n{"step": 2}\n'
    run = Run(tmp_path)
    assert MetricsLog(path).append({"step": 3, "kind": "step"}) is None
    assert _steps(path) == [0, 1, 2, 3]
    assert run.metrics()[-1]["kind"] == "step"


def test_a_torn_last_line_is_left_out_and_written_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 0}\n{"step": 1}\n{"st')
    assert _steps(path) == [0, 1]
    MetricsLog(path).append({"step": 2})
    assert _steps(path) == [0, 1, 2]
    assert path.read_text().count("\n") == 3


def test_a_damaged_line_hides_no_other(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 0}\n\xff\xff{"step"\n{"step": 2}\n')
    assert _steps(path) == [0, 2]
    assert read_records(tmp_path / "absent") == []


def test_records_that_the_disk_refused_are_kept_and_written_later(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    path = folder / "metrics.jsonl"
    log = MetricsLog(path)
    log.append({"step": 0})
    folder.rename(tmp_path / "away")
    assert isinstance(log.append({"step": 1}), OSError)
    assert isinstance(log.append({"step": 2}), OSError)
    (tmp_path / "away").rename(folder)
    assert log.append({"step": 3}) is None
    assert path.read_text() == "".join(json.dumps({"step": step}) + "\n" for step in range(4))


def test_a_log_that_was_removed_begins_again_without_holes(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path)
    log.append({"step": 0})
    path.unlink()
    log.append({"step": 1})
    log.append({"step": 2})
    assert path.read_text() == '{"step": 1}\n{"step": 2}\n'


def _log_on_a_small_disk(path: Path, answers: Any) -> None:
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    log = MetricsLog(path)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 100_000))
    refused = [log.append({"step": step, "text": "x" * 90}) is not None for step in range(20)]
    half = path.stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    refused.append(log.append({"step": 20}) is not None)
    answers.put((refused, half))


def test_a_disk_that_fills_up_tears_no_line_for_good(tmp_path: Path, processes: ForkServerContext) -> None:
    path = tmp_path / "metrics.jsonl"
    answers = processes.Queue()
    writer = processes.Process(target=_log_on_a_small_disk, args=(path, answers))
    writer.start()
    refused, half = answers.get(timeout=30)
    writer.join()
    assert refused == [False] * 8 + [True] * 12 + [False]
    assert half <= 1000
    assert _steps(path) == list(range(21))
    assert path.read_bytes().count(b"\n") == 21


def test_rewinding_drops_what_comes_after_a_step(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path)
    for step in range(6):
        log.append({"step": step})
    with open(path, "ab") as file:
        file.write(b'{"torn')
    log.rewind(3)
    assert _steps(path) == [0, 1, 2, 3]
    log.append({"step": 4, "again": True})
    assert _steps(path) == [0, 1, 2, 3, 4]
    log.rewind(-1)
    assert path.read_bytes() == b""
