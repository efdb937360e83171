"""Texts with classes from tables, folders and the built-in sources; documents are held out whole."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pennyweight.core.errors import UserError
from pennyweight.data.labelled import LabelledConfig, LabelledSet, families, open_labelled, spread


def a_table(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def all_pairs(found: LabelledSet) -> dict[bytes, str]:
    return {
        text: found.classes[label]
        for part in found.splits.values()
        for text, label in zip(part.texts, part.labels.tolist(), strict=True)
    }


@pytest.mark.parametrize("labels", [["cat", "dog"], [0, 1], [True, False]], ids=str)
def test_a_tables_rows_keep_their_labels(tmp_path: Path, labels: list[object]) -> None:
    texts = [f"text {n}" for n in range(60)]
    path = a_table(tmp_path / "t.parquet", text=texts, label=[labels[n % 2] for n in range(60)])
    found = open_labelled(LabelledConfig(path=str(path)))
    names = [str(label).lower() if isinstance(label, bool) else str(label) for label in labels]
    assert found.classes == tuple(sorted(names))
    assert all_pairs(found) == {text.encode(): names[n % 2] for n, text in enumerate(texts)}
    assert {split: len(part.texts) > 0 for split, part in found.splits.items()} == {
        "train": True,
        "test": True,
        "validation": True,
    }


def test_other_columns_can_be_named_and_missing_values_are_left_out(tmp_path: Path) -> None:
    path = a_table(
        tmp_path / "t.parquet",
        body=[f"text {n}" for n in range(40)] + [None, "x", ""],
        kind=["a", "b"] * 20 + ["a", None, "b"],
        note=["n"] * 43,
    )
    found = open_labelled(LabelledConfig(path=str(path), column="body", label="kind"))
    assert len(all_pairs(found)) == 40
    with pytest.raises(UserError, match="column 'label'"):
        open_labelled(LabelledConfig(path=str(path), column="body"))
    with pytest.raises(UserError, match="columns of text"):
        open_labelled(LabelledConfig(path=str(path), label="kind"))


def test_a_folder_holds_a_folder_for_each_class(tmp_path: Path) -> None:
    for label in ("good", "bad"):
        for number in range(12):
            file = tmp_path / label / f"{number % 3}" / f"{number}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{label} {number}")
    (tmp_path / "readme.txt").write_text("of no class")
    (tmp_path / "good" / "binary").write_bytes(b"a\0b")
    (tmp_path / "good" / "latin").write_bytes(b"caf\xe9")
    found = open_labelled(LabelledConfig(path=str(tmp_path)))
    assert all_pairs(found) == {f"{c} {n}".encode(): c for c in ("good", "bad") for n in range(12)}


def test_the_same_text_is_never_in_two_splits(tmp_path: Path) -> None:
    path = a_table(tmp_path / "t.parquet", text=[f"text {n % 50}" for n in range(500)], label=["a", "b"] * 250)
    found = open_labelled(LabelledConfig(path=str(path)))
    assert sum(len(part.texts) for part in found.splits.values()) == len(all_pairs(found)) == 50


def test_the_hash_is_of_texts_labels_and_split(tmp_path: Path) -> None:
    texts = [f"text {n}" for n in range(30)]
    base = LabelledConfig(path=str(a_table(tmp_path / "a.parquet", text=texts, label=["a", "b"] * 15)))
    same = LabelledConfig(path=str(a_table(tmp_path / "b.parquet", text=texts, label=["a", "b"] * 15)))
    swapped = LabelledConfig(path=str(a_table(tmp_path / "c.parquet", text=texts, label=["b", "a"] * 15)))
    other = LabelledConfig(path=base.path, test_fraction=0.2)
    hashes = [open_labelled(config).sha256 for config in (base, same, swapped, other)]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 3


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": ["a", "b", "c"], "label": ["x", "x", "x"]}, "of 1 classes"),
        ({"text": ["a", "b"], "label": ["x", "y"]}, "2 different documents"),
        ({"text": ["a", "b", "c"], "label": [0.5, 1.5, 2.5]}, "column 'label'"),
    ],
)
def test_tables_that_are_no_classification_are_refused(tmp_path: Path, columns: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        open_labelled(LabelledConfig(path=str(a_table(tmp_path / "t.parquet", **columns))))


def test_paths_that_are_neither_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("text")
    with pytest.raises(UserError, match="sub-folder for each class"):
        open_labelled(LabelledConfig(path=str(tmp_path / "notes.txt")))
    with pytest.raises(UserError, match=r"did you mean notes\.txt"):
        open_labelled(LabelledConfig(path=str(tmp_path / "note.txt")))


@pytest.mark.parametrize(
    "wrong", [{"test_fraction": 0.0}, {"test_fraction": 0.6, "validation_fraction": 0.5}, {"max_test": 0}], ids=str
)
def test_splits_that_leave_nothing_are_refused(wrong: dict) -> None:
    with pytest.raises(UserError):
        LabelledConfig(**wrong)


def test_built_in_files_are_held_out_whole_and_no_family_is_small() -> None:
    found = open_labelled(LabelledConfig())
    assert len(found.classes) >= 6
    documents = {split: set(part.documents.tolist()) for split, part in found.splits.items()}
    assert documents["train"].isdisjoint(documents["test"] | documents["validation"])
    assert documents["test"].isdisjoint(documents["validation"])
    counts = np.bincount(found.splits["train"].labels, minlength=len(found.classes))
    assert counts.min() > 10
    assert counts.max() < 0.5 * counts.sum()


def test_a_family_is_the_package_at_the_top_and_passages_join_to_the_file() -> None:
    documents = [(f"big/inner/{n}.py", b"line of a file\n" * 190 + b"%d\n" % n) for n in range(12)]
    documents += [("small/a.py", b"x = 1\n"), ("alone.py", b"y = 2\n")]
    found = families(documents)
    assert {passage.label for passage in found} == {"big"}
    whole = b"".join(passage.text for passage in found if passage.document == b"big/inner/3.py")
    assert whole == documents[3][1]
    assert all(passage.text.endswith(b"\n") for passage in found)


def test_spread_keeps_first_and_last() -> None:
    assert spread([*range(10)], 4) == [0, 3, 6, 9]
    assert spread("abc", 5) == ["a", "b", "c"]
