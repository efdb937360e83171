"""The index: exact scores beside independent ones, and what survives changes, kills and a second process."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.core.errors import UserError
from pennyweight.data.analyser import terms
from pennyweight.methods.qa.index.build import update
from pennyweight.methods.qa.index.generation import K1, B, Generation
from pennyweight.methods.qa.index.layout import current, index_folder, known_indexes
from pennyweight.methods.qa.index.sources import Folder
from pennyweight.methods.qa.retrieve import retrieve


def write(folder: Path, **texts: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")


def a_corpus(folder: Path, *, num_documents: int = 120, seed: int = 0) -> Path:
    """Documents of words that are as unequally frequent as those of a language."""
    generator = np.random.default_rng(seed)
    names = [f"w{number}" for number in range(400)]
    texts = {}
    for number in range(num_documents):
        chosen = generator.zipf(1.3, generator.integers(5, 400)) % len(names)
        lines = [" ".join(names[word] for word in chosen[k : k + 12]) + "." for k in range(0, len(chosen), 12)]
        texts[f"d{number:03}"] = " ".join(lines) + (" größe 😀" if number % 7 == 0 else "")
    write(folder, **texts)
    return folder


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    base = tmp_path_factory.mktemp("index")
    update(base / "it", Folder(a_corpus(base / "documents")))
    return Generation(current(base / "it"))


def by_hand(texts: list[str], question: dict[str, float]) -> list[float]:
    """BM25 as Lucene has it, from nothing but the texts."""
    counts = [Counter(terms(text)) for text in texts]
    mean = sum(count.total() for count in counts) / len(counts)
    scores = []
    for count in counts:
        score = 0.0
        for term, weight in question.items():
            df = sum(term in other for other in counts)
            idf = math.log(1 + (len(counts) - df + 0.5) / (df + 0.5))
            tf = count[term]
            score += weight * idf * tf / (tf + K1 * (1 - B + B * count.total() / mean))
        scores.append(score)
    return scores


def test_scores_are_those_of_the_formula_and_the_sums_of_their_parts(opened: Generation) -> None:
    texts = [opened.text(place) for place in range(opened.manifest.passages)]
    for number in range(40):
        generator = np.random.default_rng(number)
        question = {f"w{word}": float(weight) for word, weight in zip(
            generator.integers(0, 420, 4), generator.choice([1.0, 2.0, 0.3], 4), strict=True
        )}  # fmt: skip
        expected = by_hand(texts, question)
        found = opened.search(question, most=10)
        best = sorted(range(len(texts)), key=lambda place: (-expected[place], place))[:10]
        best = [place for place in best if expected[place] > 0]
        assert found.places.tolist() == best
        np.testing.assert_allclose(found.values, [expected[place] for place in best], rtol=1e-9)
        np.testing.assert_allclose(found.parts.sum(1), found.values, rtol=0, atol=1e-12)
        assert found.terms == tuple(question)


def test_the_stored_texts_are_the_documents(opened: Generation, tmp_path: Path) -> None:
    for entry in opened.entries[:20]:
        text = opened.document_text(entry)
        assert text == Path(opened.manifest.source, entry.key).read_text(encoding="utf-8")
        for place in range(entry.first, entry.first + entry.passages):
            start, end = opened.forward.spans[place].tolist()
            assert opened.text(place) == text[start:end]
            assert int(opened.forward.lengths[place]) == len(terms(text[start:end]))
    assert opened.manifest.words == sum(len(terms(opened.text(p))) for p in range(opened.manifest.passages))


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(["w1", "W2", "the", "größe", "w33?"])).map(" ".join)))
def test_any_question_is_searched_for(opened: Generation, question: str) -> None:
    found = retrieve(opened, question, most=5)
    assert len(found.hits) <= 5
    for hit in found.hits:
        assert abs(sum(reason.adds for reason in hit.reasons) - hit.score) < 1e-9
        for start, end in hit.marks():
            assert terms(hit.text[start:end])[0] in {reason.term for reason in hit.reasons}


def test_nothing_is_found_for_what_nobody_has(opened: Generation) -> None:
    assert len(opened.search({}, most=5).places) == 0
    assert len(opened.search({"zzz": 1.0}, most=5).places) == 0
    mixed = opened.search({"zzz": 1.0, "w1": 1.0}, most=3)
    assert (mixed.parts[:, 0] == 0).all()
    assert opened.frequency("zzz") == 0


def same(a: Generation, b: Generation) -> None:
    """Two indexes hold the same documents and give the same scores."""
    texts = [{entry.key: one.document_text(entry) for entry in one.entries} for one in (a, b)]
    assert texts[0] == texts[1]
    assert a.manifest.passages == b.manifest.passages
    assert a.manifest.words == b.manifest.words
    for term in ("w1", "w2", "w33", "new", "größe"):
        assert a.frequency(term) == b.frequency(term)
        rows = []
        for one in (a, b):
            found = one.search({term: 1.0, "w3": 0.5}, most=1000)
            keys = [one.entries[int(one.forward.documents[place])].key for place in found.places]
            rows.append(sorted(zip(keys, found.values.round(9).tolist(), strict=True)))
        assert rows[0] == rows[1]


def test_after_changes_it_is_as_if_it_had_been_made_anew(tmp_path: Path) -> None:
    source = a_corpus(tmp_path / "documents", num_documents=30)
    first = update(tmp_path / "grown", Folder(source))
    assert (first.added, first.changed, first.removed, first.kept) == (30, 0, 0, 0)
    for step in range(3):
        write(source, **{f"d{3 * step:03}": f"new words {step} w33 größe", f"more{step}": "w1 new w2 " * 90})
        (source / f"d{20 + step:03}.txt").unlink()
        os.utime(source / "d029.txt")  # touched, not changed
        change = update(tmp_path / "grown", Folder(source))
        assert (change.added, change.changed, change.removed, change.kept) == (1, 1, 1, 28)
        update(tmp_path / f"anew{step}", Folder(source))
        same(Generation(current(tmp_path / "grown")), Generation(current(tmp_path / f"anew{step}")))
    (tmp_path / "documents" / "bad.pdf").write_bytes(b"no pdf")
    change = update(tmp_path / "grown", Folder(source))
    assert [one.key for one in change.skipped] == ["bad.pdf"]
    assert change.kept == 30


def test_whoever_reads_an_index_keeps_what_it_opened(tmp_path: Path) -> None:
    source = a_corpus(tmp_path / "documents", num_documents=10)
    update(tmp_path / "it", Folder(source))
    before = Generation(current(tmp_path / "it"))
    texts = [before.document_text(entry) for entry in before.entries]
    write(source, d000="all new")
    update(tmp_path / "it", Folder(source))
    assert [before.document_text(entry) for entry in before.entries] == texts
    assert len(before.search({"w1": 1.0}, most=5).places) == 5
    assert len([*(tmp_path / "it").glob("generation-*")]) == 1


KILLED = """
import sys
from pathlib import Path
from pennyweight.methods.qa.index import build
from pennyweight.methods.qa.index.sources import Folder
from pennyweight.methods.qa.retrieve import retrieve
def slow(what, part):
    print(what, part, flush=True)
    if what == sys.argv[3] and part >= float(sys.argv[4]):
        import time; time.sleep(60)
