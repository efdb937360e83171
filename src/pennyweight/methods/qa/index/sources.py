"""Where documents come from: a folder of files, or the documentation strings of this Python."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from pennyweight.data.builtin import standard_library_name
from pennyweight.data.documents.document import Document, Skipped
from pennyweight.data.documents.folder import find_documents, read_found
from pennyweight.data.documents.python_docs import documentation, python_documents
from pennyweight.methods.qa.index.layout import Entry


@dataclass(frozen=True, kw_only=True)
class Fresh:
    """A document that is new or has changed, with what tells the next time that it has not."""

    document: Document
    sha256: str
    size: int
    changed: int


class Source(Protocol):
    """Documents with keys that stay. ``name`` says where they are, ``expected`` what is wanted where there are none."""

    @property
    def name(self) -> str:
        """For people, and to tell this source from another."""

    @property
    def expected(self) -> str:
        """What a request without documents should have named."""

    def documents(self, known: Mapping[str, Entry]) -> Iterator[tuple[Entry | Fresh | Skipped, float]]:
        """Each document: its entry if it is as it was, else itself, or why it is left out; and the part done."""


class Folder:
    """The files below a folder (`pennyweight.data.documents.folder`)."""

    expected = "a folder with text, Markdown, HTML, reStructuredText or PDF files"

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def name(self) -> str:
        """The folder, absolute."""
        return str(self.root.resolve())

    def documents(self, known: Mapping[str, Entry]) -> Iterator[tuple[Entry | Fresh | Skipped, float]]:
        """Of a file with another size or time of change the content decides whether it has changed."""
        files, skipped = find_documents(self.root)
        yield from ((one, 0.0) for one in skipped)
        for number, file in enumerate(files, 1):
            part = number / len(files)
            before = known.get(file.key)
            if before is not None and (before.size, before.changed) == (file.size, file.changed):
                yield before, part
                continue
            content, document = read_found(file)
            sha256 = hashlib.sha256(content).hexdigest()
            if isinstance(document, Skipped):
                yield document, part
            elif before is not None and before.sha256 == sha256:
                yield replace(before, size=file.size, changed=file.changed), part
            else:
                yield Fresh(document=document, sha256=sha256, size=len(content), changed=file.changed), part


class PythonDocs:
    """The documentation strings of the running Python's standard library."""

    expected = "a Python with its sources"
    name = standard_library_name()

    def documents(self, known: Mapping[str, Entry]) -> Iterator[tuple[Entry | Fresh | Skipped, float]]:
        """Modules by the content of their sources; those that say nothing are passed over."""
        modules = [*python_documents()]
        for number, (key, source) in enumerate(modules, 1):
            sha256 = hashlib.sha256(source).hexdigest()
            before = known.get(key)
            if before is not None and before.sha256 == sha256:
                yield before, number / len(modules)
            elif document := documentation(key, source):
                yield Fresh(document=document, sha256=sha256, size=len(source), changed=0), number / len(modules)
