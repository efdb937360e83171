"""Neighbours are those of a plain loop, ties and near ties included, in bounded memory."""

import tracemalloc
import weakref
from pathlib import Path
from typing import Any

import dask
import dask.array
import jax
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from pennyweight.arrays import neighbours
from pennyweight.arrays.neighbours import nearest

MAKERS: dict[str, Any] = {
    "numpy": np.asarray,
    "torch": torch.asarray,
    "jax": jax.numpy.asarray,
    "dask": lambda x: dask.array.from_array(x, chunks=(13, 2)),
}


def _by_loop(queries: np.ndarray, database: np.ndarray, k: int) -> np.ndarray:
    found = []
    for query in queries:
        distances = [(float(((query - row) ** 2).sum()), index) for index, row in enumerate(database)]
        found.append([index for _, index in sorted(distances)[:k]])
    return np.array(found)


@pytest.mark.parametrize(
    ("name", "k"), [("numpy", 1), ("numpy", 40), ("torch", 1), ("torch", 40), ("jax", 7), ("dask", 1), ("dask", 40)]
)
def test_of_equal_distances_the_lower_row_wins(name: str, k: int) -> None:
    """Whole numbers from a small grid: most distances are tied, and the candidates first picked do not suffice."""
    generator = np.random.default_rng(k)
    database = generator.integers(0, 2, (120, 3)).astype(np.float32)
    queries = generator.integers(0, 2, (9, 3)).astype(np.float32)
    found = nearest(MAKERS[name](queries), MAKERS[name](database), k)
    np.testing.assert_array_equal(np.asarray(found.indices), _by_loop(queries, database, k))


@given(st.integers(1, 5), st.integers(1, 60), st.integers(1, 4), st.integers(0, 1000), st.data())
def test_neighbours_are_those_of_a_loop(count: int, rows: int, width: int, seed: int, data: Any) -> None:
    generator = np.random.default_rng(seed)
    k = data.draw(st.integers(1, rows))
    queries, database = generator.integers(0, 4, (count, width)) / 1.0, generator.integers(0, 4, (rows, width)) / 1.0
    found = nearest(queries, database, k, memory_bytes=data.draw(st.sampled_from([100, 2000, 2**26])))
    expected = _by_loop(queries, database, k)
    np.testing.assert_array_equal(found.indices, expected)
    distances = ((queries[:, None, :] - database[expected]) ** 2).sum(axis=-1)
    np.testing.assert_array_equal(found.distances, distances)


def test_far_from_the_origin_the_products_alone_would_choose_wrongly() -> None:
    """|a|^2 - 2 a.b has an error of units where the distances are millionths: the bound notices and looks again."""
    generator = np.random.default_rng(0)
    database = (3000 + 0.01 * generator.normal(size=(2000, 8))).astype(np.float32)
    queries = database[:20] + np.float32(0.001)
    wide, narrow = database.astype(np.float64), queries.astype(np.float64)
    exact = ((narrow[:, None, :] - wide[None]) ** 2).sum(axis=-1)
    products = (database**2).sum(axis=1) - 2 * queries @ database.T
    assert (products.argmin(axis=1) != exact.argmin(axis=1)).mean() > 0.5
    found = nearest(queries, database, 5)
    np.testing.assert_array_equal(found.indices[:, 0], exact.argmin(axis=1))
    np.testing.assert_allclose(found.distances, np.sort(exact, axis=1)[:, :5], rtol=1e-5)


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_neighbours_equal_scikit_learns(name: str) -> None:
    generator = np.random.default_rng(1)
    database, queries = generator.normal(size=(3000, 16)), generator.normal(size=(1100, 16))  # two portions of queries
    for metric, theirs in (("squared", "sqeuclidean"), ("cosine", "cosine")):
        found = nearest(MAKERS[name](queries), MAKERS[name](database), 6, metric=metric)  # type: ignore[arg-type]
        brute = NearestNeighbors(n_neighbors=6, metric=theirs, algorithm="brute").fit(database)
        distances, indices = brute.kneighbors(queries)
        np.testing.assert_array_equal(found.indices, indices)
        np.testing.assert_allclose(found.distances, distances, atol=1e-12)


