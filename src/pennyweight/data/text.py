"""A text corpus from anything a user has: a folder, a text file, a Parquet table, or the built-in sources.

Splits are by document, never by chunk, so that a test text shares no document with training; what is prepared
(tokens, tokenizer) is kept in a cache that is checked whenever it is opened.
"""

import fcntl
import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pennyweight.core.errors import UserError, WorkFailed
from pennyweight.core.files import folder_atomic, sha256_file, write_json
from pennyweight.data.builtin import standard_library_documents, standard_library_name
from pennyweight.data.reading import is_parquet, nearest_name, read_file, text_column, walk_folder
from pennyweight.data.splitting import by_hash
from pennyweight.data.tokens import (
    BpeTokenizer,
    ByteTokenizer,
    EvaluationWindows,
    TextWindows,
    Tokenizer,
    TokenSplit,
    divided,
    evaluation_windows,
    load_tokenizer,
    train_bpe,
)

__all__ = [
    "BpeTokenizer",
    "ByteTokenizer",
    "EvaluationWindows",
    "TextConfig",
    "TextCorpus",
    "TextWindows",
    "TokenSplit",
    "Tokenizer",
    "divided",
    "evaluation_windows",
    "load_tokenizer",
    "open_text",
]

_SPLITS = ("train", "validation", "test")
_SCHEMA = "pennyweight.text/1"  # raise the number when prepared arrays change meaning: old entries are left alone
_BPE_TRAINING_BYTES = 20_000_000  # merges of a small vocabulary settle long before this
_CHECKED_BYTES = 32_000_000  # larger cached files are checked by size alone, to open quickly
_BLOCK_BYTES = 4096


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """Which text, how it becomes tokens and how it is split.

    ``path`` "" is the built-in corpus; ``column`` "" is the Parquet column ``text``, or the only one of
    strings; ``vocab_size`` is for "bpe" and counts the separator and the 256 bytes.
    """

    path: str = ""
    column: str = ""
    tokenizer: Literal["bytes", "bpe"] = "bpe"
    vocab_size: int = 1024
    test_fraction: float = 0.05
    validation_fraction: float = 0.03
    max_test_bytes: int = 1_000_000
    max_validation_bytes: int = 120_000


@dataclass(frozen=True, kw_only=True, eq=False)
class TextCorpus:
    """A text, split and tokenized: ``splits`` has train, validation and test.

    ``sha256`` is of the documents of all splits and of how they were split, whatever the tokenizer: scores on
    two corpora with one hash can be compared in bits per byte.
    """

    name: str
    sha256: str
    split_rule: str
    notes: tuple[str, ...]
    tokenizer: Tokenizer
    splits: Mapping[str, TokenSplit]

    def documents(self, split: str) -> list[bytes]:
        """The text of each document of a split, as it is trained and scored on (after the caps)."""
        part = self.splits[split]
        ends = [*part.starts[1:].tolist(), len(part.tokens)]
        return [
            self.tokenizer.decode_bytes(part.tokens[start + 1 : end])
            for start, end in zip(part.starts.tolist(), ends, strict=True)
        ]


@dataclass(frozen=True, kw_only=True)
class _Document:
    identity: bytes
    content: bytes


@dataclass(frozen=True, kw_only=True)
class _Found:
    """Documents as found: ``given`` splits are kept, ``rest`` is split by hash where one is missing."""

    rest: Sequence[_Document]
    given: Mapping[str, Sequence[_Document]]
    skipped: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class _Source:
    """Where documents come from. ``fingerprint`` changes with their content; ``read`` may be slow."""

    name: str
    fingerprint: str
    unit: str
    hint: str
    read: Callable[[], _Found]


def open_text(config: TextConfig, *, cache: Path) -> TextCorpus:
    """Prepare a corpus, or open it from ``cache`` when the same text was prepared the same way.

    Safe with several processes at once: one prepares, the others wait for it. Raises UserError for a request
    that cannot be met and WorkFailed when the cache cannot be written.
    """
    _require_sound(config)
    source = _find_source(config)
    entry = cache / "text" / _key(config, source)
    if (corpus := _load(entry)) is not None:
        return corpus
    with _locked(entry):
        if (corpus := _load(entry)) is not None:
            return corpus
        damaged = entry.exists()
        try:
            _prepare(config, source, entry)
        except OSError as error:
            raise WorkFailed(f"text could not be prepared in {cache}: {error}; free or change the cache") from error
        corpus = _load(entry)
    if corpus is None:
        raise WorkFailed(f"prepared text in {entry} cannot be read back; check the disk")
    if damaged:
        corpus = replace(corpus, notes=(*corpus.notes, "a damaged cache entry was prepared again"))
    return corpus


