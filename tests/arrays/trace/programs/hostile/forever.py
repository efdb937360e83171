"""Never ends: a damped pendulum for all time."""

import numpy as np

angle = np.linspace(-1, 1, 10_000)
speed = np.zeros_like(angle)
pull = np.empty_like(angle)
print("started", flush=True)
while True:
    np.sin(angle, out=pull)
    pull *= 0.01
    speed -= pull
    speed *= 0.9999
    np.multiply(speed, 0.01, out=pull)
    angle += pull
