"""Ridge regression over a path of penalties and five folds; a fold is left out by subtracting its Gram matrix."""

from typing import NamedTuple

import numpy as np


class Fold(NamedTuple):
    x: np.ndarray
    y: np.ndarray
    gram: np.ndarray
    moment: np.ndarray


def split(x, y, count):
    """Contiguous folds: views of the rows, with their own second moments."""
    size = len(x) // count
    for start in range(0, count * size, size):
        rows, target = x[start : start + size], y[start : start + size]
        yield Fold(rows, target, rows.T @ rows, rows.T @ target)


def solve(gram, moment, penalty):
    damped = gram.copy()
    damped.flat[:: len(damped) + 1] += penalty
    factor = np.linalg.cholesky(damped)
    return np.linalg.solve(factor.T, np.linalg.solve(factor, moment))


def validation_error(folds, penalty):
    gram, moment = sum(fold.gram for fold in folds), sum(fold.moment for fold in folds)
    total = 0.0
    for fold in folds:
        residual = fold.x @ solve(gram - fold.gram, moment - fold.moment, penalty)
        residual -= fold.y
        total += float(residual @ residual)
    return total / sum(len(fold.y) for fold in folds)


rng = np.random.default_rng(61)
x = rng.standard_normal((15_000, 40))
truth = rng.standard_normal(40) * (np.arange(40) % 3 == 0)
y = x @ truth
y += 2.0 * rng.standard_normal(len(y))
folds = list(split(x, y, 5))
errors = {penalty: validation_error(folds, penalty) for penalty in np.geomspace(1e-2, 1e5, 8).tolist()}
for penalty, error in errors.items():
    print(f"{penalty:10.2f} {error:.5f}")
print("best", min(errors, key=errors.get))
