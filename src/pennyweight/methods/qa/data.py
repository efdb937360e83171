"""Questions for training: read from files of several formats, split by document, laid out in windows.

An epoch visits each question once, in one of its windows: most often one that holds the answer, else one that does not,
which then has none. Windows of like length stand together, since a batch is as long as its longest.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64
from numpy.typing import NDArray

from pennyweight.core.errors import UserError
from pennyweight.data.conversations import read_coqa, read_quac
from pennyweight.data.labelled import spread
from pennyweight.data.questions import Question, QuestionsConfig, QuestionSet, load_json, open_questions, read_squad
from pennyweight.data.splitting import by_hash
from pennyweight.data.wordpieces import Pieces, Window, WordPieces, windows_of
from pennyweight.methods.qa.config import QuestionDataConfig, ReaderConfig

MOST_RIGHT = 4
_ELSEWHERE = 0.15  # of questions with an answer, in a window without it
_GROUP = 64  # batches within which windows are sorted by length
_OTHER = {"yes": 0, "no": 1, "": 2}


def open_data(config: QuestionDataConfig) -> QuestionSet:
    """The questions of a configuration, split. UserError for what cannot be read or is too little."""
    if not config.path:
        return open_questions(
            QuestionsConfig(
                test_fraction=config.test_fraction,
                validation_fraction=config.validation_fraction,
                max_test=config.max_test,
                max_validation=config.max_validation,
            )
        )
    path = Path(config.path).expanduser()
    questions: list[Question] = []
    notes: list[str] = []
    for file in _files(path, config.files):
        found, told = read_questions(file)
        unseen = unseen_documents(found, config.unseen)
        left_out = tuple(filter(None, config.leave_out.split(",")))
        kept = [q for q in found if q.document not in unseen and not (left_out and q.document.startswith(left_out))]
        questions += [_named(question, file.name) for question in kept]
        notes += [f"{file.name}: {len(kept):,} questions", *told]
    documents = list(dict.fromkeys(question.document for question in questions))
    fractions = {"test": config.test_fraction, "validation": config.validation_fraction}
    labels, _ = by_hash([document.encode() for document in documents], fractions)
    split_of = dict(zip(documents, labels, strict=True))
    most = {"test": config.max_test, "validation": config.max_validation}
    splits: dict[str, list[Question]] = {}
    taken: set[str] = set()
    for split in ("test", "validation", "train"):
        inside = [q for q in questions if split_of[q.document] == split and q.passage not in taken]
        taken |= {question.passage for question in inside}
        splits[split] = spread(inside, most.get(split, len(inside)))
        if not inside:
            raise UserError(f"{path} leaves {split} without a question", expected="more documents")
    digest = hashlib.sha256(repr(config).encode())
    for question in questions:
        digest.update(repr((question.document, question.passage, question.text, question.answers)).encode())
    return QuestionSet(
        name=path.name, sha256=digest.hexdigest(), split_rule="; ".join(["by document, by hash", *notes]), splits=splits
    )


def read_questions(path: Path) -> tuple[list[Question], tuple[str, ...]]:
    """The questions of a file in whichever of the three formats it is, and what was noted."""
    if ".jsonl" in path.suffixes:
        return read_quac(path)
    document = load_json(path)
    data = document.get("data") if isinstance(document, dict) else None
    first = data[0] if isinstance(data, list) and data else None
    return read_coqa(path) if isinstance(first, dict) and "story" in first else read_squad(path)


def unseen_documents(questions: Sequence[Question], number: int) -> set[str]:
    """The last conversations by name; none of questions that are not in conversations."""
    names = sorted({q.document for q in questions if q.before}, key=lambda name: name.rpartition("/")[2])
    return set(names[len(names) - number :]) if number and len(names) > number else set()


def _files(path: Path, names: str) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"no questions at {path}", expected="a file or a folder of questions")
    chosen = [path / name.strip() for name in names.split(",") if name.strip()]
    found = chosen or sorted(p for p in path.iterdir() if {".json", ".jsonl"} & {*p.suffixes})
    absent = [file.name for file in found if not file.is_file()]
    if absent or not found:
        raise UserError(
            f"{path} without {', '.join(absent) or 'a .json or .jsonl file'}",
            expected="files of questions",
            hint="name those that there are with --set data.files=...",
        )
    return found


def _named(question: Question, file: str) -> Question:
    return Question(
        text=question.text, passage=question.passage, document=f"{file}/{question.document}", answers=question.answers,
        before=question.before, told=question.told,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Laid:
    """A question in pieces: its windows, and its right answers as pieces of the passage."""

    windows: tuple[Window, ...]
    passage: Pieces
    right: tuple[tuple[int, int], ...]
    other: int

    def inside(self, window: Window) -> list[tuple[int, int]]:
        """The right answers that stand whole in a window, as its positions."""
        shift = len(window.head) - window.first
        return [
            (first + shift, last + shift) for first, last in self.right if window.first <= first and last < window.stop
        ]


def lay_out(questions: Sequence[Question], pieces: WordPieces, config: ReaderConfig) -> list[Laid | None]:
    """Each question in windows; None for one that is longer than a window has room for."""
    passages = list(dict.fromkeys(question.passage for question in questions))
    encoded = dict(zip(passages, pieces.encode(passages), strict=True))
    texts = list(dict.fromkeys(text for q in questions for text in (q.text, *q.before[-_TURNS:])))
    asked = dict(zip(texts, pieces.encode(texts), strict=True))
    found: list[Laid | None] = []
    for question in questions:
        passage = encoded[question.passage]
        spans = (passage.at(start, start + len(text)) for text, start in question.answers[:MOST_RIGHT])
        right = tuple(span for span in spans if span is not None)
        try:
            windows = windows_of(
                asked[question.text], passage, pieces, context=config.context, overlap=config.overlap,
                before=[asked[text] for text in question.before[-_TURNS:] if text],
            )  # fmt: skip
        except UserError:
            found.append(None)
            continue
        other = -1 if right else _OTHER[question.told]
        found.append(Laid(windows=tuple(windows), passage=passage, right=right, other=other))
    return found


_TURNS = 6  # earlier questions and answers that are looked at


class Windows:
    """Training windows by number (`pennyweight.core.task.Source`)."""

    def __init__(self, laid: Sequence[Laid], pieces: WordPieces, config: ReaderConfig, *, seed: int) -> None:
        if not laid:
            raise UserError("no training questions", expected="at least one")
        self._laid = laid
        self._pieces = pieces
        self._config = config
        self._seed = seed
        self._lengths = np.array([max(window.length for window in one.windows) for one in laid])
        self._orders: dict[int, Int64[np.ndarray, "questions"]] = {}

    def batch(self, numbers: Int64[np.ndarray, "batch"]) -> dict[str, NDArray[np.generic]]:
        """The arrays of `collate`, with places hidden in some windows."""
        chosen: list[tuple[Laid, Window]] = []
        generators = []
        for number in numbers.tolist():
            epoch, place = divmod(number, len(self._laid))
            generator = np.random.Generator(np.random.Philox(key=[self._seed, number]))
            laid = self._laid[int(self._order(epoch)[place])]
            chosen.append((laid, _drawn(laid, generator)))
            generators.append(generator)
        arrays = collate(chosen, self._pieces)
        return arrays | self._hide(arrays, generators)

    def _order(self, epoch: int) -> Int64[np.ndarray, "questions"]:
        if epoch not in self._orders:
            generator = np.random.default_rng([self._seed, epoch])
            order = generator.permutation(len(self._laid)).astype(np.int64)
            batch = self._config.fit.batch
            groups = [order[start : start + _GROUP * batch] for start in range(0, len(order), _GROUP * batch)]
            batches = []
            for group in groups:
                sorted_ = group[np.argsort(self._lengths[group], kind="stable")]
                parts = [sorted_[start : start + batch] for start in range(0, len(sorted_), batch)]
                # The short rest stays last, so that batches keep their borders.
                whole, rest = (parts[:-1], parts[-1:]) if len(parts[-1]) < batch else (parts, [])
                batches += [whole[index] for index in generator.permutation(len(whole))] + rest
            self._orders = dict([*self._orders.items()][-1:]) | {epoch: np.concatenate(batches)}
        return self._orders[epoch]

    def _hide(
        self, arrays: Mapping[str, NDArray[np.generic]], generators: Sequence[np.random.Generator]
    ) -> dict[str, NDArray[np.generic]]:
        """Mask a share of the tokens of some windows, and remember some of those that stood there."""
        tokens = np.array(arrays["tokens"])
        places = np.zeros((len(tokens), HIDDEN), np.int64)
        targets = np.full((len(tokens), HIDDEN), -1, np.int64)
        special = [self._pieces.start, self._pieces.separator, self._pieces.padding]
        for row, generator in enumerate(generators):
            if generator.random() >= self._config.erased:
                continue
            open_ = np.flatnonzero(~np.isin(tokens[row], special))
            hidden = generator.permutation(open_)[: round(generator.random() * len(open_))]
            kept = hidden[:HIDDEN]
            places[row, : len(kept)], targets[row, : len(kept)] = kept, tokens[row, kept]
            tokens[row, hidden] = self._pieces.mask
        return {"tokens": tokens, "places": places, "targets": targets}


HIDDEN = 32
"""Of so many hidden tokens in a window the reader is asked what stood there."""


def _drawn(laid: Laid, generator: np.random.Generator) -> Window:
    """One window of a question."""
    holding = [window for window in laid.windows if laid.inside(window)]
    others = [window for window in laid.windows if not laid.inside(window)]
    elsewhere = generator.random() < _ELSEWHERE
    few = others if others and (elsewhere or not holding) else holding
    return few[int(generator.integers(len(few)))]


def collate(chosen: Sequence[tuple[Laid, Window]], pieces: WordPieces) -> dict[str, NDArray[np.generic]]:
    """Windows side by side, padded to the longest.

    ``tokens``, ``kinds`` (1 from the passage on), ``real`` (tokens, not padding) and ``inside`` (the passage) [batch,
    time]; ``right`` [batch, answers, 2], -1 where there are fewer, and ``other`` [batch] (`blocks.reader.head`).
    """
    time = max(window.length for _, window in chosen)
    shape = (len(chosen), time)
    tokens = np.full(shape, pieces.padding, np.int64)
    kinds, real, inside = np.zeros(shape, np.int64), np.zeros(shape, bool), np.zeros(shape, bool)
    right = np.full((len(chosen), MOST_RIGHT, 2), -1, np.int64)
    other = np.full(len(chosen), -1, np.int64)
    for row, (laid, window) in enumerate(chosen):
        head = len(window.head)
        stop = head + window.stop - window.first
        tokens[row, :head] = window.head
        tokens[row, head:stop] = laid.passage.ids[window.first : window.stop]
        tokens[row, stop] = pieces.separator
        kinds[row, head : stop + 1] = 1
        real[row, : stop + 1] = True
        inside[row, head:stop] = True
        spans = laid.inside(window)
        if spans:
            right[row, : len(spans)] = spans
        else:
            other[row] = laid.other if laid.other >= 0 else _OTHER[""]
    return {"tokens": tokens, "kinds": kinds, "real": real, "inside": inside, "right": right, "other": other}
