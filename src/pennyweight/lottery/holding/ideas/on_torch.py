"""The ideas of a layer in PyTorch, eager or compiled, on a CPU or a CUDA device."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.ideas.layer import BLOCKS, DENSITIES, Layer
from pennyweight.lottery.holding.ideas.runnable import Arrays, Runnable
from pennyweight.lottery.weighing.microbench.benchmarks import DTYPES


def prepare(layer: Layer, idea: str, stack: Stack) -> Runnable:
    """An idea with its weights made, ready to be called."""
    dtype: torch.dtype = getattr(torch, DTYPES[stack.precision])

    def tensor(values: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(stack.device, dtype)

    function, weights, statement = _spelt(layer, idea, tensor)
    return runnable(function, [tensor(layer.x), *weights], stack, statement)


def runnable(function: Callable[..., Any], arguments: Sequence[Any], stack: Stack, statement: str) -> Runnable:
    """A function of tensors on a stack, compiled where the stack asks for it."""
    compiled = stack.library == "torch.compile"
    chosen = torch.compile(function) if compiled else function
    if stack.device == "cuda":
        torch.set_float32_matmul_precision("highest")

    @torch.no_grad()
    def call() -> Any:
        return chosen(*arguments)

    wait = torch.cuda.synchronize if stack.device == "cuda" else None
    return Runnable(call=call, arrays=to_numpy, statement=statement, wait=wait, compiled=compiled)


def to_numpy(out: Any) -> Arrays:
    """NumPy's arrays of a tensor or a sequence of them; what NumPy has no format for is widened to float32."""
    tensors = out if isinstance(out, (tuple, list)) else [out]
    return [
        (one.float() if one.dtype in (torch.bfloat16, torch.float16) else one).detach().cpu().numpy()
        if isinstance(one, Tensor)
        else np.asarray(one)
        for one in tensors
    ]


def _spelt(
    layer: Layer, idea: str, tensor: Callable[[NDArray[Any]], Tensor]
) -> tuple[Callable[..., Tensor], list[Tensor], str]:
    """An idea as a function of x and its weights, the weights, and how it is written."""
    if idea in DENSITIES:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
            sparse = tensor(layer.sparse(idea).T).to_sparse_csr()
        return (lambda x, w: torch.sparse.mm(w, x.T).T), [sparse], "torch.sparse.mm(w.T.to_sparse_csr(), x.T).T"
    if idea == "block diagonal":

        def blocks(x: Tensor, w: Tensor) -> Tensor:
            parts = x.reshape(x.shape[0], BLOCKS, -1).transpose(0, 1)
            return torch.matmul(parts, w).transpose(0, 1).reshape(x.shape)

        return blocks, [tensor(layer.blocks)], "torch.matmul(x in blocks, w)"
    if idea == "low rank":
        return (lambda x, u, v: (x @ u) @ v), [tensor(one) for one in layer.thin], "(x @ u) @ v"
    if idea == "circulant":
        column = torch.fft.rfft(tensor(layer.circulant))
        width = layer.width
        return (
            (lambda x, c: torch.fft.irfft(torch.fft.rfft(x) * c, width)),
            [column],
            "torch.fft.irfft(torch.fft.rfft(x) * c, n)",
        )
    dense = tensor(layer.dense)
    if idea == "dense":
        return (lambda x, w: x @ w), [dense], "x @ w"
    if idea == "bf16":
        half = dense.to(torch.bfloat16)
        return (
            (lambda x, w: (x.to(torch.bfloat16) @ w).to(x.dtype)),
            [half],
            "(x.to(torch.bfloat16) @ w).to(x.dtype)",
        )
    scales = dense.float().abs().amax(0) / 127
    weights = (dense.float() / scales).round().to(torch.int8)
    return _int8, [weights, scales], "torch._int_mm(xq, wq) * scales"


def _int8(x: Tensor, weights: Tensor, scales: Tensor) -> Tensor:
    wide = x.float()  # in bfloat16 the largest of a row could round to 128, which wraps around
    each = wide.abs().amax(1, keepdim=True) / 127
    quantised = (wide / each).round().to(torch.int8)
    return (torch._int_mm(quantised, weights) * (each * scales)).to(x.dtype)
