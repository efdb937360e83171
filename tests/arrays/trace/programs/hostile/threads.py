"""Two threads work on halves of one array at the same time, with a lock around what they share."""

import threading

import numpy as np

values = np.random.default_rng(4).standard_normal((2, 200_000))
totals = {}
lock = threading.Lock()


def work(half):
    part = values[half]
    for _ in range(3):
        np.tanh(part, out=part)
        part += 0.5 * np.sqrt(np.abs(part))
    with lock:
        totals[half] = float(part.sum())


threads = [threading.Thread(target=work, args=(half,)) for half in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print({half: round(totals[half], 4) for half in sorted(totals)})
