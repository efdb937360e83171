"""Works, then leaves with status 3."""

import sys

import numpy as np

residual = np.abs(np.fft.ifft(np.fft.fft(np.arange(4096.0))).real - np.arange(4096.0)).max()
print("residual is small:", bool(residual < 1e-9))
if residual < 1:
    sys.exit(3)
print("not reached")
