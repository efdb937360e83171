"""Leaky neurons driven by a recording: currents are added moment by moment, who passes the threshold fires."""

import numpy as np

NEURONS, MOMENTS = 6000, 400
THRESHOLD = 2.5


def recording(rng):
    """Currents as (moments, neurons); the amplifier hands over one trace after the other."""
    traces = rng.standard_normal((NEURONS, MOMENTS), dtype=np.float32)
    traces += 0.15
    return traces.T


def run(currents, leak):
    voltage = np.zeros(NEURONS, dtype=np.float32)
    fired = np.empty(NEURONS, dtype=np.bool_)
    spikes = np.zeros(NEURONS, dtype=np.int32)
    for current in currents:
        voltage *= leak
        np.add(voltage, current, out=voltage)  # planted: strided
        np.greater(voltage, THRESHOLD, out=fired)
        spikes += fired
        np.copyto(voltage, 0, where=fired)
    return spikes, voltage


currents = recording(np.random.default_rng(149))
for leak in (0.8, 0.85, 0.9, 0.95):
    spikes, voltage = run(currents, leak)
    print(f"leak {leak} spikes {spikes.sum()} busiest {spikes.max()} resting {voltage.mean():.5f} {voltage.dtype}")
