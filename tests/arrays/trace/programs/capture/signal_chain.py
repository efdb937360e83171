"""A receiver's chain: windows, as_strided frames, Welch's spectrum, scipy.signal filters, correlation, resampling."""

import numpy as np
from numpy.lib.stride_tricks import as_strided
from scipy import signal

RATE = 8000
t = np.arange(0, 2, 1 / RATE)
rng = np.random.RandomState(4)
tone = np.sin(2 * np.pi * 440 * t) + 0.5 * np.sign(np.sin(2 * np.pi * 97 * t)) + 0.3 * rng.randn(len(t))


def frames(x, length, hop):
    count = 1 + (len(x) - length) // hop
    return as_strided(x, shape=(count, length), strides=(x.strides[0] * hop, x.strides[0]), writeable=False)


def welch(x, length=512):
    window = np.hanning(length + 1)[:-1]
    pieces = frames(x, length, length // 2)
    pieces = pieces - pieces.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(pieces * window, axis=-1)) ** 2
    power = power.mean(0) / (RATE * (window**2).sum())
    power[1:-1] *= 2
    return np.fft.rfftfreq(length, 1 / RATE), power


frequency, power = welch(tone)
reference_f, reference = signal.welch(tone, RATE, nperseg=512)
print(np.allclose(frequency, reference_f), np.allclose(power, reference), frequency[power.argmax()])
decibel = 10 * np.log10(power)
peaks = np.flatnonzero((decibel[1:-1] > decibel[:-2]) & (decibel[1:-1] > decibel[2:]) & (decibel[1:-1] > -38)) + 1
print(frequency[peaks][:6], decibel[peaks][:6].round(2))

taps = signal.firwin(63, [300, 600], pass_zero=False, fs=RATE)
narrow = np.convolve(tone, taps, mode="same")
assert np.allclose(narrow, signal.lfilter(taps, 1.0, np.r_[tone, np.zeros(31)])[31:])
envelope = np.abs(signal.hilbert(narrow))
print(
    f"{envelope[1000:-1000].mean():.4f} {narrow.std():.4f}",
    np.blackman(5).round(3),
    np.bartlett(4),
    np.kaiser(3, 5).round(4),
)

echo = np.zeros_like(tone)
echo[137:] = 0.6 * tone[:-137]
lag = np.correlate(echo[:4000], tone[:4000], mode="full").argmax() - 3999
print("lag", lag, "zero crossings", (np.diff(np.signbit(tone)) != 0).sum(), "energy", np.vdot(echo, echo).round(3))

b, a = signal.butter(3, 0.1)
low = signal.filtfilt(b, a, tone)
by_hand = np.zeros(200)
for n in range(200):
    by_hand[n] = sum(b[k] * tone[n - k] for k in range(len(b)) if n >= k) - sum(
        a[k] * by_hand[n - k] for k in range(1, len(a)) if n >= k
    )
print(np.allclose(by_hand, signal.lfilter(b, a, tone)[:200]), low[::4000].round(4), tone[::-8000])

mean = np.cumsum(np.insert(tone, 0, 0))
mean = (mean[50:] - mean[:-50]) / 50
print(
    np.allclose(mean, np.convolve(tone, np.ones(50) / 50, "valid")),
    np.trapezoid(tone, t).round(6),
    np.ediff1d(t[:3], to_begin=9),
)
half = np.interp(np.arange(0, 2, 2 / RATE), t, low)
mu = np.sign(tone) * np.log1p(255 * np.abs(tone) / np.abs(tone).max()) / np.log(256)
codes = np.digitize(mu, np.linspace(-1, 1, 255))
print(half.shape, codes.min(), codes.max(), np.bincount(codes, minlength=256).argmax(), len(np.unique(codes)))
phase = np.unwrap(np.angle(signal.hilbert(narrow)))
print(
    "instantaneous frequency",
    np.median(np.gradient(phase, 1 / RATE)).round(1) / (2 * np.pi) // 1,
    np.fft.fftshift(np.fft.fftfreq(4)),
)
