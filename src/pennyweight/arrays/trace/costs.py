"""What an operation costs by its definition: operations by class, and bytes that must move. No clock is read here.

Counting rules, the same for every collector:

- one addition, subtraction, multiplication, division, square root or absolute value of real numbers is one operation;
  of complex numbers 2, 2, 6, 11, 8 and 4 (the usual textbook counts); a product of real and complex, or a quotient of
  complex by real, is 2;
- a sum over n numbers, running or not, is n - 1 additions; a variance 4 n operations; a matrix product is 2 operations
  a multiply-add;
- a transform of length n is 5 n log2 n operations, from or to real numbers half of that (the FFTW convention);
- a factorisation has its textbook count (Golub & Van Loan, Matrix Computations), without lower orders;
- exponentials, logarithms, angles and general powers are counted apart, one each, as are comparisons and moves.

Bytes are those of arrays as they lie: a broadcast axis is read once, a view costs nothing, a temporary inside of one
call of the library is not seen.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pennyweight.arrays.trace.families import Family
from pennyweight.arrays.trace.tape import Value


@dataclass(frozen=True, slots=True)
class Work:
    """Operations by class: arithmetic, transcendental functions, comparisons and selections, moves by index."""

    arithmetic: float = 0.0
    transcendental: float = 0.0
    compare: float = 0.0
    index: float = 0.0

    @property
    def flops(self) -> float:
        """Floating-point operations: arithmetic, and one for each transcendental function."""
        return self.arithmetic + self.transcendental

    def plus(self, other: "Work") -> "Work":
        """The sum, class by class."""
        return Work(
            self.arithmetic + other.arithmetic,
            self.transcendental + other.transcendental,
            self.compare + other.compare,
            self.index + other.index,
        )


@dataclass(frozen=True, kw_only=True)
class Call:
    """An operation to be counted: its name (`names`), the values that went in and came out, and the other arguments."""

    name: str
    ins: Sequence[Value]
    outs: Sequence[Value]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]

    @property
    def size_in(self) -> int:
        """Elements of the largest input."""
        return max((value.size for value in self.ins), default=0)

    @property
    def size_out(self) -> int:
        """Elements of all outputs."""
        return sum(value.size for value in self.outs)

    @property
    def is_complex(self) -> bool:
        """Whether complex numbers take part."""
        return any(_kind(value) == "c" for value in (*self.ins, *self.outs))

    def argument(self, position: int, keyword: str, default: Any = None) -> Any:
        """An argument by its position or its keyword."""
        if keyword in self.kwargs:
            return self.kwargs[keyword]
        return self.args[position] if len(self.args) > position else default


Count = Callable[[Call], Work]


@dataclass(frozen=True, slots=True)
class Rule:
    """The family of an operation, how its work is counted, and whether its inputs' elements are read at all."""

    family: Family
    count: Count
    reads: bool = True


def _kind(value: Value) -> str:
    kind = getattr(value.dtype, "kind", None)
    if kind is None:
        return "c" if value.dtype.is_complex else "f" if value.dtype.is_floating_point else "i"
    return str(kind)


# --- counts ---


def _nothing(call: Call) -> Work:
    return Work()


def _each(real: float, of_complex: float) -> Count:
    """So many operations an element of the result."""

    def count(call: Call) -> Work:
        return Work(arithmetic=call.size_out * (of_complex if call.is_complex else real))

    return count


def _multiply(call: Call) -> Work:
    mixed = any(_is_real(part) for part in call.args[:2]) or any(_kind(value) != "c" for value in call.ins)
    return Work(arithmetic=call.size_out * (1 if not call.is_complex else 2 if mixed else 6))


def _divide(call: Call) -> Work:
    by = call.args[1] if len(call.args) > 1 else call.ins[-1]
    return Work(arithmetic=call.size_out * (1 if not call.is_complex else 2 if _is_real(by) else 11))


def _is_real(part: Any) -> bool:
    return _kind(part) != "c" if isinstance(part, Value) else isinstance(part, (int, float, np.integer, np.floating))


def _function(call: Call) -> Work:
    return Work(transcendental=call.size_out * (2 if call.is_complex else 1))


def _power(call: Call) -> Work:
    exponent = call.argument(1, "x2", call.kwargs.get("exponent"))
    if not isinstance(exponent, (int, float)) or exponent not in _SIMPLE_POWERS:
        return _function(call)
    return Work(arithmetic=call.size_out * (_SIMPLE_POWERS[exponent] if call.is_complex else 1))


