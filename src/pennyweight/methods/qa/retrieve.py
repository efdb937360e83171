"""Finding passages for a question, and saying why each was found.

A score is the sum of what each term of the question adds (BM25, Robertson and Zaragoza 2009); what is printed as the
reasons is what was added up.
"""

from dataclasses import dataclass

from pennyweight.data.analyser import searched, words
from pennyweight.methods.qa.index.generation import Generation
from pennyweight.methods.qa.index.layout import Entry


@dataclass(frozen=True, kw_only=True)
class Reason:
    """What a term adds to a score, as the question has it (``word``): it is in ``count`` places here and in so many
    ``passages`` of all."""

    term: str
    word: str
    adds: float
    count: int
    passages: int


@dataclass(frozen=True, kw_only=True)
class Hit:
    """A passage that was found: where it stands, its text, its score, and the reasons, the strongest first.

    ``start`` and ``end`` are characters of the document's text. What the reasons add makes ``score``.
    """

    place: int
    document: str
    title: str
    above: tuple[str, ...]
    page: int | None
    start: int
    end: int
    text: str
    score: float
    reasons: tuple[Reason, ...]

    def marks(self) -> list[tuple[int, int]]:
        """The characters of ``text`` in which words of the question stand, worked out for who shows them."""
        terms = {reason.term for reason in self.reasons}
        return [(word.start, word.end) for word in words(self.text) if word.term in terms]


@dataclass(frozen=True, kw_only=True)
class Found:
    """The passages for a question, the best first, and the question's words that were not searched for."""

    question: str
    hits: tuple[Hit, ...]
    left_out: tuple[str, ...]
    unknown: tuple[str, ...]


def retrieve(index: Generation, question: str, *, most: int = 10) -> Found:
    """The ``most`` best passages for a question."""
    asked, left_out = searched(question)
    weights = {term: float(len(written)) for term, written in asked.items()}
    scores = index.search(weights, most=most)
    hits = []
    for row, place in enumerate(scores.places.tolist()):
        reasons = [
            Reason(term=term, word=asked[term][0], adds=part, count=int(count), passages=int(passages))
            for term, part, count, passages in zip(
                scores.terms,
                scores.parts[row].tolist(),
                scores.counts[row].tolist(),
                scores.frequencies.tolist(),
                strict=True,
            )
            if count
        ]
        hits.append(_hit(index, place, float(scores.values[row]), reasons))
    return Found(
        question=question,
        hits=tuple(hits),
        left_out=tuple(left_out),
        unknown=tuple(asked[term][0] for term, n in zip(scores.terms, scores.frequencies, strict=True) if not n),
    )


def _hit(index: Generation, place: int, score: float, reasons: list[Reason]) -> Hit:
    entry = index.entries[int(index.forward.documents[place])]
    start, end = index.forward.spans[place].tolist()
    return Hit(
        place=place,
        document=entry.key,
        title=entry.title,
        above=headings_above(entry, start),
        page=page_of(entry, start),
        start=start,
        end=end,
        text=index.text(place),
        score=score,
        reasons=tuple(sorted(reasons, key=lambda reason: -reason.adds)),
    )


def headings_above(entry: Entry, start: int) -> tuple[str, ...]:
    """The headings over a character of a document, the highest first."""
    stack: list[tuple[int, str]] = []
    for at, level, text in entry.headings:
        if at > start:
            break
        stack = [*(one for one in stack if one[0] < level), (level, text)]
    return tuple(text for _, text in stack)


def page_of(entry: Entry, start: int) -> int | None:
    """The page of a character, from 1; None where a document has no pages."""
    return sum(page <= start for page in entry.pages) or None
