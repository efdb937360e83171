"""The transformer against naive attention, its cache against the full forward pass, its formulas against counts."""

import math
import random

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from pennyweight.blocks.attention import Attention, KeysValues, Rotary, Surroundings, attend, attend_window, rotate
from pennyweight.blocks.pattern import Pattern
from pennyweight.blocks.transformer import Transformer, TransformerConfig, generate
from pennyweight.core.errors import UserError


def make_config(text: str, **settings) -> TransformerConfig:
    sizes = {"vocab_size": 19, "width": 16, "num_heads": 2} | settings
    return TransformerConfig(pattern=Pattern.parse(text), **sizes)


def make_model(text: str, *, seed: int = 0, **settings) -> Transformer:
    """A model whose every weight matters: a fresh one adds nothing in any block."""
    torch.manual_seed(seed)
    model = Transformer(make_config(text, **settings))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return model


def draw_tokens(*shape: int, seed: int = 0, vocab_size: int = 19) -> Tensor:
    return torch.randint(vocab_size, shape, generator=torch.Generator().manual_seed(seed))


def draw_qkv(time: int, *, heads: int = 2, width: int = 4) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(time)
    return tuple(torch.randn(3, time, heads, width, generator=generator) for _ in range(3))


def naive_attention(q: Tensor, k: Tensor, v: Tensor, *, window: int) -> Tensor:
    """One query at a time over a slice of the keys, [B, T, H, D]."""
    out = torch.zeros_like(q)
    for t in range(q.shape[1]):
        seen = slice(max(0, t - window + 1), t + 1)
        scores = torch.einsum("bhd,bshd->bhs", q[:, t], k[:, seen]) / math.sqrt(q.shape[-1])
        out[:, t] = torch.einsum("bhs,bshd->bhd", scores.softmax(-1), v[:, seen])
    return out


@pytest.mark.parametrize("window", [1, 5, 31, 32, 33, 50, 200])
@pytest.mark.parametrize("time", [1, 5, 32, 33, 64, 65, 96, 107])
def test_windowed_attention_is_full_attention_under_a_band_mask(time: int, window: int) -> None:
    q, k, v = (x.requires_grad_() for x in draw_qkv(time))
    weights = torch.randn(3, time, 2, 4, generator=torch.Generator().manual_seed(1))
    expected = naive_attention(q, k, v, window=window)
    found = attend_window(q, k, v, window=window)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    gradients = torch.autograd.grad((found * weights).sum(), (q, k, v))
    naive_gradients = torch.autograd.grad((expected * weights).sum(), (q, k, v))
    torch.testing.assert_close(gradients, naive_gradients, atol=1e-5, rtol=1e-5)


def test_full_attention_is_naive_causal_attention() -> None:
    q, k, v = draw_qkv(11)
    torch.testing.assert_close(attend(q, k, v, causal=True), naive_attention(q, k, v, window=11))


