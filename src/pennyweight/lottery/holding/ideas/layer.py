"""Seven ideas for one layer y = xW, and more of one of them: what The Hardware Lottery says wins or loses by its stack.

Dense weights are what most hardware is made for. Unstructured sparsity, block diagonals, low rank, int8, bf16 and a
circulant by FFT are what has been proposed instead. Each is a layer of its own with weights of its own, made here in
NumPy, and right when it computes its own layer; nothing is said of how well a network made of it would learn.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from typing import Any, Self

import numpy as np
import scipy.fft
from jaxtyping import Float
from numpy.typing import NDArray

from pennyweight.core.errors import UserError
from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.card import Idea, Work
from pennyweight.lottery.holding.ideas.runnable import Arrays, NotAvailable, Runnable
from pennyweight.lottery.weighing.microbench.benchmarks import DTYPES, ITEMSIZE
from pennyweight.lottery.weighing.work import Step

NAME = "layer"
BLOCKS, RANK_SHARE = 8, 16
DENSITIES = {"sparse 50%": 0.5, "sparse 90%": 0.1, "sparse 95%": 0.05, "sparse 99%": 0.01}
_INDEX = 4  # bytes of an index of a sparse matrix
_TOLERANCES = {"int8": 5e-2, "bf16": 2e-2}
_EXACT, _HALF = 1e-4, 3e-2

IDEAS: Mapping[str, str] = {
    "dense": "every weight, a matrix product",
    "sparse 90%": "nine of ten weights are zero, at places without a pattern, and are not stored",
    "block diagonal": f"{BLOCKS} blocks on the diagonal, a batch of small matrix products",
    "low rank": f"the product of two thin matrices, of rank width/{RANK_SHARE}",
    "int8": "weights and inputs in 8-bit integers with a scale for each column and row, sums in 32 bits",
    "bf16": "weights and inputs in bfloat16",
    "circulant": "each row is the one above turned by one place: a product of Fourier transforms",
}
MORE: Mapping[str, str] = {
    "sparse 50%": "every second weight is zero",
    "sparse 95%": "nineteen of twenty weights are zero",
    "sparse 99%": "ninety-nine of a hundred weights are zero",
}
SIZES = ("256x1024", "64x512", "256x2048")


@dataclass(frozen=True)
class Layer:
    """Rows of input through a square layer, with the arrays of all ideas, drawn from one seed.

    Inputs are standard normal and weights scaled so that outputs are about as large.
    """

    rows: int
    width: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """``256x1024``: rows and width, the width a multiple of 16."""
        parts = text.lower().split("x")
        if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
            raise UserError(f"size {text!r}", expected="ROWSxWIDTH for the layer, such as 256x1024")
        rows, width = map(int, parts)
        if width % RANK_SHARE or width < 2 * RANK_SHARE or rows < 1:
            raise UserError(f"size {text!r}", expected=f"a width that is a multiple of {RANK_SHARE}, at least 32")
        return cls(rows, width)

    @cached_property
    def x(self) -> Float[NDArray[np.float32], "rows width"]:
        """The inputs."""
        return self._drawn("x", self.rows, self.width)

    @cached_property
    def dense(self) -> Float[NDArray[np.float32], "width width"]:
        """Weights for the dense layer, and for those in fewer bits."""
        return self._drawn("dense", self.width, self.width) / np.float32(self.width**0.5)

    def sparse(self, idea: str) -> Float[NDArray[np.float32], "width width"]:
        """Weights of which the idea's share is not zero, at random places."""
        density = DENSITIES[idea]
        kept = self._generator(idea).random((self.width, self.width)) < density
        weights: NDArray[np.float32] = (self.dense * kept / np.float32(density**0.5)).astype(np.float32)
        return weights

    @cached_property
    def blocks(self) -> Float[NDArray[np.float32], "blocks part part"]:
        """The blocks of a block diagonal matrix."""
        part = self.width // BLOCKS
        return self._drawn("blocks", BLOCKS, part, part) / np.float32(part**0.5)

    @cached_property
    def thin(self) -> tuple[Float[NDArray[np.float32], "width rank"], Float[NDArray[np.float32], "rank width"]]:
        """Two matrices whose product has low rank."""
        rank = self.width // RANK_SHARE
        first, second = self._drawn("first", self.width, rank), self._drawn("second", rank, self.width)
        return first / np.float32(self.width**0.5), second / np.float32(rank**0.5)

    @cached_property
    def circulant(self) -> Float[NDArray[np.float32], " width"]:
        """The column c of a circulant matrix: y[n] is the sum over k of c[n - k] x[k], indices modulo width."""
        return self._drawn("circulant", self.width) / np.float32(self.width**0.5)

    def _drawn(self, what: str, *shape: int) -> NDArray[np.float32]:
        return self._generator(what).standard_normal(shape, dtype=np.float32)

    def _generator(self, what: str) -> np.random.Generator:
        return np.random.default_rng([self.rows, self.width, zlib.crc32(what.encode())])


