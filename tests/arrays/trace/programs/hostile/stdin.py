"""Asks how many points to take."""

import numpy as np

count = int(input("how many points? "))
x = np.linspace(0, np.pi, count)
print(f"integral {np.trapezoid(np.sin(x), x):.6f}")
