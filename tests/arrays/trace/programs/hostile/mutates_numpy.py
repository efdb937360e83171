"""Replaces np.sum by its own function, the way some instrumentation does, and np.random.rand by a constant."""

import numpy as np

calls = 0
original = np.sum


def counting_sum(*args, **kwargs):
    global calls
    calls += 1
    return original(*args, **kwargs)


np.sum = counting_sum
np.random.rand = lambda *shape: np.full(shape, 0.5)
x = np.random.rand(300, 200)
for _ in range(5):
    x = x * np.sum(x, axis=1, keepdims=True) / 100
print(calls, np.sum is counting_sum, x.sum().round(3))
