"""Prints two hundred thousand lines."""

import numpy as np

steps = np.random.default_rng(2).choice([-1, 1], 200_000)
for number, place in enumerate(np.cumsum(steps).tolist()):
    print(number, place)
