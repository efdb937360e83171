"""Pictures in pieces: a Haar pyramid through strided slices, ordered and error dithering, block cosines, a palette."""

import numpy as np

SIZE = 128


def haar(x, axis):
    """One level along one axis: means in the first half, differences in the second."""
    x = np.moveaxis(x, axis, 0)
    mean, difference = (x[::2] + x[1::2]) / 2, (x[::2] - x[1::2]) / 2
    return np.moveaxis(np.concatenate([mean, difference]), 0, axis)


def unhaar(x, axis):
    x = np.moveaxis(x, axis, 0)
    half = len(x) // 2
    out = np.empty_like(x)
    out[0::2] = x[:half] + x[half:]
    out[1::2] = x[:half] - x[half:]
    return np.moveaxis(out, 0, axis)


def pyramid(image, levels):
    out = image.astype(float)
    for level in range(levels):
        n = SIZE >> level
        corner = out[:n, :n]
        corner[...] = haar(haar(corner, 0), 1)
    return out


def collapse(bands, levels):
    out = bands.copy()
    for level in reversed(range(levels)):
        n = SIZE >> level
        out[:n, :n] = unhaar(unhaar(out[:n, :n], 1), 0)
    return out


yy, xx = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]
image = 0.5 + 0.4 * np.sin(9 * np.hypot(xx, yy)) * (xx > yy) + 0.05 * np.random.RandomState(1).randn(SIZE, SIZE)
bands = pyramid(image, 4)
assert np.allclose(collapse(bands, 4), image)
threshold = np.quantile(np.abs(bands), 0.9)
sparse = np.where(np.abs(bands) >= threshold, bands, 0)
error = np.sqrt(np.mean((collapse(sparse, 4) - image) ** 2))
print(
    f"kept {np.count_nonzero(sparse) / sparse.size:.3f} error {error:.5f}"
    f" mean {bands[:8, :8].mean():.6f} {image.mean():.6f}"
)


def bayer(n):
    """The threshold map of order n by recursion."""
    if n == 0:
        return np.zeros((1, 1), dtype=int)
    m = 4 * bayer(n - 1)
    return np.block([[m, m + 2], [m + 3, m + 1]])


grey = np.clip(image, 0, 1)
threshold_map = (bayer(3) + 0.5) / 64
ordered = grey > np.tile(threshold_map, (SIZE // 8, SIZE // 8))
print(bayer(2).tolist(), ordered.mean().round(4), grey.mean().round(4), sorted(bayer(3).ravel()) == list(range(64)))

work = grey[:40, :40].copy()
for y in range(40):
    for x in range(40):
        old = work[y, x]
        new = round(old)
        work[y, x] = new
        rest = old - new
        if x + 1 < 40:
            work[y, x + 1] += rest * 7 / 16
        if y + 1 < 40:
            work[y + 1, x] += rest * 5 / 16
            if x > 0:
                work[y + 1, x - 1] += rest * 3 / 16
            if x + 1 < 40:
                work[y + 1, x + 1] += rest / 16
print("diffused", work.mean().round(4), np.unique(work), abs(work.mean() - grey[:40, :40].mean()) < 0.02)

k = np.arange(8)
basis = np.sqrt(2 / 8) * np.cos(np.pi * np.outer(k, 2 * k + 1) / 16)
basis[0] /= np.sqrt(2)
blocks = grey.reshape(SIZE // 8, 8, SIZE // 8, 8).swapaxes(1, 2)
coefficients = basis @ blocks @ basis.T
quantised = np.round(coefficients * 20 / (1 + k[:, None] + k)) * (1 + k[:, None] + k) / 20
decoded = (basis.T @ quantised @ basis).swapaxes(1, 2).reshape(SIZE, SIZE)
signal_to_noise = 10 * np.log10(1 / np.mean((decoded - grey) ** 2))
zigzag = sorted(np.ndindex(8, 8), key=lambda ij: (sum(ij), ij[(sum(ij) + 1) % 2]))
runs = quantised[0, 0][tuple(np.transpose(zigzag))]
print(
    f"{signal_to_noise:.3f} dB",
    np.allclose(basis @ basis.T, np.eye(8)),
    np.count_nonzero(quantised),
    len(np.trim_zeros(runs, "b")),
    zigzag[:6],
)

colour = np.stack([grey, 1 - grey, grey[::-1]], axis=-1)
pixels = colour.reshape(-1, 3)
palette = pixels[:: len(pixels) // 6][:6].copy()
for _ in range(8):
    nearest = ((pixels[:, None] - palette) ** 2).sum(-1).argmin(1)
    palette = np.array([pixels[nearest == c].mean(0) if (nearest == c).any() else palette[c] for c in range(6)])
coded = palette[nearest].reshape(colour.shape)
print(
    np.bincount(nearest),
    np.abs(coded - colour).mean().round(5),
    ["#" + bytes((255 * p).astype("u1")).hex() for p in palette[:3]],
)
run_ends = np.flatnonzero(np.diff(ordered.ravel().astype(np.int8), append=2))
lengths = np.diff(run_ends, prepend=-1)
assert (np.repeat(ordered.ravel()[run_ends], lengths) == ordered.ravel()).all()
integral = np.pad(grey.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
box = integral[9:, 9:] - integral[:-9, 9:] - integral[9:, :-9] + integral[:-9, :-9]
print(
    len(lengths),
    lengths.max(),
    box.shape,
    np.isclose(box[3, 4], grey[3:12, 4:13].sum()),
    "\n".join("".join(" #"[v] for v in r) for r in ordered[:32:8, :64].astype(int)),
)
