"""Play a tape again, operation by operation, and compare with what the program really got.

A tape that does not reproduce the program's own numbers has missed something (memory written behind its back, an
order of threads), and nothing that it says may be trusted. Compared is all that left the arrays: numbers that Python
asked for, arrays that were handed to other code, and all memory that was alive at the end. The same playing gives
steady times, and the real inputs of any operation to whoever wants to try another way of computing it.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter_ns, process_time_ns
from typing import Any

import numpy as np

from pennyweight.arrays.trace.recorder import bytes_of, digest
from pennyweight.arrays.trace.tape import Entry, RawTape, Value, bind, rebuild

Visit = Callable[[int, Entry, Mapping[int, Any]], None]
"""Is shown an entry's number, the entry, and the real array of each value by its number, before it is played."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Something that came out otherwise than in the program: in which entry, and how far (relative, at most)."""

    entry: int
    what: str
    error: float


@dataclass(kw_only=True)
class Replayed:
    """How a replay compared: how many things were compared, which differed, and what stopped it if it stopped.

    ``seconds`` and ``cpu_seconds`` hold each entry's times in this playing, 0 for what was not played.
    """

    compared: int = 0
    differences: list[Difference] = field(default_factory=list)
    stopped: str = ""
    stopped_at: int = -1
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)

    @property
    def worst(self) -> float:
        """The largest relative error; 0 when all is equal to the bit."""
        return max((difference.error for difference in self.differences), default=0.0)


