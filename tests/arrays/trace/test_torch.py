"""The collector for torch: what reaches a device is written down, backward passes included, and can be played again."""

import ctypes
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import pennyweight
from pennyweight.arrays.trace.operations import Tape
from tests.arrays.trace.harness import both, trace


def tape_of(function: Callable[[], Any], **how: Any) -> Tape:
    torch.manual_seed(0)
    with pennyweight.trace(**how) as tape:
        kept = function()
    del kept
    return tape


def names(tape: Tape) -> list[str]:
    return [op.name for op in tape.operations if op.kind != "source"]


def _training(optimiser: Callable[..., Any]) -> Any:
    model = nn.Sequential(
        nn.Linear(6, 8), nn.LayerNorm(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 8), nn.GELU(), nn.Linear(8, 3)
    )
    steps = optimiser(model.parameters())
    for _ in range(4):
        x, y = torch.randn(16, 6), torch.randint(0, 3, (16,))
        loss = F.cross_entropy(model(x), y)
        steps.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        steps.step()
        loss.item()
    return model


@pytest.mark.parametrize(
    "optimiser",
    [
        lambda p: torch.optim.Adam(p, lr=1e-2), lambda p: torch.optim.AdamW(p, lr=1e-2, fused=True),
        lambda p: torch.optim.SGD(p, lr=1e-2, momentum=0.9, nesterov=True), lambda p: torch.optim.AdamW(p, lr=1e-2, foreach=True),
    ],
    ids=["Adam", "AdamW fused", "SGD", "AdamW foreach"],
)  # fmt: skip
def test_training_is_followed_through_backward_dropout_and_the_optimiser(optimiser: Any) -> None:
    tape = tape_of(lambda: _training(optimiser))
    assert tape.captured, (tape.replayed.stopped, tape.replayed.differences[:3])
    assert tape.replayed.compared > 4
    assert {"matmul", "layer_norm", "gelu", "relu", "item"} <= {*names(tape)}
    products = sum(op.work.arithmetic for op in tape.operations if op.name in ("matmul", "mm"))
    # Forward, and twice as much backward, but for the gradient of the input, which nobody asked for.
    layers = 2 * 16 * (6 * 8 + 8 * 8 + 8 * 3)
    assert products == 4 * (3 * layers - 2 * 16 * 6 * 8)


def test_views_in_place_writing_and_random_numbers_are_followed() -> None:
    def program() -> Any:
        x = torch.arange(12.0).reshape(3, 4)
        x[1:, ::2] += 1
        x.T[0].mul_(2)
        x[x > 5] = 0
        torch.add(x, 1, out=x)
        x.normal_()
        y = torch.empty(4)
        y[:2] = x[0, :2]
        y.unsqueeze(0).expand(3, 4).sum()
        z = F.dropout(x, 0.5) + torch.rand_like(x) + torch.bernoulli(torch.full((3, 4), 0.5))
        z.index_add_(0, torch.tensor([0, 0]), torch.ones(2, 4))
        return x, y, z, torch.randperm(5), x.detach().requires_grad_()

    tape = tape_of(program)
    assert tape.captured, (tape.replayed.stopped, tape.replayed.differences)
    kinds = {op.name: op.kind for op in tape.operations}
    assert (kinds["permute"], kinds["expand"], kinds["slice"]) == ("view", "view", "view")
    assert next(op.kind for op in tape.operations if op.name == "multiply") == "in place"


def test_memory_that_torch_hands_out_as_it_finds_it_is_no_false_alarm() -> None:
    def program() -> Any:
        kept = [torch.empty(1000), torch.empty_like(torch.ones(1000)), torch.ones(1).new_empty(1000)]
        kept.append(torch.empty_strided((10, 10), (10, 1)))
        for x in kept:
            x.numpy().view("u1")[:] = 0xA5
            x.view(-1)[:3] = 1
        return kept

    assert tape_of(program).captured


def test_memory_of_a_tensor_written_behind_its_back_is_noticed() -> None:
    def program() -> Any:
        x = torch.ones(4) * 1
        ctypes.memset(x.data_ptr(), 0x41, 8)
        return x

    tape = tape_of(program)
    assert not tape.captured
    assert tape.replayed.worst > 1e-6


