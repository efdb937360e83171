"""Intervals equal SciPy's and naive loops, and cover as often as they say."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pennyweight.arrays.statistics import (
    bootstrap,
    difference_of_means,
    median,
    paired_difference,
    paired_ratio,
    ratio_of_means,
    ratio_of_sums,
)

samples = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30).filter(lambda v: np.std(v) > 1e-3)


@given(samples, samples, st.sampled_from([0.8, 0.95, 0.99]))
def test_a_difference_of_means_is_welchs(a: list[float], b: list[float], confidence: float) -> None:
    ours = difference_of_means(a, b, confidence=confidence)
    theirs = stats.ttest_ind(a, b, equal_var=False).confidence_interval(confidence)
    scale = max(map(abs, [*a, *b]))
    assert ours.value == pytest.approx(np.mean(a) - np.mean(b), abs=1e-12 * scale)
    assert [ours.low, ours.high] == pytest.approx([theirs.low, theirs.high], rel=1e-9, abs=1e-9 * scale)


@pytest.mark.parametrize("scale", [1e-150, 1e-100, 1e100, 1e150])
def test_a_difference_of_means_does_not_depend_on_the_unit(scale: float) -> None:
    a, b = np.array([3.0, 3.2, 2.7]), np.array([1.0, 1.1, 0.7, 0.9])
    one, other = difference_of_means(a, b), difference_of_means(a * scale, b * scale)
    assert np.array(other) / scale == pytest.approx(np.array(one), rel=1e-9)


def test_one_value_says_nothing_of_the_spread() -> None:
    assert difference_of_means([3.0], [1.0, 2.0]) == (1.5, -np.inf, np.inf)
    assert ratio_of_means([3.0], [1.0, 3.0])[1:] == (0.0, np.inf)


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert difference_of_means([2.0, 2.0], [1.0, 1.0]) == (1.0, 1.0, 1.0)


def test_a_ratio_of_means_is_geometric_and_turns_over() -> None:
    a, b = [1.0, 4.0, 9.0], [2.0, 3.0, 5.0]
    ratio, turned = ratio_of_means(a, b), ratio_of_means(b, a)
    assert ratio.value == pytest.approx(stats.gmean(a) / stats.gmean(b))
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((1 / turned.value, 1 / turned.high, 1 / turned.low))
    assert ratio.low < ratio.value < ratio.high
    scaled = ratio_of_means(np.array(a) * 1000, np.array(b) * 1000)
    assert scaled == pytest.approx(ratio)


@pytest.mark.parametrize("wrong", [[0.0, 1.0], [-1.0, 1.0]])
def test_a_ratio_needs_positive_values(wrong: list[float]) -> None:
    with pytest.raises(ValueError, match="positive"):
        ratio_of_means(wrong, [1.0, 2.0])
    with pytest.raises(ValueError, match="positive"):
        ratio_of_means([1.0, 2.0], wrong)


@pytest.mark.parametrize("wrong", [[], [[1.0, 2.0]], 3.0])
def test_values_must_be_a_row(wrong: object) -> None:
    with pytest.raises(ValueError, match="one-dimensional"):
        median(wrong)  # type: ignore[arg-type]


@given(st.integers(1, 120), st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]))
def test_the_median_has_the_narrowest_interval_that_the_counts_allow(n: int, confidence: float) -> None:
    values = np.random.default_rng(n).permutation(n).astype(float)
    estimate = median(values, confidence=confidence)
    assert estimate.value == np.median(values)
    k = int(estimate.low)
    assert estimate.high == n - 1 - k

    def coverage(index: int) -> float:
        # The k-th smallest of n lies above the median when at most k of n fair coins fall below it.
        return 1 - 2 * float(stats.binom.cdf(index, n, 0.5))

    if coverage(0) >= confidence:
        assert coverage(k) >= confidence
        assert k + 1 > (n - 1) // 2 or coverage(k + 1) < confidence
    else:
        assert k == 0


def test_the_median_of_ten_has_the_textbook_interval() -> None:
    assert median(np.arange(1.0, 11.0)) == (5.5, 2.0, 9.0)


def test_the_median_equals_scipys_quantile_test() -> None:
    values = np.random.default_rng(3).lognormal(size=41)
    theirs = stats.quantile_test(values, p=0.5).confidence_interval(0.95)
    ours = median(values)
    assert ours.low >= theirs.low
    assert ours.high <= theirs.high
    assert ours.low <= np.median(values) <= ours.high


def test_a_ratio_of_sums_is_a_bootstrap_over_units() -> None:
    generator = np.random.default_rng(5)
    sizes = generator.integers(50, 500, 60).astype(float)
    bits = sizes * generator.normal(2.0, 0.4, 60)
    ours = ratio_of_sums(bits, sizes, num_resamples=8000, seed=1)
    naive = []
    for _ in range(8000):
        chosen = generator.integers(0, 60, 60)
        naive.append(bits[chosen].sum() / sizes[chosen].sum())
    width = ours.high - ours.low
    assert ours.value == pytest.approx(bits.sum() / sizes.sum())
    assert ours.low == pytest.approx(np.quantile(naive, 0.025), abs=0.05 * width)
    assert ours.high == pytest.approx(np.quantile(naive, 0.975), abs=0.05 * width)
    assert ratio_of_sums(bits, sizes, seed=1) == ratio_of_sums(bits, sizes, seed=1)


def test_a_ratio_of_sums_needs_pairs() -> None:
    with pytest.raises(ValueError, match="2 numerators and 3 denominators"):
        ratio_of_sums(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match="0 numerators"):
        ratio_of_sums(np.ones(0), np.ones(0))


def _coverage(interval, draw, truth: float, *, trials: int = 2000) -> float:  # type: ignore[no-untyped-def]
    generator = np.random.default_rng(11)
    hits = 0
    for _ in range(trials):
        estimate = interval(*draw(generator))
        hits += estimate.low <= truth <= estimate.high
    return hits / trials


def test_welchs_interval_covers_as_often_as_it_says() -> None:
    def draw(g: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return g.normal(1.0, 1.0, 5), g.normal(0.0, 3.0, 8)

    ninety_nine = _coverage(lambda a, b: difference_of_means(a, b, confidence=0.99), draw, 1.0)
    assert 0.98 <= ninety_nine <= 1.0
    assert 0.935 <= _coverage(difference_of_means, draw, 1.0) <= 0.965


def test_the_medians_interval_covers_at_least_as_often_as_it_says() -> None:
    for n in (7, 10, 25):
        covered = _coverage(median, lambda g, n=n: (g.exponential(1.0, n),), np.log(2))
        assert 0.94 <= covered <= 0.995, n


def test_the_bootstrap_covers_about_as_often_as_it_says() -> None:
    def draw(g: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        sizes = g.integers(50, 500, 80).astype(float)
        return sizes * g.normal(2.0, 0.4, 80), sizes

    assert 0.91 <= _coverage(lambda a, b: ratio_of_sums(a, b, num_resamples=300), draw, 2.0, trials=600) <= 0.98


def _philox(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def _ratio(a: Any, b: Any, axis: int) -> Any:
    return a.mean(axis) / b.mean(axis)


@pytest.mark.parametrize(("method", "theirs"), [("percentile", "percentile"), ("bca", "BCa")])
@pytest.mark.parametrize("statistic", [np.mean, np.median, np.std])
def test_a_bootstrap_equals_scipys_on_the_same_resamples(method: Any, theirs: str, statistic: Any) -> None:
    values = np.random.default_rng(0).lognormal(size=25)
    ours = bootstrap(statistic, values, seed=3, method=method, num_resamples=999, confidence=0.9)
    interval = stats.bootstrap(
        (values,), statistic, method=theirs, n_resamples=999, confidence_level=0.9, rng=_philox(3), vectorized=True
    ).confidence_interval
    assert ours.value == statistic(values)
    assert [ours.low, ours.high] == pytest.approx([interval.low, interval.high], rel=1e-12)


def test_a_bootstrap_keeps_the_columns_of_a_row_together() -> None:
    generator = np.random.default_rng(1)
    a = generator.lognormal(size=30)
    b = a * generator.lognormal(sigma=0.05, size=30)
    ours = bootstrap(_ratio, a, b, seed=5, num_resamples=800)
    theirs = stats.bootstrap(
        (a, b), _ratio, paired=True, method="BCa", n_resamples=800, rng=_philox(5), vectorized=True
    ).confidence_interval
    assert [ours.low, ours.high] == pytest.approx([theirs.low, theirs.high], rel=1e-12)
    assert ours.high - ours.low < 0.1


def test_a_bootstrap_takes_rows_of_any_shape_from_any_library() -> None:
    rows = np.random.default_rng(2).normal(size=(20, 3))

    def spread(x: Any, axis: int) -> Any:
        return (x.mean(axis) ** 2).sum(-1)

    ours = bootstrap(spread, torch.asarray(rows), seed=1, num_resamples=300)
    assert ours == pytest.approx(bootstrap(spread, rows, seed=1, num_resamples=300), rel=1e-12)


def test_a_bootstrap_does_not_depend_on_how_much_is_taken_at_a_time() -> None:
    values = np.random.default_rng(3).normal(size=30)
    one, other = (bootstrap(np.mean, values, seed=2, num_resamples=500, memory_bytes=m) for m in (2**26, 2000))
    assert one == other
    assert one != bootstrap(np.mean, values, seed=3, num_resamples=500)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_a_statistic_that_never_varies_has_an_interval_of_no_width(method: Any) -> None:
    assert bootstrap(np.mean, np.full(5, 2.0), seed=0, method=method, num_resamples=50) == (2.0, 2.0, 2.0)


def test_bca_covers_the_mean_of_skewed_values_better_than_percentiles() -> None:
    def covered(method: Any) -> float:
        return _coverage(
            lambda x: bootstrap(np.mean, x, seed=0, method=method, num_resamples=500),
            lambda g: (g.lognormal(0.0, 1.0, 25),),
            float(np.exp(0.5)),
            trials=800,
        )

    percentile, bca = covered("percentile"), covered("bca")
    assert 0.80 <= percentile < bca <= 0.95


def test_a_paired_difference_is_students() -> None:
    generator = np.random.default_rng(4)
    a = generator.normal(size=9)
    b = a + generator.normal(0.3, 0.1, size=9)
    ours = paired_difference(a, b, confidence=0.99)
    theirs = stats.ttest_rel(a, b).confidence_interval(0.99)
    assert ours.value == pytest.approx((a - b).mean())
    assert [ours.low, ours.high] == pytest.approx([theirs.low, theirs.high])
    assert ours.high - ours.low < 0.5 * np.ptp(difference_of_means(a, b)[1:])


def test_a_paired_ratio_is_geometric_and_turns_over() -> None:
    a, b = np.array([1.0, 4.0, 9.0]), np.array([2.0, 3.0, 5.0])
    ratio, turned = paired_ratio(a, b), paired_ratio(b, a)
    assert ratio.value == pytest.approx(stats.gmean(a / b))
    assert ratio == pytest.approx((1 / turned.value, 1 / turned.high, 1 / turned.low))
    assert paired_ratio(a * [10, 20, 30], b * [10, 20, 30]) == pytest.approx(ratio)


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_paired_bootstraps_resample_the_pairs(method: Any) -> None:
    generator = np.random.default_rng(5)
    a = generator.lognormal(size=40)
    b = a * generator.lognormal(0.2, 0.1, size=40)
    difference = paired_difference(a, b, method=method, seed=1)
    assert difference == bootstrap(np.mean, a - b, method=method, seed=1)
    ratio = paired_ratio(a, b, method=method, seed=1)
    assert ratio == pytest.approx(np.exp(bootstrap(np.mean, np.log(a / b), method=method, seed=1)))
    assert ratio.low < np.exp(-0.2) < ratio.high


def test_paired_intervals_cover_as_often_as_they_say() -> None:
    def draw(g: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        a = g.normal(0.0, 5.0, 8)
        return a, a - g.normal(1.0, 0.5, 8)

    assert 0.935 <= _coverage(paired_difference, draw, 1.0) <= 0.965


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paired_difference([1.0, 2.0], [1.0]), "2 and 1 values: expected pairs"),
        (lambda: paired_difference([1.0, 2.0], [2.0, 1.0], method="bca"), "method 'bca' without a seed"),
        (lambda: paired_ratio([1.0, 0.0], [1.0, 2.0]), "needs positive values"),
        (lambda: bootstrap(np.mean, np.ones(1), seed=0), r"columns of \[1\] rows"),
        (lambda: bootstrap(_ratio, np.ones(3), np.ones(4), seed=0), r"columns of \[3, 4\] rows"),
        (lambda: bootstrap(lambda x, axis: x, np.ones(3), seed=0), r"a statistic of shape \(1, 3\) for 1 resamples"),
        (lambda: bootstrap(np.mean, np.ones(3), seed=0, method="basic"), "method 'basic'"),  # type: ignore[arg-type]
    ],
)
def test_mistakes_are_told(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_one_pair_says_nothing_of_the_spread() -> None:
    assert paired_difference([3.0], [1.0]) == (2.0, -np.inf, np.inf)
    assert paired_ratio([3.0], [1.0])[1:] == (0.0, np.inf)
