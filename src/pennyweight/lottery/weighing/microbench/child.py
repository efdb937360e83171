"""The benchmarks' side in a child process: makes arrays, times statements, tells what software is there.

Called by name through `pennyweight.lottery.weighing.worker`. What is made for a benchmark stays until the process ends.
"""

import math
import time
import timeit
from dataclasses import dataclass
from functools import cache

import numpy as np

from pennyweight.core.stack import Stack
from pennyweight.lottery.weighing.microbench import on_numpy
from pennyweight.lottery.weighing.microbench.benchmarks import Benchmark
from pennyweight.lottery.weighing.microbench.dialect import Dialect, arrays
from pennyweight.lottery.weighing.microbench.timing import Timed


@dataclass(frozen=True, kw_only=True)
class First:
    """What was run for a benchmark, what its first call took, and about what one takes later, in seconds."""

    statement: str
    first_seconds: float
    call_seconds: float


_timed: dict[Benchmark, Timed] = {}


def begin(stack: str, benchmark: Benchmark) -> First:
    """Make a benchmark's arrays and call it twice; raises what the library raises where it cannot run it."""
    dialect = _dialect_of(stack)
    made = arrays(dialect, benchmark.arrays, benchmark.count, benchmark.dtype)
    statement = dialect.statements[benchmark.statement]
    timed = Timed(timeit.Timer(statement, globals={**made, **dialect.names}), dialect.wait)
    _timed[benchmark] = timed
    return First(statement=statement, first_seconds=timed.first_seconds, call_seconds=timed.call_seconds)


def take(stack: str, benchmark: Benchmark, seconds: float) -> float:
    """A slice of a benchmark: the undisturbed seconds of a call."""
    if benchmark not in _timed:
        begin(stack, benchmark)
    return _timed[benchmark].low(seconds)


def software(stack: str) -> dict[str, str]:
    """Names and versions of what runs below a stack."""
    return _dialect_of(stack).software()


def _dialect_of(stack: str) -> Dialect:
    parsed = Stack.parse(stack)
    return _dialect(parsed.library, parsed.device)


@cache  # with its arrays in memory, which all precisions share
def _dialect(library: str, device: str) -> Dialect:
    if library == "numpy":
        return on_numpy.dialect()
    if library == "torch":
        from pennyweight.lottery.weighing.microbench import on_torch

        return on_torch.dialect(device)
    from pennyweight.lottery.weighing.microbench import on_jax

    return on_jax.dialect()


def accelerator_caches() -> dict[str, int]:
    """The caches of the CUDA device in bytes, as `processor.cache_bytes` gives a processor's."""
    import torch

    return {"L2": torch.cuda.get_device_properties(0).L2_cache_size}


def sweep(smallest: int, largest: int, *, rounds: int = 2) -> list[tuple[int, float]]:
    """Bytes per second of a stream through working sets from ``smallest`` to ``largest`` bytes, half an octave apart.

    The better of two rounds, since what disturbs only slows.
    """
    vectors = on_numpy.large(largest // 12, "float32").values()
    sizes = [int(smallest * 2 ** (step / 2)) // 12 for step in range(int(2 * math.log2(largest / smallest)) + 1)]
    best = dict.fromkeys(sizes, 0.0)
    for _ in range(rounds):
        for size in sizes:
            x, y, z = (vector[:size] for vector in vectors)
            np.add(x, y, out=z)
            started = time.perf_counter()
            np.add(x, y, out=z)
            best[size] = max(best[size], 12 * size / (time.perf_counter() - started))
    return [(12 * size, rate) for size, rate in best.items()]
