"""How far each attention block of a model looks: the mean distance of what it attends to, in tokens."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from pennyweight.blocks.attention import Attention, rotate, sides
from pennyweight.blocks.transformer import Transformer


@torch.no_grad()
def attention_distances(model: Transformer, tokens: Int[Tensor, "batch time"]) -> dict[int, float]:
    """By the place of each attention block the mean distance of query and key, weighted by attention, in tokens.

    The mean is over heads, sequences and queries; padding is left out.
    """
    found: dict[int, float] = {}
    handles = []
    for place, block in model.blocks.items():
        if isinstance(block, Attention):
            handles.append(block.register_forward_pre_hook(_listener(int(place), found)))
    try:
        model(tokens)
    finally:
        for handle in handles:
            handle.remove()
    return found


def even_distance(time: int, *, causal: bool) -> float:
    """What `attention_distances` would give for full attention that looks evenly at all that it may see, in tokens."""
    positions = torch.arange(time, dtype=torch.float64)
    if causal:
        return (positions / 2).mean().item()
    return (positions[:, None] - positions).abs().mean().item()


def _listener(place: int, found: dict[int, float]) -> Callable[[nn.Module, tuple[Any, ...]], None]:
    def listen(block: nn.Module, arguments: tuple[Any, ...]) -> None:
        assert isinstance(block, Attention)
        states, around = arguments
        batch, time, width = states.shape
        qk = torch.split(block.qkv(block.norm(states)), [2 * width, width], -1)[0]
        turned = rotate(qk.view(batch, time, 2 * block.num_heads, -1), *around.rotary).float()
        q, k = torch.split(turned, block.num_heads, 2)
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / q.shape[-1] ** 0.5
        positions = torch.arange(time, device=states.device)
        back = positions[:, None] - positions
        mask = _reachable(block, back)
        if around.visible is not None:
            mask = mask & around.visible[:, None, None]
        weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1)
        distance = (weights * back.abs()).sum(-1).mean(1)
        seen = torch.ones_like(distance) if around.visible is None else around.visible.to(distance.dtype)
        found[place] = ((distance * seen).sum() / seen.sum()).item()

    return listen


def _reachable(block: Attention, back: Int[Tensor, "time time"]) -> Bool[Tensor, "time time"]:
    """Which positions so many back (or ahead, negative) a block may see, padding aside."""
    if block.causal:
        return (back >= 0) & (back < (block.window or len(back)))
    if block.window is None:
        return torch.ones_like(back, dtype=torch.bool)
    before, after = sides(block.window)
    return (back <= before) & (back >= -after)
