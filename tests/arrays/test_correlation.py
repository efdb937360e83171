"""Correlations equal SciPy's, ties, near ties and extreme units included."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from pennyweight.arrays import correlation
from pennyweight.arrays.correlation import kendall, kendall_distance, pearson, ranks, spearman

ORACLES = [(pearson, stats.pearsonr), (spearman, stats.spearmanr), (kendall, stats.kendalltau)]
grids = hnp.arrays(np.float64, st.tuples(st.just(2), st.integers(2, 30)), elements=st.integers(0, 6).map(float))


@pytest.mark.filterwarnings("ignore::scipy.stats.ConstantInputWarning")
@pytest.mark.parametrize(("ours", "theirs"), ORACLES)
@given(pair=grids)
def test_correlations_equal_scipys_with_ties(ours: Any, theirs: Any, pair: np.ndarray) -> None:
    x, y = pair
    np.testing.assert_allclose(ours(x, y), theirs(x, y).statistic, atol=1e-13)


@pytest.mark.parametrize(("ours", "theirs"), ORACLES)
def test_many_pairs_at_once_are_each_pair_alone(ours: Any, theirs: Any) -> None:
    generator = np.random.default_rng(0)
    x, y = generator.integers(0, 9, (3, 1, 20)) / 1.0, generator.normal(size=(4, 20))
    together = ours(x, y)
    assert together.shape == (3, 4)
    for i in range(3):
        for j in range(4):
            assert together[i, j] == pytest.approx(theirs(x[i, 0], y[j]).statistic, abs=1e-13)


@pytest.mark.parametrize("scale", [1e-300, 1e-155, 1.0, 1e155, 1e300])
@pytest.mark.parametrize("function", [pearson, spearman, kendall, kendall_distance])
def test_the_unit_does_not_matter(function: Any, scale: float) -> None:
    x, y = np.array([1.0, 3.0, 2.0, 5.0, 4.5]), np.array([2.0, 2.5, 3.0, 9.0, 1.0])
    assert function(scale * x, y) == pytest.approx(float(function(x, y)), rel=1e-12)
    assert function(-scale * x, y) == pytest.approx(float(function(-x, y)), rel=1e-12)


def test_values_that_differ_in_the_last_bit_are_not_tied() -> None:
    x = np.array([1.0, np.nextafter(1.0, 2.0), 5e-324, 0.0])
    assert ranks(x).tolist() == [3.0, 4.0, 2.0, 1.0]
    assert kendall(x, ranks(x)) == pytest.approx(1.0)


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 3), st.integers(2, 20)), elements=st.integers(-3, 3).map(float)))
def test_ranks_equal_scipys(x: np.ndarray) -> None:
    np.testing.assert_array_equal(ranks(x), stats.rankdata(x, axis=-1))


def test_infinite_values_have_a_rank() -> None:
    assert ranks(np.array([np.inf, -np.inf, 0.0, np.inf])).tolist() == [3.5, 1.0, 2.0, 3.5]
    assert kendall(np.array([np.inf, -np.inf, 0.0]), np.array([2.0, 0.0, 1.0])) == 1.0


@given(st.permutations(range(7)), st.permutations(range(7)))
def test_the_distance_of_two_orders_is_the_share_of_pairs_that_they_disagree_on(a: list[int], b: list[int]) -> None:
    pairs = [(i, j) for i in range(7) for j in range(i)]
    disagreeing = sum((a[i] < a[j]) != (b[i] < b[j]) for i, j in pairs)
    assert kendall_distance(np.array(a, float), np.array(b, float)) == pytest.approx(disagreeing / len(pairs))


def test_a_tied_pair_counts_half() -> None:
    assert kendall_distance(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(0.5 / 3)


@pytest.mark.parametrize("function", [pearson, spearman, kendall, kendall_distance])
def test_nan_gives_nan_for_its_own_pair_alone(function: Any) -> None:
    x = np.array([[1.0, np.nan, 3.0], [1.0, 2.0, 3.0]])
    result = function(x, np.array([1.0, 2.0, 4.0]))
    assert np.isnan(result).tolist() == [True, False]
    assert np.isnan(ranks(x)[0]).tolist() == [False, True, False]


@pytest.mark.parametrize("function", [pearson, spearman, kendall])
@pytest.mark.parametrize("constant", [0.1, 1e300, 0.0])
def test_a_constant_sample_has_no_correlation(function: Any, constant: float) -> None:
    assert np.isnan(function(np.full(3, constant), np.array([1.0, 2.0, 4.0])))


@pytest.mark.parametrize("function", [kendall, spearman])
def test_blocks_give_what_the_whole_gives(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = np.random.default_rng(1).integers(0, 20, (2, 3, 50)) / 1.0
    whole = function(x, y)
    monkeypatch.setattr(correlation, "_MEMORY_BYTES", 16 * 150 * 7)
    np.testing.assert_array_equal(function(x, y), whole)


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        (np.arange(3), np.arange(3.0), TypeError, r"samples of int64 and \w+: expected floats"),
        (np.arange(3.0), np.arange(4.0), ValueError, r"samples of shape \(3,\) and \(4,\)"),
        (np.arange(1.0), np.arange(1.0), ValueError, "at least 2"),
        (np.array(1.0), np.array(1.0), ValueError, "at least 2"),
    ],
)
def test_mistakes_are_told(x: Any, y: Any, error: Any, message: str) -> None:
    for function in (pearson, spearman, kendall, kendall_distance):
        with pytest.raises(error, match=message):
            function(x, y)
