"""Explicit heat diffusion in an insulated-by-ice box, three dimensions, single precision, one scratch buffer."""

import numpy as np


class Heat:
    """The temperature on a cube whose outermost layer stays at zero."""

    def __init__(self, size, diffusivity):
        self.field = np.zeros((size, size, size), dtype=np.float32)
        self.scratch = np.empty((size - 2, size - 2, size - 2), dtype=np.float32)
        self.diffusivity = diffusivity

    def warm(self, low, high, degrees):
        self.field[low:high, low:high, low:high] = degrees

    def step(self):
        u, change = self.field, self.scratch
        inner = u[1:-1, 1:-1, 1:-1]
        np.multiply(inner, -6.0, out=change)
        change += u[:-2, 1:-1, 1:-1]
        change += u[2:, 1:-1, 1:-1]
        change += u[1:-1, :-2, 1:-1]
        change += u[1:-1, 2:, 1:-1]
        change += u[1:-1, 1:-1, :-2]
        change += u[1:-1, 1:-1, 2:]
        change *= self.diffusivity
        inner += change

    @property
    def total(self):
        return float(self.field.sum(dtype=np.float64))


box = Heat(64, 0.15)
box.warm(20, 40, 90.0)
before = box.total
for _ in range(60):
    box.step()
assert box.field.dtype == np.float32
print(f"before {before:.1f} after {box.total:.1f} peak {box.field.max():.4f}")
