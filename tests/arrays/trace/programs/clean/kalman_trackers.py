"""A Kalman filter for many targets that share one motion model: the gain is tiny, the states are one wide matrix."""

import numpy as np

TARGETS, STEPS, DT = 20_000, 60, 0.1

move = np.eye(4)
move[0, 2] = move[1, 3] = DT
look = np.eye(2, 4)
motion_noise = np.diag([1e-4, 1e-4, 1e-2, 1e-2])
look_noise = 0.25 * np.eye(2)


def gains():
    """The gains of all steps; they depend on the model and not on what was seen."""
    spread = 10.0 * np.eye(4)
    while True:
        spread = move @ spread @ move.T + motion_noise
        seen = look @ spread @ look.T + look_noise
        gain = np.linalg.solve(seen, look @ spread).T
        spread = (np.eye(4) - gain @ look) @ spread
        yield gain


def observe(rng, truth):
    """Positions with noise, step by step into one array."""
    place, speed = truth[:2], truth[2:]
    seen, noise = np.empty((2, TARGETS)), np.empty((2, TARGETS))
    for _ in range(STEPS):
        np.multiply(speed, DT, out=noise)
        place += noise
        rng.standard_normal(out=noise)
        noise *= 0.5
        np.add(place, noise, out=seen)
        yield seen


rng = np.random.default_rng(59)
truth = rng.standard_normal((4, TARGETS))
state, predicted = np.zeros((4, TARGETS)), np.empty((4, TARGETS))
surprise, correction = np.empty((2, TARGETS)), np.empty((4, TARGETS))
for gain, seen in zip(gains(), observe(rng, truth), strict=False):
    np.matmul(move, state, out=predicted)
    np.subtract(seen, predicted[:2], out=surprise)
    np.matmul(gain, surprise, out=correction)
    np.add(predicted, correction, out=state)

state -= truth
error = np.sqrt(np.einsum("ij,ij->i", state, state) / TARGETS)
print("root mean square error", " ".join(f"{value:.4f}" for value in error))
