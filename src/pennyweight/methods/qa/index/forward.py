"""The forward half of an index: every passage with its terms and how often it has each, in memory-mapped arrays.

It holds what exact scores and their parts need. Passages lie in rows, as in a sparse matrix of passages by terms.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt16, UInt32, UInt64
from numpy.typing import NDArray
from scipy import sparse

from pennyweight.data.analyser import STOP_WORDS, TERMS

_BATCH = 1 << 20  # terms that are counted at once


@dataclass(frozen=True, kw_only=True, eq=False)
class Forward:
    """The arrays. ``spans`` are characters in the document's text (start, end), ``bytes`` the same in all texts.

    ``rows`` bounds each passage's ``ids`` (of terms, rising) and ``counts``; ``lengths`` is its number of words and
    ``numbers`` its name for the inverted half, rising; ``frequencies`` counts the passages that hold a term, by its id.
    """

    spans: UInt32[np.ndarray, "passages 2"]
    bytes: Int64[np.ndarray, "passages 2"]
    documents: UInt32[np.ndarray, "passages"]
    numbers: UInt64[np.ndarray, "passages"]
    lengths: UInt32[np.ndarray, "passages"]
    rows: Int64[np.ndarray, "bounds"]
    ids: UInt32[np.ndarray, "entries"]
    counts: UInt16[np.ndarray, "entries"]
    frequencies: UInt32[np.ndarray, "terms"]

    @cached_property
    def mean_length(self) -> float:
        """Words of a passage, on average."""
        return float(self.lengths.mean()) if len(self.lengths) else 1.0

    def save(self, folder: Path) -> None:
        """One file an array."""
        for field in fields(self):
            np.save(folder / f"{field.name}.npy", getattr(self, field.name))

    @classmethod
    def load(cls, folder: Path) -> "Forward":
        """Mapped into memory: read where it is looked at."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names})

    def counted(self, places: Int64[np.ndarray, "chosen"], terms: Int64[np.ndarray, "asked"]) -> NDArray[np.float64]:
        """How often each of some passages has each of some terms [chosen, asked]; -1 is a term that nobody has."""
        found = np.zeros((len(places), len(terms)))
        for row, place in enumerate(places.tolist()):
            start, end = self.rows[place], self.rows[place + 1]
            own = self.ids[start:end]
            at = np.minimum(np.searchsorted(own, terms), max(len(own) - 1, 0))
            if len(own):
                found[row] = np.where(own[at] == terms, self.counts[start:end][at], 0)
        return found


class Vocabulary(dict[str, int]):
    """The numbers of terms, in the order in which they were first seen."""

    def save(self, path: Path) -> None:
        """One term a line."""
        path.write_text("".join(f"{term}\n" for term in self), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """As it was saved."""
        terms = path.read_text(encoding="utf-8").split("\n")[:-1]
        return cls(zip(terms, range(len(terms)), strict=True))


class _Numbers(dict[str, int]):
    """The number of every word's term, worked out when the word is first seen."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.written = ["" if term in STOP_WORDS else term for term in vocabulary]

    def __missing__(self, word: str) -> int:
        term = TERMS[word]
        number = self.vocabulary.setdefault(term, len(self.vocabulary))
        if number == len(self.written):
            self.written.append("" if term in STOP_WORDS else term)
        self[word] = number
        return number


class Counter:
    """Turns passages into rows of counts, a batch at a time, so that memory stays small."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.lengths: list[int] = []
        self._numbers = _Numbers(vocabulary)
        self._waiting: list[int] = []
        self._bounds = [0]
        self._rows: list[NDArray[np.int64]] = []
        self._ids: list[NDArray[np.uint32]] = []
        self._counts: list[NDArray[np.uint16]] = []

    def add(self, words: Sequence[str]) -> str:
        """Count a passage's terms; returns those that are searched for, parted by spaces, for the inverted half."""
        found = [*map(self._numbers.__getitem__, words)]
        self._waiting.extend(found)
        self._bounds.append(len(self._waiting))
        self.lengths.append(len(found))
        if len(self._waiting) >= _BATCH:
            self._count()
        return " ".join(map(self._numbers.written.__getitem__, found))

    def _count(self) -> None:
        ids = np.array(self._waiting, np.int32)
        matrix = sparse.csr_array(
            (np.ones(len(ids), np.uint16), ids, np.array(self._bounds, np.int64)),
            shape=(len(self._bounds) - 1, len(self.vocabulary)),
        )
        matrix.sum_duplicates()
        self._rows.append(np.diff(matrix.indptr))
        self._ids.append(matrix.indices.astype(np.uint32))
        self._counts.append(matrix.data)
        self._waiting, self._bounds = [], [0]

    def finish(self) -> tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.uint16]]:
        """Entries of each row, and the ids and counts of all rows."""
        self._count()
        return np.concatenate(self._rows), np.concatenate(self._ids), np.concatenate(self._counts)
