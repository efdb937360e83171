"""AdamW decays matrices only and moves as torch's own."""

import pytest
import torch
from torch import nn

from pennyweight.core.errors import UserError
from pennyweight.core.optimizer import AdamW


def test_matrices_decay_and_vectors_do_not() -> None:
    layer = nn.Linear(3, 2)
    optimizer = AdamW(lr=0.1, weight_decay=0.5).build(layer.named_parameters())
    decays = {id(p): g["weight_decay"] for g in optimizer.param_groups for p in g["params"]}
    assert decays == {id(layer.weight): 0.5, id(layer.bias): 0.0}
    bias = layer.bias.detach().clone()
    weight = layer.weight.detach().clone()
    for parameter in layer.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert torch.equal(layer.bias, bias)
    assert torch.allclose(layer.weight, weight * (1 - 0.1 * 0.5))


def test_a_step_is_the_closed_form_of_the_paper() -> None:
    weight = nn.Parameter(torch.tensor([[1.0, -2.0]], dtype=torch.float64))
    optimizer = AdamW(lr=0.1, beta1=0.9, beta2=0.99, eps=1e-8, weight_decay=0.01).build([("w", weight)])
    m = v = torch.zeros_like(weight)
    expected = weight.detach().clone()
    for step in range(1, 4):
        gradient = torch.tensor([[0.5 * step, -1.0]], dtype=torch.float64)
        m, v = 0.9 * m + 0.1 * gradient, 0.99 * v + 0.01 * gradient**2
        expected = expected * (1 - 0.1 * 0.01)
        expected = expected - 0.1 * (m / (1 - 0.9**step)) / ((v / (1 - 0.99**step)).sqrt() + 1e-8)
        weight.grad = gradient
        optimizer.step()
    assert torch.allclose(weight, expected, atol=1e-12)


@pytest.mark.parametrize(
    "wrong", [{"lr": 0.0}, {"lr": -1.0}, {"beta1": 1.0}, {"beta2": -0.1}, {"eps": -1.0}, {"weight_decay": -0.1}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match="AdamW"):
        AdamW(**wrong)
