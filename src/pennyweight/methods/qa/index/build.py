"""Bringing an index up to date with its documents: only what has changed is read, and all becomes visible at once."""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from pennyweight.core.errors import UserError
from pennyweight.core.files import write_json
from pennyweight.data.documents.document import Skipped
from pennyweight.data.documents.passages import Passage, passages
from pennyweight.methods.qa.index.forward import Counter, Forward, Vocabulary
from pennyweight.methods.qa.index.generation import Generation
from pennyweight.methods.qa.index.inverted import Writer
from pennyweight.methods.qa.index.layout import SCHEMA, Entry, Manifest, current, next_generation, publish
from pennyweight.methods.qa.index.sources import Fresh, Source

Report = Callable[[str, float], None]
"""Told what is being done, and which part of it is done."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What an update found: how many documents are new, changed, gone and as they were, and what was left out."""

    added: int
    changed: int
    removed: int
    kept: int
    documents: int
    passages: int
    words: int
    skipped: tuple[Skipped, ...]


def update(folder: Path, source: Source, *, report: Report = lambda what, part: None) -> Change:
    """Make or renew the index in ``folder``.

    Documents whose source says that nothing has changed are taken as they were. Raises UserError where another process
    writes the index, where nothing can be read, and for an index of another source.
    """
    with writing(folder):
        old = _before(folder, source)
        entries = {} if old is None else {entry.key: entry for entry in old.entries}
        new = next_generation(folder)
        with _Assembly(new, old) as assembly:
            kept, fresh, skipped = [], [], []
            for found, part in source.documents(entries):
                report("reading documents", part)
                if isinstance(found, Skipped):
                    skipped.append(found)
                elif isinstance(found, Entry):
                    kept.append(found)
                else:
                    fresh.append(found.document.key)
                    assembly.add(found)
            if not kept and not fresh:
                raise UserError(f"no documents in {source.name}", expected=source.expected, hint=_first(skipped))
            report("writing the index", 0.0)
            assembly.finish(kept, Manifest(
                schema=SCHEMA, name=folder.name, source=source.name, made=datetime.now(UTC).isoformat("T", "seconds"),
                documents=0, passages=0, words=0, next_number=0,
                skipped=tuple((one.key, one.reason) for one in skipped),
            ))  # fmt: skip
        publish(new)
        done = Generation(new)
    changed = sum(key in entries for key in fresh)
    return Change(
        added=len(fresh) - changed,
        changed=changed,
        removed=len(entries) - len(kept) - changed,
        kept=len(kept),
        documents=done.manifest.documents,
        passages=done.manifest.passages,
        words=done.manifest.words,
        skipped=tuple(skipped),
    )


def _first(skipped: Sequence[Skipped]) -> str:
    return f"{skipped[0].key}: {skipped[0].reason}" if skipped else ""


