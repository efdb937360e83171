"""The floors agree with a naive dictionary version, are probabilities, and meet their closed forms."""

import lzma
import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from pennyweight.core.errors import UserError
from pennyweight.data import floors as floors_module
from pennyweight.data.floors import floors, order0, witten_bell, xz
from pennyweight.data.text import TextConfig, open_text


def naive(train: list[bytes], test: list[bytes], order: int) -> float:
    """Interpolated Witten-Bell by its recursion, one byte at a time."""
    after = defaultdict(Counter)
    for document in train:
        for place, byte in enumerate(document):
            for length in range(min(order, place) + 1):
                after[document[place - length : place]][byte] += 1

    def probability(history: bytes, byte: int) -> float:
        below = probability(history[1:], byte) if history else 1 / 256
        seen = after.get(history)
        if not seen:
            return below
        return (seen[byte] + len(seen) * below) / (seen.total() + len(seen))

    bits = num_bytes = 0
    for document in test:
        for place, byte in enumerate(document):
            bits -= math.log2(probability(document[max(place - order, 0) : place], byte))
            num_bytes += 1
    return bits / num_bytes


def random_documents(seed: int, number: int, longest: int, letters: int) -> list[bytes]:
    random = np.random.default_rng(seed)
    return [random.integers(letters, size=random.integers(longest), dtype=np.uint8).tobytes() for _ in range(number)]


STRUCTURED = [b"the cat sat on the mat. " * 9, b"", b"a", b"the dog sat on the log." * 5, "žluťoučký kůň".encode()]


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("letters", [2, 5, 256])
def test_agrees_with_the_naive_recursion_on_random_text(order, letters):
    train = random_documents(1, 30, 40, letters)
    test = random_documents(2, 9, 30, letters)
    assert witten_bell(train, test, order=order) == pytest.approx(naive(train, test, order), abs=1e-9)


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_agrees_with_the_naive_recursion_on_structured_text(order):
    test = [b"the rat sat on the cat", b"q", b"the", "kůň".encode()]
    assert witten_bell(STRUCTURED, test, order=order) == pytest.approx(naive(STRUCTURED, test, order), abs=1e-9)


@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_counting_in_chunks_changes_nothing(monkeypatch, chunk):
    expected = witten_bell(STRUCTURED, [b"the mat on the log"])
    monkeypatch.setattr(floors_module, "_CHUNK", chunk)
    assert witten_bell(STRUCTURED, [b"the mat on the log"]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("history", [b"", b"t", b"th", b"the", b" the", b"zzz", b"\xff"])
@pytest.mark.parametrize("order", [0, 3])
def test_probabilities_of_the_next_byte_sum_to_one(history, order):
    def bits(text: bytes) -> float:
        return witten_bell(STRUCTURED, [text], order=order) * len(text) if text else 0.0

    total = sum(2.0 ** (bits(history) - bits(history + bytes([byte]))) for byte in range(256))
    assert total == pytest.approx(1, abs=1e-9)


def test_nothing_learnt_costs_eight_bits():
    assert witten_bell([], [b"anything"]) == 8
    assert order0([b""], [b"anything"]) == 8


def test_equally_frequent_bytes_cost_eight_bits():
    every = bytes(range(256))
    assert order0([every * 7], [every]) == pytest.approx(8, abs=1e-12)


def test_order_zero_of_one_repeated_byte_is_its_closed_form():
    assert order0([b"a" * 99], [b"a"]) == pytest.approx(-math.log2((99 + 1 / 256) / 100), abs=1e-12)


def test_documents_are_independent():
    """Joining documents adds histories that cross their border, so it must change counts and scores."""
    assert witten_bell([b"ab", b"cd"], [b"bc"]) > witten_bell([b"abcd"], [b"bc"])
    assert witten_bell([b"abcd"], [b"b", b"c"]) > witten_bell([b"abcd"], [b"bc"])


def test_more_history_helps_on_text_with_memory():
    costs = [witten_bell([b"abcabdabe" * 50], [b"abcabdabe" * 5], order=order) for order in range(4)]
    assert costs == sorted(costs, reverse=True)
    assert costs[3] < 0.5 < 2 < costs[0]


def test_xz_is_the_size_of_its_file_at_the_strongest_preset():
    """What repeats nine million bytes later is beyond weaker presets, and words are packed otherwise by extreme."""
    random = np.random.default_rng(5)
    block = random.bytes(4096)
    words = b" ".join(b"w%d" % word for word in random.zipf(1.5, size=9000) % 700)
    test = [block, bytes(9 << 20), block, words]
    joined = b"".join(test)
    size, weaker, plain = (
        len(lzma.compress(joined, format=lzma.FORMAT_XZ, preset=preset))
        for preset in (9 | lzma.PRESET_EXTREME, 6 | lzma.PRESET_EXTREME, 9)
    )
    assert size < weaker
    assert size != plain
    assert xz(test) == 8 * size / len(joined)


@pytest.mark.parametrize("floor", [lambda test: order0([b"a"], test), lambda test: witten_bell([b"a"], test), xz])
@pytest.mark.parametrize("test", [[], [b""]])
def test_an_empty_held_out_text_is_refused(floor, test):
    with pytest.raises(UserError, match="held-out text is empty"):
        floor(test)


def test_an_order_that_cannot_be_packed_is_refused():
    with pytest.raises(ValueError, match="order 4"):
        witten_bell([b"a"], [b"a"], order=4)


@pytest.fixture
def corpus(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.txt").write_text(f"document {number}\n" * (number + 3))
    return open_text(TextConfig(path=str(folder), tokenizer="bytes"), cache=tmp_path / "cache")


def test_floors_of_a_corpus_are_those_of_its_test_documents(corpus, tmp_path):
    train, test = corpus.documents("train"), corpus.documents("test")
    assert floors(corpus, cache=tmp_path / "cache") == pytest.approx(
        {"order-0": naive(train, test, 0), "witten-bell order-3": naive(train, test, 3), "xz -9e": xz(test)}
    )


def test_floors_are_measured_once_and_again_when_the_record_is_damaged(corpus, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    first = floors(corpus, cache=cache)
    (kept,) = (cache / "text").glob("floors-*.json")
    monkeypatch.setattr(floors_module, "witten_bell", lambda *_, **__: pytest.fail("measured twice"))
    assert floors(corpus, cache=cache) == first
    monkeypatch.undo()
    for damage in ["", "[]", "{}", kept.read_text()[:-9]]:
        kept.write_text(damage)
        assert floors(corpus, cache=cache) == first
