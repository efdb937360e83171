"""Rows by number, in an order of their own in each epoch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.core.errors import UserError
from pennyweight.data.rows import ShuffledRows, divided_rows


@given(rows=st.integers(1, 30), batch=st.integers(1, 40), seed=st.integers(0, 99))
def test_each_epoch_has_each_row_once_whatever_the_batches(rows: int, batch: int, seed: int) -> None:
    source = ShuffledRows({"x": np.arange(rows, dtype=np.uint16), "y": np.arange(rows) / 2}, seed=seed)
    seen = np.concatenate(
        [
            source.batch(np.arange(at, min(at + batch, 3 * rows), dtype=np.int64))["x"]
            for at in range(0, 3 * rows, batch)
        ]
    )
    for epoch in range(3):
        assert sorted(seen[epoch * rows : (epoch + 1) * rows].tolist()) == list(range(rows))
    again = ShuffledRows({"x": np.arange(rows, dtype=np.uint16), "y": np.arange(rows) / 2}, seed=seed)
    number = 2 * rows + rows // 2
    row = again.batch(np.array([number]))
    assert row["x"].dtype == np.int64
    assert row["x"][0] == seen[number] == 2 * row["y"][0]


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    arrays = {"x": np.arange(50)}
    first, second = (ShuffledRows(arrays, seed=seed).batch(np.arange(100))["x"] for seed in (0, 1))
    assert first[:50].tolist() != first[50:].tolist()
    assert first.tolist() != second.tolist()


def test_no_rows_are_refused() -> None:
    with pytest.raises(UserError, match="no training examples"):
        ShuffledRows({"x": np.arange(0)}, seed=0)


@given(documents=st.lists(st.integers(0, 9), min_size=2, max_size=40), share=st.floats(0.05, 0.95))
def test_rows_are_divided_by_document(documents: list[int], share: float) -> None:
    numbers = np.array(documents)
    different = len(set(documents))
    if different < 2:
        with pytest.raises(UserError, match="two or more"):
            divided_rows(numbers, share)
        return
    first, second = divided_rows(numbers, share)
    assert (first ^ second).all()
    assert set(numbers[first]).isdisjoint(numbers[second])
    assert len(set(numbers[second])) == pytest.approx(min(max(share * different, 1), different - 1), abs=0.51)
