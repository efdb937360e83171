"""Distances between sets equal plain loops and closed forms, and their intervals cover."""

from typing import Any

import dask.array
import mpmath
import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.arrays.distances import (
    Moments,
    frechet_distance,
    kernel_distance,
    kernel_distance_interval,
    moments,
)


def _unbiased(x: np.ndarray, y: np.ndarray, kernel: Any) -> float:
    """The definition, pair by pair."""

    def within(z: np.ndarray) -> float:
        return float(np.mean([kernel(a, b) for i, a in enumerate(z) for j, b in enumerate(z) if i != j]))

    return within(x) + within(y) - 2 * float(np.mean([kernel(a, b) for a in x for b in y]))


@pytest.mark.parametrize("memory_bytes", [1, 3000, 2**26])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_kernel_distance_is_its_definition(memory_bytes: int, dtype: Any) -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(13, 4)).astype(dtype), (generator.normal(size=(9, 4)) + 0.5).astype(dtype)
    tolerance = 2e-6 if dtype is np.float32 else 1e-13
    cubic = kernel_distance(x, y, memory_bytes=memory_bytes)
    assert float(cubic) == pytest.approx(_unbiased(x, y, lambda a, b: (a @ b / 4 + 1) ** 3), abs=tolerance)
    gaussian = kernel_distance(x, y, kernel="gaussian", bandwidth=1.5, memory_bytes=memory_bytes)
    expected = _unbiased(x, y, lambda a, b: np.exp(-((a - b) ** 2).sum() / (2 * 1.5**2)))
    assert float(gaussian) == pytest.approx(expected, abs=tolerance)


def test_the_gaussian_kernels_distance_of_two_gaussians_is_its_closed_form() -> None:
    """Between N(0, 1) and N(m, 1) with bandwidth b: E k = b/sqrt(b^2+2) (1, or exp(-m^2 / (2 (b^2+2))))."""
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(3000, 1)), generator.normal(size=(3000, 1)) + 1.5
    b = 0.8
    expected = 2 * b / np.sqrt(b**2 + 2) * (1 - np.exp(-(1.5**2) / (2 * (b**2 + 2))))
    assert float(kernel_distance(x, y, kernel="gaussian", bandwidth=b)) == pytest.approx(expected, rel=0.05)


def test_the_kernel_distance_is_unbiased() -> None:
    generator = np.random.default_rng(2)
    values = [float(kernel_distance(*generator.normal(size=(2, 8, 3)))) for _ in range(1500)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))
    assert min(values) < 0


def test_the_interval_of_the_kernel_distance_covers_as_often_as_it_says() -> None:
    generator = np.random.default_rng(3)
    # E (x.y/d + 1)^3 for two samples of N(m, 1), d = 1, in closed form from the moments 1, m, m^2 + 1, m^3 + 3 m.
    shift = 0.5

    def mean(m: float, n: float) -> float:
        return (m**3 + 3 * m) * (n**3 + 3 * n) + 3 * (m**2 + 1) * (n**2 + 1) + 3 * m * n + 1

    truth = mean(0, 0) + mean(shift, shift) - 2 * mean(0, shift)
    hits = 0
    for trial in range(400):
        x, y = generator.normal(size=(200, 1)), generator.normal(size=(200, 1)) + shift
        estimate = kernel_distance_interval(x, y, block=20, seed=trial)
        hits += estimate.low <= truth <= estimate.high
    assert 0.90 <= hits / 400 <= 0.98  # ten skewed blocks, so a little below 0.95


def test_the_interval_is_of_disjoint_blocks_and_repeats_with_its_seed() -> None:
    x, y = np.random.default_rng(4).normal(size=(2, 40, 3))
    first = kernel_distance_interval(x, y, block=10, seed=1)
    assert first == kernel_distance_interval(x, y, block=10, seed=1)
    assert first == pytest.approx(kernel_distance_interval(torch.asarray(x), torch.asarray(y), block=10, seed=1))
    assert first != kernel_distance_interval(x, y, block=10, seed=2)
    x[:] = np.arange(40)[:, None]  # every sample has a value of its own
    seen: list[float] = []

    def look(a: Any, b: Any, **kwargs: Any) -> float:
        seen.extend(a[:, 0].tolist())
        return 0.0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pennyweight.arrays.distances.kernel_distance", look)
        kernel_distance_interval(x, y, block=13, seed=1)
    assert len(seen) == len(set(seen)) == 39


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(0, 99))
def test_moments_of_parts_add_up_to_those_of_the_whole(sizes: list[int], seed: int) -> None:
    rows = np.random.default_rng(seed).normal(1e4, 1.0, size=(sum(sizes) + 1, 3))
    parts = np.split(rows, np.cumsum(sizes))
    total = moments(parts[0])
    for part in parts[1:]:
        total = total + moments(part)
    assert total.count == len(rows)
    np.testing.assert_allclose(total.mean, rows.mean(axis=0))
    np.testing.assert_allclose(total.covariance, np.cov(rows.T), atol=1e-9)


def test_float32_features_far_from_zero_keep_their_covariance() -> None:
    rows = np.random.default_rng(5).normal(1000.0, 0.1, size=(9000, 3)).astype(np.float32)
    expected = np.cov(rows.astype(np.float64).T)
    for make in (np.asarray, torch.asarray, lambda x: dask.array.from_array(x, chunks=(1000, 2))):
        np.testing.assert_allclose(moments(make(rows)).covariance, expected, rtol=1e-9, atol=1e-12)


