"""What of a folder becomes a document, and what is left out and why."""

import os
from pathlib import Path

import pytest

from pennyweight.core.errors import UserError
from pennyweight.data.documents.document import Document, Skipped
from pennyweight.data.documents.folder import find_documents, read_found
from pennyweight.data.documents.python_docs import documentation, python_documents


def test_documents_are_found_in_order_and_the_rest_is_told_of(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "secret.txt"
    outside.write_text("secret")
    (root / "b" / "c").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / ".git" / "x.txt").write_text("hidden")
    (root / "b" / "two.md").write_text("# Two")
    (root / "b" / "c" / "three.txt").write_text("three")
    (root / "one.html").write_text("<p>one")
    (root / "empty.txt").touch()
    (root / "large.txt").write_text("x" * 200)
    (root / "binary.txt").write_bytes(b"\0\1")
    (root / "picture.png").write_bytes(b"png")
    (root / "out.txt").symlink_to(outside)
    (root / "in.txt").symlink_to(root / "one.html")
    (root / "nowhere.txt").symlink_to(root / "gone")
    os.mkfifo(root / "pipe.txt")
    files, skipped = find_documents(root, most_bytes=100)
    assert [file.key for file in files] == ["b/c/three.txt", "b/two.md", "binary.txt", "in.txt", "one.html"]
    assert {one.key: one.reason.split()[0] for one in skipped} == {
        "empty.txt": "empty",
        "large.txt": "0",
        "nowhere.txt": "not",
        "out.txt": "a",
        "pipe.txt": "not",
    }
    read = {file.key: read_found(file)[1] for file in files}
    assert isinstance(read["b/two.md"], Document)
    assert read["binary.txt"] == Skipped(key="binary.txt", reason="binary data")


def test_a_folder_out_of_reach_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder"):
        find_documents(tmp_path / "gone")
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is not a folder"):
        find_documents(tmp_path / "file")


def test_a_module_is_a_document_of_what_it_says_of_itself() -> None:
    source = b'''"""Of mice."""
def eat(x, *, fast=True):
    """Eats it.

        mouse = 1

    Fast.
    """
def _hidden():
    """No."""
class Mouse:
    """Small."""
    def run(self): """Runs."""
    def silent(self): pass
'''
    document = documentation("of/mice", source)
    assert document is not None
    assert document.title == "of.mice"
    assert document.text == (
        "of.mice\n\nOf mice.\n\nof.mice.eat(x, *, fast=True)\n\nEats it.\n\n    mouse = 1\n\nFast.\n\n"
        "of.mice.Mouse\n\nSmall.\n\n"
        "of.mice.Mouse.run(self)\n\nRuns."
    )
    assert [(one.level, one.text) for one in document.headings] == [
        (1, "of.mice"),
        (2, "of.mice.eat(x, *, fast=True)"),
        (2, "of.mice.Mouse"),
        (3, "of.mice.Mouse.run(self)"),
    ]
    assert documentation("x", b"x = 1") is None
    assert documentation("x", b"def f(:") is None


def test_this_python_has_much_to_say() -> None:
    found = [documentation(key, source) for key, source in python_documents()]
    texts = {document.key: document.text for document in found if document}
    assert len(texts) > 300
    assert "json" in texts
    assert "zip_longest" not in texts["json"]
