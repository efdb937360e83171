"""A robust plane through scattered heights: reweighted least squares with the scale from the median residual."""

import statistics

import numpy as np

POINTS, ROUNDS, TUNING = 15_000, 12, 4.685


def scatter(rng):
    """Heights over a plane, every eighth of them wrong."""
    design = np.ones((POINTS, 3))
    design[:, 1:] = rng.uniform(-1, 1, (POINTS, 2))
    height = design @ [0.5, 2.0, -1.0]
    height += 0.05 * rng.standard_normal(POINTS)
    height[::8] += 5 * rng.random(POINTS // 8)
    return design, height


def biweight(residual, scale, out):
    """Tukey's weights of the residuals."""
    np.divide(residual, TUNING * scale, out=out)
    np.multiply(out, out, out=out)
    np.subtract(1.0, out, out=out)
    np.maximum(out, 0.0, out=out)
    np.multiply(out, out, out=out)


def fit(design, height):
    weights = np.ones(POINTS)
    weighted = np.empty_like(design)
    residual = np.empty(POINTS)
    for _ in range(ROUNDS):
        np.multiply(design, weights[:, None], out=weighted)
        plane = np.linalg.solve(weighted.T @ design, weighted.T @ height)
        np.matmul(design, plane, out=residual)
        np.subtract(height, residual, out=residual)
        np.abs(residual, out=weights)
        scale = statistics.median(weights.tolist()) / 0.6745  # planted: escape
        biweight(residual, scale, out=weights)
    return plane, scale


plane, scale = fit(*scatter(np.random.default_rng(167)))
print("plane", plane.round(5), f"scale {scale:.6f}")
