"""Daily rain through the soil stores of many catchments, day after day, for several rates of drainage."""

import numpy as np

CATCHMENTS, DAYS = 4096, 600
CAPACITY = 120.0


def forcing(rng):
    """Rain in millimetres, a catchment's whole record in one row."""
    rain = rng.standard_exponential((CATCHMENTS, DAYS))
    rain *= 4.0
    return rain


class Soil:
    """Water held per catchment; a share drains away every day and what does not fit runs off."""

    def __init__(self, count, keep):
        self.keep = keep
        self.store = np.full(count, 40.0)
        self.spare = np.empty(count)
        self.runoff = np.zeros(count)

    def day(self, rain):
        self.store *= self.keep
        self.store += rain  # planted: strided
        np.subtract(self.store, CAPACITY, out=self.spare)
        np.maximum(self.spare, 0.0, out=self.spare)
        self.store -= self.spare
        self.runoff += self.spare


rain = forcing(np.random.default_rng(139))
for keep in (0.9, 0.93, 0.96, 0.98):
    soil = Soil(CATCHMENTS, keep)
    for today in range(DAYS):
        soil.day(rain[:, today])
    print(f"keep {keep} store {soil.store.mean():.4f} runoff {soil.runoff.mean():.4f} wettest {soil.runoff.max():.3f}")
