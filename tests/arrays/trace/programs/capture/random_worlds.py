"""Chance, old style and new: seeds, RandomState, Generator, shuffles, walks, Metropolis, Monte-Carlo integrals."""

import random

import numpy as np

np.random.seed(42)
old = (
    np.random.rand(3),
    np.random.randn(2),
    np.random.randint(0, 10, 5),
    np.random.choice([1, 2, 3], 4),
    np.random.uniform(-1, 1, (2, 2)),
)
deck = np.arange(10)
np.random.shuffle(deck)
print(*[np.round(part, 4) for part in old], deck, np.random.permutation(4), round(np.random.normal(5, 2), 5), sep="\n")
state = np.random.get_state()
before = np.random.random_sample()
np.random.set_state(state)
print(
    before == np.random.random_sample(),
    np.random.RandomState(7).poisson(3, 5),
    round(np.random.RandomState(7).beta(2, 3), 6),
)

rng = np.random.default_rng(seed=np.random.SeedSequence(99))
children = rng.spawn(2)
print(
    [child.integers(1000) for child in children],
    rng.bit_generator.__class__.__name__,
    round(np.random.Generator(np.random.Philox(3)).random(), 6),
)
print(
    rng.exponential(2, 3).round(4),
    rng.multivariate_normal([0, 1], [[1, 0.5], [0.5, 2]], 2).round(4),
    rng.multinomial(20, [0.2, 0.3, 0.5]),
    rng.dirichlet([1, 2, 3]).round(4),
)
print(
    rng.choice(5, size=(2, 3)),
    rng.choice(["a", "b", "c"], 3, replace=False),
    rng.permuted([[1, 2, 3], [4, 5, 6]], axis=1).shape,
    rng.bytes(3).hex(),
    round(rng.standard_t(5), 5),
    rng.binomial(10, 0.5, 4),
)
matrix = np.arange(12).reshape(4, 3)
rng.shuffle(matrix, axis=0)
print(
    matrix.sum(axis=1).tolist(),
    rng.integers(0, 2, 6, dtype=bool),
    rng.normal(size=2, loc=[10, 20]).round(3),
    rng.random(2, dtype="f4").dtype,
    rng.standard_normal(out=np.empty(2)).shape,
)

inside = 0
for _ in range(20):
    points = rng.random((5000, 2))
    inside += np.count_nonzero((points**2).sum(axis=1) < 1)
print("pi about", 4 * inside / 100_000)

steps = rng.choice([-1, 1], size=(300, 1000))
walks = np.concatenate([np.zeros((300, 1), int), steps.cumsum(axis=1)], axis=1)
print(
    walks[:, -1].var().round(2),
    np.abs(walks).max(),
    (walks[:, 1:] == 0).argmax(axis=1)[:6],
    np.mean(np.sign(walks) > 0).round(4),
)
returned = [np.flatnonzero(walk[1:] == 0) for walk in walks[:4]]
print([int(times[0]) if len(times) else None for times in returned])


def metropolis(log_density, start, width, n):
    chain, here = [], np.asarray(start, dtype=float)
    accepted = 0
    for _ in range(n):
        there = here + rng.normal(0, width, here.shape)
        if np.log(rng.random()) < log_density(there) - log_density(here):
            here, accepted = there, accepted + 1
        chain.append(here)
    return np.array(chain), accepted / n


def ring(p):
    return -(((p**2).sum() ** 0.5 - 3) ** 2) / 0.5


chain, rate = metropolis(ring, [3, 0], 0.8, 3000)
radius = np.linalg.norm(chain, axis=1)
lagged = radius - radius.mean()
autocorrelation = np.correlate(lagged, lagged, "full")[len(lagged) - 1 :] / (lagged @ lagged)
print(f"{rate:.3f} {radius.mean():.4f} {radius.std():.4f}", (autocorrelation < 0.1).argmax(), chain.shape)

spins = rng.choice(np.array([-1, 1], dtype=np.int8), (32, 32))
parity = np.indices(spins.shape).sum(axis=0) % 2
for sweep in range(60):
    around = sum(np.roll(spins, shift, axis) for shift in (1, -1) for axis in (0, 1))
    flip = (rng.random(spins.shape) < np.exp(-2 * 0.5 * spins * around)) & (parity == sweep % 2)
    spins[flip] *= -1
print(
    "magnet",
    abs(int(spins.sum())),
    spins.dtype,
    "energy",
    int(-(spins * (np.roll(spins, 1, 0) + np.roll(spins, 1, 1))).sum()),
)

random.seed(3)
sample = np.array([random.gauss(0, 1) for _ in range(200)])
weights = np.exp(-((sample - 1) ** 2) / 2) / np.exp(-(sample**2) / 2)
weights /= weights.sum()
resampled = sample[np.searchsorted(weights.cumsum(), (np.arange(200) + 0.5) / 200).clip(max=199)]
print(f"{sample.mean():.4f} -> {resampled.mean():.4f}", f"effective {1 / (weights**2).sum():.2f}")
halton = np.array([sum((n // 2**k % 2) / 2 ** (k + 1) for k in range(10)) for n in range(1, 9)])
latin = (np.stack([rng.permutation(8) for _ in range(2)], axis=1) + rng.random((8, 2))) / 8
print(halton, np.sort((latin * 8).astype(int), axis=0).T.tolist())
