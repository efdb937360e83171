"""Reserves two gibibytes of addresses and touches a few pages of them."""

import numpy as np

space = np.empty(1 << 28, dtype=np.float64)
space[:: 1 << 22] = 1.0
space[:1000] = np.arange(1000.0)
touched = space[:1000].sum() + space[1 << 22 :: 1 << 22].sum()
print(f"{space.nbytes / 2**30:.0f} GiB reserved, sum of what was touched {touched:.0f}")
