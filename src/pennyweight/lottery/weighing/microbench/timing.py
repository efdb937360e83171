"""How a child process times one thing: in batches long enough for the clock, short enough to slip past interference."""

import math
import time
import timeit
from collections.abc import Callable

BATCH_SECONDS = 2e-4
"""Far above the clock's grain, far below the milliseconds for which a scheduler gives a core away."""
_WARM_SHARE = 0.15
_LOW = 0.1


class Timed:
    """A statement or function that can be timed; made by running it twice.

    ``first_seconds`` is what its first call took, with compilation and first touch of its arrays;
    ``call_seconds`` about what one takes now. ``wait`` blocks until an asynchronous device is done.
    """

    def __init__(self, timer: timeit.Timer, wait: Callable[[], object] | None = None) -> None:
        self._timer = timer
        self._wait = wait
        self.first_seconds = self._seconds(1)
        self.call_seconds = self._seconds(1)

    def low(self, seconds: float) -> float:
        """The low decile of the time of a call, over batches that fill ``seconds`` after a warm-up; one at least."""
        begun = time.perf_counter()
        while self.call_seconds < _WARM_SHARE * seconds and time.perf_counter() < begun + _WARM_SHARE * seconds:
            self.call_seconds = self._seconds(self._calls) / self._calls
        calls = self._calls
        times: list[float] = []
        while not times or time.perf_counter() + calls * self.call_seconds < begun + seconds:
            times.append(self._seconds(calls) / calls)
        self.call_seconds = min(times)
        return sorted(times)[int(_LOW * len(times))]

    @property
    def _calls(self) -> int:
        return max(1, math.ceil(BATCH_SECONDS / max(self.call_seconds, 1e-9)))

    def _seconds(self, calls: int) -> float:
        if self._wait is None:
            return self._timer.timeit(calls)
        started = time.perf_counter()
        self._timer.timeit(calls)
        self._wait()
        return time.perf_counter() - started