def _require_sound(config: TextConfig) -> None:
    fractions = (config.test_fraction, config.validation_fraction)
    if min(fractions) < 0 or not sum(fractions) < 1:
        raise UserError(
            f"test_fraction {fractions[0]} and validation_fraction {fractions[1]}",
            expected="0 or more each, together less than 1",
        )
    if min(config.max_test_bytes, config.max_validation_bytes) < 1:
        raise UserError(
            f"max_test_bytes {config.max_test_bytes} and max_validation_bytes {config.max_validation_bytes}",
            expected="at least 1 each",
        )
    if config.tokenizer == "bpe" and config.vocab_size < 257:
        raise UserError(
            f"vocab_size {config.vocab_size}",
            expected="at least 257 (a separator and 256 bytes)",
            hint="try 1024",
        )


# --- where documents come from ---


def _find_source(config: TextConfig) -> _Source:
    path = Path(config.path).expanduser() if config.path else None
    tabular = path is not None and path.is_file() and is_parquet(path)
    if config.column and not tabular:
        raise UserError(
            f"column {config.column!r} for {config.path or 'the built-in text'}",
            expected="a Parquet file",
            hint="leave the column out",
        )
    if path is None:
        pairs = ((name.encode(), content) for name, content in standard_library_documents())
        return _in_memory(standard_library_name(), pairs, "files", "give a text of your own with --data PATH")
    if path.is_dir():
        return _in_memory(path.resolve().name, walk_folder(path), f"files in {path}", "add text files to the folder")
    if tabular:
        return _parquet(path, config.column)
    if path.is_file():
        return _in_memory(
            path.name,
            _blocks(read_file(path)),
            f"blocks of {_BLOCK_BYTES} bytes or more in {path}",
            "separate the parts by blank lines, or give a folder of text files",
        )
    raise UserError(
        f"no text at {path}" if not path.exists() else f"{path} is not a file or a folder",
        expected="a folder, a text file or a Parquet file",
        hint=nearest_name(path),
    )


def _blocks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """One file as documents: blocks that end at blank lines and join to the file. A binary is one block."""
    cuts, start = [0], 0
    for gap in re.finditer(rb"\n(?:[ \t\r]*\n)+", content) if b"\0" not in content else ():
        if gap.end() - start >= _BLOCK_BYTES:
            start = gap.end()
            cuts.append(start)
    if len(content) - start < _BLOCK_BYTES and len(cuts) > 1:
        cuts.pop()  # a short rest joins the last block
    for number, (first, last) in enumerate(zip(cuts, [*cuts[1:], len(content)], strict=True)):
        yield b"%d" % number, content[first:last]


def _in_memory(name: str, pairs: Iterable[tuple[bytes, bytes]], unit: str, hint: str) -> _Source:
    documents, skipped = _only_text(pairs)
    digest = hashlib.sha256(repr(sorted(skipped.items())).encode())
    for document in documents:
        _update(digest, document.identity)
        _update(digest, document.content)
    found = _Found(rest=documents, given={}, skipped=skipped)
    return _Source(name=name, fingerprint=digest.hexdigest(), unit=unit, hint=hint, read=lambda: found)


def _only_text(pairs: Iterable[tuple[bytes, bytes | None]]) -> tuple[list[_Document], Counter[str]]:
    documents, skipped = [], Counter[str]()
    for identity, content in pairs:
        reason = _unfit(content)
        if reason or content is None:
            skipped[reason] += 1
        else:
            documents.append(_Document(identity=identity, content=content))
    return documents, skipped


def _unfit(content: bytes | None) -> str:
    """Why a document cannot be used, or ""."""
    if not content:
        return "empty"
    if b"\0" in content:
        return "binary"
    try:
        content.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    return ""


# --- Parquet ---