def test_transformer_is_what_a_naive_loop_computes() -> None:
    model = make_model("af2wf1", window=3)
    tokens = draw_tokens(2, 9)
    tables = model.rotary(0, 9, device=tokens.device, dtype=torch.float32)

    def norm(x: Tensor, weight: Tensor) -> Tensor:
        return x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt() * weight

    x = model.embedding.weight[tokens]
    for place, window in (("0", 9), ("1", None), ("2", 3), ("3", None)):
        block = model.blocks[place]
        y = norm(x, block.norm.weight)
        if window is None:
            x = x + (y @ block.up.weight.T).clamp(min=0) ** 2 @ block.out.weight.T
        else:
            q, k, v = ((y @ w.T).view(2, 9, 2, 8) for w in block.qkv.weight.chunk(3))
            mixed = naive_attention(rotate(q, *tables), rotate(k, *tables), v, window=window)
            x = x + mixed.flatten(2) @ block.out.weight.T
    x = norm(x, model.norm.weight)
    torch.testing.assert_close(model.hidden(tokens), x, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(model(tokens), x @ model.embedding.weight.T, atol=1e-4, rtol=1e-4)


# Rotary positions.


def test_rotation_is_complex_multiplication_by_the_angle_of_the_position() -> None:
    x = torch.randn(2, 12, 3, 8, generator=torch.Generator().manual_seed(0))
    angles = torch.outer(torch.arange(5, 17), 10000.0 ** (-torch.arange(4) / 4))[:, None]
    turned = torch.complex(x[..., :4], x[..., 4:]) * torch.polar(torch.ones_like(angles), angles)
    tables = Rotary(8)(5, 12, device=x.device, dtype=torch.float32)
    torch.testing.assert_close(rotate(x, *tables), torch.cat([turned.real, turned.imag], -1))


def test_scores_depend_on_the_distance_only() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k = (torch.randn(8, generator=generator).expand(1, 40, 1, 8) for _ in range(2))
    tables = Rotary(8, base=50.0)(0, 40, device=q.device, dtype=torch.float32)
    scores = torch.einsum("bqhd,bkhd->qk", rotate(q, *tables), rotate(k, *tables))
    by_distance = [scores.diagonal(-distance) for distance in range(40)]
    for scores_at_distance in by_distance:
        torch.testing.assert_close(scores_at_distance, scores_at_distance[:1].expand_as(scores_at_distance))
    firsts = torch.stack([scores_at_distance[0] for scores_at_distance in by_distance])
    assert firsts.std() > 0.1


def test_rotary_tables_grow_and_are_never_saved() -> None:
    model = make_model("af")
    with torch.inference_mode():
        model(draw_tokens(1, 4))
        model(draw_tokens(1, 9))
    assert not [name for name in model.state_dict() if "rotary" in name]
    model(draw_tokens(1, 7)).sum().backward()  # tables made in inference mode would not allow it
    fresh = make_model("af")
    torch.testing.assert_close(model(draw_tokens(1, 30)), fresh(draw_tokens(1, 30)), atol=0, rtol=0)


def test_autocast_keeps_attention_in_bfloat16() -> None:
    model = make_model("aw", window=4)
    seen = record(model, draw_tokens(1, 9), autocast=True)
    for name, dtypes in seen:
        if ("scaled_dot_product" in name and "backward" not in name) or "addcmul" in name:
            assert dtypes <= {torch.bfloat16, torch.bool}, name
    assert sum("addcmul" in name for name, _ in seen) == 2


# The cache.


def random_pattern(rng: random.Random) -> str:
    return "".join(rng.choices(["a", "w", "f", "f1", "f2", "i"], k=rng.randint(1, 6)))


@pytest.mark.parametrize("seed", range(50))
def test_cached_decoding_is_the_full_forward_pass(seed: int) -> None:
    """Any pattern, any window, and the sequence cut anyhow: one prefill, several, or token by token."""
    rng = random.Random(seed)
    text = "fif" if seed == 0 else "w" if seed == 1 else random_pattern(rng)
    model = make_model(text, seed=seed, window=rng.choice([1, 2, 5, 9, 33, 40]))
    time = rng.choice([rng.randint(2, 25), rng.randint(65, 110)])
    tokens = draw_tokens(2, time, seed=seed)
    expected = model(tokens)
    pieces: list[int] = []
    while sum(pieces) < time:
        most = time - sum(pieces)
        pieces.append(rng.choice([1, 1, rng.randint(1, most), most]))
    ways = [[1] * time, [time], pieces, [time // 2, *[1] * (time - time // 2)], [1, time - 1]]
    for way in ways:
        cache = model.new_cache(2, time + rng.choice([0, 0, 5]))
        found = torch.cat([model(piece, cache) for piece in tokens.split(way, 1)], 1)
        torch.testing.assert_close(found, expected, atol=1e-5 * expected.abs().max().item(), rtol=0)
        assert cache.length == time


def test_window_ring_keeps_the_last_positions_however_they_come() -> None:
    k = torch.arange(20.0).view(1, 20, 1, 1)
    for way in ([20], [1] * 20, [3, 9, 1, 7], [4, 16]):
        entry = KeysValues(keys=torch.zeros(1, 1, 6, 1), values=torch.zeros(1, 1, 6, 1))
        start = 0
        for piece in k.split(way, 1):
            entry.write(start, piece, -piece)
            start += piece.shape[1]
        keys, values = entry.read(20, in_order=True, dtype=torch.float32)
        assert keys.flatten().tolist() == [14, 15, 16, 17, 18, 19]
        assert values.flatten().tolist() == [-14, -15, -16, -17, -18, -19]


def test_cache_bytes_are_predicted_exactly_and_only_attention_pays() -> None:
    for text, window in (("afwif2", 4), ("wwa", 100), ("fif1", 4), ("(afff)*3", 7)):
        model = make_model(text, window=window)
        for dtype in (torch.float32, torch.bfloat16):
            for length in (1, 3, 50):
                cache = model.new_cache(3, length, dtype=dtype)
                tensors = [t for entry in cache.entries.values() for t in (entry.keys, entry.values)]
                held = sum(t.untyped_storage().nbytes() for t in tensors)
                assert cache.num_bytes == held == model.config.cache_bytes(3, length, dtype.itemsize)
                model(draw_tokens(3, length), cache)
                assert cache.num_bytes == held
        kinds = [model.config.pattern.blocks[place].kind for place in cache.entries]
        assert kinds == [spec.kind for spec in model.config.pattern if spec.kind in ("attention", "window")]
    assert make_config("af").cache_bytes(3, 50, 4) == 2 * 3 * 50 * 16 * 4
    assert make_config("ffi").cache_bytes(3, 50, 4) == 0


@pytest.mark.parametrize("text", ["af", "wf", "f"])
def test_full_cache_and_foreign_batch_are_refused_before_anything_is_written(text: str) -> None:
    model = make_model(text, window=4)
    cache = model.new_cache(2, 6)
    model(draw_tokens(2, 5), cache)
    with pytest.raises(ValueError, match="2 more positions after 5 for a cache of 6"):
        model(draw_tokens(2, 2), cache)
    with pytest.raises(ValueError, match="1 sequences for a cache of 2"):
        model(draw_tokens(1, 1), cache)
    assert cache.length == 5
    last = draw_tokens(2, 1, seed=7)
    expected = model(torch.cat([draw_tokens(2, 5), last], 1))[:, -1:]
    torch.testing.assert_close(model(last, cache), expected, atol=1e-4, rtol=1e-4)


def test_cache_of_another_dtype_is_converted_and_gives_no_gradient() -> None:
    model = make_model("aw", window=4)
    tokens = draw_tokens(2, 12)
    expected = model(tokens)
    cache = model.new_cache(2, 12, dtype=torch.bfloat16)
    found = torch.cat([model.hidden(piece, cache) for piece in tokens.split(3, 1)], 1)
    assert not found.requires_grad
    logits = model.logits(found)
    assert logits.dtype == torch.float32
    assert (logits - expected).abs().max() < 0.1 * expected.abs().max()


# What a pattern costs.


class Recorder(TorchDispatchMode):
    """The name of each operation in order, with the dtypes of its tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, set[torch.dtype]]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append((str(func), {x.dtype for x in args if isinstance(x, Tensor)}))
        return func(*args, **kwargs or {})


def record(model: Transformer, tokens: Tensor, *, autocast: bool = False) -> list[tuple[str, set[torch.dtype]]]:
    model(tokens)  # the rotary tables are made once
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast), Recorder() as recorder:
        model(tokens).float().sum().backward()
    return recorder.seen


def test_identity_costs_no_operation_no_parameter_and_no_cache() -> None:
    tokens = draw_tokens(2, 9)
    plain, with_identity = make_model("af"), make_model("iaiif")
    assert record(with_identity, tokens) == record(plain, tokens)
    assert with_identity.config.num_parameters == plain.config.num_parameters
    assert sum(p.numel() for p in with_identity.parameters()) == sum(p.numel() for p in plain.parameters())
    assert with_identity.new_cache(1, 8).num_bytes == plain.new_cache(1, 8).num_bytes
    assert with_identity.config.flops(1, 8) == plain.config.flops(1, 8)
    torch.testing.assert_close(with_identity(tokens), plain(tokens), atol=0, rtol=0)


@pytest.mark.parametrize("text", ["af", "(afff)*2 f1 f2 w i", "i", "f1*3"])
@pytest.mark.parametrize("tied", [True, False])
def test_parameters_are_counted_exactly(text: str, tied: bool) -> None:
    model = make_model(text, tied=tied)
    assert model.config.num_parameters == sum(p.numel() for p in model.parameters())
    outside = {"embedding.weight", "head.weight"}
    inside = [p.numel() for name, p in model.named_parameters() if name not in outside]
    assert model.config.num_block_parameters == sum(inside)
    assert len({p.data_ptr() for p in model.state_dict().values()}) == len(model.state_dict())


def count_flops(config: TransformerConfig, batch: int, time: int) -> int:
    model = Transformer(config)
    # The fused kernel of the CPU is not known to the counter, the two products of the plain one are.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter, torch.no_grad():
        model(draw_tokens(batch, time))
    return counter.get_total_flops()


@pytest.mark.parametrize("text", ["af", "aff1f2i", "wa", "f"])
@pytest.mark.parametrize("tied", [True, False])
def test_flops_are_those_counted_but_for_the_pairs_that_causality_hides(text: str, tied: bool) -> None:
    """The counter prices T² pairs for each attention; T(T - 1)/2 of them lie in the future."""
    batch, time = 3, 10
    config = make_config(text, tied=tied, window=12)
    attentions = config.pattern.count("attention") + config.pattern.count("window")
    hidden_pairs = batch * attentions * time * (time - 1) // 2
    counted = count_flops(config, batch, time)
    assert config.flops(batch, time) == counted - 2 * 2 * config.width * hidden_pairs


def test_flops_by_hand() -> None:
    # width 16: attention 4·16² a token and (1+2+3+4) pairs of 16 twice; f1 2·16² a token; head 19·16 a token.
    assert make_config("af1").flops(1, 4) == 2 * (4 * (1024 + 512 + 304) + 2 * 10 * 16)
    # a window of 2 sees 1, 2, 2 and 2 positions
    assert make_config("w", window=2).flops(1, 4) == 2 * (4 * (1024 + 304) + 2 * 7 * 16)


def test_decoding_token_by_token_costs_the_flops_of_the_whole() -> None:
    for window in (1, 5, 99):
        config = make_config("afwif2", window=window)
        assert sum(config.decode_flops(context) for context in range(1, 21)) == config.flops(1, 20)


def test_windowed_attention_is_counted_in_proportion_to_length() -> None:
    attention = {
        (text, time): count_flops(make_config(text, window=32), 1, time) - time * 2 * (4 * 16**2 + 19 * 16)
        for text in "aw"
        for time in (256, 512)
    }
    assert attention["a", 512] == 4 * attention["a", 256]
    assert attention["w", 512] < 2.1 * attention["w", 256]
    assert attention["w", 512] < attention["a", 512] / 8


# What the model does.


@pytest.mark.parametrize("text", ["af", "wf", "wwf", "f1f"])
def test_later_tokens_never_change_earlier_logits(text: str) -> None:
    model = make_model(text, window=4)
    tokens = draw_tokens(2, 13)
    before = model(tokens)
    for changed in (1, 5, 12):
        other = tokens.clone()
        other[:, changed] = (other[:, changed] + 1) % 19
        after = model(other)
        torch.testing.assert_close(after[:, :changed], before[:, :changed], atol=1e-5, rtol=1e-5)
        assert (after[:, changed] - before[:, changed]).abs().min(-1).values.max() > 1e-4


def test_window_sees_exactly_its_positions_and_full_attention_all() -> None:
    tokens = draw_tokens(1, 12)
    other = tokens.clone()
    other[:, 3] = (other[:, 3] + 1) % 19
    for text, last in (("w", 6), ("ww", 9), ("a", 11), ("f", 3)):
        model = make_model(text, window=4)
        moved = (model(tokens) - model(other)).abs().amax((0, 2)) > 1e-6
        assert moved.nonzero().flatten().tolist() == list(range(3, last + 1))


def test_same_seed_builds_the_same_model_with_or_without_identity() -> None:
    states = []
    for text in ("awf", "awf", "aiwif"):
        torch.manual_seed(3)
        states.append(Transformer(make_config(text, tied=False)).state_dict())
    for state in states[1:]:
        for ours, first in zip(state.values(), states[0].values(), strict=True):
            assert torch.equal(ours, first)


def test_untrained_model_is_close_to_a_uniform_guess() -> None:
    for text in ("af" * 8, "f", "i"):
        torch.manual_seed(0)
        model = Transformer(make_config(text, width=64, vocab_size=100))
        tokens = draw_tokens(4, 33, vocab_size=100)
        loss = F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
        assert abs(loss.item() - math.log(100)) < 0.1


def loss_of_copying(text: str) -> float:
    """Nats on the second half of sequences whose second half repeats the first, after 300 steps."""
    torch.manual_seed(0)
    model = Transformer(make_config(text, width=32, vocab_size=16))
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    losses = []
    for _ in range(300):
        half = torch.randint(16, (32, 8), generator=generator)
        tokens = half.repeat(1, 2)
        logits = model(tokens[:, :-1])[:, 8:]
        loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 9:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses[-10:]) / 10


def test_attention_learns_to_copy_and_feed_forward_cannot() -> None:
    floor = math.log(16)
    assert loss_of_copying("aa") < 0.1 * floor
    assert loss_of_copying("ff") > 0.9 * floor


@pytest.mark.parametrize("text", ["afwf2", "ff1", "i", "w"])
def test_greedy_generation_is_repeated_argmax_of_the_full_forward_pass(text: str) -> None:
    model = make_model(text, window=3)
    tokens = draw_tokens(2, 4)
    expected = tokens
    for _ in range(12):
        expected = torch.cat([expected, model(expected)[:, -1].argmax(-1, keepdim=True)], 1)
    assert torch.equal(generate(model, tokens, num_tokens=12, temperature=0.0), expected)
    assert torch.equal(generate(model, tokens, num_tokens=9, temperature=1e-6), expected[:, :13])
    assert torch.equal(generate(model, tokens, num_tokens=12, top_k=1), expected)
    assert torch.equal(generate(model, tokens, num_tokens=0), tokens)


def test_sampling_follows_the_softmax_of_the_likeliest() -> None:
    model = make_model("af")
    model.embedding.weight.data *= 0.3
    start = draw_tokens(1, 3)
    chances = (model(start)[0, -1] / 0.7).detach()
    for top_k in (None, 5, 99):
        kept = chances.topk(min(top_k or 19, 19)).indices
        expected = torch.zeros(19).index_copy(0, kept, chances[kept].softmax(0))
        generator = torch.Generator().manual_seed(0)
        drawn = generate(
            model, start.expand(20_000, -1), num_tokens=1, temperature=0.7, top_k=top_k, generator=generator
        )
        found = drawn[:, -1].bincount(minlength=19) / 20_000
        assert (found - expected).abs().max() < 0.015
        assert found[expected == 0].sum() == 0


def test_generation_under_autocast_keeps_its_cache_in_bfloat16() -> None:
    model = make_model("aw", window=4)
    made = []
    model.new_cache = lambda *a, **k: made.append(Transformer.new_cache(model, *a, **k)) or made[-1]
    with torch.autocast("cpu", torch.bfloat16):
        assert generate(model, draw_tokens(2, 3), num_tokens=6).shape == (2, 9)
    assert made[0].num_bytes == model.config.cache_bytes(2, 9, 2)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"width": 15}, "width 15 for 2 heads: expected a multiple of 4"),
        ({"width": 18}, "expected a multiple of 4"),
        ({"window": 0}, "expected 1 or more each"),
    ],
)
def test_impossible_sizes_are_refused(settings: dict[str, int], says: str) -> None:
    with pytest.raises(UserError, match=says):
        make_config("af", **settings)


def test_impossible_generation_is_refused() -> None:
    model = make_model("af")
    for wrong in ({"num_tokens": -1}, {"num_tokens": 1, "temperature": -1.0}, {"num_tokens": 1, "top_k": 0}):
        with pytest.raises(UserError, match="a token to start from"):
            generate(model, draw_tokens(1, 2), **wrong)
    with pytest.raises(UserError, match="0 tokens"):
        generate(model, draw_tokens(1, 0), num_tokens=1)


def test_attention_block_returns_what_to_add() -> None:
    block = Attention(16, 2)
    torch.nn.init.zeros_(block.out.weight)
    tables = Rotary(8)(0, 5, device=torch.device("cpu"), dtype=torch.float32)
    assert block(torch.randn(1, 5, 16), Surroundings(rotary=tables)).abs().max() == 0
