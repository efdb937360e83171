"""Particles in a periodic box: Lennard-Jones with a cut-off mask, a generator of states, densities, distances."""

import typing
from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class State:
    x: np.ndarray
    v: np.ndarray
    f: np.ndarray
    energy: float = 0.0
    time: float = 0.0


class Snapshot(typing.NamedTuple):
    time: float
    kinetic: float
    potential: float

    @property
    def total(self):
        return self.kinetic + self.potential


def lattice(per_side, box):
    axis = (np.arange(per_side) + 0.5) * box / per_side
    return np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)


def displacement(x, box):
    d = x[:, None, :] - x[None, :, :]
    d -= box * np.round(d / box)
    return d


def forces(x, box, cutoff=2.5):
    d = displacement(x, box)
    r2 = np.sum(d**2, axis=-1)
    np.fill_diagonal(r2, np.inf)
    near = r2 < cutoff**2
    inv6 = np.zeros_like(r2)
    inv6[near] = r2[near] ** -3
    shift = cutoff**-12 - cutoff**-6
    energy = 2 * (inv6**2 - inv6 - shift * near).sum()
    with np.errstate(invalid="ignore"):
        strength = np.where(near, 24 * (2 * inv6**2 - inv6) / r2, 0.0)
    return (strength[..., None] * d).sum(axis=1), energy


def simulate(state, box, dt, steps):
    """Velocity Verlet; yields the state after every step."""
    for _ in range(steps):
        v = state.v + 0.5 * dt * state.f
        x = (state.x + dt * v) % box
        f, energy = forces(x, box)
        state = replace(state, x=x, v=v + 0.5 * dt * f, f=f, energy=energy, time=state.time + dt)
        yield state


rng = np.random.default_rng(9)
BOX = 7.0
x = lattice(6, BOX)
v = rng.normal(0, 1, x.shape)
v -= v.mean(axis=0)
f, e = forces(x, BOX)
start = State(x, v, f, e)
shots = []
for state in simulate(start, BOX, 0.002, 40):
    shots.append(Snapshot(state.time, 0.5 * np.square(state.v).sum(), state.energy))
totals = np.array([shot.total for shot in shots])
print(
    f"energy {totals[0]:.4f} -> {totals[-1]:.4f}, kept {np.ptp(totals) < 0.5},"
    f" momentum {np.abs(state.v.sum(0)).max() < 1e-9}"
)
print(
    np.array(shots).shape,
    f"{np.array(shots)[:, 1].mean():.3f}",
    shots[-1]._fields,
    f"temperature {2 * shots[-1].kinetic / (3 * len(x)):.4f}",
)

pairs = np.triu_indices(len(x), 1)
r = np.linalg.norm(displacement(state.x, BOX), axis=-1)[pairs]
counts, edges = np.histogram(r, bins=35, range=(0, BOX / 2))
shell = 4 / 3 * np.pi * np.diff(edges**3)
g = counts / (shell * len(x) * (len(x) - 1) / 2 / BOX**3)
print("first shell", edges[g.argmax()].round(2), g.max().round(3), g[:8].sum())


def kernel(q):
    """Cubic spline of smoothed particles in three dimensions, support 2."""
    return np.select([q < 1, q < 2], [1 - 1.5 * q**2 + 0.75 * q**3, 0.25 * (2 - q) ** 3], 0) / np.pi


h = 0.8
distance = np.sqrt((displacement(state.x, BOX) ** 2).sum(-1))
density = kernel(distance / h).sum(axis=1) / h**3
print(
    f"density {density.mean():.5f} of {len(x) / BOX**3:.5f}, thinnest {density.min():.4f}",
    (kernel(np.array([0.0, 1.0, 2.0])) * np.pi),
)
cells = (state.x // (BOX / 4)).astype(int).clip(0, 3)
index = np.ravel_multi_index(cells.T, (4, 4, 4))
order = np.argsort(index, kind="stable")
begin = np.searchsorted(index[order], np.arange(64))
heaviest = np.bincount(index, minlength=64).argmax()
members = order[begin[heaviest] : begin[heaviest + 1] if heaviest < 63 else None]
print(
    "cell",
    heaviest,
    len(members),
    (index[members] == heaviest).all(),
    np.add.reduceat(density[order], begin[begin < len(order)]).shape,
)
speed = np.linalg.norm(state.v, axis=1)
print(
    "speeds",
    np.percentile(speed, [25, 50, 75]).round(3),
    f"{(speed**2).mean() / speed.mean() ** 2:.4f}",
    speed.argsort()[-3:][::-1],
)
