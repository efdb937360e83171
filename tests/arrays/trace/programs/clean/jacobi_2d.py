"""Jacobi iteration for Laplace's equation on a plate with fixed edges: two buffers that change places."""

import numpy as np

SIZE = 400
SWEEPS = 200


def plate(size):
    u = np.zeros((size, size))
    u[0] = 100.0
    u[-1] = 25.0
    u[:, 0] = np.linspace(100.0, 25.0, size)
    u[:, -1] = 50.0
    return u


def sweep(old, new):
    inner = new[1:-1, 1:-1]
    np.add(old[:-2, 1:-1], old[2:, 1:-1], out=inner)
    inner += old[1:-1, :-2]
    inner += old[1:-1, 2:]
    inner *= 0.25


def largest_change(old, new, scratch):
    np.subtract(new, old, out=scratch)
    np.abs(scratch, out=scratch)
    return scratch.max()


def main():
    old = plate(SIZE)
    new = old.copy()
    scratch = np.empty_like(old)
    changes = []
    for number in range(SWEEPS):
        sweep(old, new)
        if number % 50 == 49:
            changes.append(float(largest_change(old, new, scratch)))
        old, new = new, old
    print("changes", " ".join(f"{change:.5f}" for change in changes))
    print(f"mean {old.mean():.6f} centre {old[SIZE // 2, SIZE // 2]:.3e}")


if __name__ == "__main__":
    main()
