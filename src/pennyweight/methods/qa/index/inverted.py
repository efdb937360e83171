"""The inverted half of an index: tantivy, which tells fast which passages may score high for some terms.

It is given the terms that our analyser made, parted by spaces, so that no other analyser has a say. It rounds the
lengths of passages to a byte; therefore it only proposes, and the forward half scores.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import tantivy

_HEAP = 128 << 20
_TERMS, _NUMBER = "terms", "number"


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field(_TERMS, tokenizer_name="whitespace", index_option="freq")
    builder.add_unsigned_field(_NUMBER, indexed=True, fast=True)
    return builder.build()


class Writer:
    """Adds and removes passages, by their numbers. Nothing is seen of it before `finish`."""

    def __init__(self, folder: Path, before: Path | None) -> None:
        folder.mkdir()
        if before is not None:
            _linked(before, folder)
        self._index = tantivy.Index(_schema(), path=str(folder))
        self._writer = self._index.writer(_HEAP, num_threads=1)
        self._finished = False

    def add(self, number: int, terms: str) -> None:
        """A passage by its terms, parted by spaces."""
        document = tantivy.Document()
        document.add_text(_TERMS, terms)
        document.add_unsigned(_NUMBER, number)  # a keyword would become signed, and end the writer
        self._writer.add_document(document)

    def remove(self, first: int, last: int) -> None:
        """The passages with these numbers and those between."""
        # By a query, because a number that is given as a term becomes signed here too, and removes nothing.
        kind = tantivy.FieldType.Unsigned
        gone = tantivy.Query.range_query(self._index.schema, _NUMBER, kind, lower_bound=first, upper_bound=last)
        self._writer.delete_documents_by_query(gone)

    def abandon(self) -> None:
        """Stop without writing what is not written yet: afterwards no thread of it makes files any more."""
        if not self._finished:
            self._finished = True
            self._writer.wait_merging_threads()

    def finish(self) -> None:
        """Write everything to the disk."""
        self._writer.commit()
        self._finished = True
        self._writer.wait_merging_threads()


def _linked(before: Path, folder: Path) -> None:
    """The files of a generation under a new folder: links, since tantivy replaces files and never writes into them."""
    for path in before.iterdir():
        if path.name.endswith(".lock"):
            continue
        try:
            os.link(path, folder / path.name)
        except OSError:  # a file system without links
            shutil.copy2(path, folder / path.name)


class Inverted:
    """Proposes passages for terms."""

    def __init__(self, folder: Path) -> None:
        self._index = tantivy.Index.open(str(folder))
        self._searcher = self._index.searcher()
        self._schema = self._index.schema

    def propose(self, weights: Mapping[str, float], most: int) -> list[int]:
        """The numbers of at most so many passages that have any of the terms, those with high scores first."""
        parts = []
        for term, weight in weights.items():
            query = tantivy.Query.term_query(self._schema, _TERMS, term, index_option="freq")
            parts.append((tantivy.Occur.Should, query if weight == 1 else tantivy.Query.boost_query(query, weight)))
        hits = self._searcher.search(tantivy.Query.boolean_query(parts), limit=most, count=False).hits
        numbers = self._searcher.fast_field_values(_NUMBER, [address for _, address in hits])
        return [int(number) for number in numbers if number is not None]