def _parquet(path: Path, column: str) -> _Source:
    """A row is a document, known by its text; NAME-train brings NAME-validation and NAME-test along."""
    siblings = {}
    if path.name.endswith("-train.parquet"):
        stem = path.name.removesuffix("-train.parquet")
        named = {split: path.with_name(f"{stem}-{split}.parquet") for split in ("validation", "test")}
        siblings = {split: file for split, file in named.items() if file.is_file()}

    def read() -> _Found:
        skipped = Counter[str]()
        read_in = {}
        for split, file in {"train": path, **siblings}.items():
            read_in[split], left_out = _only_text((text or b"", text) for text in text_column(file, column))
            skipped += left_out
        return _Found(rest=read_in.pop("train"), given=read_in, skipped=skipped)

    try:
        hashes = [sha256_file(file) for file in (path, *siblings.values())]
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read: {error.strerror}") from error
    return _Source(
        name=path.name,
        fingerprint=json.dumps([*siblings, *hashes]),
        unit=f"rows of text in {path}",
        hint="give a table with a document in each row",
        read=read,
    )


# --- splitting ---


def _split(found: _Found, config: TextConfig, source: _Source) -> tuple[dict[str, list[bytes]], str, list[str]]:
    """Documents of each split, the rule in words, and notes. The same text is never in two splits."""
    seen: set[bytes] = set()

    def unseen(documents: Sequence[_Document]) -> list[_Document]:
        kept = []
        for document in documents:
            digest = hashlib.sha256(document.content).digest()
            if digest not in seen:
                seen.add(digest)
                kept.append(document)
        return kept

    # Given test and validation texts are kept whole; what they share with training leaves training.
    given = {split: unseen(found.given[split]) for split in ("test", "validation") if split in found.given}
    rest = unseen(found.rest)
    fractions = {"test": config.test_fraction, "validation": config.validation_fraction}
    made = {split: fraction for split, fraction in fractions.items() if split not in given}
    counted = sum(map(len, (found.rest, *found.given.values())))
    _require_documents(rest, given, len(made) + 1, found.skipped, counted, source)

    notes = [f"{number:,} {reason} documents skipped" for reason, number in sorted(found.skipped.items())]
    if counted > len(seen):
        notes.append(f"{counted - len(seen):,} repeated documents dropped")
    made_of, clamped = _by_hash(rest, made)
    notes += [f"few documents: {split} was given by rank of hash, not by fraction" for split in clamped]
    parts = {split: [document.content for document in documents] for split, documents in (given | made_of).items()}
    rules = [f"{split} as given" for split in given]
    rules += [f"{split} {fraction:.3g} of documents by hash (blake2b of the id)" for split, fraction in made.items()]
    return parts, "by document: " + ", ".join(rules), notes


def _require_documents(
    rest: Sequence[_Document],
    given: Mapping[str, Sequence[_Document]],
    needed: int,
    skipped: Mapping[str, int],
    counted: int,
    source: _Source,
) -> None:
    empty = [split for split, documents in given.items() if not documents]
    if len(rest) >= needed and not empty:
        return
    left_out = ", ".join(f"{number:,} {reason}" for reason, number in sorted(skipped.items()))
    text = f"{len(rest):,} different {source.unit}"
    text += f" ({counted:,} before repeats were dropped)" if counted > len(rest) and not given else ""
    text += f", none in the given {' or '.join(empty)} file" if empty else ""
    text += f"; skipped {left_out}" if left_out else ""
    raise UserError(text, expected=f"at least {needed} documents of UTF-8 text, one for each split", hint=source.hint)


def _by_hash(
    documents: Sequence[_Document], fractions: Mapping[str, float]
) -> tuple[dict[str, list[_Document]], list[str]]:
    """The documents of each split, in their order, and the splits of which `by_hash` says that they were filled up."""
    labels, clamped = by_hash([document.identity for document in documents], fractions)
    splits: dict[str, list[_Document]] = {split: [] for split in ("train", *fractions)}
    for document, split in zip(documents, labels, strict=True):
        splits[split].append(document)
    return splits, clamped