def test_arrays_cross_the_border_between_numpy_and_torch_both_ways() -> None:
    x = np.arange(6.0, dtype=np.float32)
    with pennyweight.trace() as tape:
        t = torch.from_numpy(x) * 2
        y = np.sqrt(t.numpy()) + x
        u = torch.tensor(y).sum()
        back = float(u), torch.as_tensor(y[::2]).numpy().sum()
    assert tape.captured, (tape.replayed.stopped, tape.replayed.differences, tape.lost)
    assert {op.library for op in tape.operations} == {"numpy", "torch"}
    assert back[0] == pytest.approx(float((np.sqrt(2 * x) + x).sum()))


def test_promotion_reductions_and_transforms_are_named_and_counted_as_numpys() -> None:
    def program() -> Any:
        x = torch.ones(4, 8, dtype=torch.float32)
        y = x + torch.ones(8, dtype=torch.float64)
        return (
            y.sum(), x.mean(0), x.var(dim=1, correction=0), x @ x.T, torch.fft.rfft(x), torch.linalg.norm(x), x.sort(dim=0),
            torch.einsum("ij,kj->ik", x, x), x.cumsum(1), x.argmax(), torch.softmax(x, -1), x.pow(2), x.pow(3), x / 2, x.clamp(0, 1),
        )  # fmt: skip

    tape = tape_of(program)
    found = {op.name: op for op in tape.operations}
    assert tape.captured
    assert found["sum"].work.arithmetic == 31
    assert found["mean"].work.arithmetic == 32
    assert found["mm"].work.arithmetic == 2 * 4 * 4 * 8
    assert found["fft.rfftn"].work.arithmetic == 2.5 * 32 * 3
    assert found["cumsum"].work.arithmetic == 4 * 7
    assert found["sort"].work.index == 32
    assert [op.work.transcendental for op in tape.operations if op.name == "power"] == [0, 32]
    assert next(op for op in tape.operations if op.name == "add").promoted == "float32 and float64 to float64"
    assert not [op.name for op in tape.operations if not op.counted]


def test_convolution_batch_norm_and_embedding_are_followed() -> None:
    def program() -> Any:
        net = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 2)
        )
        table = nn.Embedding(10, 4)
        out = net(torch.randn(2, 3, 8, 8)).sum() + table(torch.tensor([1, 2, 2])).sum()
        out.backward()
        return net, table, out.item()

    tape = tape_of(program)
    assert tape.captured, (tape.replayed.stopped, tape.replayed.differences)
    convolution = next(op for op in tape.operations if op.name == "convolution")
    assert convolution.work.arithmetic == 2 * (2 * 4 * 6 * 6) * (3 * 3 * 3)


def test_a_program_too_large_for_this_machine_is_traced_without_its_memory() -> None:
    def program() -> Any:
        x = torch.empty(1 << 20, 1 << 18)
        return (x * 2).sum(dim=1)

    tape = tape_of(program, fake=True)
    assert names(tape) == ["empty", "multiply", "sum"]
    assert tape.peak_bytes == 2 * (1 << 40) + (1 << 22)
    assert tape.flops == (1 << 38) * 2 - (1 << 20)
    assert not tape.captured
    assert "shapes alone" in tape.replayed.stopped


def test_a_script_that_imports_torch_is_watched_from_then_on(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(
        "import numpy as np\nx = np.ones(3, 'f4')\nimport torch\nimport torch.nn as nn\ntorch.manual_seed(0)\n"
        "m = nn.Linear(3, 2)\ny = m(torch.from_numpy(x))\ny.sum().backward()\nprint(m.weight.grad.tolist(), y.detach().numpy() + 1, torch.__name__)\n"
        "with torch.no_grad():\n    m.weight -= 0.1 * m.weight.grad\nprint(sorted(k for k in m.state_dict()), repr(y)[:8])\n"
    )
    plain, traced = both(script, folder=tmp_path, strict=False)
    assert (traced.out, traced.err, traced.code) == (plain.stdout, plain.stderr, 0)
    assert traced.captured, traced.problems
    assert {"matmul", "sum", "add"} <= {name for name, *_ in traced.operations}
    assert {line for name, _, line in traced.operations if name == "matmul"} <= {7, 8}


def test_a_script_on_tensors_that_hold_nothing(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text("import torch\nx = torch.zeros(1 << 40)\ny = x + 1\nprint(y.shape[0], tuple((y @ y).shape))\n")
    traced = trace(script, folder=str(tmp_path), fake=True, strict=False)
    assert (traced.out, traced.err) == (f"{1 << 40} ()\n", "")
    assert traced.numbers["peak"] >= 8 * (1 << 40)
