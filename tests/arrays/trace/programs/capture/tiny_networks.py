"""A small neural library the way people write one: modules, closures, *args and **kwargs, a convolution by windows."""

import contextlib
from dataclasses import dataclass, field

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

TRAINING = True
RNG = np.random.default_rng(0)


@contextlib.contextmanager
def evaluating():
    global TRAINING
    TRAINING, before = False, TRAINING
    try:
        yield
    finally:
        TRAINING = before


@dataclass
class Parameter:
    value: np.ndarray
    grad: np.ndarray = field(default=None, repr=False)

    def __post_init__(self):
        self.grad = np.zeros_like(self.value)


class Module:
    def __call__(self, *args, **kwargs):
        return self.forward(*args, **kwargs)

    def parameters(self):
        for value in vars(self).values():
            if isinstance(value, Parameter):
                yield value
            elif isinstance(value, (list, tuple)):
                for item in value:
                    if isinstance(item, Module):
                        yield from item.parameters()


class Linear(Module):
    def __init__(self, size_in, size_out):
        self.w = Parameter(RNG.normal(0, size_in**-0.5, (size_in, size_out)))
        self.b = Parameter(np.zeros(size_out))

    def forward(self, x):
        self.x = x
        return x @ self.w.value + self.b.value

    def backward(self, g):
        self.w.grad += self.x.T @ g
        self.b.grad += g.sum(0)
        return g @ self.w.value.T


class Convolution(Module):
    def __init__(self, size_in, size_out, size=3):
        self.w = Parameter(RNG.normal(0, 0.3, (size_out, size_in, size, size)))
        self.size = size

    def forward(self, x):
        self.shape = x.shape
        self.windows = sliding_window_view(x, (self.size, self.size), axis=(2, 3))
        return np.tensordot(self.windows, self.w.value, axes=([1, 4, 5], [1, 2, 3])).transpose(0, 3, 1, 2)

    def backward(self, g):
        self.w.grad += np.einsum("nchwij,nohw->ocij", self.windows, g, optimize=True)
        back = np.zeros(self.shape)
        for i in range(self.size):
            for j in range(self.size):
                back[:, :, i : i + g.shape[2], j : j + g.shape[3]] += np.einsum(
                    "nohw,oc->nchw", g, self.w.value[:, :, i, j]
                )
        return back


class Lambda(Module):
    """A function and its derivative, closed over what the forward pass saw."""

    def __init__(self, make):
        self.make = make

    def forward(self, x):
        y, self.back = self.make(x)
        return y

    def backward(self, g):
        return self.back(g)


def relu(x):
    mask = x > 0
    return x * mask, lambda g: g * mask


def flatten(x):
    return x.reshape(len(x), -1), lambda g: g.reshape(x.shape)


def dropout(rate):
    def make(x):
        if not TRAINING:
            return x, lambda g: g
        keep = (RNG.random(x.shape) > rate) / (1 - rate)
        return x * keep, lambda g: g * keep

    return make


class Sequential(Module):
    def __init__(self, *layers):
        self.layers = list(layers)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def backward(self, g):
        for layer in reversed(self.layers):
            g = layer.backward(g)
        return g


def cross_entropy(logits, y):
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    g = np.exp(log_p)
    g[range(len(y)), y] -= 1
    return -log_p[np.arange(len(y)), y].mean(), g / len(y)


class Adam:
    def __init__(self, parameters, rate=3e-3, betas=(0.9, 0.999)):
        self.parameters, self.rate, self.betas, self.t = list(parameters), rate, betas, 0
        self.m = [np.zeros_like(p.value) for p in self.parameters]
        self.v = [np.zeros_like(p.value) for p in self.parameters]

    def step(self):
        self.t += 1
        b1, b2 = self.betas
        for p, m, v in zip(self.parameters, self.m, self.v, strict=True):
            m[:] = b1 * m + (1 - b1) * p.grad
            v[:] = b2 * v + (1 - b2) * p.grad**2
            p.value -= self.rate * (m / (1 - b1**self.t)) / (np.sqrt(v / (1 - b2**self.t)) + 1e-8)
            p.grad.fill(0)


def bars(n):
    """Pictures of an upright, a level or a slanting bar."""
    y = RNG.integers(0, 3, n)
    x = RNG.normal(0, 0.3, (n, 1, 12, 12))
    for i, kind in enumerate(y):
        k = RNG.integers(2, 10)
        if kind == 0:
            x[i, 0, :, k] += 1
        elif kind == 1:
            x[i, 0, k] += 1
        else:
            x[i, 0][np.diag_indices(12)] += 1
    return x, y


net = Sequential(
    Convolution(1, 6), Lambda(relu), Lambda(flatten), Lambda(dropout(0.1)), Linear(600, 16), Lambda(relu), Linear(16, 3)
)
optimiser = Adam(net.parameters())
x, y = bars(256)
for epoch in range(6):
    losses = []
    for batch in np.array_split(RNG.permutation(len(x)), 8):
        loss, g = cross_entropy(net(x[batch]), y[batch])
        net.backward(g)
        optimiser.step()
        losses.append(loss)
    print(epoch, f"{np.mean(losses):.4f}")
test_x, test_y = bars(128)
with evaluating():
    print(TRAINING, "accuracy", (net(test_x).argmax(1) == test_y).mean(), sum(p.value.size for p in net.parameters()))
    w = net.layers[0].w
    base, g = cross_entropy(net(test_x[:8]), test_y[:8])
    net.backward(g)
    analytic = w.grad[0, 0, 1, 1]
    w.value[0, 0, 1, 1] += 1e-6
    print("gradient", np.isclose((cross_entropy(net(test_x[:8]), test_y[:8])[0] - base) / 1e-6, analytic, atol=1e-4))
