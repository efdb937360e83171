"""Two substances that spread at different rates and feed on one another (Gray and Scott)."""

import numpy as np
from scipy import ndimage

SIZE, STEPS = 192, 120
FEED, KILL = 0.04, 0.055


def react(u, v, scratch):
    """The reaction of one step, in place."""
    np.multiply(v, v, out=scratch)
    scratch *= u
    u -= scratch
    v += scratch
    u *= 1 - FEED
    u += FEED
    v *= 1 - FEED - KILL


def spread(field, rate, scratch):
    """The diffusion of one step, in place, on a torus."""
    ndimage.laplace(field, output=scratch, mode="wrap")  # planted: escape
    scratch *= rate
    field += scratch


rng = np.random.default_rng(163)
u = np.ones((SIZE, SIZE))
v = np.zeros((SIZE, SIZE))
patch = np.s_[80:112, 80:112]
u[patch] = 0.5
v[patch] = 0.25 + 0.1 * rng.random((32, 32))
scratch = np.empty_like(u)
for _ in range(STEPS):
    spread(u, 0.16, scratch)
    spread(v, 0.08, scratch)
    react(u, v, scratch)
print(f"u {u.mean():.6f} v {v.mean():.6f} peak {v.max():.5f}")
