"""The documents of a folder: what is there, what has changed, and why a file is left out.

Nothing outside of the folder is read: a link that leads out of it is left out. Archives are not unpacked.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from pennyweight.core.errors import UserError
from pennyweight.data.documents.document import Document, Skipped
from pennyweight.data.documents.formats import MOST_BYTES, Unreadable, read_document, suffixes
from pennyweight.data.reading import nearest_name


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A file of a known format below a folder: enough to tell whether it has changed."""

    key: str
    path: Path
    size: int
    changed: int
    """Time of its last change, in nanoseconds."""


def find_documents(root: Path, *, most_bytes: int = MOST_BYTES) -> tuple[list[Found], list[Skipped]]:
    """The files below a folder that may be documents, in order of their keys, and those left out with the reason.

    Hidden files and folders are passed over in silence, as are files of formats that are not read. Raises UserError for
    what is no folder.
    """
    if not root.is_dir():
        raise UserError(
            f"{root} is not a folder" if root.exists() else f"no folder {root}",
            expected="a folder of documents",
            hint="" if root.exists() else nearest_name(root),
        )
    inside = root.resolve()
    known = set(suffixes())
    found: list[Found] = []
    skipped: list[Skipped] = []

    def refused(error: OSError) -> None:
        name = os.path.relpath(error.filename or str(root), root)
        skipped.append(Skipped(key=name, reason=f"cannot be read: {error.strerror}"))

    for folder, inner, names in os.walk(root, onerror=refused):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        for name in names:
            path = Path(folder, name)
            key = path.relative_to(root).as_posix()
            if name.startswith(".") or path.suffix.lower() not in known:
                continue
            if reason := _refused(path, inside, most_bytes):
                skipped.append(Skipped(key=key, reason=reason))
                continue
            told = path.stat()
            found.append(Found(key=key, path=path, size=told.st_size, changed=told.st_mtime_ns))
    return sorted(found, key=lambda one: one.key), sorted(skipped, key=lambda one: one.key)


def _refused(path: Path, inside: Path, most_bytes: int) -> str:
    try:
        if path.is_symlink() and not path.resolve().is_relative_to(inside):
            return "a link out of the folder"
        if not path.is_file():  # a pipe would be waited on without end
            return "not a regular file"
        size = path.stat().st_size
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if size > most_bytes:
        return f"{size / 2**20:,.0f} MiB, more than the {most_bytes / 2**20:,.0f} MiB that are read of one file"
    return "" if size else "empty"


def read_found(file: Found) -> tuple[bytes, Document | Skipped]:
    """A file's bytes, and what it is as a document."""
    content = b""
    try:
        content = file.path.read_bytes()
        return content, read_document(file.key, content)
    except OSError as error:
        return content, Skipped(key=file.key, reason=f"cannot be read: {error.strerror}")
    except Unreadable as error:
        return content, Skipped(key=file.key, reason=str(error))
