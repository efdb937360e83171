"""Cost tables in the user's cache: a file for each machine and stack, written whole or not at all."""

import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from pennyweight.core.cost import CostTable
from pennyweight.core.errors import UserError
from pennyweight.core.files import read_cached, write_json
from pennyweight.core.recipe import from_document, to_document
from pennyweight.core.stack import Stack

_FOLDER = "costs"


def make_room(cache: Path) -> None:
    """Make the folder of the tables; an OSError here comes before any work is done for them."""
    (cache / _FOLDER).mkdir(parents=True, exist_ok=True)


def save_tables(tables: Sequence[CostTable], cache: Path) -> list[Path]:
    """Keep the tables, in place of earlier ones of the same machine and stacks; where each lies."""
    paths = [_path(cache, table.fingerprint, table.stack) for table in tables]
    for path, table in zip(paths, tables, strict=True):
        write_json(path, to_document(table))
    return paths


def load_tables(cache: Path, *, fingerprint: str = "") -> list[CostTable]:
    """All tables that were kept, of one machine where its fingerprint is given; damaged files are left out."""
    found = [_read(path) for path in sorted((cache / _FOLDER).glob(f"{fingerprint or '*'}-*.json"))]
    return [table for table in found if table is not None]


def load_table(cache: Path, stack: Stack, *, fingerprint: str) -> CostTable | None:
    """The table of a stack on a machine; None where it has to be weighed.

    That is: never weighed, a damaged file, or another version of the stack's library than is installed.
    """
    table = _read(_path(cache, fingerprint, str(stack)))
    if table is None or _public(table.software.get(stack.library, "")) != _public(version(stack.library)):
        return None
    return table


def _public(release: str) -> str:
    """A version without what a build adds to it (``+cpu``)."""
    return release.partition("+")[0]


def _path(cache: Path, fingerprint: str, stack: str) -> Path:
    return cache / _FOLDER / f"{fingerprint}-{re.sub('[^a-z0-9.]+', '-', stack)}.json"


def _read(path: Path) -> CostTable | None:
    document = read_cached(path)
    if document is None:
        return None
    try:
        return from_document(CostTable, document)
    except UserError:
        return None  # of another version, or damaged: it is measured again
