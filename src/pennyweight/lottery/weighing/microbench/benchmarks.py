"""What is measured on a stack: benchmarks as data, the same for every library, with the work that each stands for.

Names: ``call``; ``bandwidth/<level>``; ``<family>/<dtype>`` for the rates in cache; ``memory/<family>`` for the
same on arrays that lie in memory, which tests the model of `pennyweight.lottery.weighing.predict`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pennyweight.arrays.trace.families import Family
from pennyweight.core.stack import Stack

DTYPES = {"fp64": "float64", "fp32": "float32", "bf16": "bfloat16"}
"""The dtype that stands for a stack's precision."""
ITEMSIZE = {"float64": 8, "float32": 4, "bfloat16": 2, "int8": 1}

Statement = Family | Literal["stream", "int8"]
Arrays = Literal["vectors", "large", "matrices", "system"]

_CALL_ELEMENTS = 8
_SORTED = 1 << 14  # the rate falls with the logarithm of their number
_SYSTEM = 256
ROW = 1024
"""Elements of a row of vectors that are transformed row by row: one long transform can be twenty times slower."""
# Vectors of floating numbers that a statement reads and writes.
_TOUCHED: dict[Statement, int] = {
    "stream": 3,
    "elementwise": 3,
    "transcendental": 2,
    "reduction": 1,
    "scan": 2,
    "fft": 2,
    "sort": 2,
    "gather": 2,
    "scatter": 2,
    "copy": 2,
}
_IN_MEMORY: tuple[Family, ...] = ("transcendental", "copy")


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """One thing to be timed: which statement of a library's dialect, on which arrays, and what that does once.

    ``count`` is the elements of a vector or the rows of a square matrix; ``num_bytes`` what the statement
    reads and writes of arrays that hold numbers (indices are left out).
    """

    name: str
    dtype: str
    statement: Statement
    arrays: Arrays
    count: int
    operations: float
    num_bytes: float


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Working sets of three arrays in bytes: by level of the memory, and for the rates in cache.

    ``matrix`` and ``int8_matrix`` are the rows of matrices: enough for a library's best rate, few enough
    for many repeats.
    """

    levels: Mapping[str, int]
    cached: int
    matrix: int = 768
    int8_matrix: int = 512


def benchmarks(dtype: str, sizes: Sizes) -> list[Benchmark]:
    """What is measured of a library in one floating dtype."""
    item = ITEMSIZE[dtype]
    in_cache = 1 << int(math.log2(sizes.cached // (3 * item)))
    in_memory = sizes.levels["memory"] // (3 * item)
    call = _vectors("stream", dtype, _CALL_ELEMENTS)
    found = [replace(call, name="call")]
    for level, size in sizes.levels.items():
        stream = _vectors("stream", dtype, size // (3 * item))
        arrays: Arrays = "large" if level == "memory" else "vectors"
        found.append(replace(stream, name=f"bandwidth/{level}", arrays=arrays))
    for family in _TOUCHED:
        if family != "stream":
            found.append(_vectors(family, dtype, min(_SORTED, in_cache) if family == "sort" else in_cache))
    for family in _IN_MEMORY:
        found.append(replace(_vectors(family, dtype, in_memory), name=f"memory/{family}", arrays="large"))
    return [*found, contraction(dtype, sizes), _solution(dtype)]


def row_of(count: int) -> int:
    """The length of the rows in which so many elements are transformed."""
    return ROW if count % ROW == 0 else count


def _vectors(statement: Statement, dtype: str, count: int) -> Benchmark:
    # Real transforms by the usual count, half of 5 n log2 n.
    each = 2.5 * math.log2(row_of(count)) if statement == "fft" else 1.0
    return Benchmark(
        name=f"{statement}/{dtype}",
        dtype=dtype,
        statement=statement,
        arrays="vectors",
        count=count,
        operations=each * count,
        num_bytes=float(_TOUCHED[statement] * count * ITEMSIZE[dtype]),
    )


def contraction(dtype: str, sizes: Sizes) -> Benchmark:
    """A product of square matrices; of 8-bit integers into 32 bits. A multiply-add is two operations."""
    whole = dtype == "int8"
    rows = sizes.int8_matrix if whole else sizes.matrix
    return Benchmark(
        name=f"contraction/{dtype}",
        dtype=dtype,
        statement="int8" if whole else "contraction",
        arrays="matrices",
        count=rows,
        operations=2.0 * rows**3,
        num_bytes=float(rows**2 * (2 + 4 if whole else 3 * ITEMSIZE[dtype])),
    )


def _solution(dtype: str) -> Benchmark:
    """A system of linear equations by LU and two triangular ones: Golub and Van Loan, Matrix Computations, 3.2."""
    return Benchmark(
        name=f"linalg/{dtype}",
        dtype=dtype,
        statement="linalg",
        arrays="system",
        count=_SYSTEM,
        operations=2 / 3 * _SYSTEM**3 + 2.0 * _SYSTEM**2,
        num_bytes=float((_SYSTEM**2 + 2 * _SYSTEM) * ITEMSIZE[dtype]),
    )


def sizes_of(stack: Stack, caches: Mapping[str, int], *, usable: Mapping[str, int], limit_bytes: int) -> Sizes:
    """Working sets for a stack on a device whose caches hold so many bytes, reported and usable, by level.

    A stream takes half of a cache, so that the program itself has room, and of the last one no more than four
    times the cache before: a virtual machine shares it. In memory it takes `memory_bytes`. Libraries that spread
    vectors over the threads are measured in cache on half of it for each thread; NumPy, which does not, on half
    of one.
    """
    levels = {level: size // 2 for level, size in usable.items()}
    sizes = list(usable.items())
    if len(sizes) > 2:
        levels[sizes[-1][0]] = min(sizes[-1][1] // 2, 4 * sizes[-2][1])
    levels["memory"] = memory_bytes(caches, limit_bytes)
    private = sizes[min(1, len(sizes) - 1)][1] // 2
    if stack.device == "cuda":
        return Sizes(levels=levels, cached=private, matrix=4096, int8_matrix=4096)
    if stack.library == "numpy":
        return Sizes(levels=levels, cached=private, int8_matrix=128)
    return Sizes(levels=levels, cached=private * stack.threads)


def memory_bytes(caches: Mapping[str, int], limit_bytes: int) -> int:
    """A working set that lies in memory: one and a half times the last cache, at least 96 MiB, within the limit."""
    return min(limit_bytes, max(96 << 20, 3 * max(caches.values()) // 2))
