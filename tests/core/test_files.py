"""A reader never sees half a file, whatever happens to the writer."""

import errno
import hashlib
import json
import os
import subprocess
import sys
import threading
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from pennyweight.core import files

SMALL, LARGE = b"a" * 10, b"b" * 300_000


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_and_its_folders_are_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    files.write_atomic(path, "grüße")
    files.write_atomic(path, b"second")
    assert path.read_bytes() == b"second"
    assert _names(path.parent) == ["file"]


def test_a_writer_that_raises_midway_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(SMALL)

    def half(temporary: Path) -> None:
        temporary.write_bytes(LARGE)
        raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        files.fill_atomic(path, half)
    assert path.read_bytes() == SMALL
    assert _names(tmp_path) == ["file"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(SMALL)

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space"):
        files.write_atomic(path, LARGE)
    monkeypatch.undo()
    assert path.read_bytes() == SMALL
    assert _names(tmp_path) == ["file"]


_LIMITED = """
import resource, signal, sys
from pathlib import Path
from pennyweight.core import files
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
path = Path(sys.argv[1])
for write in (lambda: files.write_atomic(path, b"b" * 300_000), lambda: files.write_json(path, "b" * 300_000)):
    try:
        write()
    except OSError as error:
        print(error.errno)
with files.folder_atomic(path.parent / "folder") as folder:
    (folder / "good").write_text("good")
try:
    with files.folder_atomic(path.parent / "folder") as folder:
        (folder / "large").write_bytes(b"b" * 300_000)
except OSError as error:
    print(error.errno)
"""


def test_a_disk_that_really_refuses_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(SMALL)
    done = subprocess.run([sys.executable, "-c", _LIMITED, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(errno.EFBIG)] * 3
    assert path.read_bytes() == SMALL
    assert (tmp_path / "folder" / "good").read_text() == "good"
    assert _names(tmp_path) == ["file", "folder"]


def _write_for_ever(path: Path) -> None:
    while True:
        files.write_atomic(path, SMALL)
        files.write_atomic(path, LARGE)


def test_a_reader_never_sees_half_a_file_even_of_a_killed_writer(tmp_path: Path, processes: ForkServerContext) -> None:
    path = tmp_path / "file"
    path.write_bytes(SMALL)
    seen = set()
    for _ in range(3):
        writer = processes.Process(target=_write_for_ever, args=(path,), daemon=True)
        writer.start()
        before = path.stat().st_ino
        for _ in range(400):
            seen.add(path.read_bytes())
        while path.stat().st_ino == before:
            assert writer.is_alive()
            seen.add(path.read_bytes())
        writer.kill()
        writer.join()
        seen.add(path.read_bytes())
    assert seen <= {SMALL, LARGE}


def test_threads_may_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    problems: list[BaseException] = []

    def write(content: bytes) -> None:
        try:
            for _ in range(30):
                files.write_atomic(path, content)
        except BaseException as error:  # noqa: BLE001 - whatever a thread raises must reach the test
            problems.append(error)

    threads = [threading.Thread(target=write, args=(bytes([number]) * 50_000,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert len(set(path.read_bytes())) == 1
    assert _names(tmp_path) == ["file"]


def test_a_folder_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    with files.folder_atomic(target) as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "one").write_text("1")
        assert not target.exists()
    assert (target / "inner" / "one").read_text() == "1"
    with pytest.raises(RuntimeError, match="midway"), files.folder_atomic(target) as folder:  # noqa: PT012
        (folder / "two").write_text("2")
        raise RuntimeError("midway")
    assert _names(target) == ["inner"]
    with files.folder_atomic(target) as folder:
        (folder / "three").write_text("3")
    assert _names(target) == ["three"]
    assert _names(tmp_path) == ["folder"]


def test_json_is_readable_and_strict(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    files.write_json(path, {"é": [1, None]})
    assert json.loads(path.read_text()) == {"é": [1, None]}
    assert "é" in path.read_text()
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            files.write_json(path, wrong)
    assert json.loads(path.read_text()) == {"é": [1, None]}


def test_the_digest_of_a_file_is_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(LARGE)
    assert files.sha256_file(tmp_path / "x") == hashlib.sha256(LARGE).hexdigest()


@pytest.mark.parametrize("content", [None, b"", b"{", b"[1]", b"\xff\xfe", b'"text"'])
def test_a_cache_that_is_absent_or_damaged_is_empty(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "cache"
    if content is not None:
        path.write_bytes(content)
    assert files.read_cached(path) is None


def test_a_cache_is_read_back(tmp_path: Path) -> None:
    files.write_json(tmp_path / "cache", {"a": 1})
    assert files.read_cached(tmp_path / "cache") == {"a": 1}
