"""Hands part of the work to another Python and reads its answer."""

import subprocess
import sys

import numpy as np

x = np.arange(1000.0)
done = subprocess.run(
    [sys.executable, "-c", "import numpy as np; x = np.arange(1000.0); print(np.sqrt(x).sum())"],
    capture_output=True,
    text=True,
    check=True,
)
print("agree", np.isclose(float(done.stdout), np.sqrt(x).sum()))
