"""Writing files so that a reader never sees half of one, whatever happens to the writer.

A file is written beside its destination, flushed to the disk and renamed over it; a rename on one
file system is atomic (POSIX rename(2)). The same holds for a folder that does not exist yet.
"""

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_atomic(path: Path, content: bytes | str) -> None:
    """Replace ``path`` with ``content``, all of it or nothing. Parent folders are made."""
    raw = content.encode() if isinstance(content, str) else content

    def fill(temporary: Path) -> None:
        with open(temporary, "wb") as file:
            file.write(raw)

    fill_atomic(path, fill)


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document atomically, indented, with non-ASCII text kept readable."""
    write_atomic(path, json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def fill_atomic(path: Path, fill: Callable[[Path], None]) -> None:
    """Let ``fill`` write a temporary file, then put it in place of ``path`` in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        fill(temporary)
        _sync(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    _sync(path.parent)


@contextmanager
def folder_atomic(path: Path) -> Iterator[Path]:
    """A new folder to fill, which appears at ``path`` only when the block ends without an error.

    A folder that stands at ``path`` already is replaced; between the two renames there is an instant
    with neither, so readers of such folders must accept that the newest is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        for file in sorted(temporary.rglob("*")):
            _sync(file)
        _sync(temporary)
        if path.exists():
            shutil.rmtree(path)
        os.rename(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _sync(path.parent)


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_cached(path: Path) -> dict[str, Any] | None:
    """A JSON object that an earlier call may have cached, or None where it is absent or damaged."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None
