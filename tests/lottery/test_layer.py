"""Each idea computes its own layer on every library, its reference is right, and its work is counted right."""

import importlib.util
from collections.abc import Mapping

import numpy as np
import pytest
import scipy.linalg
from numpy.typing import NDArray

from pennyweight.core.errors import UserError
from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.card import Work
from pennyweight.lottery.holding.ideas.layer import (
    BLOCKS,
    DENSITIES,
    IDEAS,
    MORE,
    Layer,
    LayerJob,
    ideas,
    quality,
    reference,
    relative_error,
    tolerance,
    work,
)
from pennyweight.lottery.holding.ideas.runnable import NotAvailable

SIZE = "24x64"
LAYER = Layer.parse(SIZE)
ALL = {**IDEAS, **MORE}
HERE = [
    library
    for library, module in {"numpy": "numpy", "torch": "torch", "jax": "jax", "onnxruntime": "onnxruntime"}.items()
    if importlib.util.find_spec(module)
]


def whole(idea: str) -> NDArray[np.float64]:
    """The weights of an idea written out as one matrix."""
    if idea in DENSITIES:
        return LAYER.sparse(idea).astype(np.float64)
    if idea == "block diagonal":
        return scipy.linalg.block_diag(*LAYER.blocks.astype(np.float64))
    if idea == "low rank":
        return LAYER.thin[0].astype(np.float64) @ LAYER.thin[1].astype(np.float64)
    if idea == "circulant":
        return scipy.linalg.circulant(LAYER.circulant.astype(np.float64)).T
    return LAYER.dense.astype(np.float64)