def test_the_second_look_is_rare_on_ordinary_data(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    run = neighbours._Search.run
    monkeypatch.setattr(
        neighbours._Search, "run", lambda self, queries, n: looks.append(len(queries)) or run(self, queries, n)
    )
    generator = np.random.default_rng(2)
    nearest(
        generator.normal(size=(500, 32)).astype(np.float32), generator.normal(size=(5000, 32)).astype(np.float32), 10
    )
    assert looks[0] == 500
    assert sum(looks[1:]) <= 5


def test_memory_stays_bounded() -> None:
    generator = np.random.default_rng(3)
    queries, database = generator.normal(size=(1000, 4)), generator.normal(size=(20_000, 4))
    tracemalloc.start()
    nearest(queries, database, 5, memory_bytes=2**22)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * 2**22  # the whole table of distances takes 160 MB


def test_a_memory_map_is_read_in_blocks(tmp_path: Path) -> None:
    rows = np.random.default_rng(4).normal(size=(5000, 8)).astype(np.float32)
    rows.tofile(tmp_path / "rows")
    mapped = np.memmap(tmp_path / "rows", dtype=np.float32, mode="r", shape=rows.shape)
    found = nearest(rows[:3], mapped, 2, memory_bytes=2**18)
    assert found.indices[:, 0].tolist() == [0, 1, 2]
    assert found.distances[:, 0].tolist() == [0, 0, 0]


def test_dask_holds_few_chunks_of_the_database_at_a_time() -> None:
    alive, most = 0, 0

    def forget() -> None:
        nonlocal alive
        alive -= 1

    def load(block_info: Any = None) -> np.ndarray:
        nonlocal alive, most
        first = block_info[None]["array-location"][0][0]
        chunk = np.random.default_rng(first).normal(size=(50, 3))
        weakref.finalize(chunk, forget)
        alive, most = alive + 1, max(most, alive + 1)
        return chunk

    database = dask.array.map_blocks(load, chunks=((50,) * 20, (3,)), dtype=float, meta=np.empty((0, 0)))
    whole = np.concatenate([np.random.default_rng(first).normal(size=(50, 3)) for first in range(0, 1000, 50)])
    queries = whole[::100]
    found = nearest(dask.array.from_array(queries, chunks=(5, 3)), database, 3)
    indices, distances = dask.compute(found.indices, found.distances, scheduler="synchronous")
    np.testing.assert_array_equal(indices, _by_loop(queries, whole, 3))
    assert distances[:, 0].max() == 0
    assert most <= 3


def test_no_queries_have_no_neighbours() -> None:
    found = nearest(np.ones((0, 3), dtype=np.float32), np.ones((5, 3), dtype=np.float32), 2)
    assert found.indices.shape == found.distances.shape == (0, 2)
    assert found.distances.dtype == np.float32


@pytest.mark.parametrize(
    ("queries", "database", "k", "metric", "message"),
    [
        (np.ones((2, 3)), np.ones((4, 3)), 5, "squared", "5 neighbours in a database of 4 rows: expected 1 to 4"),
        (np.ones((2, 3)), np.ones((4, 3)), 0, "squared", "expected 1 to 4"),
        (np.ones((2, 3)), np.ones((4, 2)), 1, "squared", "rows of one width"),
        (np.ones(3), np.ones((4, 3)), 1, "squared", "two matrices"),
        (np.ones((2, 3)), np.ones((4, 3)), 1, "euclidean", "metric 'euclidean': expected 'squared' or 'cosine'"),
        (np.full((2, 3), np.nan), np.ones((4, 3)), 1, "squared", "queries with values that are not finite"),
        (np.ones((2, 3)), np.full((4, 3), np.inf), 1, "squared", "a database with values that are not finite"),
        (np.ones((2, 3)), np.zeros((4, 3)), 1, "cosine", "a database with rows of zeros"),
    ],
)
def test_mistakes_are_told(queries: Any, database: Any, k: int, metric: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nearest(queries, database, k, metric=metric)
