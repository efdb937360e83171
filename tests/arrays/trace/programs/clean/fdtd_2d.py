"""Finite-difference time domain in two dimensions: a pulse in a box with conducting walls (Yee's staggered grid)."""

import math

import numpy as np

ROWS, COLUMNS, STEPS = 320, 320, 160
COURANT = 0.5

ez = np.zeros((ROWS, COLUMNS), dtype=np.float32)
hx = np.zeros((ROWS - 1, COLUMNS), dtype=np.float32)
hy = np.zeros((ROWS, COLUMNS - 1), dtype=np.float32)
slope_y = np.empty_like(hx)
slope_x = np.empty_like(hy)
curl = np.empty((ROWS - 2, COLUMNS - 2), dtype=np.float32)
curl_part = np.empty_like(curl)


def update_magnetic():
    np.subtract(ez[1:], ez[:-1], out=slope_y)
    np.multiply(slope_y, COURANT, out=slope_y)
    np.subtract(hx, slope_y, out=hx)
    np.subtract(ez[:, 1:], ez[:, :-1], out=slope_x)
    np.multiply(slope_x, COURANT, out=slope_x)
    np.add(hy, slope_x, out=hy)


def update_electric():
    np.subtract(hy[1:-1, 1:], hy[1:-1, :-1], out=curl)
    np.subtract(hx[1:, 1:-1], hx[:-1, 1:-1], out=curl_part)
    np.subtract(curl, curl_part, out=curl)
    np.multiply(curl, COURANT, out=curl)
    inside = ez[1:-1, 1:-1]
    np.add(inside, curl, out=inside)


for step in range(STEPS):
    update_magnetic()
    update_electric()
    ez[ROWS // 3, COLUMNS // 2] += math.exp(-(((step - 30) / 10.0) ** 2))

energy = np.vdot(ez, ez) + np.vdot(hx, hx) + np.vdot(hy, hy)
print(f"energy {energy:.4f} strongest {np.abs(ez).max():.4f} dtype {ez.dtype}")
