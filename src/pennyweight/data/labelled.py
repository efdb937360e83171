"""Texts with a class each: a Parquet table, a folder with a sub-folder a class, or passages of the built-in sources.

Splits are by document (`splitting.by_hash`); the passages of one source file stay together in one split.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import Int64

from pennyweight.core.errors import UserError
from pennyweight.data.builtin import standard_library_documents, standard_library_name
from pennyweight.data.reading import is_parquet, label_column, nearest_name, text_column, walk_folder
from pennyweight.data.splitting import by_hash

T = TypeVar("T")

_SPLITS = ("test", "validation")
_FEWEST_FILES = 12  # a family with fewer would be in the test split with none or one
_PASSAGE_BYTES, _MOST_PASSAGES = 700, 16


@dataclass(frozen=True, kw_only=True)
class LabelledConfig:
    """Which texts with which classes, how they become tokens and how they are split.

    ``path`` "" is the built-in set; ``column`` and ``label`` are columns of a Parquet table (``column`` "": ``text``,
    or the only one of strings). ``tokenizer`` and ``vocab_size`` do not matter to a run that begins with an encoder's.
    At most ``max_test`` and ``max_validation`` texts are held out.
    """

    path: str = ""
    column: str = ""
    label: str = "label"
    tokenizer: Literal["bytes", "bpe"] = "bpe"
    vocab_size: int = 1024
    test_fraction: float = 0.15
    validation_fraction: float = 0.05
    max_test: int = 2000
    max_validation: int = 300

    def __post_init__(self) -> None:
        require_fractions(self.test_fraction, self.validation_fraction)
        if min(self.max_test, self.max_validation) < 1:
            raise UserError(f"max_test {self.max_test}, max_validation {self.max_validation}", expected="1 or more")


def require_fractions(test: float, validation: float) -> None:
    """Refuse held-out fractions that leave nothing, or that are none."""
    if not (0 < test < 1 and 0 < validation < 1 and test + validation < 1):
        raise UserError(
            f"test_fraction {test} and validation_fraction {validation}",
            expected="above 0 each, together less than 1",
        )


@dataclass(frozen=True, kw_only=True)
class Passage:
    """A text of a class, from a document that is held out whole or not at all."""

    document: bytes
    text: bytes
    label: str


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledPart:
    """The passages of one split. ``documents`` numbers them by the document that they come from."""

    texts: Sequence[bytes]
    labels: Int64[np.ndarray, "passages"]
    documents: Int64[np.ndarray, "passages"]


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledSet:
    """Texts with classes, split: ``splits`` has train, validation and test; labels are numbers of ``classes``."""

    name: str
    sha256: str
    split_rule: str
    classes: tuple[str, ...]
    splits: Mapping[str, LabelledPart]


def open_labelled(config: LabelledConfig) -> LabelledSet:
    """Read, check and split the texts. Raises UserError for what cannot be read or has no two classes."""
    name, passages = _find(config)
    digest = hashlib.sha256(repr((config.test_fraction, config.validation_fraction)).encode())
    seen: set[bytes] = set()
    kept = []
    for passage in passages:
        # The same text twice could stand in training and in the test.
        key = hashlib.sha256(passage.text).digest()
        if passage.text.strip() and key not in seen:
            seen.add(key)
            kept.append(passage)
            for part in (passage.document, passage.label.encode(), passage.text):
                digest.update(len(part).to_bytes(8, "big") + part)
    classes = tuple(sorted({passage.label for passage in kept}))
    documents = list(dict.fromkeys(passage.document for passage in kept))
    if len(classes) < 2 or len(documents) < 3:
        raise UserError(
            f"{len(documents)} different documents of {len(classes)} classes in {config.path or name}",
            expected="at least 3 documents (train, validation, test) and 2 classes",
        )
    fractions = {"test": config.test_fraction, "validation": config.validation_fraction}
    labels, _ = by_hash(documents, fractions)
    split_of = dict(zip(documents, labels, strict=True))
    number_of = {document: number for number, document in enumerate(documents)}
    most = {"test": config.max_test, "validation": config.max_validation}
    splits = {}
    for split in ("train", *_SPLITS):
        inside = [passage for passage in kept if split_of[passage.document] == split]
        inside = spread(inside, most.get(split, len(inside)))
        splits[split] = LabelledPart(
            texts=[passage.text for passage in inside],
            labels=np.array([classes.index(passage.label) for passage in inside], np.int64),
            documents=np.array([number_of[passage.document] for passage in inside], np.int64),
        )
    rule = ", ".join(f"{split} {fraction:.3g} of documents" for split, fraction in fractions.items())
    return LabelledSet(
        name=name,
        sha256=digest.hexdigest(),
        split_rule=f"by document: {rule} by hash (blake2b of the id)",
        classes=classes,
        splits=splits,
    )


def spread(items: Sequence[T], most: int) -> list[T]:
    """At most so many of the items, evenly spread, in their order."""
    if len(items) <= most:
        return list(items)
    return [items[row] for row in np.linspace(0, len(items) - 1, most).astype(int).tolist()]


def _find(config: LabelledConfig) -> tuple[str, list[Passage]]:
    if not config.path:
        if config.column:
            raise UserError(f"column {config.column!r} for the built-in texts", expected="a Parquet file")
        return f"{standard_library_name()}-families", families(standard_library_documents())
    path = Path(config.path).expanduser()
    if path.is_dir():
        return path.resolve().name, _folders(path)
    if not path.is_file():
        raise UserError(
            f"no texts at {path}", expected="a Parquet file or a folder of folders", hint=nearest_name(path)
        )
    if not is_parquet(path):
        raise UserError(f"{path}", expected="a Parquet file, or a folder with a sub-folder for each class")
    rows = zip(text_column(path, config.column), label_column(path, config.label), strict=True)
    return path.name, [Passage(document=t, text=t, label=label) for t, label in rows if t and label is not None]


def _folders(root: Path) -> list[Passage]:
    found = []
    for name, content in walk_folder(root):
        label, slash, _ = os.fsdecode(name).partition("/")
        if slash and b"\0" not in content and _is_utf8(content):
            found.append(Passage(document=name, text=content, label=label))
    return found


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def families(documents: Iterable[tuple[str, bytes]]) -> list[Passage]:
    """Passages of source files, whose class is the package at the top of the file's path.

    Packages of at least ``_FEWEST_FILES`` files; of a file at most ``_MOST_PASSAGES`` passages, evenly spread, so that
    a few long files do not stand for their family. A passage is some whole lines.
    """
    files = [(path.partition("/")[0], path, content) for path, content in documents if "/" in path]
    sizes = Counter(package for package, _, _ in files)
    found = []
    for package, path, content in files:
        if sizes[package] >= _FEWEST_FILES and _is_utf8(content):
            for text in spread(_passages(content), _MOST_PASSAGES):
                found.append(Passage(document=path.encode(), text=text, label=package))
    return found


def _passages(content: bytes) -> list[bytes]:
    passages: list[bytes] = []
    held: list[bytes] = []
    for line in content.splitlines(keepends=True):
        held.append(line)
        if sum(map(len, held)) >= _PASSAGE_BYTES:
            passages.append(b"".join(held))
            held = []
    rest = b"".join(held)
    if passages and len(rest) < _PASSAGE_BYTES // 4:
        return [*passages[:-1], passages[-1] + rest]
    return [*passages, rest]
