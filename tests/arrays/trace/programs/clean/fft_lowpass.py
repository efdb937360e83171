"""A Gaussian low-pass filter in the frequency domain over a run of frames, transforms into kept buffers."""

import numpy as np

SIZE = 384
FRAMES = 8


def frames(rng):
    """Noisy rings that drift, one frame at a time in the same array."""
    axis = np.linspace(-1, 1, SIZE)
    frame = np.empty((SIZE, SIZE))
    noise = np.empty_like(frame)
    for number in range(FRAMES):
        np.add((axis - 0.05 * number)[:, None] ** 2, axis[None, :] ** 2, out=frame)
        frame *= 40.0
        np.cos(frame, out=frame)
        rng.standard_normal(out=noise)
        noise *= 0.5
        frame += noise
        yield frame


def gaussian(frequencies, width):
    return np.exp(-0.5 * (frequencies / width) ** 2)


down = gaussian(np.fft.fftfreq(SIZE), 0.06)
across = gaussian(np.fft.rfftfreq(SIZE), 0.06)
spectrum = np.empty((SIZE, SIZE // 2 + 1), dtype=np.complex128)
smooth = np.empty((SIZE, SIZE))
rough = []
for frame in frames(np.random.default_rng(31)):
    np.fft.rfftn(frame, out=spectrum)
    spectrum *= down[:, np.newaxis]
    spectrum *= across
    # not irfft2, which ignores its out argument in NumPy 2.4
    np.fft.irfftn(spectrum, s=frame.shape, axes=(0, 1), out=smooth)
    rough.append((float(frame.std()), float(smooth.std())))

for before, after in rough:
    assert after < before
print("last", " ".join(f"{value:.5f}" for value in rough[-1]), f"centre {smooth[SIZE // 2, SIZE // 2]:.5f}")
