"""The ideas of a layer in NumPy, with SciPy where NumPy has nothing: sparse matrices, and transforms in float32."""

from typing import Any

import numpy as np
import scipy.fft
import scipy.sparse

from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.ideas.layer import BLOCKS, DENSITIES, Layer
from pennyweight.lottery.holding.ideas.runnable import NotAvailable, Runnable
from pennyweight.lottery.weighing.microbench.benchmarks import DTYPES
from pennyweight.lottery.weighing.microbench.on_numpy import placed


def prepare(layer: Layer, idea: str, stack: Stack) -> Runnable:
    """An idea with its weights made, ready to be called."""
    dtype = DTYPES[stack.precision]
    x = placed(layer.x.astype(dtype))

    def ready(call: Any, statement: str) -> Runnable:
        return Runnable(call=call, arrays=lambda out: [out], statement=statement)

    if idea in DENSITIES:
        sparse = scipy.sparse.csr_array(layer.sparse(idea).T.astype(dtype))
        return ready(lambda: (sparse @ x.T).T, "(csr_array(w.T) @ x.T).T")
    if idea == "block diagonal":
        blocks = placed(layer.blocks.astype(dtype))
        shape = (layer.rows, BLOCKS, -1)
        return ready(
            lambda: np.matmul(x.reshape(shape).transpose(1, 0, 2), blocks).transpose(1, 0, 2).reshape(x.shape),
            "np.matmul(x in blocks, w)",
        )
    if idea == "low rank":
        first, second = (placed(one.astype(dtype)) for one in layer.thin)
        return ready(lambda: (x @ first) @ second, "(x @ u) @ v")
    if idea == "circulant":
        column = scipy.fft.rfft(layer.circulant.astype(dtype))
        return ready(
            lambda: scipy.fft.irfft(scipy.fft.rfft(x) * column, layer.width),
            "scipy.fft.irfft(scipy.fft.rfft(x) * c, n)",
        )
    if idea == "bf16":
        raise NotAvailable("NumPy has no bfloat16")
    dense = placed(layer.dense.astype(dtype))
    if idea == "dense":
        return ready(lambda: x @ dense, "x @ w")
    scales = np.abs(dense).max(axis=0) / 127
    weights = np.round(dense / scales).astype(np.int8)

    def int8() -> Any:
        each = np.abs(x).max(axis=1, keepdims=True) / 127
        quantised = np.round(x / each).astype(np.int8)
        return np.matmul(quantised, weights, dtype=np.int32) * (each * scales)

    return ready(int8, "np.matmul(xq, wq, dtype=np.int32) * scales")
