"""Does not parse."""

import numpy as np

x = np.arange(10
print(x.sum())
