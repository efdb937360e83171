"""Adds a number a row to a table without turning the numbers into a column."""

import numpy as np

table = np.random.default_rng(6).random((100, 3))
offsets = table.mean(axis=1)
print("means", offsets.shape, flush=True)
shifted = table + offsets
print("not reached", shifted.shape)
