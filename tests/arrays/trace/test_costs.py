"""Each rule counts what a plain loop over the elements would do, one by one."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from pennyweight.arrays.trace.costs import RULES, Work
from pennyweight.arrays.trace.families import FAMILIES
from tests.arrays.trace.recording import operations


def work(function: Callable[..., Any], *arrays: Any) -> Work:
    """The work of the last operation of a function."""
    return operations(function, *arrays)[-1].work


def numbers(*shape: int, dtype: Any = float) -> Any:
    return (np.arange(math.prod(shape)).reshape(shape) % 7 + 1).astype(dtype)


class Tally:
    """Real arithmetic, counted while it is done."""

    def __init__(self) -> None:
        self.done = 0

    def add(self, a: float, b: float) -> float:
        self.done += 1
        return a + b

    def multiply(self, a: float, b: float) -> float:
        self.done += 1
        return a * b

    def sum(self, values: Iterator[float]) -> float:
        """From the first number on."""
        values = iter(values)
        total = next(values)
        for value in values:
            total = self.add(total, value)
        return total


def lanes(x: Any, axis: int | None) -> list[Any]:
    """The rows along an axis, each as a vector."""
    return [x.ravel()] if axis is None else list(np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis]))


# --- reductions and scans ---

AXES = pytest.mark.parametrize("axis", [None, 0, 1, -1])


@AXES
@pytest.mark.parametrize("keepdims", [False, True])
def test_sums_means_and_spreads_count_as_in_a_loop(axis: int | None, keepdims: bool) -> None:
    x = numbers(5, 7, 3)
    tally = {name: Tally() for name in ("sum", "mean", "var", "std")}
    for lane in lanes(x, axis):
        tally["sum"].sum(iter(lane))
        for name in ("mean", "var", "std"):
            one = tally[name]
            mean = one.multiply(one.sum(iter(lane)), 1 / len(lane))
            if name != "mean":
                apart = [one.add(value, -mean) for value in lane]
                one.multiply(one.sum(one.multiply(d, d) for d in apart), 1 / len(lane))
            if name == "std":
                one.done += 1  # the root
    for name, count in tally.items():
        method = work(lambda x, name=name: getattr(x, name)(axis=axis, keepdims=keepdims), x)
        function = work(lambda x, name=name: getattr(np, name)(x, axis=axis, keepdims=keepdims), x)
        assert method == function == Work(arithmetic=count.done), name


@AXES
def test_running_sums_and_differences_count_as_in_a_loop(axis: int | None) -> None:
    x = numbers(5, 7, 3)
    tally = Tally()
    for lane in lanes(x, axis):
        total = lane[0]
        for value in lane[1:]:
            total = tally.add(total, value)
    assert work(lambda x: x.cumsum(axis), x).arithmetic == tally.done
    assert work(lambda x: np.cumsum(x, axis=axis), x).arithmetic == tally.done
    assert work(lambda x: np.cumprod(x, axis=axis), x).arithmetic == tally.done
    if axis is not None:
        assert work(lambda x: np.add.accumulate(x, axis=axis), x).arithmetic == tally.done
        assert work(lambda x: np.maximum.accumulate(x, axis), x) == Work(compare=tally.done)
        assert work(lambda x: np.diff(x, axis=axis), x).arithmetic == tally.done


@AXES
def test_finding_the_largest_compares_as_in_a_loop(axis: int | None) -> None:
    x = numbers(5, 7, 3)
    compared = sum(len(lane) - 1 for lane in lanes(x, axis))
    for name in ("max", "argmin", "any", "all"):
        assert work(lambda x, name=name: getattr(x, name)(axis=axis), x) == Work(compare=compared), name
    assert work(lambda x: np.maximum.reduce(x, axis=axis), x) == Work(compare=compared)
    assert work(np.count_nonzero, x) == Work(compare=x.size)


def test_products_traces_and_norms_count_as_in_a_loop() -> None:
    x = numbers(4, 6)
    assert work(np.prod, x).arithmetic == 23
    assert work(np.prod, x.astype(complex)).arithmetic == 6 * 23
    assert work(np.trace, x).arithmetic == 3
    assert work(lambda x: x.trace(offset=3), x).arithmetic == 2
    assert work(np.trace, numbers(4, 4, 5)).arithmetic == 3 * 5
    assert work(np.linalg.norm, x).arithmetic == 24 + 23 + 1
    assert work(lambda x: np.linalg.norm(x, axis=1), x).arithmetic == 4 * (6 + 5 + 1)
    assert work(lambda x: np.average(x, axis=0), x).arithmetic == work(lambda x: x.mean(0), x).arithmetic
    assert work(lambda x, w: np.average(x, axis=0, weights=w), x, numbers(4)).arithmetic == 3 * 24 - 6


# --- products ---


def _naive_product(a: Any, b: Any) -> int:
    """Multiply-adds of ``a @ b``, two operations each, counted one by one."""
    tally = Tally()
    a2, b2 = (a[None] if a.ndim == 1 else a), (b[:, None] if b.ndim == 1 else b)
    for batch in np.ndindex(np.broadcast_shapes(a2.shape[:-2], b2.shape[:-2])):
        del batch
        for i, j in itertools.product(range(a2.shape[-2]), range(b2.shape[-1])):
            total = 0.0
            for k in range(a2.shape[-1]):
                total = tally.add(total, tally.multiply(i, j + k))
    return tally.done


@pytest.mark.parametrize(
    ("left", "right"),
    [((3, 4), (4, 5)), ((4,), (4, 5)), ((3, 4), (4,)), ((4,), (4,)), ((2, 3, 4), (4, 5)), ((2, 1, 3, 4), (6, 4, 5))],
)
def test_matrix_products_are_two_operations_a_multiply_add(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    a, b = numbers(*left), numbers(*right)
    expected = _naive_product(a, b)
    assert work(lambda a, b: a @ b, a, b).arithmetic == expected
    assert work(np.matmul, a, b).arithmetic == expected
    assert work(lambda a, b: a @ b, a.astype(complex), b).arithmetic == 4 * expected
    out = a @ b
    if out.ndim:
        assert work(lambda a, b, out: np.matmul(a, b, out=out), a, b, out).arithmetic == expected
        assert work(lambda a, b, out: np.matmul(a, b, out), a, b, out).arithmetic == expected
    if a.ndim <= 2 and b.ndim <= 2:
        assert work(np.dot, a, b).arithmetic == work(lambda a, b: a.dot(b), a, b).arithmetic == expected


def test_a_product_with_a_number_is_one_operation_an_element() -> None:
    x = numbers(3, 4)
    assert work(lambda x: np.dot(x, 2.0), x) == work(lambda x: np.dot(2.0, x), x) == Work(arithmetic=12)
    assert work(lambda x: x.dot(np.float64(3)), x).arithmetic == 12


def test_other_contractions_count_their_multiply_adds() -> None:
    a, b = numbers(3, 4, 5), numbers(4, 5, 6)
    assert work(np.tensordot, a, b).arithmetic == 2 * 3 * 4 * 5 * 6
    assert work(lambda a, b: np.tensordot(a, b, axes=1), a, numbers(5, 2)).arithmetic == 2 * 60 * 2
    assert work(np.vdot, numbers(9), numbers(9)).arithmetic == 18
    assert work(np.inner, numbers(3, 4), numbers(5, 4)).arithmetic == 2 * 3 * 5 * 4
    assert work(np.outer, numbers(3), numbers(4)).arithmetic == 12
    assert work(np.kron, numbers(2, 3), numbers(4, 5)).arithmetic == 6 * 20
    assert work(np.convolve, numbers(9), numbers(3)).arithmetic == 2 * 27
    assert work(np.cross, numbers(7, 3), numbers(7, 3)).arithmetic == 7 * 9
    assert work(lambda x: np.polyval([1.0, 2.0, 3.0], x), numbers(5)).arithmetic >= 0
    assert work(np.polyval, numbers(4), numbers(5)).arithmetic == 5 * 2 * 3


def _naive_einsum(text: str, *shapes: tuple[int, ...]) -> int:
    """For each combination of all indices the operands are multiplied and the product is added to its sum."""
    left, right = text.split("->")
    terms = left.split(",")
    extents = {
        letter: extent
        for term, shape in zip(terms, shapes, strict=True)
        for letter, extent in zip(term, shape, strict=True)
    }
    tally, sums = Tally(), dict[tuple[int, ...], float]()
    for point in itertools.product(*(range(n) for n in extents.values())):
        at = dict(zip(extents, point, strict=True))
        product = 1.0
        for number in range(len(terms)):
            product = product if number == 0 else tally.multiply(product, 1.0)
        place = tuple(at[letter] for letter in right)
        sums[place] = product if place not in sums else tally.add(sums[place], product)
    # A sum of products is counted as multiply-adds: its first addition, to zero, too.
    return tally.done + (len(sums) if len(terms) == 2 and len(sums) < math.prod(extents.values()) else 0)


EINSUMS = [
    ("ij,jk->ik", (3, 4), (4, 5)), ("ij,ij->", (3, 4), (3, 4)), ("bij,bjk->bik", (2, 3, 4), (2, 4, 5)), ("ij->ji", (3, 4)),
    ("ij->i", (3, 4)), ("ii->", (4, 4)), ("ii->i", (4, 4)), ("i,j->ij", (3,), (4,)), ("ij,ij->ij", (3, 4), (3, 4)),
    ("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)), ("i,i,i->", (5,), (5,), (5,)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "shapes"), [(text, shapes) for text, *shapes in EINSUMS], ids=[e[0] for e in EINSUMS])
def test_einsum_counts_each_combination_of_its_indices(text: str, shapes: list[tuple[int, ...]]) -> None:
    arrays = [numbers(*shape) for shape in shapes]
    ops = operations(lambda *a: np.einsum(text, *a), *arrays)
    expected = 0 if ops[-1].kind == "view" else _naive_einsum(text, *shapes)
    assert ops[-1].work.arithmetic == expected
    spaced = text.replace(",", " , ")
    assert work(lambda *a: np.einsum(spaced, *a), *arrays).arithmetic == expected
    listed = _listed(text)
    assert (
        work(lambda *a: np.einsum(*itertools.chain(*zip(a, listed, strict=False)), listed[-1]), *arrays).arithmetic
        == expected
    )


def _listed(text: str) -> list[list[int]]:
    left, right = text.split("->")
    return [[ord(letter) - ord("a") for letter in term] for term in (*left.split(","), right)]


def test_einsum_along_a_path_counts_each_step_of_it() -> None:
    a, b, c = numbers(2, 30), numbers(30, 40), numbers(40, 3)
    whole = work(lambda *x: np.einsum("ij,jk,kl->il", *x), a, b, c).arithmetic
    along = work(lambda *x: np.einsum("ij,jk,kl->il", *x, optimize=True), a, b, c).arithmetic
    assert whole == _naive_einsum("ij,jk,kl->il", (2, 30), (30, 40), (40, 3))
    told = np.einsum_path("ij,jk,kl->il", a, b, c, optimize="greedy")[0]
    steps = {(0, 1): 2 * 2 * 30 * 40 + 2 * 2 * 40 * 3, (1, 2): 2 * 30 * 40 * 3 + 2 * 2 * 30 * 3}
    assert along == steps[told[1]]
    assert work(lambda *x: np.einsum("ij,jk,kl->il", *x, optimize=told), a, b, c).arithmetic == along


def test_einsum_with_an_ellipsis_counts_what_is_behind_it() -> None:
    a, b = numbers(5, 6, 3, 4), numbers(6, 4, 2)
    expected = _naive_einsum("xyij,yjk->xyik", a.shape, b.shape)
    assert work(lambda a, b: np.einsum("...ij,...jk->...ik", a, b), a, b).arithmetic == expected
    assert work(lambda a, b: np.einsum("...ij,...jk", a, b), a, b).arithmetic == expected
    stretched = numbers(1, 4, 2)
    assert work(lambda a, b: np.einsum("...ij,...jk->...ik", a, b), a, stretched).arithmetic == expected
    assert work(lambda a: np.einsum("...ii->...", a), numbers(5, 3, 3)).arithmetic == 5 * 2
    assert work(lambda a, b: np.einsum("ij,jk", a, b), numbers(2, 3), numbers(3, 4)).arithmetic == 2 * 24


# --- elementwise ---


@pytest.mark.parametrize(
    ("function", "real", "of_complex"),
    [
        (lambda x: x + x, 1, 2), (lambda x: x - 1, 1, 2), (lambda x: x * x, 1, 6), (lambda x: x * 2.0, 1, 2),
        (lambda x: x / x, 1, 11), (lambda x: x / 2.0, 1, 2), (lambda x: 2.0 / x, 1, 11), (lambda x: -x, 1, 2),
        (abs, 1, 4), (np.sqrt, 1, 8), (lambda x: x**2, 1, 6), (lambda x: x**-1, 1, 11), (lambda x: x**0.5, 1, 8),
        (lambda x: x * np.float64(2), 1, 2), (lambda x: x * 1j, 2, 6), (lambda x: np.divide(x, 4), 1, 2),
        (lambda x: np.square(x), 1, 6), (lambda x: np.reciprocal(x), 1, 11),
    ],
)  # fmt: skip
def test_arithmetic_of_complex_numbers_is_counted_in_real_operations(
    function: Callable[[Any], Any], real: int, of_complex: int
) -> None:
    x = numbers(3, 4)
    assert work(function, x) == Work(arithmetic=12 * real)
    assert work(function, x.astype(complex)) == Work(arithmetic=12 * of_complex)


def test_a_product_or_quotient_of_complex_and_real_arrays_is_two_operations() -> None:
    x, z = numbers(5), numbers(5).astype(complex)
    assert work(lambda x, z: x * z, x, z).arithmetic == work(lambda x, z: z * x, x, z).arithmetic == 10
    assert work(lambda x, z: z / x, x, z).arithmetic == 10
    assert work(lambda x, z: x / z, x, z).arithmetic == 55


def test_functions_powers_comparisons_and_moves_are_counted_apart() -> None:
    x = numbers(3, 4)
    assert work(np.exp, x) == Work(transcendental=12)
    assert work(np.exp, x.astype(complex)) == Work(transcendental=24)
    assert work(lambda x: x**3, x) == work(lambda x: x**x, x) == work(lambda x: 2.0**x, x) == Work(transcendental=12)
    assert work(lambda x: x ** [1, 2, 3, 4], x) == work(lambda x: x ** np.float32(2.5), x) == Work(transcendental=12)
    assert work(np.logaddexp, x, x) == Work(transcendental=12)
    assert work(lambda x: x > 2, x) == work(np.maximum, x, x) == Work(compare=12)
    assert work(lambda x: np.where(x > 2, x, 0), x) == Work(compare=12)
    assert work(lambda x: x.clip(0, 1), x) == Work(compare=24)
    assert work(lambda x: x[[0, 2]], x) == Work(index=8)
    assert work(lambda x: x[x > 3], x) == Work(index=int((x > 3).sum()))
    assert work(lambda x: x.copy(), x) == work(lambda x: x.T, x) == Work()
    assert Work(1, 2, 3, 4).flops == 3
    assert Work(1, 2, 3, 4).plus(Work(1, 1, 1, 1)) == Work(2, 3, 4, 5)


def test_broadcasting_counts_elements_of_the_result() -> None:
    assert work(lambda a, b: a + b, numbers(4, 1), numbers(3)) == Work(arithmetic=12)
    assert work(np.subtract.outer, numbers(4), numbers(3)) == Work(arithmetic=12)
    assert work(np.multiply.outer, numbers(4), numbers(3)) == Work(arithmetic=12)


# --- transforms, factorisations, sorting, scattering ---


def fft_count(points: int, lanes: int = 1) -> float:
    """The FFTW convention."""
    return 5.0 * lanes * points * math.log2(points)


@pytest.mark.parametrize(
    ("function", "shape", "expected"),
    [
        (np.fft.fft, (3, 16), fft_count(16, 3)), (lambda x: np.fft.fft(x, axis=0), (16, 3), fft_count(16, 3)),
        (lambda x: np.fft.fft(x, 32), (3, 16), fft_count(32, 3)), (np.fft.rfft, (3, 16), fft_count(16, 3) / 2),
        (lambda x: np.fft.rfft(x, 64), (3, 16), fft_count(64, 3) / 2), (lambda x: np.fft.rfft(x, n=15), (2, 16), fft_count(15, 2) / 2),
        (lambda x: np.fft.irfft(x, 16), (3, 9), fft_count(16, 3) / 2), (np.fft.hfft, (3, 9), fft_count(16, 3) / 2),
        (np.fft.fft2, (2, 8, 16), fft_count(128, 2)), (np.fft.rfft2, (2, 8, 16), fft_count(128, 2) / 2),
        (lambda x: np.fft.fftn(x, axes=(0, 2)), (8, 3, 16), fft_count(128, 3)), (np.fft.fftn, (4, 4, 4), fft_count(64)),
        (lambda x: np.fft.irfft2(x, s=(8, 16)), (2, 8, 9), fft_count(128, 2) / 2),
        (lambda x: np.fft.rfftn(x, s=(8, 8), axes=(0, 1)), (6, 6), fft_count(64) / 2), (np.fft.ihfft, (16,), fft_count(16) / 2),
        (np.fft.fft, (3, 1), 0),
    ],
)  # fmt: skip
def test_transforms_count_by_the_usual_convention(function: Any, shape: tuple[int, ...], expected: float) -> None:
    assert work(function, numbers(*shape)).arithmetic == pytest.approx(expected)


@pytest.mark.parametrize(
    ("function", "shapes", "expected"),
    [
        (np.linalg.solve, [(6, 6), (6, 2)], 2 / 3 * 216 + 2 * 36 * 2), (np.linalg.solve, [(3, 6, 6), (3, 6, 1)], 3 * (144 + 72)),
        (np.linalg.inv, [(6, 6)], 2 * 216), (np.linalg.cholesky, [(6, 6)], 72), (np.linalg.det, [(5, 4, 4)], 5 * 2 / 3 * 64),
        (np.linalg.qr, [(9, 3)], 4 * 9 * 9 - 4 / 3 * 27), (np.linalg.svd, [(3, 9)], 14 * 9 * 9 + 8 * 27),
        (np.linalg.eigh, [(4, 4)], 9 * 64),
    ],
)  # fmt: skip
def test_factorisations_have_their_textbook_counts(
    function: Any, shapes: list[tuple[int, ...]], expected: float
) -> None:
    arrays = [np.broadcast_to(np.eye(*shape[-2:]) + 0.1, shape).copy() for shape in shapes]
    assert operations(function, *arrays)[0].work.arithmetic == pytest.approx(expected)


def test_sorting_and_searching_compare_by_the_length_that_is_sorted() -> None:
    x = numbers(8, 32)
    assert work(np.sort, x) == Work(compare=256 * 5, index=256)
    assert work(lambda x: x.argsort(axis=0), x) == Work(compare=256 * 3, index=256)
    assert work(lambda x: np.sort(x, axis=None), x) == work(np.unique, x) == Work(compare=256 * 8, index=256)
    assert work(lambda x: np.median(x, axis=1), x) == Work(compare=256 * 5, index=256)
    assert work(lambda x: np.percentile(x, 50), x).compare == 256 * 8
    assert work(np.searchsorted, numbers(64), numbers(5)) == Work(compare=5 * 6)
    assert work(lambda a, v: a.searchsorted(v), numbers(64), numbers(5)) == Work(compare=5 * 6)
    assert work(np.digitize, numbers(5), np.arange(64.0)) == Work(compare=5 * 6)
    assert work(lambda x: np.histogram(x, bins=16), numbers(100)) == Work(compare=400, index=100)
    assert work(np.interp, numbers(5), np.arange(64.0), np.arange(64.0)) == Work(compare=5 * 6)


def test_scattering_counts_the_places_and_not_the_target() -> None:
    x, at = numbers(1000), np.array([1, 5, 5])
    assert work(lambda x, at: np.add.at(x, at, 1.0), x, at) == Work(index=3, arithmetic=3)
    assert work(lambda x: np.add.at(x, [1, 2], 1.0), x) == Work(index=2, arithmetic=2)
    assert work(lambda x, at: x.put(at, 2), x, at) == Work(index=3)
    assert work(lambda x: np.bincount(x.astype(int)), x) == Work(index=1000, arithmetic=1000)


def test_work_that_no_rule_knows_is_not_guessed_and_said_to_be_unknown() -> None:
    ops = operations(lambda x: np.i0(np.unwrap(x)), numbers(5))
    assert [(op.name, op.counted, op.work) for op in ops if op.name == "unwrap"] == [("unwrap", False, Work())]
    called_oddly = operations(lambda x: np.einsum("ij->j", x), numbers(2, 3))
    assert called_oddly[-1].counted


def test_every_rule_is_of_a_family_that_is_measured() -> None:
    assert {rule.family for rule in RULES.values()} <= set(FAMILIES)
    assert not [name for name in RULES if name != name.strip()]


@pytest.mark.parametrize("seed", range(5))
def test_no_count_is_negative_or_infinite(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(0, 4, size=rng.integers(0, 4)))
    x = rng.random(shape)
    functions = [getattr(np, name) for name in RULES if callable(getattr(np, name, None))]
    for function in functions:
        try:
            ops = operations(function, x)
        except Exception:  # noqa: BLE001 - not all of them take one array of any shape
            continue
        for op in ops:
            for count in (
                op.work.arithmetic,
                op.work.transcendental,
                op.work.compare,
                op.work.index,
                op.read,
                op.written,
            ):
                assert 0 <= count < math.inf, (function, shape, op)
