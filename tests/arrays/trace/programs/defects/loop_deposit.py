"""A one-dimensional particle-in-cell plasma: deposit charge, solve for the field, push the electrons."""

import numpy as np

PARTICLES, CELLS, STEPS, DT = 12_000, 64, 5, 0.1


class Plasma:
    """Electrons on a ring over a fixed background that makes the whole neutral."""

    def __init__(self, rng):
        self.place = rng.random(PARTICLES)
        self.place *= CELLS
        self.speed = rng.standard_normal(PARTICLES)
        self.charge = rng.uniform(0.5, 1.5, PARTICLES)
        self.charge *= CELLS / self.charge.sum()
        self.wave = 2j * np.pi * np.fft.rfftfreq(CELLS)
        self.wave[0] = 1.0

    def density(self):
        total = np.zeros(CELLS)
        for cell, share in zip(self.place.astype(np.intp), self.charge, strict=True):
            total[cell] += share  # planted: loop
        return total

    def field(self):
        spectrum = np.fft.rfft(1.0 - self.density())
        spectrum[0] = 0.0
        spectrum /= self.wave
        return np.fft.irfft(spectrum, n=CELLS)

    def step(self):
        pull = self.field()[self.place.astype(np.intp)]
        pull *= -DT
        self.speed += pull
        np.multiply(self.speed, DT, out=pull)
        self.place += pull
        np.mod(self.place, CELLS, out=self.place)


plasma = Plasma(np.random.default_rng(157))
for _ in range(STEPS):
    plasma.step()
    print(f"field {np.linalg.norm(plasma.field()):.6f} speed {plasma.speed.std():.6f}")
