"""A spectrogram of a long single-precision recording in overlapping windowed frames."""

import numpy as np

SAMPLES, FRAME, HOP = 1 << 18, 512, 256


def chirp(rng):
    phase = np.linspace(0, 1, SAMPLES, dtype=np.float32)
    np.multiply(phase, phase, out=phase)
    phase *= 40_000
    np.sin(phase, out=phase)
    noise = rng.standard_normal(SAMPLES, dtype=np.float32)
    noise *= 0.1
    phase += noise
    return phase


def spectrogram(recording):
    """Power (frames, frequencies)."""
    frames = np.lib.stride_tricks.sliding_window_view(recording, FRAME)[::HOP]
    taper = np.hanning(FRAME)
    tapered = frames * taper  # planted: promotion
    spectrum = np.fft.rfft(tapered, axis=1)
    power = np.square(spectrum.real)
    np.square(spectrum.imag, out=spectrum.imag)
    power += spectrum.imag
    return power


recording = chirp(np.random.default_rng(107))
power = spectrogram(recording)
loudest = power.argmax(axis=1)
print(power.shape, loudest[:: len(loudest) // 8].tolist(), f"{power.mean():.4f}")
