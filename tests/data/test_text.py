"""A corpus is split by document, tokenized without loss, cached soundly, and read in windows known by number."""

import hashlib
import json
import multiprocessing
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from pennyweight.core.errors import UserError, WorkFailed
from pennyweight.data import reading, splitting
from pennyweight.data import text as text_module
from pennyweight.data import tokens as tokens_module
from pennyweight.data.text import (
    ByteTokenizer,
    TextConfig,
    TextCorpus,
    TextWindows,
    TokenSplit,
    evaluation_windows,
    load_tokenizer,
    open_text,
)
from pennyweight.data.tokens import train_bpe

BYTES = TextConfig(tokenizer="bytes")


def make_folder(root: Path, documents: dict[str, bytes]) -> Path:
    for name, content in documents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def make_table(path: Path, **columns: list[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def numbered(number: int) -> dict[str, bytes]:
    return {f"part{i % 7}/{i}.txt": f"document {i} says žluťoučký kůň {i * i}.\n".encode() * 3 for i in range(number)}


def documents_of(corpus: TextCorpus) -> dict[str, list[bytes]]:
    return {split: corpus.documents(split) for split in ("train", "validation", "test")}


def all_of(corpus: TextCorpus) -> list[bytes]:
    return sorted(chain.from_iterable(documents_of(corpus).values()))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "texts", numbered(200))


# --- splits ---


def test_splits_are_whole_documents_chosen_by_the_hash_of_their_path(folder, cache):
    corpus = open_text(replace(BYTES, path=str(folder)), cache=cache)
    expected = {"train": [], "validation": [], "test": []}
    for name, content in sorted(numbered(200).items()):
        score = int(hashlib.blake2b(name.encode(), digest_size=8).hexdigest(), 16) / 2**64
        expected["test" if score < 0.05 else "validation" if score < 0.08 else "train"].append(content)
    assert all(expected.values())
    assert documents_of(corpus) == expected
    assert corpus.name == "texts"
    assert corpus.notes == ()
    assert corpus.split_rule.startswith("by document: test 0.05 of documents by hash")


def test_no_document_is_in_two_splits_even_when_files_repeat(tmp_path, cache):
    texts = {f"{i}.txt": f"text {i % 40}".encode() for i in range(160)}
    corpus = open_text(replace(BYTES, path=str(make_folder(tmp_path / "t", texts))), cache=cache)
    assert all_of(corpus) == sorted(set(texts.values()))
    assert "120 repeated documents dropped" in corpus.notes


@given(number=st.integers(3, 12), salt=st.integers(0, 10**6), test=st.floats(0, 0.6), validation=st.floats(0, 0.39))
@settings(max_examples=60, deadline=None)
def test_three_documents_are_enough_for_three_splits_whatever_the_hash(number, salt, test, validation):
    documents = [text_module._Document(identity=f"{salt}-{i}".encode(), content=b"%d" % i) for i in range(number)]
    splits, _ = text_module._by_hash(documents, {"test": test, "validation": validation})
    scores = {split: [splitting._unit_hash(d.identity) for d in part] for split, part in splits.items()}
    assert all(scores.values())
    assert max(scores["test"]) < min(scores["validation"])
    assert max(scores["validation"]) < min(scores["train"])
    assert sorted(d.content for part in splits.values() for d in part) == sorted(d.content for d in documents)


def test_few_documents_are_split_and_the_note_says_how(tmp_path, cache):
    root = make_folder(tmp_path / "t", {"a": b"one", "b": b"two", "c": b"three"})
    corpus = open_text(replace(BYTES, path=str(root)), cache=cache)
    ranked = sorted("abc", key=lambda name: hashlib.blake2b(name.encode(), digest_size=8).digest())
    texts = {"a": b"one", "b": b"two", "c": b"three"}
    assert documents_of(corpus) == {
        split: [texts[name]] for split, name in zip(("test", "validation", "train"), ranked, strict=True)
    }
    assert any("few documents" in note for note in corpus.notes)


def test_caps_keep_the_same_share_of_every_document_and_whole_characters(tmp_path, cache):
    texts = {f"{i}.txt": ("čř€😀" * (20 + 10 * i) + str(i)).encode() for i in range(40)}
    root = make_folder(tmp_path / "t", texts)
    config = replace(BYTES, path=str(root), test_fraction=0.4, validation_fraction=0.3)
    whole = documents_of(open_text(config, cache=cache))
    capped_config = replace(config, max_test_bytes=3000, max_validation_bytes=500)
    corpus = open_text(capped_config, cache=cache)
    capped = documents_of(corpus)
    assert capped["train"] == whole["train"]
    for split, limit in [("test", 3000), ("validation", 500)]:
        total = sum(map(len, whole[split]))
        assert limit - 4 * len(whole[split]) < sum(map(len, capped[split])) <= limit < total
        for short, long in zip(capped[split], whole[split], strict=True):
            assert long.startswith(short)
            assert 0 <= len(long) * limit / total - len(short) < 4
            assert short.decode()
    assert [note for note in corpus.notes if note.startswith("test keeps the first")]


def test_a_cap_never_empties_a_document():
    assert text_module._capped(["😀x".encode(), b"y" * 10000], 100) == ["😀".encode(), b"y" * 99]
    assert text_module._capped([b"ab", b"c"], 3) == [b"ab", b"c"]


def test_the_hash_is_of_documents_and_split_whatever_the_tokenizer_and_the_folder(folder, tmp_path, cache):
    config = TextConfig(path=str(folder), vocab_size=300)
    sha = open_text(config, cache=cache).sha256
    same = make_folder(tmp_path / "elsewhere", numbered(200))
    assert open_text(replace(BYTES, path=str(same)), cache=cache).sha256 == sha
    assert open_text(replace(config, test_fraction=0.06), cache=cache).sha256 != sha
    (folder / "part0" / "0.txt").write_bytes(b"changed")
    assert open_text(config, cache=cache).sha256 != sha


# --- where documents come from ---


def test_hidden_binary_undecodable_and_empty_files_are_left_out_and_counted(folder, cache, monkeypatch):
    make_folder(folder, {".hidden/a.txt": b"no", ".secret": b"no", "b.bin": b"x\0y", "late.bin": b"x" * 99_999 + b"\0"})
    make_folder(folder, {"latin.txt": b"caf\xe9", "empty.txt": b""})
    monkeypatch.chdir(folder)  # a socket's address must be short
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind("not-a-regular-file")
    corpus = open_text(replace(BYTES, path=str(folder)), cache=cache)
    assert all_of(corpus) == sorted(numbered(200).values())
    assert set(corpus.notes) == {
        "2 binary documents skipped",
        "1 not UTF-8 documents skipped",
        "1 empty documents skipped",
    }


def test_one_text_file_is_cut_at_blank_lines_into_blocks_that_join_to_the_file(tmp_path, cache):
    paragraphs = [f"paragraph {i} " + "word " * (150 + i) for i in range(60)]
    content = "\n \r\n\n".join(paragraphs).encode()
    path = tmp_path / "book.txt"
    path.write_bytes(content)
    blocks = [block for _, block in text_module._blocks(content)]
    assert b"".join(blocks) == content
    assert len(blocks) > 5
    assert all(len(block) >= 4096 for block in blocks)
    assert all(block.endswith(b"\n") and block.startswith(b"paragraph") for block in blocks[:-1])
    corpus = open_text(replace(BYTES, path=str(path)), cache=cache)
    assert all_of(corpus) == sorted(blocks)


def test_parquet_rows_are_documents_wherever_they_stand(tmp_path, cache):
    texts = [f"row {i} of the table" for i in range(120)]
    first = make_table(tmp_path / "a.parquet", title=list(range(120)), text=texts)
    second = make_table(tmp_path / "b.parquet", body=pa.array(texts[::-1], pa.large_string()).dictionary_encode())
    ones = documents_of(open_text(replace(BYTES, path=str(first)), cache=cache))
    others = documents_of(open_text(replace(BYTES, path=str(second)), cache=cache))
    assert {split: sorted(part) for split, part in ones.items()} == {
        split: sorted(part) for split, part in others.items()
    }
    assert sorted(chain.from_iterable(ones.values())) == sorted(text.encode() for text in texts)


def test_parquet_column_can_be_chosen(tmp_path, cache):
    path = make_table(tmp_path / "a.parquet", text=["x", "y", "z"], other=["one", "two", "four"])
    corpus = open_text(replace(BYTES, path=str(path), column="other"), cache=cache)
    assert all_of(corpus) == [b"four", b"one", b"two"]


def test_parquet_splits_that_are_given_are_kept_and_their_texts_leave_training(tmp_path, cache):
    train = make_table(tmp_path / "x-train.parquet", text=["a", "b", "shared", None, "a"])
    make_table(tmp_path / "x-validation.parquet", text=["v"])
    make_table(tmp_path / "x-test.parquet", text=["t", "shared"])
    corpus = open_text(replace(BYTES, path=str(train)), cache=cache)
    assert documents_of(corpus) == {"train": [b"a", b"b"], "validation": [b"v"], "test": [b"t", b"shared"]}
    assert corpus.split_rule == "by document: test as given, validation as given"
    assert set(corpus.notes) == {"1 empty documents skipped", "2 repeated documents dropped"}


def test_a_parquet_split_that_is_missing_is_made_by_hash(tmp_path, cache):
    texts = [f"text {i}" for i in range(100)]
    train = make_table(tmp_path / "x-train.parquet", text=texts)
    make_table(tmp_path / "x-test.parquet", text=["t"])
    corpus = open_text(replace(BYTES, path=str(train), validation_fraction=0.2), cache=cache)
    assert corpus.documents("test") == [b"t"]
    assert 5 < len(corpus.documents("validation")) < 40
    assert "test as given, validation 0.2 of documents by hash" in corpus.split_rule
    make_table(tmp_path / "x-test.parquet", text=["another"])
    assert open_text(replace(BYTES, path=str(train)), cache=cache).documents("test") == [b"another"]


def test_the_built_in_text_needs_nothing(cache):
    corpus = open_text(BYTES, cache=cache)
    assert corpus.name.endswith("-stdlib")
    assert corpus.splits["train"].num_bytes > 2_000_000
    assert min(split.num_documents for split in corpus.splits.values()) > 5


# --- wrong requests ---


def test_bad_paths_are_refused_in_one_line(tmp_path, cache, folder):
    make_folder(tmp_path / "empty", {".keep": b""})
    make_folder(tmp_path / "two", {"a": b"one", "b": b"two", "c": b"two"})
    make_folder(tmp_path / "binary", {"a.png": b"\0", "b.png": b"\0\1", "c": b"\xff", "d": b"\xfe"})
    (tmp_path / "blob.txt").write_bytes((b"x" * 5000 + b"\n\n") * 9 + b"\0")
    (tmp_path / "short.txt").write_text("one block\n\nonly")
    (tmp_path / "corrupt.parquet").write_bytes(b"PAR1 and then nothing")
    (tmp_path / "magic.dat").write_bytes(b"PAR1 and then nothing")
    several = make_table(tmp_path / "several.parquet", body=["x"], title=["y"], pages=[1])
    make_table(tmp_path / "numbers.parquet", pages=[1, 2, 3])
    make_table(tmp_path / "given-train.parquet", text=["a", "b", "c"])
    make_table(tmp_path / "given-test.parquet", text=[None, ""])
    make_table(tmp_path / "rows.parquet", text=["a", "b"])
    cases = [
        ("text", "no text at .*did you mean texts"),
        ("nowhere/at/all", "no text at .*check the path"),
        ("empty", "0 different files in .*empty.*at least 3 documents.*add text files"),
        ("two", "2 different files in .*3 before repeats.*at least 3 documents"),
        ("binary", "0 different files in .*binary.*skipped 2 binary, 2 not UTF-8"),
        ("blob.txt", "0 different blocks.*skipped 1 binary"),
        ("short.txt", "1 different blocks.*blank lines, or give a folder"),
        ("corrupt.parquet", "corrupt.parquet cannot be read as Parquet"),
        ("magic.dat", "magic.dat cannot be read as Parquet"),
        ("several.parquet", r"2 columns of text.*columns: body \(string\), title \(string\), pages \(int64\)"),
        ("numbers.parquet", r"0 columns of text.*columns: pages \(int64\)"),
        ("given-train.parquet", "none in the given test file.*skipped 2 empty"),
        ("rows.parquet", "2 different rows of text.*at least 3 documents"),
    ]
    for name, message in cases:
        with pytest.raises(UserError, match=message) as caught:
            open_text(replace(BYTES, path=str(tmp_path / name)), cache=cache)
        assert "\n" not in str(caught.value)
    for column, message in [("titel", "column 'titel'.*columns: .*did you mean title"), ("pages", "column of strings")]:
        with pytest.raises(UserError, match=message):
            open_text(replace(BYTES, path=str(several), column=column), cache=cache)
    with pytest.raises(UserError, match=r"column 'title' for .*texts.*expected a Parquet file"):
        open_text(replace(BYTES, path=str(folder), column="title"), cache=cache)
    with pytest.raises(UserError, match="not a file or a folder"):
        open_text(replace(BYTES, path="/dev/null"), cache=cache)
    assert not list(cache.glob("text/*/"))


def test_an_unreadable_file_is_named(folder, cache, monkeypatch):
    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "that file")

    # By a stand-in: file modes do not stop the administrator's account that tests may run under.
    monkeypatch.setattr(reading, "open", denied, raising=False)
    with pytest.raises(UserError, match=r"/\d+\.txt cannot be read: Permission denied"):
        open_text(replace(BYTES, path=str(folder)), cache=cache)
    monkeypatch.setattr(text_module, "sha256_file", denied)
    table = make_table(folder.parent / "a.parquet", text=["a", "b", "c"])
    with pytest.raises(UserError, match="that file cannot be read: Permission denied"):
        open_text(replace(BYTES, path=str(table)), cache=cache)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"test_fraction": 0.7, "validation_fraction": 0.3}, "together less than 1"),
        ({"test_fraction": -0.1}, "0 or more each"),
        ({"test_fraction": float("nan")}, "together less than 1"),
        ({"max_test_bytes": 0}, "at least 1 each"),
        ({"tokenizer": "bpe", "vocab_size": 256}, "at least 257"),
    ],
)
def test_settings_that_cannot_work_are_refused(folder, cache, changed, message):
    with pytest.raises(UserError, match=message):
        open_text(replace(BYTES, path=str(folder), **changed), cache=cache)


