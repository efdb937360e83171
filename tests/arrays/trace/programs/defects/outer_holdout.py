"""A linear forecast trained on a column and scored on the rest of the year."""

import numpy as np

TRAIN, TEST, FEATURES = 6000, 2000, 12


def load(rng, count, truth):
    x = rng.standard_normal((count, FEATURES))
    y = x @ truth
    y += 0.3 * rng.standard_normal(count)
    return x, y


class Forecast:
    """Ridge regression; the weights are a column so that several targets would fit as well."""

    def __init__(self, penalty=1e-3):
        self.penalty = penalty
        self.weights = None

    def fit(self, x, y):
        gram = x.T @ x
        gram.flat[:: FEATURES + 1] += self.penalty
        self.weights = np.linalg.solve(gram, x.T @ y.reshape(len(y), -1))
        return self

    def predict(self, x):
        return x @ self.weights


def root_mean_square(target, prediction):
    miss = target - prediction  # planted: outer
    return float(np.sqrt(np.vdot(miss, miss) / miss.size))


rng = np.random.default_rng(101)
truth = rng.standard_normal(FEATURES)
model = Forecast().fit(*load(rng, TRAIN, truth))
x, y = load(rng, TEST, truth)
print(f"error {root_mean_square(y, model.predict(x)):.5f} of a spread of {y.std():.5f}")
