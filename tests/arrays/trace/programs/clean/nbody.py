"""Gravity of a few hundred bodies by direct summation and leapfrog; one row per coordinate, pair buffers reused."""

import numpy as np

BODIES, STEPS, DT, SOFTENING = 400, 25, 0.002, 0.05


class Cluster:
    """Positions and velocities as (3, n) so that each coordinate lies in one piece."""

    def __init__(self, rng):
        self.mass = rng.uniform(0.5, 1.5, BODIES)
        self.mass /= self.mass.sum()
        self.position = rng.standard_normal((3, BODIES))
        self.velocity = 0.4 * rng.standard_normal((3, BODIES))
        self.acceleration = np.zeros((3, BODIES))
        self.gap = np.empty((3, BODIES, BODIES))
        self.inverse = np.empty((BODIES, BODIES))
        self.scratch = np.empty((BODIES, BODIES))

    def measure(self):
        """Fill the pair differences and the softened inverse distances."""
        self.inverse.fill(SOFTENING**2)
        for gap, coordinate in zip(self.gap, self.position, strict=True):
            np.subtract(coordinate[None, :], coordinate[:, None], out=gap)
            np.multiply(gap, gap, out=self.scratch)
            self.inverse += self.scratch
        np.sqrt(self.inverse, out=self.inverse)
        np.reciprocal(self.inverse, out=self.inverse)

    def pull(self):
        self.measure()
        np.multiply(self.inverse, self.inverse, out=self.scratch)
        self.scratch *= self.inverse
        self.scratch *= self.mass
        for gap, row in zip(self.gap, self.acceleration, strict=True):
            np.einsum("ij,ij->i", self.scratch, gap, out=row)

    def step(self):
        self.velocity += 0.5 * DT * self.acceleration
        self.position += DT * self.velocity
        self.pull()
        self.velocity += 0.5 * DT * self.acceleration

    def energy(self):
        self.measure()
        kinetic = 0.5 * np.sum(self.mass * np.square(self.velocity).sum(axis=0))
        np.fill_diagonal(self.inverse, 0.0)
        return kinetic - 0.5 * (self.mass @ self.inverse @ self.mass)


cluster = Cluster(np.random.default_rng(37))
cluster.pull()
start = cluster.energy()
for _ in range(STEPS):
    cluster.step()
end = cluster.energy()
print(f"energy {start:.6f} -> {end:.6f}, drift {abs(end - start) < 1e-4}")
print("momentum", np.round(cluster.velocity @ cluster.mass, 5).tolist())
