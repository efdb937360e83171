"""Hidden tokens: how many, what stands in their place, and that a number always gives the same."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.data.masking import Marks, MaskedWindows, held_out_masks, masked, num_chosen
from pennyweight.data.tokens import TextWindows, TokenSplit

MARKS = Marks.beyond(50)


def a_split(*lengths: int) -> TokenSplit:
    """Documents of so many tokens with the separator 0."""
    generator = np.random.default_rng(0)
    parts = [np.concatenate([[0], generator.integers(1, 50, length)]) for length in lengths]
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
    return TokenSplit(
        tokens=np.concatenate(parts).astype(np.uint16),
        starts=starts.astype(np.int64),
        document_bytes=np.array(lengths, np.int64),
    )


@given(length=st.integers(1, 200), seed=st.integers(0, 10**9))
def test_fifteen_per_cent_are_chosen_and_the_others_left_as_they_are(length: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    text = generator.integers(0, 50, length)
    before = text.copy()
    hidden, places = masked(text, MARKS, generator)
    assert len(places) == max(1, round(0.15 * length))
    assert (np.diff(places) > 0).all()
    np.testing.assert_array_equal(text, before)
    others = np.setdiff1d(np.arange(length), places)
    np.testing.assert_array_equal(hidden[others], text[others])
    assert ((hidden < 50) | (hidden == MARKS.mask)).all()


def test_of_those_chosen_most_are_masked_a_tenth_replaced_and_a_tenth_left() -> None:
    text = np.full(20_000, 7)
    hidden, places = masked(text, MARKS, np.random.default_rng(0))
    seen = hidden[places]
    assert (seen == MARKS.mask).mean() == pytest.approx(0.8, abs=0.02)
    assert (seen == 7).mean() == pytest.approx(0.1 + 0.1 / 50, abs=0.015)
    replaced = seen[(seen != MARKS.mask) & (seen != 7)]
    assert set(replaced.tolist()) == set(range(50)) - {7}, "any token of the text's, and no mark"


def test_every_place_is_chosen_as_often_as_every_other() -> None:
    counts = np.zeros(20)
    for seed in range(4000):
        _, places = masked(np.zeros(20, np.int64), MARKS, np.random.default_rng(seed))
        counts[places] += 1
    assert counts == pytest.approx(np.full(20, 600), abs=110)


def test_a_number_gives_the_same_choices_in_any_order_and_the_next_epoch_others() -> None:
    split = a_split(400, 300)
    source = MaskedWindows(split, context=32, marks=MARKS, seed=3)
    numbers = np.arange(30, dtype=np.int64)
    whole = source.batch(numbers)
    again = MaskedWindows(split, context=32, marks=MARKS, seed=3)
    for n in (17, 4, 29):
        for name, array in again.batch(np.array([n])).items():
            np.testing.assert_array_equal(array[0], whole[name][n])
    texts = TextWindows(split, context=31, seed=3).batch(numbers)["tokens"]
    np.testing.assert_array_equal(np.take_along_axis(texts, whole["places"], 1), whole["targets"])
    assert whole["tokens"].shape == (30, 32)
    assert len({tuple(places) for places in whole["places"].tolist()}) == 30
    other = MaskedWindows(split, context=32, marks=MARKS, seed=4).batch(numbers)
    assert not np.array_equal(other["places"], whole["places"])


@given(lengths=st.lists(st.integers(1, 60), min_size=1, max_size=6), context=st.integers(2, 40))
def test_held_out_windows_hold_every_token_once_and_never_change(lengths: list[int], context: int) -> None:
    split = a_split(*lengths)
    found = held_out_masks(split, context=context, marks=MARKS)
    restored = found.tokens.copy()
    for row, places, targets in zip(restored, found.places, found.targets, strict=True):
        real = targets >= 0
        row[places[real]] = targets[real]
    flat = restored.ravel()
    np.testing.assert_array_equal(flat[: len(split.tokens)], split.tokens)
    assert (flat[len(split.tokens) :] == MARKS.padding).all()
    starts = [*split.starts.tolist(), len(split.tokens)]
    for window, (places, targets, documents) in enumerate(
        zip(found.places, found.targets, found.documents, strict=True)
    ):
        size = min(context, len(split.tokens) - window * context)
        assert (targets >= 0).sum() == num_chosen(size)
        for place, target, document in zip(places.tolist(), targets.tolist(), documents.tolist(), strict=True):
            if target >= 0:
                assert starts[document] <= window * context + place < starts[document + 1]
            else:
                assert document == -1
    again = held_out_masks(split, context=context, marks=MARKS)
    np.testing.assert_array_equal(again.tokens, found.tokens)
