"""Stacks are read and written as ``hardware/library/precision/threads``."""

import pytest
import torch

from pennyweight.core.errors import UserError
from pennyweight.core.machine import usable_cores
from pennyweight.core.stack import Stack, candidates


@pytest.mark.parametrize("text", ["cpu/torch/fp32/1t", "cpu/torch/bf16/12t", "cuda/torch/bf16"])
def test_a_stack_is_read_back_from_its_name(text: str) -> None:
    assert str(Stack.parse(text)) == text
    assert Stack.parse(str(Stack.parse(text))) == Stack.parse(text)


def test_what_is_left_out_takes_the_machines_default() -> None:
    assert Stack.parse("cpu") == Stack(precision="fp32", threads=usable_cores())
    assert Stack.parse(" CPU/bf16/3t ") == Stack(precision="bf16", threads=3)
    assert Stack.parse("cuda").threads == 0


@pytest.mark.parametrize("text", ["", "gpu", "cpu/0t", "cpu/-1t", "cpu/", "cpu/torch/1"])
def test_an_unknown_stack_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="stack"):
        Stack.parse(text)


def test_a_stack_sets_its_threads_and_its_precision() -> None:
    before = torch.get_num_threads()
    try:
        assert Stack.parse("cpu/bf16/1t").activate() == torch.device("cpu")
        assert torch.get_num_threads() == 1
        a = torch.ones(4, 4)
        with Stack.parse("cpu/bf16/1t").autocast():
            assert (a @ a).dtype == torch.bfloat16
        with Stack.parse("cpu/fp32/1t").autocast():
            assert (a @ a).dtype == torch.float32
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError, match="a CUDA device"):
        Stack.parse("cuda").activate()
    assert [str(stack) for stack in candidates(threads=2)] == ["cpu/torch/bf16/2t", "cpu/torch/fp32/2t"]
