"""Modes of a wave field that lose energy at their own rates, watched by the energy that is left."""

import numpy as np

MODES, STEPS = 400_000, 60


def energy(field):
    """Sum of squares of anything array-like, in double precision."""
    values = np.array(field, dtype=np.float64)  # planted: copy
    return float(np.vdot(values, values))


class Field:
    """Amplitudes and what one step leaves of them."""

    def __init__(self, rng):
        self.amplitude = rng.standard_normal(MODES)
        self.kept = rng.random(MODES)
        self.kept *= -0.1
        self.kept += 1.0

    def step(self):
        self.amplitude *= self.kept


def half_life(energies):
    """The number of the step after which half of the energy is gone."""
    return next(number for number, value in enumerate(energies) if value < energies[0] / 2)


field = Field(np.random.default_rng(127))
energies = [energy(field.amplitude)]
for _ in range(STEPS):
    field.step()
    energies.append(energy(field.amplitude))
print("energies", " ".join(f"{value:.5e}" for value in energies[::12]), "half-life", half_life(energies))