@pytest.mark.parametrize("idea", ALL)
def test_the_reference_is_the_product_with_the_whole_matrix(idea: str) -> None:
    expected = LAYER.x.astype(np.float64) @ whole(idea)
    np.testing.assert_allclose(reference(LAYER, idea), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("library", HERE)
@pytest.mark.parametrize("idea", ALL)
def test_an_idea_computes_its_own_layer_within_its_tolerance_on_every_library(library: str, idea: str) -> None:
    stack = Stack.parse(f"cpu/{library}/fp32/1t")
    job = LayerJob(idea=idea, size=SIZE)
    if idea == "bf16" and library in ("numpy", "onnxruntime"):
        with pytest.raises(Exception, match=r"bfloat16|NOT_IMPLEMENTED"):
            job.make(stack)
        return
    runnable = job.make(stack)
    outputs = runnable.arrays(runnable.call())
    error, wrong = job.judge(stack, outputs)
    assert not wrong
    assert error <= (0.015 if idea == "int8" else tolerance(idea, "fp32")), "all 255 steps of int8 are used"
    assert outputs[0].shape == (24, 64)
    assert runnable.statement
    again = runnable.arrays(runnable.call())
    np.testing.assert_array_equal(outputs[0], again[0])


@pytest.mark.parametrize("idea", ["dense", "block diagonal", "low rank", "int8", "bf16"])
def test_in_bfloat16_torch_computes_the_layers_that_it_can(idea: str) -> None:
    stack = Stack.parse("cpu/torch/bf16/1t")
    runnable = LayerJob(idea=idea, size=SIZE).make(stack)
    error, wrong = LayerJob(idea=idea, size=SIZE).judge(stack, runnable.arrays(runnable.call()))
    assert not wrong
    assert error > 1e-4, "in bfloat16 nothing is exact"


def test_in_float64_numpy_is_nearly_exact() -> None:
    stack = Stack.parse("cpu/numpy/fp64/1t")
    for idea in ("dense", "sparse 90%", "circulant"):
        runnable = LayerJob(idea=idea, size=SIZE).make(stack)
        error, _ = LayerJob(idea=idea, size=SIZE).judge(stack, runnable.arrays(runnable.call()))
        assert error < 1e-12


def test_a_wrong_result_is_wrong_and_says_by_how_much() -> None:
    job = LayerJob(idea="dense", size=SIZE)
    right = reference(LAYER, "dense")
    assert job.judge(Stack.parse("cpu/numpy/fp32/1t"), [right])[1] == ""
    error, wrong = job.judge(Stack.parse("cpu/numpy/fp32/1t"), [right * 1.001])
    assert error == pytest.approx(0.001)
    assert "beyond 0.0001" in wrong
    assert "beyond" in job.judge(Stack.parse("cpu/numpy/fp32/1t"), [right.T])[1]


def test_numpy_says_that_it_has_no_bfloat16() -> None:
    with pytest.raises(NotAvailable, match="NumPy has no bfloat16"):
        LayerJob(idea="bf16", size=SIZE).make(Stack.parse("cpu/numpy/fp32/1t"))


def test_weights_are_as_sparse_as_their_names_say() -> None:
    large = Layer.parse("4x512")
    for idea, density in DENSITIES.items():
        assert (large.sparse(idea) != 0).mean() == pytest.approx(density, rel=0.05)


def test_the_same_size_draws_the_same_weights() -> None:
    np.testing.assert_array_equal(Layer.parse(SIZE).dense, LAYER.dense)
    assert not np.array_equal(Layer.parse("25x64").dense, LAYER.dense)


@pytest.mark.parametrize("size", ["", "64", "64x", "axb", "0x64", "64x100", "64x16", "4x4x4", "-4x64"])
def test_a_size_that_is_none_is_refused(size: str) -> None:
    with pytest.raises(UserError, match="size"):
        Layer.parse(size)


# --- work ---


def flops(told: Work, *, dtype: str = "") -> float:
    return sum(step.operations for step in told.steps if step.family == "contraction" and dtype in ("", step.dtype))


def test_multiply_adds_are_those_that_the_whole_matrix_needs() -> None:
    needed = 2 * 24 * np.count_nonzero(whole("block diagonal"))
    assert flops(work(LAYER, "block diagonal", "fp32")) == needed
    assert flops(work(LAYER, "dense", "fp32")) == 2 * 24 * 64 * 64
    assert flops(work(LAYER, "low rank", "fp32")) == 2 * 24 * sum(one.size for one in LAYER.thin)
    assert flops(work(LAYER, "sparse 90%", "fp32")) == pytest.approx(
        2 * 24 * np.count_nonzero(whole("sparse 90%")), rel=0.1
    )


def test_bytes_are_those_of_inputs_weights_and_outputs() -> None:
    ends = 2 * 24 * 64
    sizes: Mapping[str, float] = {
        "dense": 4 * (ends + 64 * 64),
        "block diagonal": 4 * (ends + 64 * 64 / BLOCKS),
        "low rank": 4 * (ends + sum(one.size for one in LAYER.thin)),
        "int8": 4 * ends + 64 * 64 + 4 * 64,
        "bf16": 4 * ends + 2 * 64 * 64,
        "circulant": 4 * ends + 8 * 33,
        # A value and an index for every weight that is kept, and where each row begins.
        "sparse 90%": 4 * ends + (4 + 4) * round(0.1 * 64 * 64) + 4 * 65,
    }
    for idea, num_bytes in sizes.items():
        assert work(LAYER, idea, "fp32").num_bytes == num_bytes, idea


def test_the_number_format_is_the_stacks_but_where_the_idea_is_one() -> None:
    assert flops(work(LAYER, "dense", "bf16"), dtype="bfloat16")
    assert flops(work(LAYER, "bf16", "fp32"), dtype="bfloat16")
    assert flops(work(LAYER, "int8", "bf16"), dtype="int8")
    assert work(LAYER, "dense", "bf16").num_bytes == work(LAYER, "dense", "fp32").num_bytes / 2
    assert work(LAYER, "bf16", "bf16") == work(LAYER, "dense", "bf16")


def test_a_sparse_product_is_not_for_matrix_units_and_the_others_are() -> None:
    assert not any(step.matrix for step in work(LAYER, "sparse 90%", "fp32").steps)
    for idea in ("dense", "block diagonal", "low rank", "bf16", "int8"):
        assert any(step.matrix for step in work(LAYER, idea, "fp32").steps)


def test_a_transform_costs_half_of_5_n_log2_n() -> None:
    first, middle, last = work(LAYER, "circulant", "fp32").steps
    assert first == last
    assert first.operations == 24 * 2.5 * 64 * 6
    assert middle.operations == 6 * 24 * 33


# --- errors ---


def test_the_error_is_the_frobenius_norm_of_the_difference_over_that_of_the_reference() -> None:
    expected = np.array([[3.0, 4.0]])
    assert relative_error(np.array([[3.0, 4.5]]), expected) == pytest.approx(0.1)
    assert relative_error(expected, expected) == 0.0
    assert relative_error(expected[0], expected) == float("inf")
    assert relative_error(np.array([[3.0, np.nan]]), expected) == float("inf")
    assert relative_error(np.array([np.nan, 1.0]), np.array([np.nan, 1.0])) == 0.0
    assert relative_error(np.zeros(2), np.zeros(2)) == 0.0
    assert relative_error(np.ones(2), np.zeros(2)) == float("inf")
    assert relative_error(np.array([1j]), np.array([1.0])) == pytest.approx(2**0.5)


def test_a_card_says_what_the_ideas_are_and_that_no_network_is_judged() -> None:
    assert [idea.name for idea in ideas()] == list(IDEAS)
    assert len(IDEAS) == 7
    assert "not accuracies of networks" in quality()
