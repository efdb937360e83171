"""Sixteen colours for a photograph: k-means over its pixels, with the distances computed in two ways.

The photograph is that of Rear Admiral Grace Hopper, a work of the US Navy in the public domain; matplotlib brings it.
``by_broadcasting`` is how it is usually written; ``by_product`` expands the square into a matrix product.
"""

import numpy as np
from matplotlib import image
from matplotlib.cbook import get_sample_data

COLOURS, ROUNDS = 16, 5


def by_broadcasting(pixels, centres):
    """Nearest centre of each pixel: all differences at once."""
    apart = pixels[:, None, :] - centres[None, :, :]
    return (apart**2).sum(axis=-1).argmin(axis=1)


def by_product(pixels, centres):
    """Nearest centre of each pixel: |p|² - 2 p·c + |c|², without |p|², which does not change the winner."""
    distance = pixels @ centres.T
    distance *= -2
    distance += (centres * centres).sum(axis=1)
    return distance.argmin(axis=1)


def photograph():
    """The pixels of the photograph, every second one each way, in rows of red, green and blue from 0 to 1."""
    with get_sample_data("grace_hopper.jpg") as file:
        picture = image.imread(file, format="jpg")
    return picture[::2, ::2].reshape(-1, 3).astype(np.float32) / 255


def inputs(size=1.0):
    """Pixels and centres to start from, for whoever wants to race the two ways."""
    pixels = photograph()
    pixels = pixels[: max(1000, int(size * len(pixels)))]
    return pixels, pixels[:: len(pixels) // COLOURS][:COLOURS].copy()


def main():
    """Find the palette and print it."""
    pixels, centres = inputs()
    for _ in range(ROUNDS):
        label = by_broadcasting(pixels, centres)
        for colour in range(COLOURS):
            chosen = pixels[label == colour]
            if len(chosen):
                centres[colour] = chosen.mean(axis=0)
    assert np.array_equal(by_product(pixels, centres), by_broadcasting(pixels, centres))
    print("palette", *("#" + "".join(f"{int(255 * part):02x}" for part in colour) for colour in centres))


if __name__ == "__main__":
    main()
