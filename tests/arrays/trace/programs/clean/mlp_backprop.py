"""A two-layer perceptron trained with hand-written gradients; every batch reuses the same buffers."""

import numpy as np

EXAMPLES, INPUTS, HIDDEN, CLASSES, BATCH = 8192, 64, 128, 10, 256
F = np.float32


class Network:
    """Weights, activations and gradients of one hidden ReLU layer and a softmax."""

    def __init__(self, rng):
        self.w1 = rng.standard_normal((INPUTS, HIDDEN), dtype=F) * F((2 / INPUTS) ** 0.5)
        self.b1 = np.zeros(HIDDEN, dtype=F)
        self.w2 = rng.standard_normal((HIDDEN, CLASSES), dtype=F) * F((2 / HIDDEN) ** 0.5)
        self.b2 = np.zeros(CLASSES, dtype=F)
        self.hidden = np.empty((BATCH, HIDDEN), dtype=F)
        self.probability = np.empty((BATCH, CLASSES), dtype=F)
        self.back = np.empty((BATCH, HIDDEN), dtype=F)
        self.active = np.empty((BATCH, HIDDEN), dtype=np.bool_)
        self.rows = np.arange(BATCH)

    def forward(self, x):
        h, p = self.hidden, self.probability
        np.matmul(x, self.w1, out=h)
        h += self.b1
        np.maximum(h, 0, out=h)
        np.matmul(h, self.w2, out=p)
        p += self.b2
        p -= p.max(axis=1, keepdims=True)
        np.exp(p, out=p)
        p /= p.sum(axis=1, keepdims=True)
        return p

    def step(self, x, y, rate):
        p = self.forward(x)
        loss = -np.log(p[self.rows, y]).mean()
        p[self.rows, y] -= 1
        p *= rate / BATCH
        np.matmul(p, self.w2.T, out=self.back)
        np.greater(self.hidden, 0, out=self.active)
        self.back *= self.active
        self.w2 -= self.hidden.T @ p
        self.b2 -= p.sum(axis=0)
        self.w1 -= x.T @ self.back
        self.b1 -= self.back.sum(axis=0)
        return float(loss)


def batches(x, y, rng):
    """One shuffled epoch, handed out as views."""
    order = rng.permutation(len(x))
    x, y = x[order], y[order]
    for start in range(0, len(x), BATCH):
        yield x[start : start + BATCH], y[start : start + BATCH]


rng = np.random.default_rng(5)
inputs = rng.standard_normal((EXAMPLES, INPUTS), dtype=F)
teacher = rng.standard_normal((INPUTS, CLASSES), dtype=F)
targets = (inputs @ teacher).argmax(axis=1)
network = Network(rng)
for epoch in range(6):
    losses = [network.step(x, y, 0.3) for x, y in batches(inputs, targets, rng)]
    print(f"epoch {epoch} loss {sum(losses) / len(losses):.4f}")
assert network.w1.dtype == network.probability.dtype == np.float32