def reference(layer: Layer, idea: str) -> Float[NDArray[np.float64], "rows width"]:
    """What the idea's own layer should give, in float64; int8 and bf16 stand for the dense layer."""
    x = layer.x.astype(np.float64)
    if idea in DENSITIES:
        return x @ layer.sparse(idea).astype(np.float64)
    if idea == "block diagonal":
        parts = x.reshape(layer.rows, BLOCKS, -1)
        outputs: NDArray[np.float64] = np.einsum("rbi,bio->rbo", parts, layer.blocks.astype(np.float64))
        return outputs.reshape(x.shape)
    if idea == "low rank":
        first, second = layer.thin
        return (x @ first.astype(np.float64)) @ second.astype(np.float64)
    if idea == "circulant":
        column = scipy.fft.rfft(layer.circulant.astype(np.float64))
        return np.asarray(scipy.fft.irfft(scipy.fft.rfft(x) * column, layer.width))
    return x @ layer.dense.astype(np.float64)


def tolerance(idea: str, precision: str) -> float:
    """The largest error, relative in the Frobenius norm, with which an idea still counts as computing its layer."""
    return max(_TOLERANCES.get(idea, _EXACT), _HALF if precision == "bf16" else 0.0)


def quality() -> str:
    """What "equal" means here, in a sentence for the card."""
    return (
        "These are speeds of layers, not accuracies of networks: each idea is held to a float64 reference of its own"
        f" layer, with a relative error of at most {_EXACT:g}, for bf16 {_TOLERANCES['bf16']:g}, for int8"
        f" {_TOLERANCES['int8']:g}, on a stack in bf16 at least {_HALF:g}."
    )


def ideas(names: Mapping[str, str] = IDEAS) -> tuple[Idea, ...]:
    """The ideas as a card lists them."""
    return tuple(
        Idea(name=name, what=what, counted="counted by hand, from the layer's shape") for name, what in names.items()
    )


# --- what each has to do ---


def work(layer: Layer, idea: str, precision: str) -> Work:
    """The operations and bytes of an idea on a stack of a precision (a multiply-add counts as two operations)."""
    dtype = DTYPES[precision]
    item, rows, width = ITEMSIZE[dtype], layer.rows, layer.width
    whole = rows * width * item  # bytes of x, and of y

    def product(inner: float, weights: float, dtype: str = dtype, ends: float = 2.0 * whole) -> Step:
        operations = 2.0 * rows * inner
        return Step(family="contraction", dtype=dtype, operations=operations, num_bytes=ends + weights, matrix=True)

    if idea in DENSITIES:
        kept = round(DENSITIES[idea] * width**2)
        stored = kept * (item + _INDEX) + (width + 1) * _INDEX
        step = Step(family="contraction", dtype=dtype, operations=2.0 * rows * kept, num_bytes=2.0 * whole + stored)
        return Work(steps=(step,), num_bytes=2.0 * whole + stored)
    if idea == "block diagonal":
        weights = width**2 // BLOCKS
        return Work(steps=(product(weights, weights * item),), num_bytes=2.0 * whole + weights * item)
    if idea == "low rank":
        rank = width // RANK_SHARE
        thin = width * rank * item
        half = product(width * rank, thin, ends=whole + rows * rank * item)
        return Work(steps=(half, half), num_bytes=2.0 * whole + 2 * thin)
    if idea == "circulant":
        return _transforms(layer, dtype, whole)
    if idea == "int8":
        return _quantised(layer, dtype, whole)
    weights = width**2 * (ITEMSIZE["bfloat16"] if idea == "bf16" else item)
    if idea == "dense" or dtype == "bfloat16":
        return Work(steps=(product(width**2, weights),), num_bytes=2.0 * whole + weights)
    small = rows * width * ITEMSIZE["bfloat16"]
    convert = Step(family="copy", dtype=dtype, operations=rows * width, num_bytes=whole + small)
    inside = product(width**2, weights, dtype="bfloat16", ends=2.0 * small)
    return Work(steps=(convert, inside, convert), num_bytes=2.0 * whole + weights)


