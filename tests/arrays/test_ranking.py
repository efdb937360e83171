"""Scores and metrics equal plain loops over dictionaries."""

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import ndcg_score

from pennyweight.arrays.ranking import (
    bm25,
    bm25_parts,
    ndcg,
    places,
    rarity,
    recall,
    reciprocal_rank,
    reciprocal_rank_fusion,
    saturation,
)

DOCUMENTS = [
    "the cat sat on the mat",
    "the dog ate the cat food and the cat ate nothing at all",
    "a mat",
    "dogs and cats and mats",
    "the the the",
]
QUERIES = ["the cat", "mat cat dog", "unicorn the"]


def _by_dictionaries(query: str, document: str, variant: str, k1: float, b: float) -> dict[str, float]:
    counts = [Counter(d.split()) for d in DOCUMENTS]
    mean = sum(sum(c.values()) for c in counts) / len(counts)
    mine = Counter(document.split())
    parts = {}
    for term in query.split():
        holding = sum(term in c for c in counts)
        odds = (len(DOCUMENTS) - holding + 0.5) / (holding + 0.5)
        idf = math.log(odds) if variant == "robertson" else math.log(1 + odds)
        norm = k1 * (1 - b + b * sum(mine.values()) / mean)
        tf = mine[term] / (mine[term] + norm) if mine[term] else 0.0
        parts[term] = idf * tf * (k1 + 1 if variant == "robertson" else 1)
    return parts


def _arrays(query: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
    counts = [Counter(d.split()) for d in DOCUMENTS]
    terms = query.split()
    frequencies = np.array([[c[t] for t in terms] for c in counts], dtype=float)
    lengths = np.array([sum(c.values()) for c in counts], dtype=float)
    holding = np.array([sum(t in c for c in counts) for t in terms], dtype=float)
    return frequencies, lengths, holding, {"num_documents": len(DOCUMENTS), "mean_length": lengths.mean()}


@pytest.mark.parametrize("variant", ["lucene", "robertson"])
@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (0.0, 0.75), (2.0, 0.0), (0.9, 1.0)])
@pytest.mark.parametrize("query", QUERIES)
def test_every_part_and_every_score_is_that_of_the_dictionaries(query: str, k1: float, b: float, variant: Any) -> None:
    frequencies, lengths, holding, collection = _arrays(query)
    parts = bm25_parts(frequencies, lengths, holding, **collection, k1=k1, b=b, variant=variant)
    scores = bm25(frequencies, lengths, holding, **collection, k1=k1, b=b, variant=variant)
    for place, document in enumerate(DOCUMENTS):
        expected = _by_dictionaries(query, document, variant, k1, b)
        np.testing.assert_allclose(parts[place], [expected[t] for t in query.split()], atol=1e-15)
        assert scores[place] == pytest.approx(sum(expected.values()), abs=1e-14)


def test_the_score_is_exactly_the_sum_of_its_parts() -> None:
    frequencies, lengths, holding, collection = _arrays("mat cat dog")
    parts = bm25_parts(frequencies, lengths, holding, **collection)
    np.testing.assert_array_equal(bm25(frequencies, lengths, holding, **collection), parts.sum(axis=-1))


def test_many_queries_at_once_are_each_query_alone() -> None:
    arrays = [_arrays(query) for query in ("the cat", "mat dog")]
    frequencies, holding = np.stack([a[0] for a in arrays]), np.stack([a[2] for a in arrays])
    together = bm25(frequencies, arrays[0][1], holding, **arrays[0][3])
    assert together.shape == (2, len(DOCUMENTS))
    for row, (one, lengths, held, collection) in zip(together, arrays, strict=True):
        np.testing.assert_array_equal(row, bm25(one, lengths, held, **collection))


def test_weights_multiply_terms() -> None:
    frequencies, lengths, holding, collection = _arrays("the cat")
    weights = np.array([2.0, 0.25])
    parts = bm25_parts(frequencies, lengths, holding, **collection)
    weighted = bm25_parts(frequencies, lengths, holding, weights=weights, **collection)
    np.testing.assert_allclose(weighted, parts * weights, rtol=1e-15)


