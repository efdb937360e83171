"""Imports its neighbour, which is where the arrays are worked on."""

import neighbour
import numpy as np
from neighbour import Smoother

series = np.random.default_rng(7).standard_normal(20_000).cumsum()
smoother = Smoother(width=25)
calm = smoother(series)
print(f"{neighbour.roughness(series):.5f} -> {neighbour.roughness(calm):.5f}", calm.shape, smoother.calls)
