"""Running means and a measure of roughness for the main program beside this file."""

import numpy as np


class Smoother:
    """Running means by differences of one running sum."""

    def __init__(self, width):
        self.width = width
        self.calls = 0

    def __call__(self, series):
        self.calls += 1
        total = np.concatenate(([0.0], np.cumsum(series)))
        return (total[self.width :] - total[: -self.width]) / self.width


def roughness(series):
    """The standard deviation of the steps."""
    return float(np.diff(series).std())
