"""Divide and conquer: a recursive FFT with remembered twiddles, Strassen, merge sort; NumPy's own as the judge."""

import cmath
import functools
import math

import numpy as np


@functools.lru_cache(maxsize=64)
def twiddles(n):
    return np.exp(-2j * np.pi * np.arange(n // 2) / n)


def fft(x):
    """Radix two by recursion over even and odd places."""
    n = x.shape[0]
    if n == 1:
        return x.astype(complex)
    if n % 2:
        raise ValueError(f"length {n} is not a power of two")
    even, odd = fft(x[::2]), fft(x[1::2])
    turned = twiddles(n) * odd
    return np.concatenate([even + turned, even - turned])


def ifft(x):
    return fft(x.conj()).conj() / x.size


def strassen(a, b, leaf=32):
    if a.shape[0] <= leaf:
        return a @ b
    h = a.shape[0] // 2
    (a11, a12), (a21, a22) = blocks(a, h)
    (b11, b12), (b21, b22) = blocks(b, h)
    times = functools.partial(strassen, leaf=leaf)
    m1, m2, m3 = times(a11 + a22, b11 + b22), times(a21 + a22, b11), times(a11, b12 - b22)
    m4, m5 = times(a22, b21 - b11), times(a11 + a12, b22)
    m6, m7 = times(a21 - a11, b11 + b12), times(a12 - a22, b21 + b22)
    return np.block([[m1 + m4 - m5 + m7, m3 + m5], [m2 + m4, m1 - m2 + m3 + m6]])


def blocks(m, h):
    return (m[:h, :h], m[:h, h:]), (m[h:, :h], m[h:, h:])


def merge_sort(x):
    """Merging by ranks: where each of one half's values falls in the other half."""
    if len(x) < 2:
        return x
    left, right = merge_sort(x[: len(x) // 2]), merge_sort(x[len(x) // 2 :])
    out = np.empty_like(x)
    out[np.arange(len(left)) + np.searchsorted(right, left, side="left")] = left
    out[np.arange(len(right)) + np.searchsorted(left, right, side="right")] = right
    return out


def main():
    rng = np.random.default_rng(0)
    signal = rng.standard_normal(2048)
    spectrum = fft(signal)
    np.testing.assert_allclose(spectrum, np.fft.fft(signal), atol=1e-9)
    np.testing.assert_array_almost_equal(ifft(spectrum).real, signal)
    try:
        fft(signal[:24])
    except ValueError as error:
        print("refused:", error)
    loudest = np.abs(spectrum[: signal.size // 2]).argmax()
    z = spectrum[loudest]
    print(loudest, f"{abs(z):.4f} {np.angle(z, deg=True):.3f} {cmath.phase(z):.5f} {z.real:+.4f}{z.imag:+.4f}j")
    print(type(z) is np.complex128, isinstance(z, complex), complex(z) == z, f"{math.hypot(z.real, z.imag):.4f}")

    a, b = rng.integers(-9, 9, size=(2, 128, 128))
    np.testing.assert_array_equal(strassen(a, b), a @ b)
    shuffled = rng.permutation(600)
    assert (merge_sort(shuffled) == np.arange(600)).all()
    print(twiddles.cache_info().currsize, strassen(a, b).trace(), merge_sort(signal)[:2].round(4))
    p, q = [3, 0, 1, 5], [2, 7]
    size = 8
    product = ifft(fft(np.array(p + [0] * (size - len(p)))) * fft(np.array(q + [0] * (size - len(q))))).real
    print(np.rint(product).astype(int), np.convolve(p, q))


if __name__ == "__main__":
    main()
