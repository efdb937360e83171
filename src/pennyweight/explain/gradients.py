"""Attributions by gradients: what each position's embedding adds to a score, beside a baseline in its place.

A score is any function of embeddings to one number a row. Legend: batch, time, width.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Score = Callable[[Float[Tensor, "batch time width"]], Float[Tensor, " batch"]]


def gradient_times_input(
    score: Score, embeddings: Float[Tensor, "batch time width"], baseline: Float[Tensor, "#batch #time width"]
) -> Float[Tensor, "batch time"]:
    """The gradient at the input times how far the input is from the baseline: signed, one forward and one backward.

    For a score that is linear in the embeddings these sum to what it is above the baseline; for others they need not,
    and are not said to (Simonyan et al. 1312.6034 for the gradient; Shrikumar et al. 1605.01713 for the product).
    """
    inputs = embeddings.detach().requires_grad_(True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(score(inputs).sum(), inputs)
    return (gradient * (inputs.detach() - baseline)).sum(-1)


def integrated_gradients(
    score: Score,
    embeddings: Float[Tensor, "batch time width"],
    baseline: Float[Tensor, "#batch #time width"],
    *,
    steps: int = 16,
) -> tuple[Float[Tensor, "batch time"], Float[Tensor, " batch"]]:
    """Gradients along the straight way from the baseline to the input (Sundararajan et al. 1703.01365), and the gap.

    Exactly integrated they would sum to what the score is above the baseline's; the gap is by how much they do not. The
    integral is Gauss and Legendre's with so many points.
    """
    if steps < 1:
        raise ValueError(f"{steps} steps: expected 1 or more")
    points, weights = np.polynomial.legendre.leggauss(steps)
    away = embeddings.detach() - baseline
    total = torch.zeros_like(away)
    for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
        inputs = (baseline + float(point) * away).detach().requires_grad_(True)
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(score(inputs).sum(), inputs)
        total += float(weight) * gradient
    found = (total * away).sum(-1)
    with torch.no_grad():
        above = score(embeddings.detach()) - score((baseline + torch.zeros_like(away)).detach())
    return found, found.sum(-1) - above
