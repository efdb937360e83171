"""Escape times of the Mandelbrot set in blocks of rows that fit the cache; ``where=`` freezes what has escaped."""

import numpy as np

WIDTH, HEIGHT, LIMIT, BLOCK = 480, 360, 60, 24


def escape_times(real, imaginary):
    """``real`` (columns,) and ``imaginary`` (rows, 1), both coordinates of the parameter c."""
    shape = (imaginary.shape[0], real.shape[0])
    x, y, xx, yy, radius = np.zeros((5, *shape))
    alive = np.ones(shape, dtype=np.bool_)
    times = np.zeros(shape, dtype=np.int32)
    for _ in range(LIMIT):
        np.multiply(x, y, out=y, where=alive)
        np.multiply(y, 2.0, out=y, where=alive)
        np.add(y, imaginary, out=y, where=alive)
        np.subtract(xx, yy, out=x, where=alive)
        np.add(x, real, out=x, where=alive)
        np.multiply(x, x, out=xx, where=alive)
        np.multiply(y, y, out=yy, where=alive)
        np.add(xx, yy, out=radius, where=alive)
        np.less_equal(radius, 4.0, out=alive)
        np.add(times, 1, out=times, where=alive)
        if not alive.any():
            break
    return times


def main():
    real = np.linspace(-2.2, 0.8, WIDTH)
    imaginary = np.linspace(-1.125, 1.125, HEIGHT)[:, np.newaxis]
    times = np.empty((HEIGHT, WIDTH), dtype=np.int32)
    for top in range(0, HEIGHT, BLOCK):
        times[top : top + BLOCK] = escape_times(real, imaginary[top : top + BLOCK])
    assert np.array_equal(times, times[::-1])
    print(f"inside {np.mean(times == LIMIT):.4f} sum {times.sum()} area {np.mean(times == LIMIT) * 3 * 2.25:.3f}")


main()
