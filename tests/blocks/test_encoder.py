"""Attention to both sides against a full mask and a naive loop; what padding may not change; what it costs."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from pennyweight.blocks.attention import attend_around, rotate, sides
from pennyweight.blocks.pattern import Pattern
from pennyweight.blocks.transformer import Transformer, TransformerConfig, generate
from pennyweight.core.errors import UserError
from tests.blocks.test_transformer import count_flops, draw_qkv, draw_tokens, make_config, make_model

PADDING = 3


def near(time: int, window: int | None) -> Tensor:
    """Which positions see which, by the definition: [T, T]."""
    if window is None:
        return torch.ones(time, time, dtype=torch.bool)
    left, right = window // 2, (window - 1) // 2
    seen = torch.zeros(time, time, dtype=torch.bool)
    for t in range(time):
        seen[t, max(0, t - left) : t + right + 1] = True
    return seen


def naive(q: Tensor, k: Tensor, v: Tensor, *, window: int | None, visible: Tensor | None) -> Tensor:
    """All scores, of which those of unseen keys count nothing; nothing seen gives zeros."""
    seen = near(q.shape[1], window) if visible is None else near(q.shape[1], window) & visible[:, None]
    weights = (torch.einsum("bthd,bshd->hbts", q, k) / math.sqrt(q.shape[-1])).exp() * seen
    weights = weights / weights.sum(-1, keepdim=True).clamp_min(1e-30)
    return torch.einsum("hbts,bshd->bthd", weights, v)


@pytest.mark.parametrize("window", [None, 1, 2, 5, 31, 32, 33, 50, 200])
@pytest.mark.parametrize("time", [1, 5, 32, 33, 64, 65, 96, 107])
@pytest.mark.parametrize("padded", [False, True])
def test_attention_around_is_naive_attention_under_a_mask(time: int, window: int | None, padded: bool) -> None:
    q, k, v = (x.requires_grad_() for x in draw_qkv(time))
    generator = torch.Generator().manual_seed(1)
    visible = torch.rand(3, time, generator=generator) < 0.6 if padded else None
    weights = torch.randn(3, time, 2, 4, generator=generator)
    expected = naive(q, k, v, window=window, visible=visible)
    found = attend_around(q, k, v, window=window, visible=visible)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    gradients = torch.autograd.grad((found * weights).sum(), (q, k, v))
    naive_gradients = torch.autograd.grad((expected * weights).sum(), (q, k, v))
    torch.testing.assert_close(gradients, naive_gradients, atol=1e-5, rtol=1e-5)


@given(
    time=st.integers(1, 70),
    window=st.none() | st.integers(1, 80),
    kept=st.sampled_from([0.0, 0.1, 0.5, 0.9]),
    seed=st.integers(0, 99),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
)
def test_whatever_is_padding_all_numbers_and_gradients_are_finite(
    time: int, window: int | None, kept: float, seed: int, dtype: torch.dtype
) -> None:
    generator = torch.Generator().manual_seed(seed)
    visible = torch.rand(2, time, generator=generator) < kept
    q, k, v = (torch.randn(2, time, 1, 4, generator=generator, dtype=dtype).requires_grad_() for _ in range(3))
    found = attend_around(q, k, v, window=window, visible=visible)
    lonely = ~torch.stack([(near(time, window) & row).any(1) for row in visible])
    assert (found[lonely] == 0).all()
    for gradient in torch.autograd.grad(found.float().square().sum(), (q, k, v)):
        assert gradient.isfinite().all()
    assert found.isfinite().all()


@pytest.mark.parametrize("window", [None, 4, 50])
def test_no_kernel_is_ever_given_a_query_that_sees_nothing(window: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some make zeros of it and some NaN."""
    rows = []
    original = F.scaled_dot_product_attention

    def noted(q: Tensor, k: Tensor, v: Tensor, *, attn_mask: Tensor, is_causal: bool) -> Tensor:
        rows.append(attn_mask.any(-1).all())
        return original(q, k, v, attn_mask=attn_mask)

    monkeypatch.setattr(F, "scaled_dot_product_attention", noted)
    q, k, v = draw_qkv(70)
    visible = torch.zeros(3, 70, dtype=torch.bool)
    visible[0, 5] = visible[1] = True
    attend_around(q, k, v, window=window, visible=visible)
    assert rows == [True]


def test_a_window_is_so_many_positions() -> None:
    for window in range(1, 40):
        assert sum(sides(window)) + 1 == window
        assert 0 <= sides(window)[0] - sides(window)[1] <= 1


