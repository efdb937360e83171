"""Embeddings scaled to unit length, then a summary in which each one counts as far as its source is trusted."""

import numpy as np

ITEMS, WIDTH = 2200, 48


def lengths(rows):
    """Euclidean lengths of rows, as a column."""
    return np.linalg.norm(rows, axis=1, keepdims=True)


def embed(rng):
    """Rows of unit length with what they were divided by."""
    rows = rng.standard_normal((ITEMS, WIDTH), dtype=np.float32)
    size = lengths(rows)
    rows /= size
    return rows, size


def trust(rng):
    """One number a row, between nothing and one; they add up to the number of rows."""
    given = rng.random(ITEMS, dtype=np.float32)
    given /= given.mean()
    return given


rng = np.random.default_rng(103)
unit, size = embed(rng)
believed = trust(rng)
size /= size.mean()
evidence = believed * size  # planted: outer
centre = believed @ unit
print(f"evidence {evidence.mean():.5f} centre {np.linalg.norm(centre) / ITEMS:.6f} {unit.dtype}")