class _Filling:
    """What memory holds that NumPy or torch hand out as they find it: a known byte, so that it can be told apart.

    Such memory comes from ``empty``, and from a ufunc that is told ``where`` to write and not into what.
    """

    def __init__(self, byte: int) -> None:
        self._byte = byte

    def made(self, entry: Entry, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of an entry's function where it hands out such memory; None for all others."""
        function = entry.function
        if function is np.empty or function is np.empty_like:
            twin = np.zeros if function is np.empty else np.zeros_like  # not touched, where the system gives zeros
            return self._filled((twin if self._byte == 0 else function)(*args, **kwargs))
        if isinstance(function, np.ufunc) and kwargs.get("where", True) is not True and kwargs.get("out") is None:
            told = entry.out if isinstance(entry.out, tuple) else (entry.out,)
            if len(args) == function.nin and all(isinstance(value, Value) and value.buffer for value in told):
                fresh = tuple(self._filled(np.zeros(value.shape, value.dtype)) for value in told)
                return function(*args, **kwargs | {"out": fresh})
        if hasattr(function, "_schema") and str(function.__name__).startswith(_EMPTY_OF_TORCH):
            return self._filled(function(*args, **kwargs))
        return None

    def _filled(self, array: Any) -> Any:
        if hasattr(array, "untyped_storage"):
            array.untyped_storage().fill_(self._byte)
        elif self._byte and not array.dtype.hasobject:
            np.ndarray(array.nbytes, np.uint8, array).fill(self._byte)
        return array


_EMPTY_OF_TORCH = ("empty.", "empty_", "new_empty")


@dataclass(kw_only=True)
class _Playing:
    """One playing: what is told of it, what was seen where it differed, and the memory at the end that did."""

    told: Replayed = field(default_factory=Replayed)
    seen: dict[tuple[int, str], int] = field(default_factory=dict)
    ends: dict[int, tuple[Any, Any]] = field(default_factory=dict)


class Replay:
    """Plays a tape. The tape is not changed; each playing starts from copies of what came in."""

    def __init__(self, tape: RawTape) -> None:
        self.tape = tape

    def compare(self, visit: Visit | None = None) -> Replayed:
        """Play and compare. What depends on memory that the program never wrote is left out of the comparison."""
        first = self._play(_Filling(0), visit)
        if first.told.differences:
            second = self._play(_Filling(0xFF), None)
            first.told.differences = [d for d in first.told.differences if not _is_chance(d, first, second)]
        return first.told

    def play(self, visit: Visit) -> None:
        """Play and show each entry's real arguments; nothing is compared."""
        self._play(_Filling(0), visit)

    def time(self, *, passes: int, seconds: float) -> tuple[list[float], list[float]]:
        """Wall and processor seconds of each entry: the least over playings, which no other program lengthens.

        At most about ``seconds`` in all, and one playing at least.
        """
        walls, cpus = [], []
        started = perf_counter_ns()
        for _ in range(passes):
            played = self._play(_Filling(0), None).told
            walls.append(played.seconds)
            cpus.append(played.cpu_seconds)
            if (perf_counter_ns() - started) / 1e9 > seconds:
                break
        return np.min(walls, axis=0).tolist(), np.min(cpus, axis=0).tolist()

    def _play(self, filling: _Filling, visit: Visit | None) -> _Playing:
        playing = _Playing()
        told = playing.told
        arrays: dict[int, Any] = {}
        dropped = self.tape.dropped
        with _silence():
            for index, entry in enumerate(self.tape.entries):
                try:
                    wall, cpu = self._step(index, entry, arrays, filling, visit, playing)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
                    told.stopped = f"{type(error).__name__}: {error}"
                    told.stopped_at = index
                    return playing
                told.seconds.append(wall)
                told.cpu_seconds.append(cpu)
                for number in dropped[index]:
                    arrays.pop(number, None)
        for value, real in self.tape.finals:
            if value.number in arrays:
                root = _root(arrays[value.number])
                # Another size: the array came in as a part of something larger, of which a copy was kept.
                same = root.nbytes == real.nbytes and root.dtype == real.dtype
                if same and not _judge(playing, self.tape.last_use[value.number], _END, root, real):
                    playing.ends[self.tape.last_use[value.number]] = root, real
        return playing

    def _step(
        self,
        index: int,
        entry: Entry,
        arrays: dict[int, Any],
        filling: _Filling,
        visit: Visit | None,
        playing: _Playing,
    ) -> tuple[float, float]:
        if entry.role == "source":
            bind(entry.out, _copy(entry.kept), arrays)
            return 0.0, 0.0
        args = rebuild(entry.args, lambda value: arrays[value.number])
        kwargs = rebuild(entry.kwargs, lambda value: arrays[value.number]) if entry.kwargs else {}
        if visit is not None:
            visit(index, entry, arrays)
        if entry.role == "pull":
            self._check_pull(index, entry, args[0], playing)
            return 0.0, 0.0
        if entry.role == "foreign":
            self._hand_over(index, entry, arrays, playing)
            return 0.0, 0.0
        cpu_start, start = process_time_ns(), perf_counter_ns()
        out = filling.made(entry, args, kwargs)
        if out is None:
            cpu_start, start = process_time_ns(), perf_counter_ns()
            out = entry.function(*args, **kwargs)
        stop, cpu_stop = perf_counter_ns(), process_time_ns()
        if out is not None:
            bind(entry.out, out, arrays)
        if isinstance(entry.kept, np.generic):
            _judge(playing, index, "number", out, entry.kept)
        return (stop - start) / 1e9, (cpu_stop - cpu_start) / 1e9

    def _check_pull(self, index: int, entry: Entry, array: Any, playing: _Playing) -> None:
        playing.told.compared += 1
        got = digest(array)
        if got != entry.kept:
            _differs(playing, index, str(entry.function), math.inf, got)

    def _hand_over(self, index: int, entry: Entry, arrays: dict[int, Any], playing: _Playing) -> None:
        """A function outside is not called again: what it got is compared, what it gave is taken from the tape."""
        out, changed, digests = entry.kept
        playing.told.compared += 1
        # What an array held that was then written over need not be known: it may have come from ``np.empty``.
        written = {value.number for value, _ in changed}
        got = [(number, digest(arrays[number])) for number, _ in digests if number not in written]
        if got != [(number, then) for number, then in digests if number not in written]:
            _differs(playing, index, "arrays handed over", math.inf, hash(tuple(got)))
        for value, after in changed:
            arrays[value.number][...] = after
        bind(entry.out, _copy(out), arrays)


_END = "memory at the end"


def _judge(playing: _Playing, entry: int, what: str, got: Any, expected: Any) -> bool:
    """Whether what was got is what was expected; if not it is noted."""
    playing.told.compared += 1
    error = difference(got, expected)
    if error > 0:
        _differs(playing, entry, what, error, digest(got))
    return error == 0


def _differs(playing: _Playing, entry: int, what: str, error: float, seen: int) -> None:
    playing.told.differences.append(Difference(entry=entry, what=what, error=error))
    playing.seen[entry, what] = seen


def _is_chance(found: Difference, first: _Playing, second: _Playing) -> bool:
    """Whether something that differs follows what memory happened to hold: playings with two fillings tell."""
    if found.what != _END:
        return first.seen[found.entry, found.what] != second.seen.get((found.entry, found.what))
    if found.entry not in second.ends:
        return found.entry in first.ends and not second.told.stopped
    (a, true), (b, _) = first.ends[found.entry], second.ends[found.entry]
    x, y, z = (np.frombuffer(bytes_of(array), np.uint8) for array in (a, b, true))
    return not ((x != z) & (x == y)).any()


def difference(got: Any, expected: Any) -> float:
    """The largest error relative to the largest magnitude; 0 when equal to the bit, inf when it cannot be compared."""
    got, expected = _as_numpy(got), _as_numpy(expected)
    if got.shape != expected.shape or got.dtype != expected.dtype:
        return math.inf
    if got.dtype.hasobject:
        return 0.0  # objects may have changed since, on either side
    if _are_equal(got, expected):
        return 0.0
    if got.dtype.kind not in "fc":
        return math.inf
    finite = np.isfinite(expected)
    if not np.array_equal(finite, np.isfinite(got)):
        return math.inf
    kind = np.complex128 if got.dtype.kind == "c" else np.float64
    a, b = got[finite].astype(kind), expected[finite].astype(kind)
    scale = float(np.abs(b).max(initial=0.0)) or 1.0
    return float(np.abs(a - b).max(initial=0.0)) / scale


def _are_equal(a: Any, b: Any) -> bool:
    """Whether two arrays of one shape hold the same bytes; of large ones no copies are made."""
    if a.flags.c_contiguous and b.flags.c_contiguous and a.dtype.kind in "biufc":
        x, y = (np.ndarray(array.nbytes, np.uint8, array) for array in (a, b))
        return all(np.array_equal(x[i : i + _BLOCK], y[i : i + _BLOCK]) for i in range(0, x.size, _BLOCK))
    return bytes_of(a) == bytes_of(b)


_BLOCK = 1 << 22


def _as_numpy(array: Any) -> Any:
    if not hasattr(array, "untyped_storage"):
        return np.asarray(array)
    plain = array.detach().cpu().resolve_conj().resolve_neg()
    wide = plain.is_floating_point() and plain.element_size() < 4  # NumPy has no bfloat16
    return (plain.float() if wide else plain).numpy()


def _root(array: Any) -> Any:
    while isinstance(getattr(array, "base", None), np.ndarray):
        array = array.base
    return array


def _copy(kept: Any) -> Any:
    """Copies of arrays, so that a playing may write into them."""
    if isinstance(kept, np.ndarray):
        return kept.copy(order="K")
    if hasattr(kept, "untyped_storage"):
        return kept.clone()
    if isinstance(kept, tuple) and hasattr(kept, "_fields"):
        return type(kept)(*(_copy(part) for part in kept))
    if isinstance(kept, (tuple, list)):
        return type(kept)(_copy(part) for part in kept)
    if isinstance(kept, dict):
        return {key: _copy(part) for key, part in kept.items()}
    return kept


@contextmanager
def _silence() -> Iterator[None]:
    """The program has warned already."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield
