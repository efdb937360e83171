"""The ideas of a layer in JAX: compiled functions, whose results are waited for."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import sparse

from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.ideas.layer import BLOCKS, DENSITIES, Layer
from pennyweight.lottery.holding.ideas.runnable import Arrays, Runnable
from pennyweight.lottery.weighing.microbench.benchmarks import DTYPES


def prepare(layer: Layer, idea: str, stack: Stack) -> Runnable:
    """An idea with its weights made, ready to be called."""
    dtype = DTYPES[stack.precision]
    function, weights, statement = _spelt(layer, idea, dtype)
    return runnable(jax.jit(function), [jnp.asarray(layer.x, dtype), *weights], statement)


def runnable(function: Callable[..., Any], arguments: Sequence[Any], statement: str) -> Runnable:
    """A function of JAX's arrays; a call ends when its results are there."""
    return Runnable(
        call=lambda: jax.block_until_ready(function(*arguments)),  # type: ignore[no-untyped-call]
        arrays=to_numpy,
        statement=statement,
        compiled=True,
    )


def to_numpy(out: Any) -> Arrays:
    """NumPy's arrays of whatever a function returned; what NumPy has no format for is widened to float32."""
    leaves = jax.tree_util.tree_leaves(out)
    return [np.asarray(one, np.float32 if str(getattr(one, "dtype", "")) == "bfloat16" else None) for one in leaves]


def _spelt(layer: Layer, idea: str, dtype: str) -> tuple[Callable[..., jax.Array], list[Any], str]:
    """An idea as a function of x and its weights, the weights, and how it is written."""
    if idea in DENSITIES:
        # Of JAX's two formats this one has a kernel of its own on CPUs; BCOO took about 30 times as long there.
        weights = sparse.BCSR.fromdense(jnp.asarray(layer.sparse(idea).T, dtype))  # type: ignore[no-untyped-call]
        return (lambda x, w: (w @ x.T).T), [weights], "(BCSR.fromdense(w.T) @ x.T).T"
    if idea == "block diagonal":

        def blocks(x: jax.Array, w: jax.Array) -> jax.Array:
            parts = x.reshape(x.shape[0], BLOCKS, -1).transpose(1, 0, 2)
            return jnp.matmul(parts, w).transpose(1, 0, 2).reshape(x.shape)

        return blocks, [jnp.asarray(layer.blocks, dtype)], "jnp.matmul(x in blocks, w)"
    if idea == "low rank":
        return (lambda x, u, v: (x @ u) @ v), [jnp.asarray(one, dtype) for one in layer.thin], "(x @ u) @ v"
    if idea == "circulant":
        column = jnp.fft.rfft(jnp.asarray(layer.circulant, dtype))
        width = layer.width
        return (
            (lambda x, c: jnp.fft.irfft(jnp.fft.rfft(x) * c, width)),
            [column],
            "jnp.fft.irfft(jnp.fft.rfft(x) * c, n)",
        )
    if idea == "dense":
        return (lambda x, w: x @ w), [jnp.asarray(layer.dense, dtype)], "x @ w"
    if idea == "bf16":
        half = jnp.asarray(layer.dense, jnp.bfloat16)
        return (
            (lambda x, w: (x.astype(jnp.bfloat16) @ w).astype(x.dtype)),
            [half],
            "(x.astype(jnp.bfloat16) @ w).astype(x.dtype)",
        )
    dense = jnp.asarray(layer.dense)
    scales = jnp.abs(dense).max(axis=0) / 127
    return _int8, [jnp.round(dense / scales).astype(jnp.int8), scales], "jax.lax.dot(xq, wq, int32) * scales"


def _int8(x: jax.Array, weights: jax.Array, scales: jax.Array) -> jax.Array:
    wide = x.astype(jnp.float32)
    each = jnp.abs(wide).max(axis=1, keepdims=True) / 127
    quantised = jnp.round(wide / each).astype(jnp.int8)
    return (jax.lax.dot(quantised, weights, preferred_element_type=jnp.int32) * (each * scales)).astype(x.dtype)
