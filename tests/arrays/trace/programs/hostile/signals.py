"""Catches an interrupt, which it sends to itself, and says goodbye at the end."""

import atexit
import os
import signal

import numpy as np

caught = []


def on_interrupt(number, frame):
    caught.append(number)
    print("interrupted, going on", flush=True)


signal.signal(signal.SIGINT, on_interrupt)
atexit.register(lambda: print("goodbye", len(caught), flush=True))
x = np.ones(50_000)
for step in range(20):
    x *= 1.01
    if step == 10:
        os.kill(os.getpid(), signal.SIGINT)
print(f"{x.sum():.3f} {caught == [signal.SIGINT]} {signal.getsignal(signal.SIGINT) is on_interrupt}")
