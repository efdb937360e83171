"""Causal multi-head self-attention, four layers deep: heads are views, scores and contexts are kept buffers."""

import math

import numpy as np

# B batch, T tokens, C channels, H heads, D channels of a head
B, T, C, H = 4, 128, 128, 4
D = C // H
LAYERS = 4


def softmax_in_place(scores):
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    return scores


def causal_mask():
    mask = np.zeros((T, T), dtype=np.float32)
    mask[np.triu_indices(T, k=1)] = -np.inf
    return mask


class Attention:
    """One layer; the buffers belong to it because every call has the same shape."""

    def __init__(self, rng, mask):
        scale = np.float32(1 / math.sqrt(C))
        self.into = rng.standard_normal((C, 3 * C), dtype=np.float32) * scale
        self.out = rng.standard_normal((C, C), dtype=np.float32) * scale
        self.mask = mask
        self.mixed = np.empty((B * T, 3 * C), dtype=np.float32)
        self.scores = np.empty((B, H, T, T), dtype=np.float32)
        self.context = np.empty((B, T, H, D), dtype=np.float32)

    def __call__(self, x):
        np.matmul(x.reshape(B * T, C), self.into, out=self.mixed)
        q, k, v = self.mixed.reshape(B, T, 3, H, D).transpose(2, 0, 3, 1, 4)
        np.matmul(q, k.swapaxes(-1, -2), out=self.scores)
        self.scores *= 1 / math.sqrt(D)
        self.scores += self.mask
        np.matmul(softmax_in_place(self.scores), v, out=self.context.transpose(0, 2, 1, 3))
        return self.context.reshape(B * T, C) @ self.out


def main():
    rng = np.random.default_rng(17)
    mask = causal_mask()
    layers = [Attention(rng, mask) for _ in range(LAYERS)]
    x = rng.standard_normal((B, T, C), dtype=np.float32)
    for layer in layers:
        x += layer(x).reshape(x.shape)
    assert x.dtype == np.float32
    assert not np.any(np.triu(layers[0].scores[0, 0], k=1))
    print(f"mean {x.mean():.6f} spread {x.std():.5f} last {x[-1, -1, -1]:.5f}")


main()