def test_the_config_is_checked_by_pydantic():
    adapter = TypeAdapter(TextConfig)
    assert adapter.validate_python({"vocab_size": 300}) == TextConfig(vocab_size=300)
    with pytest.raises(ValidationError):
        adapter.validate_python({"tokenizer": "words"})


def test_a_cache_that_cannot_be_written_is_said_so(folder, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(WorkFailed, match=r"cache .* cannot be written"):
        open_text(replace(BYTES, path=str(folder)), cache=tmp_path / "file")


# --- tokenizers ---

BPE = train_bpe(list(numbered(60).values()), vocab_size=320)


@given(st.text())
@settings(max_examples=150, deadline=None)
def test_every_text_comes_back_from_both_tokenizers(text):
    for tokenizer in (BPE, ByteTokenizer()):
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert tokenizer.separator not in ids
        assert len(ids) == 0 or ids.max() < tokenizer.vocab_size


@pytest.mark.parametrize(
    "text", ["<|separator|>", " <|separator|>x", "\r\n\t  \x00\x1c\x85", "don't\n\n  'll", "a" * 999]
)
def test_awkward_texts_come_back(text):
    assert BPE.decode(BPE.encode(text)) == text
    assert BPE.separator not in BPE.encode(text)


def test_bpe_shortens_text_that_resembles_its_training():
    text = "document 3 says žluťoučký kůň"
    assert len(BPE.encode(text)) < len(text.encode()) / 2
    assert BPE.vocab_size == 320


def test_training_twice_gives_the_same_tokenizer(tmp_path):
    again = train_bpe(list(numbered(60).values()), vocab_size=320)
    for name, tokenizer in [("a", BPE), ("b", again)]:
        tokenizer.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_long_documents_are_encoded_in_pieces_to_the_same_ids(monkeypatch):
    text = "it's  \n\n  so\n x\t\n\u3000y \x1c\nend.\n'll\n" * 40
    whole = BPE.encode(text)
    for size in (1, 5, 64):
        pieces = list(tokens_module._pieces(text, size))
        assert "".join(pieces) == text
        assert len(pieces) > 10
        assert np.concatenate([BPE.encode(piece) for piece in pieces]).tolist() == whole.tolist()
    monkeypatch.setattr(tokens_module, "_GROUP_CHARACTERS", 7)
    documents = [b"first", b"", b"second\n" * 9, b"third"]
    assert [BPE.decode_bytes(ids) for ids in BPE.encode_documents(documents)] == documents


def test_tokenizers_come_back_from_their_file(tmp_path):
    for tokenizer in (BPE, ByteTokenizer()):
        tokenizer.save(tmp_path / "tokenizer.json")
        loaded = load_tokenizer(tmp_path / "tokenizer.json")
        assert type(loaded) is type(tokenizer)
        assert (loaded.vocab_size, loaded.separator) == (tokenizer.vocab_size, tokenizer.separator)
        assert loaded.encode("kůň says\n").tolist() == tokenizer.encode("kůň says\n").tolist()
        assert loaded.decode(loaded.encode("kůň says\n")) == "kůň says\n"


@pytest.mark.parametrize("content", ["", "{}", "[]", "nonsense", '{"type": "bites"}'])
def test_a_damaged_tokenizer_file_is_refused(tmp_path, content):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(UserError, match="damaged"):
        load_tokenizer(tmp_path / "tokenizer.json")
    with pytest.raises(UserError, match="cannot be read"):
        load_tokenizer(tmp_path / "missing.json")


def test_merges_are_learnt_from_training_documents_alone(folder, cache):
    config = TextConfig(path=str(folder), vocab_size=300)
    corpus = open_text(config, cache=cache)
    alone = train_bpe(corpus.documents("train"), vocab_size=300)
    text = "document says 144 kůň"
    assert corpus.tokenizer.encode(text).tolist() == alone.encode(text).tolist()
    assert corpus.tokenizer.decode_bytes(range(300)) == alone.decode_bytes(range(300))


def test_a_large_vocabulary_needs_wider_tokens():
    assert BPE.dtype == np.uint16
    wide = ByteTokenizer()
    wide.vocab_size = 1 << 16
    assert wide.dtype == np.uint16
    wide.vocab_size += 1
    assert wide.dtype == np.uint32


def test_every_document_is_its_separator_and_its_tokens(folder, cache):
    for config in (TextConfig(path=str(folder), vocab_size=300), replace(BYTES, path=str(folder))):
        corpus = open_text(config, cache=cache)
        for name, split in corpus.splits.items():
            documents = corpus.documents(name)
            assert split.num_bytes == sum(map(len, documents))
            assert split.document_bytes.tolist() == [len(document) for document in documents]
            assert np.flatnonzero(split.tokens == corpus.tokenizer.separator).tolist() == split.starts.tolist()
            assert split.starts[0] == 0
            assert isinstance(split.tokens, np.memmap)


# --- the cache ---


def test_a_second_open_reads_what_the_first_prepared(folder, cache, monkeypatch):
    config = TextConfig(path=str(folder), vocab_size=300)
    first = open_text(config, cache=cache)
    monkeypatch.setattr(text_module, "_prepare", lambda *_: pytest.fail("prepared twice"))
    second = open_text(config, cache=cache)
    assert documents_of(first) == documents_of(second)
    assert (first.sha256, first.notes, first.split_rule) == (second.sha256, second.notes, second.split_rule)


def damage_missing_file(entry: Path) -> None:
    (entry / "train-tokens.npy").unlink()


def damage_flipped_byte(entry: Path) -> None:
    content = bytearray((entry / "test-tokens.npy").read_bytes())
    content[-1] ^= 1
    (entry / "test-tokens.npy").write_bytes(content)


def damage_cut_short(entry: Path) -> None:
    os.truncate(entry / "train-tokens.npy", 200)


def damage_manifest(entry: Path) -> None:
    (entry / "manifest.json").write_text("[1]")


def damage_manifest_entry(entry: Path) -> None:
    manifest = json.loads((entry / "manifest.json").read_text())
    del manifest["sha256"]
    (entry / "manifest.json").write_text(json.dumps(manifest))


def damage_nothing_left(entry: Path) -> None:
    for file in entry.iterdir():
        file.unlink()


@pytest.mark.parametrize(
    "damage",
    [
        damage_missing_file,
        damage_flipped_byte,
        damage_cut_short,
        damage_manifest,
        damage_manifest_entry,
        damage_nothing_left,
    ],
)
def test_a_damaged_cache_entry_is_prepared_again(folder, cache, damage):
    config = TextConfig(path=str(folder), vocab_size=300)
    expected = documents_of(open_text(config, cache=cache))
    (entry,) = cache.glob("text/*/")
    damage(entry)
    again = open_text(config, cache=cache)
    assert documents_of(again) == expected
    assert again.notes == ("a damaged cache entry was prepared again",)
    assert open_text(config, cache=cache).notes == ()


def prepare_in_a_process(path: str, cache: Path, start: float) -> tuple[str, list[bytes], tuple[str, ...]]:
    time.sleep(max(0.0, start - time.time()))
    corpus = open_text(TextConfig(path=path, vocab_size=300), cache=cache)
    return corpus.sha256, corpus.documents("train"), corpus.notes


def test_processes_that_prepare_at_once_give_one_valid_entry(folder, cache):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.starmap(prepare_in_a_process, [(str(folder), cache, time.time() + 3)] * 2, chunksize=1)
    assert found[0] == found[1]
    assert found[0][2] == ()
    assert len(list(cache.glob("text/*/"))) == 1
    assert not list(cache.glob("text/.*"))
    assert open_text(TextConfig(path=str(folder), vocab_size=300), cache=cache).sha256 == found[0][0]


def test_only_one_prepares_while_the_others_wait(folder, cache, monkeypatch):
    """In threads, where the wait can be made certain; the lock is on the file and holds between processes too."""
    calls = []
    original = text_module._prepare

    def slow(*arguments):
        calls.append(arguments)
        time.sleep(0.3)
        original(*arguments)

    monkeypatch.setattr(text_module, "_prepare", slow)
    with ThreadPoolExecutor(2) as pool:
        opened = [pool.submit(open_text, replace(BYTES, path=str(folder)), cache=cache) for _ in range(2)]
    assert len({corpus.result().sha256 for corpus in opened}) == len(calls) == 1


# --- windows ---


def make_split(lengths: list[int]) -> TokenSplit:
    """Documents whose tokens are all different: 0, 1, 2, ... over the split."""
    whole = np.array(lengths, np.int64) + 1
    tokens = np.arange(whole.sum(), dtype=np.uint16)
    return TokenSplit(tokens=tokens, starts=np.cumsum(whole) - whole, document_bytes=np.array(lengths, np.int64))


@given(num_tokens=st.integers(4, 300), context=st.integers(1, 40), seed=st.integers(0, 99), data=st.data())
@settings(max_examples=80, deadline=None)
def test_a_sample_is_the_same_window_in_any_order_and_company(num_tokens, context, seed, data):
    context = min(context, num_tokens - 1)
    split = make_split([num_tokens - 1])
    numbers = np.array(data.draw(st.lists(st.integers(0, 1000), min_size=1, max_size=20)), np.int64)
    together = TextWindows(split, context=context, seed=seed).batch(numbers)["tokens"]
    assert together.shape == (len(numbers), context + 1)
    assert together.dtype == np.int64
    walker = TextWindows(split, context=context, seed=seed)
    for number, window in reversed(list(zip(numbers, together, strict=True))):
        assert walker.batch(np.array([number]))["tokens"][0].tolist() == window.tolist()


@given(num_tokens=st.integers(4, 300), context=st.integers(1, 40), epoch=st.integers(0, 50))
@settings(max_examples=80, deadline=None)
def test_an_epoch_visits_every_window_once_and_windows_do_not_overlap(num_tokens, context, epoch):
    context = min(context, num_tokens - 1)
    windows = TextWindows(make_split([num_tokens - 1]), context=context, seed=7)
    numbers = np.arange(windows.num_windows) + epoch * windows.num_windows
    assert {windows.epoch(int(number)) for number in numbers} == {epoch}
    found = windows.batch(numbers)["tokens"]
    assert ((np.diff(found, axis=1) - 1) % num_tokens == 0).all()
    targets = found[:, 1:].ravel()
    assert len(targets) == len(set(targets.tolist())) == num_tokens // context * context


def test_epochs_and_seeds_differ_in_order_and_in_phase():
    split = make_split([4000])
    windows = TextWindows(split, context=10, seed=1)
    firsts = windows.batch(np.arange(1200))["tokens"][:, 0].reshape(3, 400)
    other = TextWindows(split, context=10, seed=2).batch(np.arange(400))["tokens"][:, 0]
    orders = [*firsts, other]
    assert len({tuple(order) for order in orders}) == 4
    assert len({order[0] % 10 for order in orders}) > 1
    assert not any(np.isin(np.diff(order), [10, 10 - 4001]).all() for order in orders), "in order of the text"


def batch_in_a_process(numbers: list[int]) -> list[list[int]]:
    windows = TextWindows(make_split([999]), context=16, seed=3)
    return windows.batch(np.array(numbers))["tokens"].tolist()


def test_another_process_sees_the_same_windows():
    numbers = [500, 3, 62, 61]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(batch_in_a_process, (numbers,)) == batch_in_a_process(numbers)


def test_a_text_shorter_than_a_window_is_refused():
    assert TextWindows(make_split([16]), context=16, seed=0).num_windows == 1
    with pytest.raises(UserError, match=r"16 tokens: expected at least 17 .* shorter context"):
        TextWindows(make_split([15]), context=16, seed=0)
    with pytest.raises(UserError, match="context 0"):
        TextWindows(make_split([15]), context=0, seed=0)
    with pytest.raises(UserError, match="context 0"):
        evaluation_windows(make_split([15]), context=0)


@given(lengths=st.lists(st.integers(1, 30), min_size=1, max_size=12), context=st.integers(1, 50))
@settings(max_examples=80, deadline=None)
def test_evaluation_covers_every_token_but_the_first_once_and_knows_its_document(lengths, context):
    split = make_split(lengths)
    windows = evaluation_windows(split, context=context)
    real = windows.targets >= 0
    assert windows.inputs.shape == windows.targets.shape == windows.documents.shape
    assert windows.inputs.shape[1] == context
    assert windows.targets[real].tolist() == list(range(1, len(split.tokens)))
    assert (windows.inputs[real] == windows.targets[real] - 1).all()
    assert (windows.documents[~real] == -1).all()
    owner = [number for number, length in enumerate(lengths) for _ in range(length + 1)]
    assert windows.documents[real].tolist() == owner[1:]
    values = np.where(real, windows.targets**2, 10**6).astype(np.float64)
    expected = [sum(token**2 for token, of in enumerate(owner) if of == number) for number in range(len(lengths))]
    assert windows.sum_by_document(values).tolist() == expected
