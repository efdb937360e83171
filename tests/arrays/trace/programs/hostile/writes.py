"""Leaves things in the current folder: a table, a log that grows with every run, a folder with arrays in it."""

import os

import numpy as np

x = np.linspace(0, 1, 1000)
y = np.sqrt(x)
np.savetxt("table.csv", np.column_stack([x, y])[:5], delimiter=",")
with open("log.txt", "a", encoding="utf-8") as log:
    log.write(f"mean {y.mean():.6f}\n")
os.makedirs("arrays", exist_ok=True)
np.save(os.path.join("arrays", "y.npy"), y)
print(sorted(os.listdir("arrays")), os.path.getsize("table.csv"))
