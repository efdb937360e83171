"""Token by token through one attention layer that remembers the keys and values of what went before."""

import math

import numpy as np

TOKENS, HEADS, HEAD = 500, 4, 32
WIDTH = HEADS * HEAD


class Attention:
    """Heads come first in the memory: (keys and values, heads, tokens, head)."""

    def __init__(self, rng):
        self.into = rng.standard_normal((WIDTH, 3 * WIDTH), dtype=np.float32)
        self.into *= 1 / math.sqrt(WIDTH)
        self.out = rng.standard_normal((WIDTH, WIDTH), dtype=np.float32)
        self.out *= 1 / math.sqrt(WIDTH)
        self.memory = np.empty((2, HEADS, 0, HEAD), dtype=np.float32)

    def __call__(self, token):
        mixed = (token @ self.into).reshape(3, HEADS, 1, HEAD)
        self.memory = np.concatenate((self.memory, mixed[1:]), axis=2)  # planted: growth
        keys, values = self.memory
        weights = mixed[0] @ keys.swapaxes(1, 2)
        weights *= 1 / math.sqrt(HEAD)
        weights -= weights.max(axis=-1, keepdims=True)
        np.exp(weights, out=weights)
        weights /= weights.sum(axis=-1, keepdims=True)
        return (weights @ values).reshape(WIDTH) @ self.out


rng = np.random.default_rng(173)
layer = Attention(rng)
token = rng.standard_normal(WIDTH, dtype=np.float32)
drift = 0.0
for _ in range(TOKENS):
    token = layer(token)
    token /= np.linalg.norm(token) / math.sqrt(WIDTH)
    drift += float(token[0])
print(f"drift {drift:.3f} memory {layer.memory.shape} {layer.memory.dtype}")
