"""Gray and Scott's reaction and diffusion on a torus with a ghost border, single precision, no allocation per step."""

from dataclasses import dataclass, field

import numpy as np

SIZE = 224


def laplacian(u, out):
    """Five-point sum over the inside of ``u``, whose border holds the other side's values."""
    np.multiply(u[1:-1, 1:-1], -4.0, out=out)
    out += u[:-2, 1:-1]
    out += u[2:, 1:-1]
    out += u[1:-1, :-2]
    out += u[1:-1, 2:]
    return out


def wrap(u):
    u[0], u[-1] = u[-2], u[1]
    u[:, 0], u[:, -1] = u[:, -2], u[:, 1]


def inside():
    return np.empty((SIZE, SIZE), dtype=np.float32)


@dataclass
class Tank:
    """Concentrations of the two substances and three buffers of the inside's shape."""

    u: np.ndarray
    v: np.ndarray
    feed: float = 0.037
    kill: float = 0.06
    change: np.ndarray = field(default_factory=inside)
    reaction: np.ndarray = field(default_factory=inside)

    def step(self):
        u, v = self.u[1:-1, 1:-1], self.v[1:-1, 1:-1]
        wrap(self.u)
        wrap(self.v)
        np.multiply(v, v, out=self.reaction)
        self.reaction *= u
        laplacian(self.u, self.change)
        self.change *= 0.16
        self.change -= self.reaction
        self.change += self.feed
        u *= 1 - self.feed
        u += self.change
        laplacian(self.v, self.change)
        self.change *= 0.08
        self.change += self.reaction
        v *= 1 - self.feed - self.kill
        v += self.change


u = np.ones((SIZE + 2, SIZE + 2), dtype=np.float32)
v = np.zeros_like(u)
middle = slice(SIZE // 2 - 12, SIZE // 2 + 12)
u[middle, middle], v[middle, middle] = 0.5, 0.25
u += 0.02 * np.random.default_rng(73).random(u.shape, dtype=np.float32)
tank = Tank(u=u, v=v)
for _ in range(250):
    tank.step()
print(f"{tank.u.dtype} u {tank.u[1:-1, 1:-1].mean():.5f} v {tank.v[1:-1, 1:-1].mean():.5f} peak {tank.v.max():.4f}")
