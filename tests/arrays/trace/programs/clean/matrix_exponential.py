"""The exponential of a matrix by scaling, a Taylor polynomial in Horner's form and repeated squaring."""

import math

import numpy as np

TERMS = 14


def exponential(matrix):
    """``matrix`` (n, n); the products go back and forth between two buffers."""
    size = np.linalg.norm(matrix, 1)
    halvings = max(0, math.ceil(math.log2(size / 0.5))) if size else 0
    scaled = matrix * 0.5**halvings
    here, there = np.eye(len(matrix)), np.empty_like(matrix)
    for term in range(TERMS, 0, -1):
        np.matmul(scaled, here, out=there)
        there /= term
        np.einsum("ii->i", there)[...] += 1.0
        here, there = there, here
    for _ in range(halvings):
        np.matmul(here, here, out=there)
        here, there = there, here
    return here


rng = np.random.default_rng(89)
generator = rng.standard_normal((160, 160))
generator -= generator.T
rotation = exponential(generator)
leak = rotation.T @ rotation
leak.flat[::161] -= 1
print(f"orthogonal within 1e-9: {np.abs(leak).max() < 1e-9}, determinant {np.linalg.det(rotation):.6f}")

rates = rng.random((160, 160))
np.fill_diagonal(rates, 0)
np.fill_diagonal(rates, -rates.sum(axis=1))
chain = exponential(rates * 0.05)
print(f"rows sum to one: {np.allclose(chain.sum(axis=1), 1)}, trace {np.trace(chain):.8f}")