_SIMPLE_POWERS = {1: 1, 2: 6, -1: 11, 0.5: 8}
"""Powers that are a copy, a product, a quotient or a root, with what each costs a complex number."""


def _compare(call: Call) -> Work:
    return Work(compare=call.size_out)


def _clip(call: Call) -> Work:
    return Work(compare=2 * call.size_out)


def _move(call: Call) -> Work:
    return Work(index=call.size_out)


def _reduce(operations: float = 1, each_out: float = 0, *, transcendental: float = 0) -> Count:
    """So many operations an element that goes in, less what the first element of each result saves."""

    def count(call: Call) -> Work:
        factor = 2 if call.is_complex else 1
        saved = call.size_out if operations == 1 else 0
        return Work(
            arithmetic=factor * (max(0, operations * call.size_in - saved) + each_out * call.size_out),
            transcendental=transcendental * call.size_in,
        )

    return count


def _product_of(call: Call) -> Work:
    return Work(arithmetic=(6 if call.is_complex else 1) * max(0, call.size_in - call.size_out))


def _diagonal_sum(call: Call) -> Work:
    a = np.broadcast_to(np.int8(0), call.ins[0].shape)
    offset, axes = call.argument(1, "offset", 0), (call.argument(2, "axis1", 0), call.argument(3, "axis2", 1))
    length = a.diagonal(offset, *axes).shape[-1]
    return Work(arithmetic=(2 if call.is_complex else 1) * call.size_out * max(0, length - 1))


def _weighted_mean(call: Call) -> Work:
    if isinstance(call.argument(2, "weights"), Value):
        return Work(arithmetic=max(0, 3 * call.size_in - call.size_out))  # products, their sum, the sum of the weights
    return _reduce(1, 1)(call)


def _reduce_compare(call: Call) -> Work:
    return Work(compare=max(0, call.size_in - call.size_out))


def _compare_in(call: Call) -> Work:
    return Work(compare=call.size_in)


def _lanes(call: Call, position: int, default: int | None) -> tuple[int, int]:
    """How many rows are worked on one by one, and how long each is: along an axis, or all as one."""
    value, axis = call.ins[0], call.argument(position, "axis", default)
    if not isinstance(axis, int) or not value.shape:
        return 1, max(1, value.size)
    length = max(1, value.shape[axis])
    return value.size // length, length


def _scan(call: Call) -> Work:
    lanes, length = _lanes(call, 1, None)
    return Work(arithmetic=(2 if call.is_complex else 1) * lanes * (length - 1))


def _scan_product(call: Call) -> Work:
    lanes, length = _lanes(call, 1, None)
    return Work(arithmetic=(6 if call.is_complex else 1) * lanes * (length - 1))


def _scan_along(call: Call) -> Work:
    """A ufunc's ``accumulate``, which goes along the first axis unless it is told another."""
    lanes, length = _lanes(call, 1, 0)
    return Work(arithmetic=(2 if call.is_complex else 1) * lanes * (length - 1))


def _scan_compare(call: Call) -> Work:
    lanes, length = _lanes(call, 1, 0)
    return Work(compare=lanes * (length - 1))


def _sorted_lanes(lanes: int, length: int) -> Work:
    size = lanes * length
    return Work(compare=size * max(1.0, math.log2(max(2, length))), index=size)


def _sort(call: Call) -> Work:
    return _sorted_lanes(*_lanes(call, 1, -1))


def _sort_all(position: int) -> Count:
    """As `_sort`, of what takes all elements as one row unless it is told an axis."""
    return lambda call: _sorted_lanes(*_lanes(call, position, None))


def _select(call: Call) -> Work:
    return Work(compare=2 * call.size_in, index=call.size_in)


def _search(queries: int, sorted_at: int) -> Count:
    """A binary search for each query; the numbers are the places of both among the arguments."""

    def count(call: Call) -> Work:
        ins = call.ins if len(call.ins) > max(queries, sorted_at) else (*call.ins, *call.outs)
        steps = max(1.0, math.log2(max(2, ins[sorted_at].size)))
        return Work(compare=max(call.ins[min(queries, len(call.ins) - 1)].size, call.outs[0].size) * steps)

    return count


def _histogram(call: Call) -> Work:
    points, bins = call.ins[0].size, call.outs[0].size
    return Work(compare=points * max(1.0, math.log2(max(2, bins))), index=points)


