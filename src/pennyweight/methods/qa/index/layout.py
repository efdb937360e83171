"""How an index lies on the disk, and how a change of it becomes visible: all at once.

``CURRENT`` names the generation that is read; ``generation-N/`` holds everything of one, and is never changed once it
is named; ``lock`` is held by the one process that writes. A new generation is made beside the current one, then
``CURRENT`` is replaced in one step, so that whoever reads sees the one or the other whole, whatever happens to the
writer.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from pennyweight.core.errors import UserError, did_you_mean
from pennyweight.core.files import write_atomic

SCHEMA = 1
"""Of the files and of the analyser: an index of another is built anew."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_GENERATION = "generation-"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A document of the index: where it came from, and which of the passages and of the text's bytes are its own.

    ``sha256``, ``size`` and ``changed`` (nanoseconds) are of the file as it was read. Passages are counted from
    ``first``; the text is the ``length`` bytes of UTF-8 from ``at``.
    """

    key: str
    title: str
    sha256: str
    size: int
    changed: int
    first: int
    passages: int
    at: int
    length: int
    characters: int
    headings: tuple[tuple[int, int, str], ...] = ()
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a generation is: of which folder, when, with what numbers, and what was left out and why."""

    schema: int
    name: str
    source: str
    made: str
    documents: int
    passages: int
    words: int
    next_number: int
    skipped: tuple[tuple[str, str], ...] = ()


def index_folder(indexes: Path, name: str) -> Path:
    """Where the index of a name lies. UserError for a name that could lead elsewhere."""
    if not _NAME.fullmatch(name):
        raise UserError(f"index name {name!r}", expected="letters, digits, '.', '_' and '-', at most 64")
    return indexes / name


def known_indexes(indexes: Path) -> list[str]:
    """The names of the indexes below a folder, sorted."""
    if not indexes.is_dir():
        return []
    return sorted(path.name for path in indexes.iterdir() if (path / "CURRENT").is_file())


def current(folder: Path) -> Path:
    """The folder of the generation that is read. UserError where there is no index."""
    try:
        name = (folder / "CURRENT").read_text(encoding="utf-8").strip()
    except OSError:
        names = known_indexes(folder.parent)
        raise UserError(
            f"no index {folder.name} in {folder.parent}",
            expected="the name of an index",
            hint=did_you_mean(folder.name, names) if names else "make one: pennyweight index FOLDER",
        ) from None
    return folder / name


def next_generation(folder: Path) -> Path:
    """An empty folder for a new generation. What a killed writer left behind is swept away. Only under the lock."""
    try:
        now = current(folder)
    except UserError:
        now = None
    sweep(folder, keep=now)
    number = int(now.name.removeprefix(_GENERATION)) + 1 if now else 1
    made = folder / f"{_GENERATION}{number:06d}"
    made.mkdir(parents=True)
    return made


def publish(generation: Path) -> None:
    """Make a finished generation the current one, and drop those before it."""
    for path in sorted(generation.rglob("*")):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    write_atomic(generation.parent / "CURRENT", f"{generation.name}\n")
    sweep(generation.parent, keep=generation)


def sweep(folder: Path, *, keep: Path | None) -> None:
    """Remove all generations but one. Whoever still reads an older one keeps its open files."""
    for path in folder.glob(f"{_GENERATION}*"):
        if path != keep:
            shutil.rmtree(path, ignore_errors=True)