def _quantised(layer: Layer, dtype: str, whole: float) -> Work:
    """Largest of each row, scaling and rounding, the product, scaling back."""
    elements = layer.rows * layer.width
    weights = layer.width**2 + 4 * layer.width
    steps = (
        Step(family="reduction", dtype=dtype, operations=elements, num_bytes=whole),
        Step(family="elementwise", dtype=dtype, operations=2.0 * elements, num_bytes=whole + elements),
        Step(family="contraction", dtype="int8", operations=2.0 * elements * layer.width,
             num_bytes=elements + weights + 4.0 * elements, matrix=True),
        Step(family="elementwise", dtype=dtype, operations=elements, num_bytes=4.0 * elements + whole),
    )  # fmt: skip
    return Work(steps=steps, num_bytes=2.0 * whole + weights)


def _transforms(layer: Layer, dtype: str, whole: float) -> Work:
    """Two real transforms of each row by the usual count, 2.5 n log2 n, and six operations a complex product."""
    count = 2.5 * layer.width * float(np.log2(layer.width)) * layer.rows
    half = layer.width // 2 + 1
    column = half * 2 * ITEMSIZE[dtype]
    spectra = layer.rows * column
    transform = Step(family="fft", dtype=dtype, operations=count, num_bytes=whole + spectra)
    multiply = Step(
        family="elementwise", dtype=dtype, operations=6.0 * layer.rows * half, num_bytes=2.0 * spectra + column
    )
    return Work(steps=(transform, multiply, transform), num_bytes=2.0 * whole + column)


# --- on its way to a stack ---

_HOMES = {"numpy": "on_numpy", "torch": "on_torch", "torch.compile": "on_torch", "jax": "on_jax",
          "onnxruntime": "on_onnxruntime"}  # fmt: skip

Prepare = Callable[[Layer, str, Stack], Runnable]


@cache
def _layer(size: str) -> Layer:
    return Layer.parse(size)


@dataclass(frozen=True, kw_only=True)
class LayerJob:
    """An idea for a layer of a size, to be prepared in the child process of a stack."""

    idea: str
    size: str

    @property
    def key(self) -> str:
        """Tells it from the others."""
        return f"{self.idea} {self.size}"

    def make(self, stack: Stack) -> Runnable:
        """The idea in the words of the stack's library; weights are prepared here, outside of what is timed."""
        if stack.precision == "bf16" and stack.library in ("numpy", "onnxruntime"):
            raise NotAvailable(f"{stack.library} has no arithmetic in bfloat16")
        module: Any = import_module(f"pennyweight.lottery.holding.ideas.{_HOMES[stack.library]}")
        prepare: Prepare = module.prepare
        return prepare(_layer(self.size), self.idea, stack)

    def judge(self, stack: Stack, outputs: Arrays) -> tuple[float, str]:
        """The Frobenius norm of the difference from the reference, over that of the reference."""
        expected = reference(_layer(self.size), self.idea)
        error = relative_error(outputs[0], expected)
        allowed = tolerance(self.idea, stack.precision)
        wrong = "" if error <= allowed else f"its error of {error:.2g} is beyond {allowed:g}"
        return error, wrong


def relative_error(given: NDArray[Any], expected: NDArray[Any]) -> float:
    """‖given - expected‖ / ‖expected‖ in the Frobenius norm; infinite where shapes differ or a value is not finite."""
    if given.shape != expected.shape:
        return float("inf")
    wide = np.complex128 if np.iscomplexobj(expected) or np.iscomplexobj(given) else np.float64
    ours, theirs = given.astype(wide), expected.astype(wide)
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    apart = np.where(same, 0, ours - theirs)
    scale = float(np.linalg.norm(np.where(np.isfinite(theirs), theirs, 0)))
    error = float(np.linalg.norm(apart))
    if not np.isfinite(error):
        return float("inf")
    return error / scale if scale > 0 else (0.0 if error == 0 else float("inf"))
