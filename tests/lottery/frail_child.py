"""The benchmarks' side of a child process in which some benchmarks fail in every way there is."""

import os
import signal

from pennyweight.lottery.weighing.microbench import child
from pennyweight.lottery.weighing.microbench.benchmarks import Benchmark
from pennyweight.lottery.weighing.microbench.child import First, software

__all__ = ["begin", "software", "sweep", "take"]


def begin(stack: str, benchmark: Benchmark) -> First:
    if benchmark.statement == "fft":
        raise NotImplementedError("no transforms here\nfor several reasons")
    if benchmark.statement == "sort":
        os.kill(os.getpid(), signal.SIGKILL)
    return child.begin(stack, benchmark)


def take(stack: str, benchmark: Benchmark, seconds: float) -> float:
    if benchmark.statement == "scan":
        os.kill(os.getpid(), signal.SIGKILL)
    return child.take(stack, benchmark, seconds)


def sweep(smallest: int, largest: int) -> list[tuple[int, float]]:
    return [(smallest, 20e9), (largest, 10e9)]
