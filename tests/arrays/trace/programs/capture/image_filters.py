"""Image work with scipy.ndimage in the middle: padding, windows, thresholds, labelling, geometry, a montage."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import ndimage


def cells(rng, size=256, count=30):
    """Bright discs on a slope, with grain; returns the picture in [0, 1]."""
    rows, columns = np.mgrid[:size, :size]
    picture = np.zeros((size, size))
    for y, x, radius in rng.uniform([10, 10, 4], [size - 10, size - 10, 11], size=(count, 3)):
        picture[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = 1
    picture = picture + 0.3 * columns / size + rng.normal(0, 0.1, picture.shape)
    return (picture - picture.min()) / np.ptp(picture)


def otsu(picture, bins=128):
    counts, edges = np.histogram(picture, bins=bins)
    centres = (edges[:-1] + edges[1:]) / 2
    low = np.cumsum(counts)
    high = counts.sum() - low
    mean_low = np.cumsum(counts * centres) / np.maximum(low, 1)
    mean_high = (np.sum(counts * centres) - np.cumsum(counts * centres)) / np.maximum(high, 1)
    return centres[np.argmax(low * high * (mean_low - mean_high) ** 2)]


def median_3x3(picture):
    padded = np.pad(picture, 1, mode="reflect")
    return np.median(sliding_window_view(padded, (3, 3)), axis=(-2, -1))


def unsharp(picture, sigma=2.0, amount=0.7):
    blurred = ndimage.gaussian_filter(picture, sigma)
    return np.clip(picture + amount * (picture - blurred), 0, 1)


rng = np.random.default_rng(12)
picture = cells(rng)
flat = picture - ndimage.uniform_filter(picture, 61)
smooth = median_3x3(flat)
assert np.allclose(smooth, ndimage.median_filter(flat, 3, mode="mirror"))
mask = smooth > otsu(smooth)
mask = ndimage.binary_opening(mask, iterations=2)
labels, number = ndimage.label(mask)
sizes = np.bincount(labels.flat)[1:]
centres = np.array(ndimage.center_of_mass(mask, labels, np.arange(1, number + 1)))
print(number, sorted(sizes)[-3:], centres.mean(axis=0).round(3))

biggest = ndimage.find_objects(labels)[int(sizes.argmax())]
crop = picture[biggest]
print(biggest, crop.shape, f"{crop.mean():.4f}", crop.base is picture)
turned = np.rot90(crop)
flipped = np.fliplr(crop)[::-1]
print(turned.shape, np.array_equal(np.rot90(turned, -1), crop), np.array_equal(flipped, np.flip(crop)))

edges = np.hypot(ndimage.sobel(picture, 0), ndimage.sobel(picture, 1))
distance = ndimage.distance_transform_edt(mask)
sharp = unsharp(picture)
montage = np.vstack([np.hstack([picture, sharp]), np.hstack([edges / edges.max(), distance / distance.max()])])
thumbnail = montage.reshape(64, 8, 64, 8).mean(axis=(1, 3))
as_bytes = (255 * thumbnail).round().astype(np.uint8)
print(montage.shape, as_bytes.shape, as_bytes.dtype, int(as_bytes.sum(dtype=np.int64)))
ramp = np.array(list(" .:-=+*#%@"))
for line in ramp[as_bytes[::8, ::4] // 26]:
    print("".join(line))
wrapped = np.roll(picture, (40, -25), axis=(0, 1))
correlation = np.fft.ifft2(np.fft.fft2(wrapped) * np.conj(np.fft.fft2(picture))).real
print(
    "shift",
    np.unravel_index(np.argmax(correlation), correlation.shape),
    f"{ndimage.zoom(crop, 0.5, order=1).mean():.3f}",
)
coloured = np.dstack([picture, sharp, np.zeros_like(picture)])
grey = coloured @ [0.299, 0.587, 0.114]
print(coloured.shape, grey.mean().round(5), np.moveaxis(coloured, -1, 0)[0].shape, coloured[..., ::-1][5, 5].round(3))
