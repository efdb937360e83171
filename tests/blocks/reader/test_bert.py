"""The encoder beside another implementation of it, and what its states must not depend on."""

from typing import Any

import pytest
import torch

from pennyweight.blocks.reader.bert import Bert, BertConfig, from_checkpoint
from pennyweight.core.errors import UserError

SMALL = BertConfig(vocab_size=50, width=24, num_layers=3, num_heads=4, inner=48, positions=40)


def an_encoder() -> Bert:
    torch.manual_seed(0)
    encoder = Bert(SMALL).eval()
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return encoder


def windows(*lengths: int, time: int = 20) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, 50, (len(lengths), time), generator=generator)
    kinds = (torch.arange(time) > 5).long().expand(len(lengths), time)
    real = torch.arange(time) < torch.tensor(lengths)[:, None]
    return tokens, kinds, real


def by_hand(weights: dict[str, torch.Tensor], tokens: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
    """BERT of one window without padding, head by head, with matrices alone (1810.04805; 1706.03762, section 3)."""

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        centred = x - x.mean(-1, keepdim=True)
        scaled = centred / (centred.pow(2).mean(-1, keepdim=True) + SMALL.eps).sqrt()
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    x = weights["word.weight"][tokens] + weights["place.weight"][: len(tokens)] + weights["kind.weight"][kinds]
    x = norm(x, "norm")
    for number in range(SMALL.num_layers):
        layer = f"layers.{number}"
        query, key, value = linear(x, f"{layer}.query_key_value").split(SMALL.width, -1)
        size = SMALL.width // SMALL.num_heads
        heads = []
        for head in range(SMALL.num_heads):
            q, k, v = (part[:, head * size : (head + 1) * size] for part in (query, key, value))
            heads.append(torch.softmax(q @ k.T / size**0.5, -1) @ v)
        x = norm(x + linear(torch.cat(heads, -1), f"{layer}.mix"), f"{layer}.norm_attention")
        inner = linear(x, f"{layer}.up")
        inner = 0.5 * inner * (1 + torch.erf(inner / 2**0.5))
        x = norm(x + linear(inner, f"{layer}.down"), f"{layer}.norm")
    return x


def test_states_are_those_of_the_formulas() -> None:
    encoder = an_encoder()
    tokens, kinds, real = windows(20)
    expected = by_hand(dict(encoder.state_dict()), tokens[0], kinds[0])
    torch.testing.assert_close(encoder(tokens, kinds, real)[0], expected, rtol=1e-4, atol=1e-5)


def test_states_do_not_depend_on_padding_or_on_other_windows() -> None:
    encoder = an_encoder()
    tokens, kinds, real = windows(20, 7, 13, 0)
    together = encoder(tokens, kinds, real)
    assert torch.isfinite(together).all()
    changed = tokens.where(real, (tokens + 1) % 50)
    torch.testing.assert_close(encoder(changed, kinds, real)[real], together[real])
    for row, length in enumerate((20, 7, 13)):
        alone = encoder(tokens[row : row + 1, :length], kinds[row : row + 1, :length], real[row : row + 1, :length])
        torch.testing.assert_close(alone[0], together[row, :length], rtol=1e-4, atol=1e-5)


def test_embeddings_are_read_as_their_tokens_are() -> None:
    encoder = an_encoder()
    tokens, kinds, real = windows(20, 9)
    torch.testing.assert_close(encoder.read(encoder.word(tokens), kinds, real), encoder(tokens, kinds, real))


def test_more_tokens_than_places_are_refused() -> None:
    tokens, kinds, real = windows(41, time=41)
    with pytest.raises(ValueError, match="at most 40"):
        an_encoder()(tokens, kinds, real)


def a_checkpoint(encoder: Bert, prefix: str) -> dict[str, Any]:
    """The encoder's weights under the names that checkpoints have."""
    own = encoder.state_dict()
    found = {
        "embeddings.word_embeddings.weight": own["word.weight"],
        "embeddings.position_embeddings.weight": own["place.weight"],
        "embeddings.token_type_embeddings.weight": own["kind.weight"],
        "embeddings.LayerNorm.weight": own["norm.weight"],
        "embeddings.LayerNorm.bias": own["norm.bias"],
        "pooler.dense.weight": torch.zeros(3),
    }
    for number in range(SMALL.num_layers):
        for part in ("weight", "bias"):
            three = own[f"layers.{number}.query_key_value.{part}"].chunk(3)
            for name, value in zip(("query", "key", "value"), three, strict=True):
                found[f"encoder.layer.{number}.attention.self.{name}.{part}"] = value
            for theirs, ours in {
                "attention.output.dense": "mix",
                "attention.output.LayerNorm": "norm_attention",
                "intermediate.dense": "up",
                "output.dense": "down",
                "output.LayerNorm": "norm",
            }.items():
                found[f"encoder.layer.{number}.{theirs}.{part}"] = own[f"layers.{number}.{ours}.{part}"]
    return {prefix + name: value for name, value in found.items()}


def test_a_checkpoint_is_read_whatever_stands_around_its_encoder() -> None:
    encoder = an_encoder()
    for prefix in ("", "bert."):
        read = from_checkpoint(a_checkpoint(encoder, prefix), prefix)
        assert read.keys() == encoder.state_dict().keys()
        other = Bert(SMALL)
        other.load_state_dict(read)
        for name, value in other.state_dict().items():
            torch.testing.assert_close(value, encoder.state_dict()[name])
    with pytest.raises(UserError, match=r"without embeddings\.word"):
        from_checkpoint({})


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UserError, match="a multiple of the heads"):
        BertConfig(width=10, num_heads=3)
    with pytest.raises(UserError, match="1 or more"):
        BertConfig(num_layers=0)
