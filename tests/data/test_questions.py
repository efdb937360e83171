"""Questions in SQuAD's format, read and split; and questions about code, whose answers stand where they are said to."""

import ast
import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.core.errors import UserError
from pennyweight.data import questions as questions_module
from pennyweight.data.builtin import standard_library_documents
from pennyweight.data.code_questions import code_questions
from pennyweight.data.questions import QuestionsConfig, QuestionSet, located, open_questions, read_squad


def squad(*articles: tuple[str, list[tuple[str, list[dict]]]]) -> dict:
    return {
        "version": "v2.0",
        "data": [
            {"title": title, "paragraphs": [{"context": context, "qas": qas} for context, qas in paragraphs]}
            for title, paragraphs in articles
        ],
    }


def asked(text: str, *answers: tuple[str, int], **more: object) -> dict:
    return {
        "id": text,
        "question": text,
        "answers": [{"text": answer, "answer_start": start} for answer, start in answers],
        **more,
    }


def written(folder: Path, document: object, *, zipped: bool = False) -> Path:
    content = json.dumps(document).encode()
    path = folder / ("q.json.gz" if zipped else "q.json")
    path.write_bytes(gzip.compress(content) if zipped else content)
    return path


def many(articles: int = 8) -> dict:
    return squad(
        *(
            (
                f"article {n}",
                [(f"The number is {n}{p}.", [asked(f"Which is it in {n}{p}?", (f"{n}{p}", 14))]) for p in range(3)],
            )
            for n in range(articles)
        )
    )


@pytest.mark.parametrize("zipped", [False, True])
def test_both_versions_of_the_format_are_read(tmp_path: Path, zipped: bool) -> None:
    context = "Ada wrote it in 1843."
    document = squad(
        (
            "Ada",
            [
                (
                    context,
                    [
                        asked("Who?", ("Ada", 0), ("Ada", 0), ("Ada wrote", 0)),
                        asked("Where?", is_impossible=True, plausible_answers=[{"text": "1843", "answer_start": 16}]),
                        asked("How?"),
                    ],
                )
            ],
        )
    )
    questions, notes = read_squad(written(tmp_path, document, zipped=zipped))
    assert [(q.text, q.answers) for q in questions] == [
        ("Who?", (("Ada", 0), ("Ada wrote", 0))),
        ("Where?", ()),
        ("How?", ()),
    ]
    assert {(q.document, q.passage) for q in questions} == {("Ada", context)}
    assert notes == ()


def test_answers_that_stand_elsewhere_are_moved_and_those_that_stand_nowhere_left_out(tmp_path: Path) -> None:
    context = "one two one"
    document = squad(("t", [(context, [asked("a", ("one", 7)), asked("b", ("three", 0)), asked("c", ("two", 4))])]))
    questions, notes = read_squad(written(tmp_path, document))
    assert [(q.text, q.answers) for q in questions] == [("a", (("one", 8),)), ("c", (("two", 4),))]
    assert notes == ("1 answers moved to where they stand", "1 questions left out whose answers stand nowhere")


