"""A text corpus that every machine already has: the sources of the running Python's standard library.

It makes every text recipe work with no download. It differs a little between Python versions, which is why
its name carries the version and every receipt carries its hash.
"""

import os
import sys
import sysconfig
from pathlib import Path

from pennyweight.core.errors import UserError

_LEFT_OUT = {"test", "tests", "idle_test", "site-packages", "dist-packages", "__pycache__"}


def standard_library_name() -> str:
    """The corpus's name on receipts, for instance ``python-3.11-stdlib``."""
    return f"python-{sys.version_info.major}.{sys.version_info.minor}-stdlib"


def standard_library_documents() -> list[tuple[str, bytes]]:
    """The library's ``*.py`` files as (relative POSIX path, content), sorted by path, without its tests.

    Raises UserError where a distribution ships compiled files only.
    """
    root = Path(sysconfig.get_path("stdlib"))
    documents = []
    for folder, inner, files in os.walk(root):
        # Pruned while walking: site-packages can hold a hundred times more files than the library.
        inner[:] = [name for name in inner if name not in _LEFT_OUT and not name.startswith(".")]
        for name in files:
            path = Path(folder, name)
            if name.endswith(".py") and path.is_file():
                documents.append((path.relative_to(root).as_posix(), path.read_bytes()))
    if not documents:
        raise UserError(
            f"the built-in text: no Python sources in {root}",
            expected="the standard library's .py files",
            hint="give a text of your own with --data PATH",
        )
    return sorted(documents)
