"""Reading what users give: files, folders and Parquet tables, with errors that say what is wrong with them."""

import difflib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pennyweight.core.errors import UserError, did_you_mean


def nearest_name(path: Path) -> str:
    """A hint for a path that is not there: the most similar name in its folder."""
    try:
        near = difflib.get_close_matches(path.name, os.listdir(path.parent), n=1)
    except OSError:
        near = []
    return f"did you mean {near[0]}?" if near else "check the path"


def read_file(path: Path, most: int = -1) -> bytes:
    """A file's first ``most`` bytes, or all (-1), but only the start of one that is binary, however huge."""
    try:
        with open(path, "rb") as file:
            start = file.read(1 << 16 if most < 0 else most)
            return start if most >= 0 or b"\0" in start else start + file.read()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror}", hint="change its permissions or leave it out"
        ) from error


def walk_folder(root: Path) -> Iterator[tuple[bytes, bytes]]:
    """(relative POSIX path, content) of every regular file that is not hidden, in order of path."""

    def refuse(error: OSError) -> None:
        raise UserError(f"folder {error.filename} cannot be read: {error.strerror}") from error

    found = []
    for folder, inner, files in os.walk(root, onerror=refuse):
        inner[:] = [name for name in inner if not name.startswith(".")]
        found += [Path(folder, name) for name in files if not name.startswith(".")]
    for path in sorted(found, key=lambda path: path.relative_to(root).as_posix()):
        if path.is_file():
            yield os.fsencode(path.relative_to(root).as_posix()), read_file(path)


def is_parquet(path: Path) -> bool:
    """Whether a file says that it is Parquet, by its name or by its first bytes."""
    return path.suffix.lower() == ".parquet" or read_file(path, most=4) == b"PAR1"


def text_column(path: Path, column: str) -> list[bytes | None]:
    """A Parquet table's texts as UTF-8, row by row: of the column named, else of ``text``, or of the only one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as table:
            schema = table.schema_arrow
            strings = [field.name for field in schema if _holds_text(field.type)]
            chosen = column or ("text" if "text" in strings else strings[0] if len(strings) == 1 else "")
            if chosen not in strings:
                listed = ", ".join(f"{field.name} ({field.type})" for field in schema)
                raise UserError(
                    f"column {column!r} in {path}" if column else f"{path} with {len(strings)} columns of text",
                    expected="a column of strings" if column else "a column 'text', or one column of strings",
                    hint=f"columns: {listed}" + (f"; {did_you_mean(column, strings)}" if column and strings else ""),
                )
            texts = table.read(columns=[chosen]).column(chosen)
            rows: list[bytes | None] = texts.cast(pa.large_string()).cast(pa.large_binary()).to_pylist()
            return rows
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def label_column(path: Path, column: str) -> list[str | None]:
    """A Parquet table's labels, row by row, as text: strings, whole numbers or truth values."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as table:
            kinds = {field.name: field.type for field in table.schema_arrow}
            kind = kinds.get(column)
            if kind is None or not (_holds_text(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
                raise UserError(
                    f"column {column!r} in {path}",
                    expected="a column of labels: strings, whole numbers or truth values",
                    hint="columns: " + ", ".join(f"{name} ({kind})" for name, kind in kinds.items()),
                )
            labels: list[str | None] = table.read(columns=[column]).column(column).cast(pa.string()).to_pylist()
            return labels
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> UserError:
    first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
    return UserError(f"{path} cannot be read as Parquet: {first_line}", expected="a whole Parquet file")


def _holds_text(kind: Any) -> bool:
    import pyarrow as pa

    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(inner) or pa.types.is_large_string(inner) or pa.types.is_string_view(inner))