def _before(folder: Path, source: Source) -> Generation | None:
    """The generation to go on from; None where there is none, or it was made by another version."""
    try:
        generation = Generation(current(folder))
    except UserError:
        return None
    if generation.manifest.source != source.name:
        raise UserError(
            f"index {folder.name} is of {generation.manifest.source}, not of {source.name}",
            expected="the documents that it was made of",
            hint="give this one another name with --name",
        )
    return generation if generation.manifest.schema == SCHEMA else None


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold an index for writing; a second process is refused. The lock dies with its process, even killed."""
    fresh = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise UserError(f"the index cannot be written to {folder}: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"index {folder.name} is being written by another process", hint="wait for it") from None
        try:
            yield
        except BaseException:
            if fresh and not (folder / "CURRENT").exists():
                shutil.rmtree(folder, ignore_errors=True)  # a refused request leaves nothing behind
            raise
    finally:
        os.close(descriptor)


class _Assembly:
    """A generation in the making: fresh documents are added one by one, kept ones taken over at the end."""

    def __init__(self, folder: Path, old: Generation | None) -> None:
        self._folder = folder
        self._old = old
        self._vocabulary = Vocabulary() if old is None else Vocabulary(old.vocabulary)
        self._counter = Counter(self._vocabulary)
        self._next = 0 if old is None else old.manifest.next_number
        self._inverted = Writer(folder / "inverted", None if old is None else old.folder / "inverted")
        self._fresh: list[Entry] = []
        self._spans: list[tuple[int, int]] = []
        self._bytes: list[tuple[int, int]] = []
        self._at = 0
        self._texts: BinaryIO

    def __enter__(self) -> "_Assembly":
        self._texts = open(self._folder / "fresh.bin", "w+b")
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        self._texts.close()
        if kind is not None:
            self._inverted.abandon()  # else its threads write into a folder that is being removed

    def add(self, fresh: Fresh) -> None:
        """A document that is new or has changed."""
        document, text = fresh.document, fresh.document.text
        first, found = len(self._spans), passages(document)
        for passage, (start, end) in zip(found, _in_bytes(text, found), strict=True):
            self._spans.append((passage.start, passage.end))
            self._bytes.append((self._at + start, self._at + end))
            self._inverted.add(self._next + len(self._spans) - 1, self._counter.add(passage.words))
        encoded = text.encode()
        self._texts.write(encoded)
        self._fresh.append(Entry(
            key=document.key, title=document.title, sha256=fresh.sha256, size=fresh.size, changed=fresh.changed,
            first=first, passages=len(found), at=self._at, length=len(encoded), characters=len(text),
            headings=tuple((one.start, one.level, one.text) for one in document.headings), pages=document.pages,
        ))  # fmt: skip
        self._at += len(encoded)

    def finish(self, kept: Sequence[Entry], manifest: Manifest) -> None:
        """Put kept and fresh documents together and write everything."""
        own_rows, own_ids, own_counts = self._counter.finish()
        fresh_spans = np.array(self._spans, np.uint32).reshape(-1, 2)
        fresh_bytes = np.array(self._bytes, np.int64).reshape(-1, 2)
        numbers = np.arange(self._next, self._next + len(fresh_spans), dtype=np.uint64)
        lengths = np.array(self._counter.lengths, np.uint32)
        entries, at, first = [], 0, 0
        kept = sorted(kept, key=lambda entry: entry.first)  # as their rows lie
        with open(self._folder / "texts.bin", "wb") as texts:
            parts: list[_Rows] = []
            if self._old is not None:
                old = self._old.forward
                remain = np.zeros(len(old.numbers), bool)
                for entry in kept:
                    remain[entry.first : entry.first + entry.passages] = True
                for entry in self._old.entries:
                    if entry.passages and not remain[entry.first]:
                        numbers_of = old.numbers[entry.first : entry.first + entry.passages]
                        self._inverted.remove(int(numbers_of[0]), int(numbers_of[-1]))
                shifts = np.zeros(len(old.numbers), np.int64)
                for entry in kept:
                    texts.write(self._old.texts[entry.at : entry.at + entry.length])
                    shifts[entry.first : entry.first + entry.passages] = at - entry.at
                    entries.append(replace(entry, first=first, at=at))
                    at, first = at + entry.length, first + entry.passages
                sizes = np.diff(old.rows)
                inside = np.repeat(remain, sizes)
                parts.append(
                    (
                        old.spans[remain],
                        (old.bytes + shifts[:, None])[remain],
                        old.numbers[remain],
                        old.lengths[remain],
                        sizes[remain],
                        old.ids[inside],
                        old.counts[inside],
                    )
                )
            parts.append((fresh_spans, fresh_bytes + at, numbers, lengths, own_rows, own_ids, own_counts))
            self._texts.seek(0)
            shutil.copyfileobj(self._texts, texts)
        entries += [replace(entry, first=entry.first + first, at=entry.at + at) for entry in self._fresh]
        self._inverted.finish()
        spans, places, names, words, sizes, ids, counts = (
            np.concatenate([part[index] for part in parts]) for index in range(7)
        )
        Forward(
            spans=spans,
            bytes=places,
            documents=np.repeat(np.arange(len(entries), dtype=np.uint32), [entry.passages for entry in entries]),
            numbers=names,
            lengths=words,
            rows=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
            ids=ids,
            counts=counts,
            frequencies=np.bincount(ids, minlength=len(self._vocabulary)).astype(np.uint32),
        ).save(self._folder)
        self._vocabulary.save(self._folder / "terms.txt")
        with open(self._folder / "documents.jsonl", "w", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in entries)
        told = replace(
            manifest,
            documents=len(entries),
            passages=len(spans),
            words=int(words.sum()),
            next_number=self._next + len(fresh_spans),
        )
        write_json(self._folder / "manifest.json", asdict(told))


_Rows = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


def _in_bytes(text: str, found: Sequence[Passage]) -> Iterator[tuple[int, int]]:
    """Where passages lie in the text's UTF-8."""
    if text.isascii():
        yield from ((passage.start, passage.end) for passage in found)
        return
    at = before = 0
    for passage in found:
        at += len(text[before : passage.start].encode())
        start, before = at, passage.end
        at += len(text[passage.start : passage.end].encode())
        yield start, at