def test_the_variants_differ_where_they_should() -> None:
    held = np.array([1.0, 60.0, 99.0])
    assert (rarity(held, 100) > 0).all()
    assert (rarity(held, 100, variant="robertson") < 0).tolist() == [False, True, True]
    counts, lengths = np.array([[1.0, 1e9]]), np.array([20.0])
    np.testing.assert_allclose(saturation(counts, lengths, 20.0)[0, 1], 1)
    np.testing.assert_allclose(saturation(counts, lengths, 20.0, variant="robertson")[0], [1.0, 2.2])


scored = hnp.arrays(np.float64, st.tuples(st.just(2), st.integers(1, 12)), elements=st.integers(0, 4).map(float))


def _in_order(scores: np.ndarray, values: np.ndarray) -> list[float]:
    return [values[i] for i in sorted(range(len(scores)), key=lambda i: (-scores[i], i))]


@given(scored, st.integers(1, 14), st.sampled_from(["linear", "exponential"]))
def test_metrics_equal_loops_with_ties(pair: np.ndarray, k: int, gain: Any) -> None:
    scores, grades = pair

    def dcg(values: list[float]) -> float:
        gains = [v if gain == "linear" else 2**v - 1 for v in values[:k]]
        return sum(g / math.log2(i + 2) for i, g in enumerate(gains))

    found = _in_order(scores, grades)
    if not any(grades):
        for value in (ndcg(scores, grades, k=k), recall(scores, grades, k=k), reciprocal_rank(scores, grades)):
            assert np.isnan(value)
        return
    assert ndcg(scores, grades, k=k, gain=gain) == pytest.approx(dcg(found) / dcg(sorted(grades, reverse=True)))
    relevant = sum(g > 0 for g in grades)
    assert recall(scores, grades, k=k) == pytest.approx(sum(g > 0 for g in found[:k]) / relevant)
    first = next((1 / (i + 1) for i, g in enumerate(found[:k]) if g > 0), 0.0)
    assert reciprocal_rank(scores, grades, k=k) == first


@given(scored)
def test_places_equal_a_loop_with_ties(pair: np.ndarray) -> None:
    scores = pair[0]
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    assert [order.index(i) + 1 for i in range(len(scores))] == places(scores).tolist()


def test_ndcg_equals_scikit_learns() -> None:
    generator = np.random.default_rng(0)
    scores, grades = generator.normal(size=(20, 15)), generator.integers(0, 4, (20, 15)).astype(float)
    assert ndcg(scores, grades, k=7).mean() == pytest.approx(ndcg_score(grades, scores, k=7))


def test_candidates_that_are_not_there_come_last() -> None:
    scores, grades = np.array([1.0, -np.inf, 2.0]), np.array([1.0, 0.0, 0.0])
    assert places(scores).tolist() == [2, 3, 1]
    assert reciprocal_rank(scores, grades) == 0.5


def test_fusion_equals_a_loop() -> None:
    rankings = [["b", "a", "d"], ["a", "c"]]
    documents = "abcd"
    expected = [
        sum(w / (60 + ranking.index(d) + 1) for ranking, w in zip(rankings, (1.0, 0.5), strict=True) if d in ranking)
        for d in documents
    ]
    table = np.array([[r.index(d) + 1 if d in r else 0 for d in documents] for r in rankings])
    np.testing.assert_allclose(reciprocal_rank_fusion(table, weights=[1.0, 0.5]), expected)
    np.testing.assert_allclose(
        reciprocal_rank_fusion(table.astype(np.float32), weights=[1.0, 0.5]), expected, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rarity(np.ones(2), 5, variant="okapi"), "variant 'okapi'"),  # type: ignore[arg-type]
        (lambda: saturation(np.ones((2, 1)), np.ones(2), 3.0, variant="okapi"), "variant 'okapi'"),  # type: ignore[arg-type]
        (lambda: saturation(np.ones((2, 1)), np.ones(2), 3.0, b=1.5), "b 1.5"),
        (lambda: saturation(np.ones((2, 1)), np.ones(2), 0.0), "mean length 0.0"),
        (lambda: ndcg(np.ones(3), np.ones(3), k=0), "the best 0 documents"),
        (lambda: ndcg(np.ones(3), np.ones(3), gain="log"), "gain 'log'"),  # type: ignore[arg-type]
        (lambda: reciprocal_rank_fusion(np.ones((2, 3)), weights=[1.0]), r"places of \(2, 3\) with weights \[1.0\]"),
        (lambda: reciprocal_rank_fusion(np.ones(3)), r"places of \(3,\)"),
    ],
)
def test_mistakes_are_told(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
