"""One generation of an index, opened for reading: documents, passages, and exact scores with their parts."""

import json
import mmap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pennyweight.arrays.ranking import bm25_parts
from pennyweight.core.recipe import from_document
from pennyweight.core.run import read_document
from pennyweight.methods.qa.index.forward import Forward, Vocabulary
from pennyweight.methods.qa.index.inverted import Inverted
from pennyweight.methods.qa.index.layout import Entry, Manifest

K1, B = 1.2, 0.75
"""Of BM25, as Lucene has them."""

_PROPOSED = 5
"""So many times the passages that are asked for are proposed, so that rounded lengths leave none of the best out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scores:
    """Passages by score, the best first: ``places`` in the index, and the parts [passages, terms] that sum to it.

    ``counts`` [passages, terms] is how often a passage has a term, ``frequencies`` [terms] how many passages have it.
    """

    places: NDArray[np.int64]
    values: NDArray[np.float64]
    parts: NDArray[np.float64]
    counts: NDArray[np.float64]
    frequencies: NDArray[np.float64]
    terms: tuple[str, ...]

    def best(self, most: int) -> "Scores":
        """The best of them."""
        order = np.argsort(-self.values, kind="stable")[:most]
        return replace(
            self,
            places=self.places[order],
            values=self.values[order],
            parts=self.parts[order],
            counts=self.counts[order],
        )


class Generation:
    """What is read of an index. It stays as it was when it was opened, whatever is written meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = from_document(Manifest, read_document(folder / "manifest.json"))
        with open(folder / "documents.jsonl", encoding="utf-8") as file:
            self.entries = [_entry(line) for line in file]
        self.forward = Forward.load(folder)
        self.texts: mmap.mmap | bytes = b""
        with open(folder / "texts.bin", "rb") as texts:
            if texts.seek(0, 2):
                self.texts = mmap.mmap(texts.fileno(), 0, access=mmap.ACCESS_READ)
        self.vocabulary = Vocabulary.load(folder / "terms.txt")
        self._inverted = Inverted(folder / "inverted")

    def text(self, place: int) -> str:
        """A passage's text."""
        start, end = self.forward.bytes[place].tolist()
        return bytes(self.texts[start:end]).decode()

    def document_text(self, entry: Entry) -> str:
        """A document's whole text."""
        return bytes(self.texts[entry.at : entry.at + entry.length]).decode()

    def frequency(self, term: str) -> int:
        """In how many passages a term stands."""
        number = self.vocabulary.get(term)
        return 0 if number is None else int(self.forward.frequencies[number])

    def search(self, weights: Mapping[str, float], *, most: int) -> Scores:
        """The ``most`` best passages for weighted terms, by BM25. Of equal scores the earlier passage comes first."""
        proposed = self._inverted.propose(weights, most * _PROPOSED) if weights else []
        places = np.searchsorted(self.forward.numbers, np.array(sorted(proposed), np.uint64)).astype(np.int64)
        return self.score(weights, places).best(most)

    def score(self, weights: Mapping[str, float], places: NDArray[np.int64]) -> Scores:
        """Exact scores of some passages, in their order."""
        numbers = np.array([self.vocabulary.get(term, -1) for term in weights], np.int64)
        frequencies = np.array([self.frequency(term) for term in weights], np.float64)
        counts = self.forward.counted(places, numbers)
        parts = bm25_parts(
            counts,
            self.forward.lengths[places].astype(np.float64),
            frequencies,
            num_documents=float(len(self.forward.lengths)),
            mean_length=self.forward.mean_length,
            weights=np.array([*weights.values()], np.float64),
            k1=K1,
            b=B,
        )
        return Scores(
            places=places,
            values=parts.sum(1),
            parts=parts,
            counts=counts,
            frequencies=frequencies,
            terms=tuple(weights),
        )


def _entry(line: str) -> Entry:
    told = json.loads(line)
    told["headings"] = tuple((start, level, text) for start, level, text in told["headings"])
    return Entry(**{**told, "pages": tuple(told["pages"])})
