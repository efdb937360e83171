"""How a library spells the benchmarks: the statements that a user of it would write, and its arrays."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pennyweight.lottery.weighing.microbench.benchmarks import Arrays, Statement, row_of

FILLING = 0x3F
"""A byte that makes a number between 0.0001 and 1 in every floating dtype, for memory that all dtypes share."""

_DRAWN = 1 << 20  # random numbers at most; longer arrays repeat them


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """One library's statements and arrays.

    Statements use the vectors ``x``, ``y``, ``z`` (a result) and ``i`` (a permutation), ``r`` (``x`` in rows), the
    square matrices ``a``, ``b``, ``c`` (a result), the system ``s`` with its right side ``v``, and ``names``.
    ``array`` makes one of NumPy's arrays the library's, in a dtype; ``large`` gives ``x``, ``y``, ``z`` of so many
    elements, which lie in memory and are the same for all benchmarks, or a process would need gigabytes. ``wait``
    blocks until an asynchronous device has done everything.
    """

    statements: Mapping[Statement, str]
    names: Mapping[str, Any]
    array: Callable[[NDArray[Any], str], Any]
    large: Callable[[int, str], Mapping[str, Any]]
    software: Callable[[], dict[str, str]]
    wait: Callable[[], object] | None = None


def arrays(dialect: Dialect, kind: Arrays, count: int, dtype: str) -> dict[str, Any]:
    """The arrays of a benchmark, with values near 1: no denormal, no overflow, well conditioned."""
    if kind == "large":
        return dict(dialect.large(count, dtype))
    generator = np.random.default_rng(0)

    def drawn(*shape: int) -> Any:
        if dtype == "int8":
            return dialect.array(generator.integers(-9, 10, shape), dtype)
        block = generator.random(min(_DRAWN, math.prod(shape))) + 0.5
        return dialect.array(np.resize(block, shape), dtype)

    if kind == "vectors":
        made = {name: drawn(count) for name in "xyz"}
        rows = made["x"].reshape(-1, row_of(count))
        return made | {"r": rows, "i": dialect.array(generator.permutation(count), "index")}
    if kind == "matrices":
        return {name: drawn(count, count) for name in "abc"}
    dominant = generator.random((count, count)) + count * np.eye(count)
    return {"s": dialect.array(dominant, dtype), "v": drawn(count, 1)}