def _capped(documents: list[bytes], limit: int) -> list[bytes]:
    """The same share of the beginning of each document, at least a character, so that all are represented."""
    total = max(sum(map(len, documents)), limit)
    return [_prefix(document, len(document) * limit // total) for document in documents]


def _prefix(document: bytes, size: int) -> bytes:
    """At most ``size`` bytes, cut where a UTF-8 character begins; at least one character."""
    while 0 < size < len(document) and not _begins(document[size]):
        size -= 1
    if size == 0:
        size = 1
        while size < len(document) and not _begins(document[size]):
            size += 1
    return document[:size]


def _begins(byte: int) -> bool:
    return byte & 0xC0 != 0x80


# --- the cache ---


def _key(config: TextConfig, source: _Source) -> str:
    settings = [
        _SCHEMA,
        source.name,
        source.fingerprint,
        config.column,
        config.tokenizer,
        config.vocab_size if config.tokenizer == "bpe" else 0,
        config.test_fraction,
        config.validation_fraction,
        config.max_test_bytes,
        config.max_validation_bytes,
    ]
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:24]


@contextmanager
def _locked(entry: Path) -> Iterator[None]:
    """Hold the right to prepare an entry. The lock file stays: removing it would let two processes in."""
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        lock = open(entry.with_name(f"{entry.name}.lock"), "wb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise WorkFailed(f"the cache {entry.parent} cannot be written: {error.strerror}; choose another") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _prepare(config: TextConfig, source: _Source, entry: Path) -> None:
    parts, rule, notes = _split(source.read(), config, source)
    for split, limit in (("test", config.max_test_bytes), ("validation", config.max_validation_bytes)):
        whole = sum(map(len, parts[split]))
        if whole > limit:
            parts[split] = _capped(parts[split], limit)
            notes.append(f"{split} keeps the first {limit / whole:.3g} of each document ({whole:,} bytes)")
    tokenizer: Tokenizer
    if config.tokenizer == "bytes":
        tokenizer = ByteTokenizer()
    else:
        tokenizer = train_bpe(_capped(parts["train"], _BPE_TRAINING_BYTES), vocab_size=config.vocab_size)
    digest = hashlib.sha256(f"{rule}; caps {config.max_test_bytes} {config.max_validation_bytes}".encode())
    with folder_atomic(entry) as folder:
        tokenizer.save(folder / "tokenizer.json")
        for split in _SPLITS:
            _update(digest, split.encode())
            for document in parts[split]:
                _update(digest, document)
            _write_split(parts[split], tokenizer, folder, split)
        files = {
            file.name: {"bytes": file.stat().st_size, "sha256": sha256_file(file)} for file in sorted(folder.iterdir())
        }
        manifest = {"schema": _SCHEMA, "name": source.name, "sha256": digest.hexdigest()}
        write_json(folder / "manifest.json", manifest | {"split_rule": rule, "notes": notes, "files": files})


def _update(digest: Any, content: bytes) -> None:
    # The length stands before the content, so that no two lists of documents give the same stream.
    digest.update(len(content).to_bytes(8, "big"))
    digest.update(content)


def _write_split(documents: Sequence[bytes], tokenizer: Tokenizer, folder: Path, split: str) -> None:
    encoded = tokenizer.encode_documents(documents)
    lengths = np.array([len(ids) + 1 for ids in encoded], np.int64)
    starts = np.cumsum(lengths) - lengths
    tokens = np.empty(int(lengths.sum()), tokenizer.dtype)
    tokens[starts] = tokenizer.separator
    for start, ids in zip(starts.tolist(), encoded, strict=True):
        tokens[start + 1 : start + 1 + len(ids)] = ids
    np.save(folder / f"{split}-tokens.npy", tokens)
    np.save(folder / f"{split}-documents.npy", np.stack([starts, [len(document) for document in documents]]))


def _load(entry: Path) -> TextCorpus | None:
    """The corpus in a cache entry, or None when the entry is missing or anything about it is wrong."""
    try:
        manifest = json.loads((entry / "manifest.json").read_bytes())
        if manifest["schema"] != _SCHEMA or not all(
            _is_whole(entry / name, known) for name, known in manifest["files"].items()
        ):
            return None
        return TextCorpus(
            name=manifest["name"],
            sha256=manifest["sha256"],
            split_rule=manifest["split_rule"],
            notes=tuple(manifest["notes"]),
            tokenizer=load_tokenizer(entry / "tokenizer.json"),
            splits={split: _open_split(entry, split) for split in _SPLITS},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _is_whole(path: Path, known: Mapping[str, Any]) -> bool:
    size = path.stat().st_size
    return size == known["bytes"] and (size > _CHECKED_BYTES or sha256_file(path) == known["sha256"])


def _open_split(entry: Path, split: str) -> TokenSplit:
    starts, document_bytes = np.load(entry / f"{split}-documents.npy")
    tokens = np.load(entry / f"{split}-tokens.npy", mmap_mode="r")
    return TokenSplit(tokens=tokens, starts=starts, document_bytes=document_bytes)
