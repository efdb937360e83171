"""Indexing and asking as a user does it, in an empty folder."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.verbs.conftest import Call


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = tmp_path / "my notes"
    folder.mkdir()
    (folder / "receipts.md").write_text(
        "# Receipts\n\nReceipts are kept for seven years.\n\n## Where\n\nIn the cellar.\n"
    )
    (folder / "mice.txt").write_text("Mice are small. They live in the cellar and eat receipts.")
    (folder / "scan.pdf").write_bytes(b"no pdf")
    return folder


def test_documents_are_indexed_asked_changed_and_asked_again(call: Call, tmp_path: Path, notes: Path) -> None:
    made = call("index", str(notes))
    assert made.code == 0, made.err
    assert "left out: scan.pdf: a damaged PDF" in made.out
    assert "next: pennyweight ask --index my-notes" in made.out
    asked = call("ask", "How long are receipts kept?")
    assert asked.code == 0, asked.err
    assert "1. receipts.md\n" in asked.out
    assert "receipts" in asked.out
    assert "not searched for, since any question has them: How, are" in asked.out
    assert "in no passage: long" in asked.out
    document = json.loads(call("ask", "How long are receipts kept?", "--json").out)["result"]
    first = document["hits"][0]
    assert sum(reason["adds"] for reason in first["reasons"]) == pytest.approx(first["score"], abs=1e-9)
    text = (notes / "receipts.md").read_text()
    assert first["text"] in text.replace("# ", "")
    marked = {first["text"][start:end] for start, end in first["marks"]}
    assert marked == {"Receipts", "kept"}
    (notes / "mice.txt").write_text("Receipts of mice are kept for a day.")
    changed = json.loads(call("index", str(notes), "--json").out)["result"]
    assert (changed["added"], changed["changed"], changed["kept"]) == (0, 1, 1)
    assert "for a day" in call("ask", "mice").out


def test_without_a_folder_this_python_is_asked(call: Call) -> None:
    asked = call("ask")
    assert asked.code == 0, asked.err
    assert "join" in asked.out
    listed = json.loads(call("ls", "--json").out)["result"]["indexes"]
    assert [one["index"] for one in listed] == ["python"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["index", "nowhere"], "no folder"),
        (["index", "notes.txt"], "is not a folder"),
        (["index", "my notes", "--name", "../x"], "letters, digits"),
        (["index", "empty"], "no documents in"),
        (["ask", "--index", "nothing"], "no index nothing"),
        (["ask", "--top", "0"], "1 to 100"),
        (["ask", "x" * 3000], "at most 2,000"),
    ],
)
def test_a_wrong_request_is_one_line_and_leaves_nothing(
    call: Call, tmp_path: Path, notes: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").touch()
    ended = call(*arguments)
    assert ended.code == 2
    assert said in ended.err.splitlines()[-1]
    assert not [*(tmp_path / "indexes").glob("*")]


def test_several_indexes_stand_side_by_side(call: Call, notes: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").write_text("Other words.")
    call("index", str(notes))
    call("index", "other")
    refused = call("ask", "words")
    assert refused.code == 2
    assert "my-notes, other" in refused.err
    assert "Other words." in call("ask", "words", "--index", "other").out
    again = call("index", "other", "--name", "my-notes")
    assert again.code == 2
    assert "--name" in again.err


@pytest.mark.parametrize(
    "question", ['an "open quote', "who: is", "a AND", "(x", "title:foo", "-x", "\u202e", "", " ", "*?~^"]
)
def test_everyday_questions_are_no_query_language(call: Call, notes: Path, question: str) -> None:
    call("index", str(notes))
    assert call("ask", "--", question).code == 0


def test_ctrl_c_leaves_the_last_index(tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(3000):
        (many / f"{number}.txt").write_text(f"Note {number} is about mice. " * 60)
    process = subprocess.Popen(
        [sys.executable, "-m", "pennyweight", "index", "many"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 60
    while not [*tmp_path.glob("indexes/many/generation-*/fresh.bin")] and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert not (tmp_path / "indexes" / "many").exists(), "there was none before"