def _scattered(arithmetic: int) -> Count:
    """A move to a computed place for each index, with or without an addition."""

    def count(call: Call) -> Work:
        at = call.argument(1, "ind", None)
        moved = at.size if isinstance(at, Value) else int(np.size(at)) if at is not None else call.size_out
        factor = 2 if call.is_complex else 1
        return Work(index=moved, arithmetic=factor * arithmetic * moved)

    return count


def _binned(call: Call) -> Work:
    return Work(index=call.ins[0].size, arithmetic=call.ins[0].size)


def _differences(call: Call) -> Work:
    times = call.argument(1, "n", 1)
    factor = (2 if call.is_complex else 1) * (times if isinstance(times, int) else 1)
    return Work(arithmetic=factor * call.size_out)


def _polynomial(call: Call) -> Work:
    """Horner's rule: a multiply-add for each coefficient but the first, at each point."""
    return _product(max(0, call.ins[0].size - 1) * call.size_out, call)


def _product(multiply_adds: float, call: Call) -> Work:
    return Work(arithmetic=(8 if call.is_complex else 2) * multiply_adds)


def _matmul(call: Call) -> Work:
    if len(call.ins) < 2 or not call.ins[0].shape or not call.ins[1].shape:
        return _multiply(call)  # np.dot by a number
    return _product(call.size_out * call.ins[0].shape[-1], call)


def _contract(call: Call) -> Work:
    """A product over shared axes and no common ones: sizes tell how long the shared axes are."""
    a, b = call.ins[0].size, call.ins[1].size
    return _product(math.sqrt(a * b * call.size_out), call)


def _outer(call: Call) -> Work:
    return Work(arithmetic=call.size_out * (6 if call.is_complex else 1))


def _slide(call: Call) -> Work:
    return _product(call.ins[0].size * call.ins[1].size, call)


def _einsum(call: Call) -> Work:
    """A multiply-add for each combination of all indices; along a path, of each step of it."""
    shapes = [value.shape for value in call.ins]
    text = call.args[0] if isinstance(call.args[0], str) else _spelt_out(call.args)
    inputs, output = _subscripts(text, [len(shape) for shape in shapes])
    extents = {
        letter: extent
        for term, shape in zip(inputs, shapes, strict=True)
        for letter, extent in zip(term, shape, strict=True)
        if extent != 1
    }
    steps = _einsum_steps(call, text, inputs, output, shapes)
    total = 0.0
    for terms, result in steps:
        letters = set("".join(terms)) | set(result)
        points = math.prod(extents.get(letter, 1) for letter in letters)
        kept = math.prod(extents.get(letter, 1) for letter in result)
        # Products of k operands, then a sum over what is not kept.
        operations = (len(terms) - 1) * points + (points - kept if kept < points else 0)
        total += operations + (kept if len(terms) == 2 and kept < points else 0)
    return Work(arithmetic=total * (4 if call.is_complex else 1))


