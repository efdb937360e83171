"""The benchmarks in NumPy. Its results go into arrays made before, where it takes ``out``; sorting does not."""

from typing import Any

import numpy as np
import threadpoolctl  # type: ignore[import-untyped]
from numpy.typing import NDArray

from pennyweight.lottery.weighing.microbench.dialect import FILLING, Dialect

_PAGE = 4096
_HEADER = 16

_pool = np.empty(0, np.uint8)


def dialect() -> Dialect:
    """NumPy's statements and arrays."""
    return Dialect(
        statements={
            "stream": "np.add(x, y, out=z)",
            "elementwise": "np.multiply(x, y, out=z)",
            "transcendental": "np.exp(x, out=z)",
            "reduction": "np.sum(x)",
            "scan": "np.cumsum(x, out=z)",
            "contraction": "np.matmul(a, b, out=c)",
            "int8": "np.matmul(a, b, dtype=np.int32)",
            "linalg": "np.linalg.solve(s, v)",
            "fft": "np.fft.rfft(r)",
            "sort": "np.sort(x)",
            "gather": "np.take(x, i, out=z, mode='clip')",
            "scatter": "z[i] = x",
            "copy": "np.copyto(z, x)",
        },
        names={"np": np},
        array=_array,
        large=large,
        software=software,
    )


def _array(values: NDArray[Any], dtype: str) -> NDArray[Any]:
    return placed(values.astype(np.intp if dtype == "index" else dtype))


def placed(values: NDArray[Any]) -> NDArray[Any]:
    """A copy that begins 16 bytes after a page, where the C library puts a large array of NumPy's.

    The place decides: an addition in cache takes half the time on arrays that begin at a multiple of 64.
    Left to chance, a benchmark would measure what was allocated before it.
    """
    raw = _raw(values.nbytes)
    copy = raw.view(values.dtype).reshape(values.shape)
    copy[...] = values
    return copy


def _raw(num_bytes: int) -> NDArray[np.uint8]:
    raw = np.empty(num_bytes + 2 * _PAGE, np.uint8)
    start = -raw.ctypes.data % _PAGE + _HEADER
    return raw[start : start + num_bytes]


def large(count: int, dtype: str) -> dict[str, NDArray[Any]]:
    """Vectors ``x``, ``y`` and ``z`` of so many elements, in memory that all dtypes share."""
    global _pool  # one for the life of the process
    kind = np.dtype(dtype)
    each = -(-count * kind.itemsize // _PAGE) * _PAGE
    if len(_pool) < 3 * each:
        _pool = _raw(3 * each)
        _pool.fill(FILLING)
    return {name: _pool[at * each : at * each + count * kind.itemsize].view(kind) for at, name in enumerate("xyz")}


def software() -> dict[str, str]:
    """Versions, and the BLAS below NumPy: its name, the kernels it chose for this processor, its threads."""
    found = {"numpy": np.__version__}
    for pool in threadpoolctl.threadpool_info():
        if pool["user_api"] == "blas":
            found["blas"] = f"{pool['internal_api']} {pool['version'] or ''}".strip()
            found["kernel"] = str(pool.get("architecture", "unknown"))
            found["threads"] = f"{pool['num_threads']} ({pool.get('threading_layer', 'unknown')})"
    return found
