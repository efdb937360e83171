"""Multiplies matrices that do not fit."""

import numpy as np

rng = np.random.default_rng(5)
left = rng.random((3, 4))
right = rng.random((3, 4))
print("gram", (left.T @ right).shape, flush=True)
product = left @ right
print("not reached", product)
