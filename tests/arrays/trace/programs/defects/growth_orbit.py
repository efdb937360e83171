"""A ring of coupled oscillators by an adaptive Runge-Kutta pair, which takes as many steps as it needs."""

import numpy as np

OSCILLATORS = 96
END, TOLERANCE = 20.0, 1e-6


def slope(state):
    """Velocities and accelerations of (2, n) places and speeds."""
    place, speed = state
    rate = np.empty_like(state)
    rate[0] = speed
    rate[1] = -np.sin(place)
    rate[1] += 0.5 * np.roll(place, 1)
    rate[1] += 0.5 * np.roll(place, -1)
    rate[1] -= place
    return rate


def integrate(state):
    """Bogacki and Shampine's pair of orders three and two; returns the times and all places."""
    time, step = 0.0, 0.01
    times, path = [time], state[:1].copy()
    first = slope(state)
    while time < END:
        step = min(step, END - time)
        second = slope(state + 0.5 * step * first)
        third = slope(state + 0.75 * step * second)
        new = state + step / 9 * (2 * first + 3 * second + 4 * third)
        last = slope(new)
        error = np.abs(step * (-5 / 72 * first + second / 12 + third / 9 - last / 8)).max()
        if error <= TOLERANCE:
            time, state, first = time + step, new, last
            times.append(time)
            path = np.vstack((path, state[:1]))  # planted: growth
        step *= min(2.0, max(0.3, 0.9 * (TOLERANCE / max(error, 1e-14)) ** (1 / 3)))
    return times, path


rng = np.random.default_rng(179)
times, path = integrate(np.stack([rng.uniform(-1, 1, OSCILLATORS), np.zeros(OSCILLATORS)]))
print(f"steps {len(times)} end {times[-1]:.1f} path {path.shape} spread {path.std():.5f} last {path[-1, 0]:.5f}")
