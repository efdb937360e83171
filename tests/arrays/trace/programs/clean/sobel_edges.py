"""Sobel gradients and thinning of edges to single pixels, separable and with buffers the caller keeps."""

import numpy as np


def smooth_rows(image, out):
    """(1, 2, 1) along columns of the picture."""
    np.multiply(image[1:-1], 2, out=out)
    out += image[:-2]
    out += image[2:]
    return out


class Sobel:
    """Edge detector for pictures of one size."""

    def __init__(self, rows, columns):
        inner = (rows - 2, columns - 2)
        self.tall = np.empty((rows - 2, columns), dtype=np.float32)
        self.gx, self.gy, self.strength = (np.empty(inner, dtype=np.float32) for _ in range(3))
        self.keep, self.steep, self.test = (np.zeros((rows - 4, columns - 4), dtype=np.bool_) for _ in range(3))

    def gradients(self, image):
        smooth_rows(image, self.tall)
        np.subtract(self.tall[:, 2:], self.tall[:, :-2], out=self.gx)
        np.subtract(image[2:], image[:-2], out=self.tall)
        np.multiply(self.tall[:, 1:-1], 2, out=self.gy)
        self.gy += self.tall[:, :-2]
        self.gy += self.tall[:, 2:]
        np.hypot(self.gx, self.gy, out=self.strength)

    def thin(self, threshold):
        """Keep a pixel that is not weaker than its two neighbours across the edge."""
        s = self.strength
        centre = s[1:-1, 1:-1]
        np.abs(self.gx, out=self.gx)
        np.abs(self.gy, out=self.gy)
        np.greater(self.gy[1:-1, 1:-1], self.gx[1:-1, 1:-1], out=self.steep)
        np.greater(centre, threshold, out=self.keep)
        sideways = (s[1:-1, :-2], s[1:-1, 2:])
        upright = (s[:-2, 1:-1], s[2:, 1:-1])
        for across, along in zip(sideways, upright, strict=True):
            np.greater_equal(centre, across, out=self.test)
            np.greater_equal(centre, along, out=self.test, where=self.steep)
            self.keep &= self.test
        return self.keep


def main():
    rng = np.random.default_rng(83)
    picture = np.zeros((480, 640), dtype=np.float32)
    picture[100:300, 150:420] = 1.0
    picture[350:440, 40:600] = 0.6
    detector = Sobel(*picture.shape)
    noise = np.empty_like(picture)
    for level in (0.01, 0.03, 0.05):
        rng.standard_normal(out=noise, dtype=np.float32)
        noise *= level
        noise += picture
        detector.gradients(noise)
        print(f"noise {level} edge pixels {np.count_nonzero(detector.thin(1.0))}")
    print(detector.strength.dtype, f"{detector.strength.max():.4f}")


main()
