"""Compands readings and codes them against learnt thresholds, then measures what the code loses."""

import numpy as np

READINGS, LEVELS = 20_000, 32


def learn(values):
    """Thresholds and the means between them, from a calibration run."""
    thresholds = np.quantile(values, np.linspace(0, 1, LEVELS + 1)[1:-1])
    ordered = np.sort(values)
    first = np.searchsorted(ordered, np.concatenate(([-np.inf], thresholds)))
    means = np.add.reduceat(ordered, first) / np.diff(first, append=len(ordered))
    return thresholds, means


def encode(values, thresholds):
    codes = np.empty(len(values), dtype=np.uint8)
    for position, value in enumerate(values):
        codes[position] = np.searchsorted(thresholds, value)  # planted: loop
    return codes


rng = np.random.default_rng(151)
thresholds, means = learn(np.arcsinh(rng.standard_normal(50_000)))
readings = np.arcsinh(rng.standard_normal(READINGS))
codes = encode(readings, thresholds)
loss = means[codes]
loss -= readings
print(f"noise {loss.std():.6f} of {readings.std():.6f}, used {np.unique(codes).size} levels")