def _covariance(generator: np.random.Generator, d: int, exponent: float = 0.0) -> np.ndarray:
    basis = np.linalg.qr(generator.normal(size=(d, d)))[0]
    return (basis * np.logspace(0, -exponent, d)) @ basis.T


@pytest.mark.parametrize("make", [np.asarray, torch.asarray])
def test_the_frechet_distance_equals_the_matrix_root_form(make: Any) -> None:
    generator = np.random.default_rng(6)
    a, b = _covariance(generator, 6, 1), _covariance(generator, 6, 2)
    m, n = generator.normal(size=(2, 6))
    expected = ((m - n) ** 2).sum() + np.trace(a + b - 2 * scipy.linalg.sqrtm(a @ b).real)
    assert float(frechet_distance(make(m), make(a), make(n), make(b))) == pytest.approx(expected, rel=1e-10)


def test_gaussians_with_common_axes_have_a_closed_form() -> None:
    generator = np.random.default_rng(7)
    basis = np.linalg.qr(generator.normal(size=(5, 5)))[0]
    a, b = generator.uniform(0, 3, size=(2, 5))
    shift = generator.normal(size=5)
    expected = (shift**2).sum() + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    distance = frechet_distance(np.zeros(5), (basis * a) @ basis.T, shift, (basis * b) @ basis.T)
    assert float(distance) == pytest.approx(expected, rel=1e-10)


def _with_fifty_digits(a: np.ndarray, b: np.ndarray) -> float:
    """The distance of two centred Gaussians by its definition."""
    with mpmath.workdps(50):
        x, y = mpmath.matrix(a.tolist()), mpmath.matrix(b.tolist())
        values, vectors = mpmath.eigsy(x)
        root = vectors * mpmath.diag([mpmath.sqrt(max(v, 0)) for v in values])
        overlap = mpmath.fsum(mpmath.sqrt(max(v, 0)) for v in mpmath.eigsy(root.T * y * root, eigvals_only=True))
        return float(mpmath.fsum(x[i, i] + y[i, i] for i in range(x.rows)) - 2 * overlap)


@pytest.mark.parametrize("exponent", [4, 12, 20])
@pytest.mark.parametrize("near", [False, True], ids=["apart", "near"])
def test_an_ill_conditioned_distance_keeps_all_its_digits(exponent: int, near: bool) -> None:
    generator = np.random.default_rng(exponent)
    a = _covariance(generator, 6, exponent)
    b = a * (1 + 1e-4) if near else _covariance(generator, 6, exponent)
    a, b = (a + a.T) / 2, (b + b.T) / 2
    zero = np.zeros(6)
    truth = _with_fifty_digits(a, b)
    assert abs(float(frechet_distance(zero, a, zero, b)) - truth) < 1e-14
    if exponent >= 12:  # where the usual way by a root of the product is off by more than the near ones are apart
        usual = np.trace(a + b) - 2 * np.trace(scipy.linalg.sqrtm(a @ b)).real
        assert abs(usual - truth) > 1e-10


def test_a_singular_gaussian_is_at_no_distance_from_itself() -> None:
    rows = np.random.default_rng(9).normal(size=(5, 20))  # rank 4 of 20
    found = moments(rows)
    assert float(frechet_distance(found.mean, found.covariance, found.mean, found.covariance)) == pytest.approx(
        0, abs=1e-7
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernel_distance(np.ones((1, 2)), np.ones((3, 2))), r"features of \(1, 2\) and \(3, 2\)"),
        (lambda: kernel_distance(np.ones((3, 2)), np.ones((3, 4))), "of one width"),
        (lambda: kernel_distance(np.ones((3, 2)), np.ones((3, 2)), kernel="linear"), "kernel 'linear'"),  # type: ignore[arg-type]
        (lambda: kernel_distance(np.ones((3, 2)), np.ones((3, 2)), bandwidth=1.0), "with bandwidth 1.0"),
        (lambda: kernel_distance(np.ones((3, 2)), np.ones((3, 2)), kernel="gaussian"), "with bandwidth None"),
        (lambda: kernel_distance(np.ones((3, 2)), np.ones((3, 2)), kernel="gaussian", bandwidth=0.0), "a positive"),
        (
            lambda: kernel_distance_interval(np.ones((9, 2)), np.ones((9, 2)), block=5, seed=0),
            "blocks of 5 from 9 and 9",
        ),
        (lambda: moments(np.ones((0, 3))), r"features of \(0, 3\)"),
        (lambda: moments(np.ones((1, 3))).covariance, "the covariance of 1 samples"),
        (lambda: frechet_distance(np.ones(2), np.eye(3), np.ones(2), np.eye(2)), "means and covariances of"),
    ],
)
def test_mistakes_are_told(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_moments_are_plain_values() -> None:
    found = moments(np.array([[1.0, 2.0], [3.0, 6.0]]))
    assert isinstance(found, Moments)
    assert (found.count, found.mean.tolist()) == (2, [2.0, 4.0])
    assert found.scatter.tolist() == [[2.0, 4.0], [4.0, 8.0]]
