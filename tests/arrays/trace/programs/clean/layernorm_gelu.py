"""Six residual blocks of layer normalisation, a wide matrix product and the tanh form of GELU, all in place."""

import math

import numpy as np

ROWS, WIDTH, WIDE = 1024, 128, 256
TANH_SCALE = math.sqrt(2 / math.pi)


def normalise(x, gain, bias, out, eps=1e-5):
    np.subtract(x, x.mean(axis=1, keepdims=True), out=out)
    variance = np.einsum("ij,ij->i", out, out)
    variance /= x.shape[1]
    variance += eps
    np.sqrt(variance, out=variance)
    out /= variance[:, None]
    out *= gain
    out += bias
    return out


def gelu_in_place(x, scratch):
    """``x/2 (1 + tanh(s (x + 0.044715 x^3)))`` with one scratch array of x's shape."""
    np.multiply(x, x, out=scratch)
    scratch *= 0.044715
    scratch += 1
    scratch *= x
    scratch *= TANH_SCALE
    np.tanh(scratch, out=scratch)
    scratch += 1
    scratch *= 0.5
    x *= scratch
    return x


def main():
    rng = np.random.default_rng(23)

    def weights(*shape, scale):
        drawn = rng.standard_normal(shape, dtype=np.float32)
        drawn *= scale
        return drawn

    x = weights(ROWS, WIDTH, scale=1.0)
    gain, bias = np.ones(WIDTH, dtype=np.float32), np.zeros(WIDTH, dtype=np.float32)
    normal, narrow = np.empty_like(x), np.empty_like(x)
    wide = np.empty((ROWS, WIDE), dtype=np.float32)
    scratch = np.empty_like(wide)
    for _ in range(6):
        up = weights(WIDTH, WIDE, scale=1 / math.sqrt(WIDTH))
        down = weights(WIDE, WIDTH, scale=1 / math.sqrt(WIDE))
        normalise(x, gain, bias, out=normal)
        np.matmul(normal, up, out=wide)
        gelu_in_place(wide, scratch)
        np.matmul(wide, down, out=narrow)
        x += narrow
    print(f"{x.dtype} mean {x.mean():.5f} spread {x.std():.5f} corner {x[0, 0]:.5f}")


if __name__ == "__main__":
    main()