build.update(Path(sys.argv[1]), Folder(Path(sys.argv[2])), report=slow)
"""


@pytest.mark.parametrize(("what", "part"), [("reading documents", 0.5), ("writing the index", 0.0), ("done", 1.0)])
def test_a_killed_writer_leaves_the_last_index_and_the_next_one_is_whole(
    tmp_path: Path, what: str, part: float
) -> None:
    source = a_corpus(tmp_path / "documents", num_documents=12)
    update(tmp_path / "it", Folder(source))
    write(source, d000="all new w1", d001="new again")
    arguments = [sys.executable, "-c", KILLED, str(tmp_path / "it"), str(source), what, str(part)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(what) and float(line.split()[-1]) >= part:
                break
        time.sleep(0.2)
        if what != "done":
            with pytest.raises(UserError, match="another process"):
                update(tmp_path / "it", Folder(source))
        process.send_signal(signal.SIGKILL)
    kept = Generation(current(tmp_path / "it"))
    assert len(kept.search({"w1": 1.0}, most=5).places) == 5
    assert (kept.frequency("new") == 0) == (what != "done")
    update(tmp_path / "it", Folder(source))
    update(tmp_path / "anew", Folder(source))
    same(Generation(current(tmp_path / "it")), Generation(current(tmp_path / "anew")))
    assert len([*(tmp_path / "it").glob("generation-*")]) == 1


def test_a_disk_that_is_full_leaves_the_last_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = a_corpus(tmp_path / "documents", num_documents=12)
    update(tmp_path / "it", Folder(source))
    write(source, d000="all new w1")

    def full(*arguments: object, **more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="No space left"):
        update(tmp_path / "it", Folder(source))
    monkeypatch.undo()
    assert Generation(current(tmp_path / "it")).frequency("new") == 0
    assert update(tmp_path / "it", Folder(source)).changed == 1


def test_an_index_of_another_folder_and_one_of_nothing_are_refused(tmp_path: Path) -> None:
    update(tmp_path / "it", Folder(a_corpus(tmp_path / "documents", num_documents=3)))
    with pytest.raises(UserError, match=r"is of .*documents, not of .*other"):
        update(tmp_path / "it", Folder(a_corpus(tmp_path / "other", num_documents=3)))
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="no documents in"):
        update(tmp_path / "empty", Folder(tmp_path / "none"))
    (tmp_path / "none" / "a.pdf").write_bytes(b"x")
    with pytest.raises(UserError, match="damaged PDF"):
        update(tmp_path / "empty", Folder(tmp_path / "none"))
    with pytest.raises(UserError, match="no index"):
        current(tmp_path / "empty")
    assert known_indexes(tmp_path) == ["it"]
    with pytest.raises(UserError, match="index name"):
        index_folder(tmp_path, "../it")


def test_an_index_of_another_version_is_made_anew(tmp_path: Path) -> None:
    source = a_corpus(tmp_path / "documents", num_documents=3)
    update(tmp_path / "it", Folder(source))
    path = current(tmp_path / "it") / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 0}))
    assert update(tmp_path / "it", Folder(source)).added == 3
