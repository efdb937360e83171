"""A stack of single-precision attention layers over one sequence, heads as views, residuals in place."""

import math

import numpy as np

TOKENS, HEADS, HEAD = 256, 4, 32
WIDTH = HEADS * HEAD


def softmax_in_place(scores):
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return scores


def heads_of(projected):
    """(tokens, width) as (heads, tokens, head), without a copy."""
    return projected.reshape(TOKENS, HEADS, HEAD).swapaxes(0, 1)


def attend(query, key):
    affinity = query @ key.swapaxes(-1, -2)
    return softmax_in_place(affinity / np.sqrt(HEAD))  # planted: promotion


class Layer:
    def __init__(self, rng):
        self.weights = rng.standard_normal((4, WIDTH, WIDTH), dtype=np.float32)
        self.weights *= 1 / math.sqrt(WIDTH)
        self.context = np.empty((TOKENS, WIDTH), dtype=np.float32)

    def __call__(self, x):
        query, key, value = (heads_of(x @ weights) for weights in self.weights[:3])
        np.matmul(attend(query, key), value, out=heads_of(self.context))
        return self.context @ self.weights[3]


rng = np.random.default_rng(109)
layers = [Layer(rng) for _ in range(6)]
x = rng.standard_normal((TOKENS, WIDTH), dtype=np.float32)
for layer in layers:
    x += layer(x)
assert x.dtype == np.float32
print(f"mean {x.mean():.5f} spread {x.std():.4f}")