def _spelt_out(args: Sequence[Any]) -> str:
    """The subscripts of ``einsum(a, [0, 1], b, [1, 2], [0, 2])`` as letters."""
    terms = ["".join("..." if n is Ellipsis else chr(ord("a") + n) for n in part) for part in args[1::2]]
    text = ",".join(terms[: len(args) // 2])
    if len(args) % 2:
        text += "->" + "".join("..." if n is Ellipsis else chr(ord("a") + n) for n in args[-1])
    return text


def _subscripts(text: str, dims: Sequence[int]) -> tuple[list[str], str]:
    """The letters of each operand and of the result, with ellipses spelt out in capitals from the far end."""
    left, _, right = text.replace(" ", "").partition("->")
    spare = [letter for letter in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if letter not in text]
    terms = []
    longest = 0
    for term, dim in zip(left.split(","), dims, strict=True):
        hidden = dim - len(term.replace("...", ""))
        longest = max(longest, hidden)
        terms.append(term.replace("...", "".join(reversed(spare[:hidden]))))
    if "->" in text:
        return terms, right.replace("...", "".join(reversed(spare[:longest])))
    joined = "".join(terms)
    result = "".join(sorted(letter for letter in set(joined) if joined.count(letter) == 1))
    return terms, result


def _einsum_steps(
    call: Call, text: str, inputs: list[str], output: str, shapes: Sequence[tuple[int, ...]]
) -> list[tuple[list[str], str]]:
    path = call.kwargs.get("optimize")
    if not path or len(inputs) < 3:
        return [(inputs, output)]
    dummies = [np.broadcast_to(np.float32(0), shape) for shape in shapes]
    order = np.einsum_path(text, *dummies, optimize=path)[0][1:]
    terms = list(inputs)
    steps = []
    for picked in order:
        taken = [terms.pop(index) for index in sorted(picked, reverse=True)]
        wanted = set(output).union(*terms) if terms else set(output)
        result = "".join(letter for letter in dict.fromkeys("".join(taken)) if letter in wanted)
        steps.append((taken, result))
        terms.append(result)
    return steps


def _convolution(call: Call) -> Work:
    weight = call.ins[1].shape
    return _product(call.outs[0].size * math.prod(weight[1:]), call)


def _fft(*, real: Literal["", "in", "out"] = "", axes: Callable[[Call, Value], Sequence[int]]) -> Count:
    """Transforms along some axes; ``real`` says on which side numbers are real (the other side has half as many)."""

    def count(call: Call) -> Work:
        out = call.outs[0]
        over = axes(call, out)
        lengths = {axis % len(out.shape): out.shape[axis] for axis in over}
        if real == "in":
            last = over[-1] % len(out.shape)
            told = call.argument(1, "n" if len(over) == 1 else "s", None)
            told = told[-1] if isinstance(told, (tuple, list)) else told
            lengths[last] = told if isinstance(told, int) else call.ins[0].shape[last]
        points = math.prod(lengths.values())
        if points < 2:
            return Work()
        lanes = math.prod(extent for axis, extent in enumerate(out.shape) if axis not in lengths)
        return Work(arithmetic=(2.5 if real else 5.0) * lanes * points * math.log2(points))

    return count


def _fft_axes(dims: int) -> Callable[[Call, Value], Sequence[int]]:
    """The axes of a transform of so many dimensions (0: as many as it is told, or all)."""

    def axes(call: Call, value: Value) -> Sequence[int]:
        if dims == 1:
            axis = call.argument(2, "axis", -1)
            return (axis if isinstance(axis, int) else -1,)
        told = call.argument(2, "axes", None)
        if isinstance(told, (tuple, list)):
            return tuple(told)
        return tuple(range(-2, 0)) if dims == 2 else tuple(range(len(value.shape)))

    return axes


def _square(factor: float) -> Count:
    """A factorisation of n by n matrices: ``factor`` times the cube of n, for each matrix."""

    def count(call: Call) -> Work:
        shape = call.ins[0].shape
        n = shape[-1] if shape else 1
        return Work(arithmetic=(4 if call.is_complex else 1) * factor * n**3 * math.prod(shape[:-2]))

    return count


def _tall(long: float, cube: float) -> Count:
    """A factorisation of m by n matrices: ``long`` m n² plus ``cube`` n³, n the shorter side."""

    def count(call: Call) -> Work:
        shape = call.ins[0].shape
        if len(shape) < 2:
            return Work()
        m, n = max(shape[-2:]), min(shape[-2:])
        total = (long * m * n**2 + cube * n**3) * math.prod(shape[:-2])
        return Work(arithmetic=(4 if call.is_complex else 1) * total)

    return count


def _solve(call: Call) -> Work:
    shape = call.ins[0].shape
    n, batch = shape[-1], math.prod(shape[:-2])
    columns = call.ins[1].size / max(1, n * batch) if len(call.ins) > 1 else 1
    return Work(arithmetic=(4 if call.is_complex else 1) * batch * (2 / 3 * n**3 + 2 * n**2 * columns))


# --- the table ---

RULES: dict[str, Rule] = {}


def _put(family: Family, count: Count, names: str, *, reads: bool = True) -> None:
    for name in names.split():
        RULES[name] = Rule(family, count, reads)


_put("elementwise", _each(1, 2), "add subtract negative positive")
_put("elementwise", _multiply, "multiply")
_put("elementwise", _divide, "divide true_divide floor_divide remainder fmod divmod")
_put("elementwise", _each(1, 11), "reciprocal")
_put("elementwise", _each(1, 4), "absolute abs fabs")
_put("elementwise", _each(1, 8), "sqrt rsqrt")
_put("elementwise", _each(1, 6), "square")
_put("elementwise", _each(3, 14), "cross linalg.cross")
_put("elementwise", _each(1, 1), "floor ceil rint trunc round around fix sign copysign conj conjugate real imag "
     "degrees radians deg2rad rad2deg modf frexp ldexp nextafter spacing heaviside lerp addcmul addcdiv "
     "bitwise_and bitwise_or bitwise_xor bitwise_not invert bitwise_count left_shift right_shift gcd lcm")  # fmt: skip
_put("elementwise", _compare, "less less_equal equal not_equal greater greater_equal maximum minimum fmax fmin "
     "logical_and logical_or logical_xor logical_not isnan isinf isfinite isneginf isposinf signbit where select "
     "choose isclose isin in1d masked_fill threshold relu isnat iscomplex isreal piecewise nan_to_num")  # fmt: skip
_put("elementwise", _clip, "clip")
_put("elementwise", _polynomial, "polyval")
_put("transcendental", _function, "exp exp2 expm1 log log2 log10 log1p sin cos tan arcsin arccos arctan arctan2 sinh "
     "cosh tanh arcsinh arccosh arctanh hypot cbrt sinc angle erf erfc erfinv lgamma gammaln sigmoid gelu silu "
     "softplus i0 logsigmoid mish elu logaddexp logaddexp2")  # fmt: skip
_put("transcendental", _power, "power float_power")
_put("reduction", _reduce(), "sum nansum add.reduce subtract.reduce add.reduceat")
_put("reduction", _product_of, "prod nanprod multiply.reduce multiply.reduceat")
_put("reduction", _diagonal_sum, "trace linalg.trace")
_put("reduction", _reduce(1, 1), "mean nanmean")
_put("reduction", _weighted_mean, "average")
_put("reduction", _reduce(4), "var nanvar trapezoid")
_put("reduction", _reduce(4, 1), "std nanstd")
_put("reduction", _reduce(2), "linalg.norm linalg.vector_norm")
_put("reduction", _reduce(1, transcendental=1), "logsumexp")
_put("reduction", _reduce(3, 0, transcendental=1), "softmax log_softmax")
_put("reduction", _reduce(6), "layer_norm batch_norm rms_norm group_norm")
_put("reduction", _compare_in, "count_nonzero")
_put("reduction", _reduce_compare, "max min amax amin nanmax nanmin argmax argmin nanargmax nanargmin any all ptp "
     "maximum.reduce minimum.reduce logical_and.reduce logical_or.reduce maximum.reduceat minimum.reduceat "
     "array_equal allclose array_equiv equal_all bitwise_or.reduce bitwise_and.reduce bitwise_xor.reduce")  # fmt: skip
_put("scan", _scan, "cumsum nancumsum cumulative_sum")
_put("scan", _scan_product, "cumprod nancumprod cumulative_prod")
_put("scan", _scan_along, "add.accumulate subtract.accumulate multiply.accumulate")
_put("scan", _scan_compare, "maximum.accumulate minimum.accumulate logical_and.accumulate logical_or.accumulate")
_put("scan", _differences, "diff ediff1d")
_put("scan", _each(2, 4), "gradient")
_put("scan", _each(4, 8), "cumulative_trapezoid")
_put("contraction", _matmul, "matmul dot inner vecdot matvec vecmat mm bmm mv linalg.matmul addmm baddbmm "
     "linalg.vecdot")  # fmt: skip
_put("contraction", _contract, "tensordot vdot linalg.tensordot")
_put("contraction", _outer, "outer kron multiply.outer linalg.outer")
_put("elementwise", _each(1, 2), "add.outer subtract.outer")
_put("elementwise", _compare, "maximum.outer minimum.outer less.outer greater.outer equal.outer")
_put("contraction", _slide, "convolve correlate")
_put("contraction", _einsum, "einsum")
_put("contraction", _convolution, "convolution")
_put("fft", _fft(axes=_fft_axes(1)), "fft.fft fft.ifft")
_put("fft", _fft(real="in", axes=_fft_axes(1)), "fft.rfft fft.ihfft")
_put("fft", _fft(real="out", axes=_fft_axes(1)), "fft.irfft fft.hfft")
_put("fft", _fft(axes=_fft_axes(2)), "fft.fft2 fft.ifft2")
_put("fft", _fft(real="in", axes=_fft_axes(2)), "fft.rfft2")
_put("fft", _fft(real="out", axes=_fft_axes(2)), "fft.irfft2")
_put("fft", _fft(axes=_fft_axes(0)), "fft.fftn fft.ifftn")
_put("fft", _fft(real="in", axes=_fft_axes(0)), "fft.rfftn")
_put("fft", _fft(real="out", axes=_fft_axes(0)), "fft.irfftn")
_put("linalg", _solve, "linalg.solve")
_put("linalg", _square(2), "linalg.inv")
_put("linalg", _square(2 / 3), "linalg.det linalg.slogdet")
_put("linalg", _square(1 / 3), "linalg.cholesky")
_put("linalg", _square(9), "linalg.eigh")
_put("linalg", _square(4 / 3), "linalg.eigvalsh")
_put("linalg", _square(25), "linalg.eig")
_put("linalg", _square(10), "linalg.eigvals")
_put("linalg", _square(20), "linalg.matrix_power linalg.expm")
_put("linalg", _tall(4, -4 / 3), "linalg.qr")
_put("linalg", _tall(14, 8), "linalg.svd linalg.pinv")
_put("linalg", _tall(2, 2), "linalg.svdvals linalg.matrix_rank linalg.cond linalg.matrix_norm")
_put("linalg", _tall(2, 11), "linalg.lstsq")
_put("sort", _sort, "sort argsort lexsort topk")
_put("sort", _sort_all(1), "unique unique_values unique_counts unique_inverse unique_all sort_complex median nanmedian "
     "union1d intersect1d setdiff1d setxor1d")  # fmt: skip
_put("sort", _sort_all(2), "percentile quantile nanpercentile nanquantile")
_put("sort", _select, "partition argpartition")
_put("sort", _search(1, 0), "searchsorted")
_put("sort", _search(0, 1), "digitize bucketize interp")
_put("sort", _histogram, "histogram histogram2d histogramdd")
_put("gather", _move, "take take_along_axis compress extract index embedding gather index_select flat_get nonzero "
     "flatnonzero argwhere masked_select ix_")  # fmt: skip
_put("scatter", _scattered(0), "put put_along_axis index_put scatter masked_scatter flat_set")
_put("scatter", _scattered(1), "add.at subtract.at multiply.at divide.at maximum.at minimum.at scatter_add index_add "
     "scatter_reduce")  # fmt: skip
_put("scatter", _binned, "bincount")
_put("scatter", _move, "place putmask copyto fill_diagonal")
_put("copy", _nothing, "copy astype array asarray ascontiguousarray asfortranarray asanyarray require concatenate "
     "concat stack vstack hstack dstack column_stack block append insert delete repeat tile roll pad flatten byteswap "
     "clone to_copy copy_ contiguous resized resize setattr fill full_like_copy rot90 flip tril triu diag diagflat "
     "packbits unpackbits constant_pad_nd tolist cat unsafe_copy lift_fresh")  # fmt: skip
_put("creation", _nothing, "zeros ones empty full arange linspace logspace geomspace eye identity zeros_like ones_like "
     "empty_like full_like indices meshgrid fromfunction tri mgrid ogrid scalar_tensor new_zeros new_ones new_full "
     "new_empty empty_strided new_empty_strided rand randn randint randperm bernoulli normal uniform "
     "fft.fftfreq fft.rfftfreq hanning hamming blackman bartlett kaiser diag_indices triu_indices tril_indices "
     "vander diag_indices_from", reads=False)  # fmt: skip
_put("view", _nothing, "reshape ravel transpose T mT swapaxes moveaxis rollaxis squeeze expand_dims view broadcast_to "
     "broadcast_arrays split array_split hsplit vsplit dsplit diagonal atleast_1d atleast_2d atleast_3d as_strided "
     "sliding_window_view matrix_transpose permute_dims unstack flipud fliplr getattr permute unsqueeze expand select "
     "slice t alias detach unfold unbind unsafe_view view_as_real view_as_complex narrow movedim split_with_sizes "
     "_set_attribute shape ndim size setflags result_type promote_types can_cast may_share_memory shares_memory "
     "newbyteorder base iscomplexobj isrealobj", reads=False)  # fmt: skip


_UNKNOWN = Rule("other", _nothing)


def rule_of(name: str) -> tuple[Rule, bool]:
    """The rule of an operation by its name, and whether there is one: without, its work is not known."""
    found = RULES.get(name)
    if found is None and "." in name:
        # scipy.special.erf is as erf; a ufunc's method on a rarer ufunc counts as its reduction.
        found = RULES.get(name.rpartition(".")[2])
    return (found or _UNKNOWN), found is not None


def count(call: Call) -> Work:
    """The work of an operation; nothing where no rule is known."""
    rule, known = rule_of(call.name)
    if not known or not call.outs:
        return Work()
    try:
        return rule.count(call)
    except (IndexError, TypeError, ValueError, ZeroDivisionError):
        return Work()  # called in a way that the rule does not expect: not counted rather than wrong