@given(passage=st.text("ab ", max_size=30), answer=st.text("ab ", max_size=4), start=st.integers(-5, 40))
def test_an_answer_is_located_at_the_nearest_place(passage: str, answer: str, start: int) -> None:
    places = [i for i in range(len(passage)) if answer and passage[i : i + len(answer)] == answer]
    found = located(answer, passage, start)
    if not places:
        assert found is None
    else:
        assert found in places
        assert abs(found - start) == min(abs(place - start) for place in places)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["data", "paragraphs", "qas", "context", "question", "answers", "text", "answer_start", "is_impossible"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(document=JSON, where=st.sampled_from(["whole", "article", "paragraph", "question", "answer"]))
def test_anything_else_is_refused_in_one_line_or_read(
    document: object, where: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole: object = document
    if where != "whole":
        qas = [document] if where == "question" else [asked("q", ("a", 0))]
        if where == "answer":
            qas = [{"question": "q", "answers": [document]}]
        paragraph = document if where == "paragraph" else {"context": "a b", "qas": qas}
        article = document if where == "article" else {"title": "t", "paragraphs": [paragraph]}
        whole = {"data": [article]}
    path = written(tmp_path_factory.mktemp("q"), whole)
    try:
        questions, _ = read_squad(path)
    except UserError as error:
        questions, told = [], str(error)
        assert "\n" not in told
    for question in questions:
        assert all(question.passage[at : at + len(text)] == text for text, at in question.answers)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\x1f\x8b", gzip.compress(b'{"data": []}')[:-9], b"\xff\xfe", b"[" * 100_000]
)
def test_files_that_are_no_json_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "q.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"q\.json"):
        read_squad(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    written(tmp_path, many())
    with pytest.raises(UserError, match=r"did you mean q\.json"):
        open_questions(QuestionsConfig(path=str(tmp_path / "p.json")))
    with pytest.raises(UserError, match="cannot be read"):
        open_questions(QuestionsConfig(path=str(tmp_path)))


def passages(found: QuestionSet) -> dict[str, set[str]]:
    return {split: {q.passage for q in part} for split, part in found.splits.items()}


def test_articles_are_held_out_whole_and_a_passage_that_two_share_is_in_one_split(tmp_path: Path) -> None:
    document = many(30)
    for article in document["data"]:
        article["paragraphs"].append({"context": "Shared.", "qas": [asked("What?", ("Shared", 0))]})
    found = open_questions(QuestionsConfig(path=str(written(tmp_path, document))))
    documents = {split: {q.document for q in part} for split, part in found.splits.items()}
    assert documents["train"].isdisjoint(documents["test"])
    assert documents["train"].isdisjoint(documents["validation"])
    by_split = passages(found)
    assert sum("Shared." in part for part in by_split.values()) == 1
    assert "Shared." in by_split["test"]
    assert sum(len(part) for part in by_split.values()) == 91


def test_one_article_is_split_by_passage(tmp_path: Path) -> None:
    one = squad(("t", [(f"It is {n}.", [asked(f"q{n}", (f"{n}", 6))]) for n in range(40)]))
    found = open_questions(QuestionsConfig(path=str(written(tmp_path, one))))
    assert found.split_rule.startswith("by passage")
    assert all(passages(found).values())
    few = squad(("t", [(f"It is {n}.", [asked(f"q{n}", (f"{n}", 6))]) for n in range(2)]))
    with pytest.raises(UserError, match="2 different passages"):
        open_questions(QuestionsConfig(path=str(written(tmp_path, few))))


def test_held_out_questions_are_bounded_and_the_hash_is_of_all(tmp_path: Path) -> None:
    path = str(written(tmp_path, many(40)))
    whole, less = (open_questions(QuestionsConfig(path=path, max_test=most)) for most in (1000, 2))
    assert len(less.splits["test"]) == 2 < len(whole.splits["test"])
    assert less.sha256 == whole.sha256
    assert less.sha256 != open_questions(QuestionsConfig(path=path, test_fraction=0.3)).sha256


# --- questions about code ---

SOURCE = b'''
"""A module."""

def dumps(obj, *, indent=4, sep=(", ", ": ")):
    """Write an object.

    More.
    """
    width = compute(indent)
    if obj is None:
        raise TypeError("no object")
    def inner():
        raise KeyError
    return render(obj, width)


class C:
    def method(self, a, b="\xc3\xa9t\xc3\xa9"):
        x = 1
        x = 2
        if a:
            return 1
        return 2
'''


def facts() -> dict[str, list[tuple[str, str | None]]]:
    found = {}
    for path, passage, questions in code_questions([("m.py", SOURCE)]):
        assert path == "m.py"
        content = passage.encode()
        name = passage.split("(")[0].removeprefix("def ")
        found[name] = [(q.text, None if q.span is None else content[slice(*q.span)].decode()) for q in questions]
    return found


def test_questions_about_code_have_the_answers_of_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pennyweight.data.code_questions._MOST_QUESTIONS", 99)
    found = facts()
    assert found.keys() == {"dumps", "method"}
    answers = {answer for _, answer in found["dumps"]}
    assert answers == {"4", None, "compute(indent)", "TypeError", "render(obj, width)", "Write an object."}
    assert {answer for _, answer in found["method"]} == {'"été"', None}  # two returns, x set twice, no docstring
    (nothing,) = (text for text, answer in found["dumps"] if answer is None)
    assert "obj" in nothing
    assert "dumps" in nothing


def test_a_function_has_a_few_questions_and_always_the_same() -> None:
    found = facts()
    assert all(1 <= len(questions) <= 3 for questions in found.values())
    assert facts() == found


@pytest.mark.parametrize("content", [b"def f(:\n", b"\xff", b"\0", b"x = 1\n", b"\xef\xbb\xbf" + SOURCE])
def test_files_that_cannot_be_asked_about_have_no_questions(content: bytes) -> None:
    assert list(code_questions([("m.py", content)])) == []


def test_wordings_vary() -> None:
    documents = [(f"{n}.py", SOURCE.replace(b"dumps", b"dump%d" % n)) for n in range(30)]
    starts = {question.text.split("`")[0] for _, _, asked in code_questions(documents) for question in asked}
    assert len(starts) > 8


def test_built_in_answers_parse_and_files_are_held_out_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fifth file: what is said to be a default is an expression of the source, exactly there."""
    monkeypatch.setattr(questions_module, "standard_library_documents", lambda: standard_library_documents()[::5])
    found = open_questions(QuestionsConfig())
    documents = {split: {q.document for q in part} for split, part in found.splits.items()}
    assert documents["train"].isdisjoint(documents["test"] | documents["validation"])
    shares = [sum(not q.answers for q in part) / len(part) for part in found.splits.values()]
    assert all(0.1 < share < 0.4 for share in shares)
    assert len(found.splits["train"]) > 1000
    for question in found.splits["test"]:
        for text, at in question.answers:
            assert question.passage[at : at + len(text)] == text
            if re.match("What is the default of|Which value does .* have when|What does .* return", question.text):
                ast.parse(f"({text})", mode="eval")
