"""Six programs in NumPy and in torch: operations and bytes as a person counts them, on both, and an exact replay."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import pennyweight
from pennyweight.arrays.trace.operations import Tape
from tests.arrays.trace.six import SIX, Program


def _tape_of(function: Callable[..., Any], *inputs: Any) -> Tape:
    with pennyweight.trace() as tape:
        kept = function(*inputs)
    del kept
    return tape


@pytest.mark.parametrize("program", SIX, ids=lambda program: program.name)
def test_operations_and_bytes_agree_with_the_hand_count_and_between_libraries(program: Program) -> None:
    inputs = program.inputs(np.random.default_rng(0))
    one = _tape_of(program.in_numpy, *inputs)
    other = _tape_of(program.in_torch, *(torch.from_numpy(x) for x in inputs))
    for tape in (one, other):
        assert tape.captured, (tape.replayed.stopped, tape.replayed.differences, tape.lost)
        assert tape.replayed.worst == 0.0
        assert sum(op.work.flops for op in tape.operations) == pytest.approx(program.flops, rel=0.01)
        assert sum(op.read for op in tape.operations) == pytest.approx(program.read, rel=0.01)
        assert sum(op.written for op in tape.operations) == pytest.approx(program.written, rel=0.01)
    assert one.flops == pytest.approx(other.flops, rel=0.01)
    assert one.bytes == pytest.approx(other.bytes, rel=0.01)


@pytest.mark.parametrize("program", SIX, ids=lambda program: program.name)
def test_both_libraries_give_the_same_numbers(program: Program) -> None:
    inputs = program.inputs(np.random.default_rng(0))
    a, b = program.in_numpy(*inputs), program.in_torch(*(torch.from_numpy(x) for x in inputs))
    np.testing.assert_allclose(a, b.numpy(), rtol=1e-3, atol=1e-4)
