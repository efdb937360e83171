"""A small convolutional stack, channels last: a sum over kernel taps of matrix products of shifted views."""

import numpy as np


def convolve(image, kernel, bias):
    """``image`` (rows, columns, in) with ``kernel`` (3, 3, in, out), no padding."""
    taps_y, taps_x, _, channels = kernel.shape
    rows, columns = image.shape[0] - taps_y + 1, image.shape[1] - taps_x + 1
    total = np.empty((rows, columns, channels), dtype=image.dtype)
    part = np.empty_like(total)
    total[...] = bias
    for dy in range(taps_y):
        for dx in range(taps_x):
            np.matmul(image[dy : dy + rows, dx : dx + columns], kernel[dy, dx], out=part)
            total += part
    return total


def relu_in_place(x):
    return np.maximum(x, 0, out=x)


def halve(x):
    """Two-by-two maximum; the reshape splits axes and so stays a view."""
    rows, columns, channels = x.shape
    return x.reshape(rows // 2, 2, columns // 2, 2, channels).max(axis=(1, 3))


rng = np.random.default_rng(29)
first = rng.standard_normal((3, 3, 3, 8), dtype=np.float32) * np.float32(0.3)
second = rng.standard_normal((3, 3, 8, 16), dtype=np.float32) * np.float32(0.15)
for number in range(3):
    picture = rng.random((130, 130, 3), dtype=np.float32)
    features = halve(relu_in_place(convolve(picture, first, np.float32(0.1))))
    features = halve(relu_in_place(convolve(features, second, np.float32(-0.05))))
    print(number, features.shape, features.dtype, f"{features.mean():.6f}")
