"""Questions with the passages that answer them or do not: SQuAD's format, or questions about the built-in sources.

Splits are by document (an article, a source file), so that no passage of the test was trained on.
"""

import gzip
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pennyweight.core.errors import UserError
from pennyweight.data.builtin import standard_library_documents, standard_library_name
from pennyweight.data.code_questions import code_questions
from pennyweight.data.labelled import require_fractions, spread
from pennyweight.data.reading import nearest_name
from pennyweight.data.splitting import by_hash


@dataclass(frozen=True, kw_only=True)
class QuestionsConfig:
    """Which questions, how they become tokens and how they are split.

    ``path`` "" is the built-in set; else a JSON file in SQuAD's format (1.1 or 2.0), gzipped or not. ``tokenizer`` and
    ``vocab_size`` do not matter to a run that begins with an encoder's. At most ``max_test`` and ``max_validation``
    questions are held out.
    """

    path: str = ""
    tokenizer: Literal["bytes", "bpe"] = "bpe"
    vocab_size: int = 1024
    test_fraction: float = 0.1
    validation_fraction: float = 0.05
    max_test: int = 1000
    max_validation: int = 200

    def __post_init__(self) -> None:
        require_fractions(self.test_fraction, self.validation_fraction)
        if min(self.max_test, self.max_validation) < 1:
            raise UserError(f"max_test {self.max_test}, max_validation {self.max_validation}", expected="1 or more")


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question on a passage. ``answers`` are right ones with their first character; none: it is not answered.

    Of a question in a conversation ``before`` holds the earlier questions and their answers, alternating. ``told`` is
    the answer "yes" or "no" where no span is.
    """

    text: str
    passage: str
    document: str
    answers: tuple[tuple[str, int], ...]
    before: tuple[str, ...] = ()
    told: Literal["", "yes", "no"] = ""

    @property
    def right(self) -> list[str]:
        """The texts of the right answers."""
        return [text for text, _ in self.answers]


@dataclass(frozen=True, kw_only=True, eq=False)
class QuestionSet:
    """Questions, split: ``splits`` has train, validation and test."""

    name: str
    sha256: str
    split_rule: str
    splits: Mapping[str, Sequence[Question]]


def open_questions(config: QuestionsConfig) -> QuestionSet:
    """Read, check and split the questions. Raises UserError for what is not of the format or too little to split."""
    if config.path:
        path = Path(config.path).expanduser()
        name, (questions, notes) = path.name, read_squad(path)
    else:
        name, questions, notes = f"{standard_library_name()}-questions", _built_in(), ()
    unit = "document"
    if len({question.document for question in questions}) < 3:
        unit = "passage"
    documents = list(dict.fromkeys(_unit(question, unit) for question in questions))
    if len(documents) < 3:
        raise UserError(
            f"questions on {len(documents)} different passages in {config.path or name}",
            expected="at least 3, one for each split",
        )
    fractions = {"test": config.test_fraction, "validation": config.validation_fraction}
    labels, _ = by_hash([document.encode() for document in documents], fractions)
    split_of = dict(zip(documents, labels, strict=True))
    splits: dict[str, list[Question]] = {}
    taken: set[str] = set()
    for split in ("test", "validation", "train"):
        # The same passage may stand in two documents; it stays with the split that comes first.
        inside = [q for q in questions if split_of[_unit(q, unit)] == split and q.passage not in taken]
        taken |= {question.passage for question in inside}
        most = {"test": config.max_test, "validation": config.max_validation}.get(split, len(inside))
        splits[split] = spread(inside, most)
        if not inside:
            raise UserError(f"{config.path or name} leaves {split} without a question", expected="more passages")
    digest = hashlib.sha256(repr((config.test_fraction, config.validation_fraction)).encode())
    for question in questions:
        digest.update(repr((question.document, question.passage, question.text, question.answers)).encode())
    rule = ", ".join(f"{split} {fraction:.3g} of {unit}s" for split, fraction in fractions.items())
    return QuestionSet(
        name=name,
        sha256=digest.hexdigest(),
        split_rule="; ".join([f"by {unit}: {rule} by hash (blake2b of the id)", *notes]),
        splits=splits,
    )


def _unit(question: Question, unit: str) -> str:
    return question.document if unit == "document" else question.passage


def _built_in() -> list[Question]:
    found = []
    for path, passage, asked in code_questions(standard_library_documents()):
        content = passage.encode()
        for one in asked:
            answers: tuple[tuple[str, int], ...] = ()
            if one.span is not None:
                start, end = one.span
                answers = ((content[start:end].decode(), len(content[:start].decode())),)
            found.append(Question(text=one.text, passage=passage, document=path, answers=answers))
    return found


# --- SQuAD's format ---


def read_squad(path: Path) -> tuple[list[Question], tuple[str, ...]]:
    """The questions of a file, and what was done about answers that do not stand where it says.

    An answer that stands elsewhere in its passage is looked for at the nearest such place; a question all of whose
    answers stand nowhere is left out. UserError, with the place in the file, for what is not of the format.
    """
    document = load_json(path)
    questions: list[Question] = []
    found = Counter[str]()
    for number, article in enumerate(_list(document, "data", f"{path}")):
        here = f"{path}, data[{number}]"
        title = str(article.get("title", number)) if isinstance(article, dict) else ""
        for index, paragraph in enumerate(_list(article, "paragraphs", here)):
            place = f"{here}.paragraphs[{index}]"
            passage = _text(paragraph, "context", place)
            for position, asked in enumerate(_list(paragraph, "qas", place)):
                _add(questions, found, asked, f"{place}.qas[{position}]", passage=passage, document=title)
    if not questions:
        raise UserError(f"{path} without a question", expected="SQuAD's format with questions")
    return questions, tuple(f"{count:,} {what}" for what, count in sorted(found.items()))


def _add(
    questions: list[Question], found: Counter[str], asked: Any, place: str, *, passage: str, document: str
) -> None:
    text = _text(asked, "question", place)
    given = [] if asked.get("is_impossible", False) else _list(asked, "answers", place)
    answers: dict[tuple[str, int], None] = {}
    for index, answer in enumerate(given):
        spot = f"{place}.answers[{index}]"
        right, start = _text(answer, "text", spot), answer.get("answer_start")
        if not isinstance(start, int) or isinstance(start, bool):
            raise UserError(f"{spot}.answer_start {start!r}", expected="the number of a character")
        placed = located(right, passage, start)
        if placed is None:
            continue
        if placed != start:
            found["answers moved to where they stand"] += 1
        answers[right, placed] = None
    if given and not answers:
        found["questions left out whose answers stand nowhere"] += 1
        return
    questions.append(Question(text=text, passage=passage, document=document, answers=tuple(answers)))


def located(answer: str, passage: str, start: int) -> int | None:
    """Where an answer stands: at ``start``, else at the nearest place, the earlier of two; None where it does not."""
    if not answer:
        return None
    if start >= 0 and passage.startswith(answer, start):
        return start
    places, at = [], passage.find(answer)
    while at >= 0:
        places.append(at)
        at = passage.find(answer, at + 1)
    return min(places, key=lambda place: (abs(place - start), place), default=None)


def load_json(path: Path) -> Any:
    """A JSON file, gzipped or not; UserError that says what is wrong with it."""
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        return json.loads(content)
    except FileNotFoundError:
        raise UserError(f"no questions at {path}", expected="a JSON file", hint=nearest_name(path)) from None
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}", expected="JSON in SQuAD's format, gzipped or not") from None
    except (ValueError, RecursionError) as error:
        first = str(error).split("\n")[0]
        raise UserError(f"{path} is no JSON: {first}", expected="SQuAD's format, gzipped or not") from None


def _list(holder: Any, key: str, place: str) -> list[Any]:
    value = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(value, list):
        raise UserError(f"{place} without a list {key!r}", expected="SQuAD's format: data, paragraphs, qas, answers")
    return value


def _text(holder: Any, key: str, place: str) -> str:
    value = holder.get(key) if isinstance(holder, dict) else None
    if not isinstance(value, str):
        raise UserError(f"{place} without a text {key!r}", expected="SQuAD's format: context, question, answers")
    return value