def test_work_of_a_window_grows_with_length_not_with_its_square() -> None:
    """Counted pairs of queries and keys that the kernel is given."""
    pairs = []
    original = F.scaled_dot_product_attention

    def counted(q: Tensor, k: Tensor, v: Tensor, **rest: object) -> Tensor:
        pairs.append(q.shape[0] * q.shape[-2] * k.shape[-2])
        return original(q, k, v, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(F, "scaled_dot_product_attention", counted)
        for time in (512, 1024):
            q = torch.randn(1, time, 1, 4)
            attend_around(q, q, q, window=40)
    assert pairs[0] <= 512 * 80 * 1.1
    assert pairs[1] <= 1024 * 80 * 1.1


def test_an_encoder_is_what_a_naive_loop_computes() -> None:
    model = make_model("afw", window=4, causal=False, padding=PADDING)
    tokens = draw_tokens(2, 9)
    tokens[0, 6:] = PADDING
    visible = tokens != PADDING
    tables = model.rotary(0, 9, device=tokens.device, dtype=torch.float32)
    x = model.embedding.weight[tokens]
    for place, window in (("0", None), ("1", 0), ("2", 4)):
        block = model.blocks[place]
        y = F.rms_norm(x, (16,), block.norm.weight, eps=1e-6)
        if window == 0:
            x = x + (y @ block.up.weight.T).clamp(min=0) ** 2 @ block.out.weight.T
        else:
            q, k, v = ((y @ w.T).view(2, 9, 2, 8) for w in block.qkv.weight.chunk(3))
            mixed = naive(rotate(q, *tables), rotate(k, *tables), v, window=window, visible=visible)
            x = x + mixed.flatten(2) @ block.out.weight.T
    expected = F.rms_norm(x, (16,), model.norm.weight, eps=1e-6)
    torch.testing.assert_close(model.hidden(tokens), expected, atol=1e-4, rtol=1e-4)


@given(
    pattern=st.lists(st.sampled_from(["a", "w", "f", "f1", "i"]), min_size=1, max_size=4),
    window=st.integers(1, 40),
    length=st.integers(1, 40),
    more=st.integers(0, 30),
    seed=st.integers(0, 99),
)
def test_padding_behind_a_text_changes_none_of_its_states(
    pattern: list[str], window: int, length: int, more: int, seed: int
) -> None:
    model = make_model("".join(pattern), seed=seed, window=window, causal=False, padding=PADDING)
    tokens = draw_tokens(2, length, seed=seed)
    tokens[tokens == PADDING] = 0
    longer = torch.cat([tokens, torch.full((2, more), PADDING)], 1)
    with torch.no_grad():
        found = model.hidden(longer)
        expected = model.hidden(tokens)
    assert found.isfinite().all()
    torch.testing.assert_close(found[:, :length], expected, atol=1e-4, rtol=1e-4)


def test_a_text_of_nothing_but_padding_is_read_without_nan() -> None:
    model = make_model("awf", window=4, causal=False, padding=PADDING)
    states = model.hidden(torch.full((2, 50), PADDING))
    assert states.isfinite().all()
    states.square().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_each_position_sees_what_comes_after_it() -> None:
    for text, reach in (("a", 30), ("w", 2)):
        model = make_model(text, window=5, causal=False)
        tokens = draw_tokens(1, 31)
        changed = tokens.clone()
        changed[0, 30] = (tokens[0, 30] + 1) % 19
        different = (model.hidden(tokens) != model.hidden(changed)).any(-1)[0]
        assert different.tolist() == [position >= 30 - reach for position in range(31)]


# What it costs.


@pytest.mark.parametrize("time", [1, 2, 7, 40])
@pytest.mark.parametrize("window", [1, 2, 5, 99])
@pytest.mark.parametrize("causal", [True, False])
def test_pairs_are_those_of_the_mask(time: int, window: int, causal: bool) -> None:
    config = make_config("w", window=window, causal=causal)
    mask = near(time, window)
    if causal:
        mask = torch.stack([torch.arange(time).sub(t).abs() < window for t in range(time)]).tril()
    assert config._pairs(config.pattern.blocks[0], time) == int(mask.sum())
    full = make_config("a", causal=causal)
    assert full._pairs(full.pattern.blocks[0], time) == (time * (time + 1) // 2 if causal else time * time)


def test_flops_of_full_attention_are_those_counted() -> None:
    config = make_config("aff1i", causal=False)
    assert config.flops(3, 10) == count_flops(config, 3, 10)


def test_an_encoder_caches_nothing_and_writes_nothing() -> None:
    model = make_model("aw", causal=False)
    assert model.config.cache_bytes(2, 50, 4) == 0
    with pytest.raises(UserError, match="causal"):
        model.config.decode_flops(7)
    with pytest.raises(ValueError, match="causal"):
        model.new_cache(1, 8)
    with pytest.raises(ValueError, match="causal"):
        generate(model, draw_tokens(1, 4), num_tokens=2)


@pytest.mark.parametrize("wrong", [{"padding": 3}, {"causal": False, "padding": 19}, {"causal": False, "padding": -1}])
def test_padding_needs_attention_to_both_sides_and_a_token(wrong: dict[str, object]) -> None:
    with pytest.raises(UserError, match="padding"):
        make_config("a", **wrong)
    assert (
        TransformerConfig(
            vocab_size=4, width=4, num_heads=1, pattern=Pattern.parse("a"), causal=False, padding=3
        ).num_parameters
        == Transformer(make_config("a", vocab_size=4, width=4, num_heads=1)).config.num_parameters
    )
