"""How far attention looks, against a loop over heads, queries and keys."""

import math

import pytest
import torch

from pennyweight.blocks.attention import Attention, rotate
from pennyweight.blocks.pattern import Pattern
from pennyweight.blocks.transformer import Transformer, TransformerConfig
from pennyweight.methods.par.search.distance import attention_distances, even_distance

TIME = 9


def a_model(pattern: str, *, causal: bool = True, padding: int | None = None) -> Transformer:
    torch.manual_seed(3)
    model = Transformer(
        TransformerConfig(
            vocab_size=20,
            width=16,
            num_heads=2,
            pattern=Pattern.parse(pattern),
            window=4,
            causal=causal,
            padding=padding,
        )
    )
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.6)
    return model


@torch.no_grad()
def by_hand(model: Transformer, tokens: torch.Tensor, place: int) -> float:
    """The first block's distances, by loops; what it may see is written out again."""
    block = model.blocks[str(place)]
    assert isinstance(block, Attention)
    states, around = model.begin(tokens)
    qkv = block.qkv(block.norm(states)).view(*tokens.shape, 3, 2, 8)
    q, k = (rotate(qkv[:, :, n], *around.rotary) for n in (0, 1))
    causal, window = model.config.causal, block.window
    total, number = 0.0, 0
    for row in range(len(tokens)):
        for head in range(2):
            for query in range(TIME):
                if tokens[row, query] == model.config.padding:
                    continue
                keys = [
                    key
                    for key in range(TIME)
                    if tokens[row, key] != model.config.padding
                    and not (causal and key > query)
                    and (window is None or (query - key <= (3 if causal else 2) and key - query <= 1))
                ]
                scores = [float(q[row, query, head] @ k[row, key, head]) / math.sqrt(8) for key in keys]
                chances = torch.tensor(scores).softmax(0).tolist()
                total += sum(chance * abs(query - key) for chance, key in zip(chances, keys, strict=True))
                number += 1
    return total / number


@pytest.mark.parametrize(("pattern", "causal"), [("a", True), ("w", True), ("a", False), ("w", False)])
def test_it_is_the_mean_over_heads_and_queries(pattern: str, causal: bool) -> None:
    model = a_model(pattern, causal=causal, padding=None if causal else 0)
    tokens = torch.randint(1, 20, (2, TIME), generator=torch.Generator().manual_seed(1))
    if not causal:
        tokens[1, 6:] = 0
    assert attention_distances(model, tokens)[0] == pytest.approx(by_hand(model, tokens, 0), rel=1e-4)


def test_only_attention_has_a_distance_and_nothing_is_left_on_the_model() -> None:
    model = a_model("fwia")
    tokens = torch.randint(1, 20, (2, TIME))
    before = model(tokens)
    assert set(attention_distances(model, tokens)) == {1, 3}
    assert not any(block._forward_pre_hooks for block in model.blocks.values())
    torch.testing.assert_close(model(tokens), before)


@pytest.mark.parametrize("causal", [True, False])
def test_even_attention_has_the_distance_that_is_told(causal: bool) -> None:
    model = a_model("a", causal=causal)
    block = model.blocks["0"]
    assert isinstance(block, Attention)
    torch.nn.init.zeros_(block.qkv.weight)
    found = attention_distances(model, torch.randint(1, 20, (1, TIME)))[0]
    assert found == pytest.approx(even_distance(TIME, causal=causal), rel=1e-5)
