"""A transformer built from a ``Pattern``, which knows its own parameters, FLOPs and cache bytes.

Causal it is a decoder, which writes; otherwise an encoder, whose positions see both of their sides.

Pre-norm, rotary positions, squared ReLU (Primer, 2109.08668), no biases. A block that a pattern leaves out
costs nothing: no parameters, no operation, no cache.

Shape letters: B batch, T time, W width of the model, V vocabulary.
"""

import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from pennyweight.blocks.attention import Attention, KeysValues, Rotary, Surroundings, sides
from pennyweight.blocks.pattern import BlockSpec, Pattern
from pennyweight.core.errors import UserError


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """The size and the pattern of a transformer.

    ``width`` is a multiple of ``num_heads`` with an even quotient (rotary positions turn pairs). ``window``
    is how many positions a windowed block sees, the query's own included. ``tied`` reads the words out
    with the matrix that embeds them. Without ``causal`` each position sees those after it as well; ``padding`` is
    then a token whose positions nobody sees.
    """

    vocab_size: int
    width: int
    num_heads: int
    pattern: Pattern
    window: int = 128
    rope_base: float = 10000.0
    tied: bool = True
    causal: bool = True
    padding: int | None = None

    def __post_init__(self) -> None:
        if min(self.vocab_size, self.width, self.num_heads, self.window) < 1:
            sizes = f"{self.vocab_size}, {self.width}, {self.num_heads} and {self.window}"
            raise UserError(f"vocab_size, width, num_heads, window of {sizes}", expected="1 or more each")
        if self.width % (2 * self.num_heads):
            given = f"width {self.width} for {self.num_heads} heads"
            raise UserError(given, expected=f"a multiple of {2 * self.num_heads}")
        if self.padding is not None and (self.causal or not 0 <= self.padding < self.vocab_size):
            given = f"padding {self.padding} for {self.vocab_size} tokens" + (", causal" if self.causal else "")
            raise UserError(given, expected="one of the tokens, and no causal attention")

    @property
    def num_parameters(self) -> int:
        """All parameters, a tied embedding once."""
        return self.num_block_parameters + self.vocab_size * self.width * (1 if self.tied else 2)

    @property
    def num_block_parameters(self) -> int:
        """The parameters without embedding and head: the blocks with their norms, and the final norm."""
        return self.width + sum(self._norm_size(spec) + self._matrix_size(spec) for spec in self.pattern)

    def cache_bytes(self, batch: int, length: int, itemsize: int) -> int:
        """The bytes of a cache for ``length`` positions whose numbers take ``itemsize`` bytes each.

        None where attention is not causal: a later position changes all states before it.
        """
        if not self.causal:
            return 0
        slots = sum(min(length, self._reach(spec, length)) for spec in self.pattern)
        return 2 * batch * slots * self.width * itemsize

    def flops(self, batch: int, time: int) -> int:
        """The FLOPs of one forward pass, logits included: 2 for each multiply-add of a matrix product.

        Attention counts the pairs that a query may see, when it is full T(T+1)/2 of them, or T*T where it is not
        causal, for the scores and again for the values; padding counts as if it were seen. Norms, activations, softmax
        and rotation are left out.
        """
        pairs = sum(self._pairs(spec, time) for spec in self.pattern)
        return 2 * batch * (time * self._matrices + 2 * pairs * self.width)

    def decode_flops(self, context: int) -> int:
        """The FLOPs of one more token, with a cache, where it sees ``context`` positions with its own.

        UserError where attention is not causal.
        """
        if not self.causal:
            raise UserError("decoding with attention to both sides", expected="a causal transformer")
        seen = sum(min(context, self._reach(spec, context)) for spec in self.pattern)
        return 2 * (self._matrices + 2 * seen * self.width)

    @property
    def _matrices(self) -> int:
        """Multiply-adds of one token in projections, feed-forward and head."""
        return self.vocab_size * self.width + sum(self._matrix_size(spec) for spec in self.pattern)

    def _matrix_size(self, spec: BlockSpec) -> int:
        if spec.kind in ("attention", "window"):
            return 4 * self.width**2
        return 2 * spec.expansion * self.width**2

    def _norm_size(self, spec: BlockSpec) -> int:
        return 0 if spec.kind == "identity" else self.width

    def _reach(self, spec: BlockSpec, length: int) -> int:
        """How many of ``length`` positions a query of this block can see at most."""
        return {"attention": length, "window": min(length, self.window)}.get(spec.kind, 0)

    def _pairs(self, spec: BlockSpec, time: int) -> int:
        """How many pairs of a query and a position that it sees there are among ``time`` positions."""
        if spec.kind not in ("attention", "window"):
            return 0
        whole = time if spec.kind == "attention" else self.window
        left, right = (whole - 1, 0) if self.causal else sides(whole) if spec.kind == "window" else (whole, whole)
        return time + _steps_inside(left, time) + _steps_inside(right, time)


def _steps_inside(reach: int, time: int) -> int:
    """How many of ``reach`` positions to one side lie inside the text, summed over its ``time`` positions."""
    full = min(reach, time - 1)
    return full * (full + 1) // 2 + (time - 1 - full) * full


@dataclass(kw_only=True)
class Cache:
    """The keys and values of the positions a transformer has read, for attention blocks and no others."""

    batch: int
    max_length: int
    length: int = 0
    entries: dict[int, KeysValues] = field(default_factory=dict)
    """By the place of the block in the pattern."""

    @property
    def num_bytes(self) -> int:
        """The bytes that its tensors take."""
        return sum(tensor.nbytes for entry in self.entries.values() for tensor in (entry.keys, entry.values))


class FeedForward(nn.Module):
    """A pre-norm block of two matrices around a squared ReLU; it returns what is to be added to its input."""

    def __init__(self, width: int, expansion: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.up = nn.Linear(width, expansion * width, bias=False)
        self.out = nn.Linear(expansion * width, width, bias=False)

    def forward(self, x: Float[Tensor, "batch time width"]) -> Float[Tensor, "batch time width"]:
        """What to add at each position, which depends on that position alone."""
        added: Tensor = self.out(F.relu(self.up(self.norm(x))).square())
        return added


Block = Attention | FeedForward


def build_block(spec: BlockSpec, config: TransformerConfig) -> Block | None:
    """The module for one block of a pattern; none for identity."""
    match spec.kind:
        case "attention":
            return Attention(config.width, config.num_heads, causal=config.causal)
        case "window":
            return Attention(config.width, config.num_heads, window=config.window, causal=config.causal)
        case "feedforward":
            return FeedForward(config.width, spec.expansion)
        case "identity":
            return None


def added_by(
    block: Block | None,
    states: Float[Tensor, "batch time width"],
    around: Surroundings,
    *,
    past: KeysValues | None = None,
) -> Float[Tensor, "batch time width"]:
    """What a block adds to the states, with ``Transformer.begin``'s surroundings; identity, None, adds nothing."""
    if block is None:
        return torch.zeros_like(states)
    added: Tensor = block(states) if isinstance(block, FeedForward) else block(states, around, past=past)
    return added


class Transformer(nn.Module):
    """A language model, causal or not, with the blocks of ``config.pattern``.

    ``blocks`` holds a module for each block that does something, under its place in the pattern.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        built = ((place, build_block(spec, config)) for place, spec in enumerate(config.pattern))
        self.blocks = nn.ModuleDict({str(place): block for place, block in built if block is not None})
        self.norm = nn.RMSNorm(config.width, eps=1e-6)
        # No module for a tied head: one tensor under two names cannot be saved as safetensors.
        self.head = None if config.tied else nn.Linear(config.width, config.vocab_size, bias=False)
        self.rotary = Rotary(config.width // config.num_heads, base=config.rope_base)
        self._initialise()

    def _initialise(self) -> None:
        nn.init.normal_(self.embedding.weight, std=0.02)
        if self.head is not None:
            nn.init.normal_(self.head.weight, std=0.02)
        for _, block in self._live_blocks():
            inward = block.qkv if isinstance(block, Attention) else block.up
            nn.init.normal_(inward.weight, std=0.5 / math.sqrt(self.config.width))
            # Each block starts by adding nothing, so that depth does not matter to the first steps.
            nn.init.zeros_(block.out.weight)

    def _live_blocks(self) -> Iterator[tuple[int, Block]]:
        for place, block in self.blocks.items():
            assert isinstance(block, Block)
            yield int(place), block

    def forward(
        self, tokens: Int[Tensor, "batch time"], cache: Cache | None = None
    ) -> Float[Tensor, "batch time vocab"]:
        """The logits of each position's next token, or of its own where attention is not causal.

        For ``cache`` see ``hidden``.
        """
        return self.logits(self.hidden(tokens, cache))

    def hidden(
        self, tokens: Int[Tensor, "batch time"], cache: Cache | None = None
    ) -> Float[Tensor, "batch time width"]:
        """The normalised states after the last block.

        With a cache, ``tokens`` go on from what it holds, one at a time or many, and are added to it; there
        are then no gradients. Raises ValueError when the cache is full or was made for another batch.
        """
        if cache is not None:
            _check_room(cache, tokens)
        # A gradient that stopped silently at the cached positions would be a wrong one.
        with nullcontext() if cache is None else torch.no_grad():
            return self._hidden(tokens, cache)

    def begin(
        self, tokens: Int[Tensor, "batch time"], *, start: int = 0
    ) -> tuple[Float[Tensor, "batch time width"], Surroundings]:
        """The states before the first block, and what every block is told beside them (``added_by``)."""
        states: Tensor = self.embedding(tokens)
        rotary = self.rotary(start, tokens.shape[1], device=states.device, dtype=activation_dtype(states))
        visible = None if self.config.padding is None else tokens != self.config.padding
        return states, Surroundings(rotary=rotary, visible=visible, start=start)

    def _hidden(self, tokens: Tensor, cache: Cache | None) -> Tensor:
        x, around = self.begin(tokens, start=0 if cache is None else cache.length)
        for place, block in self._live_blocks():
            x = x + added_by(block, x, around, past=None if cache is None else cache.entries.get(place))
        if cache is not None:
            cache.length += tokens.shape[1]
        normalised: Tensor = self.norm(x)
        return normalised

    def logits(self, hidden: Float[Tensor, "... width"]) -> Float[Tensor, "... vocab"]:
        """The head alone, for when not every position is read out."""
        return F.linear(hidden, self.embedding.weight if self.head is None else self.head.weight)

    def new_cache(
        self,
        batch: int,
        max_length: int,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
    ) -> Cache:
        """An empty cache for ``batch`` sequences of at most ``max_length`` positions; dtype and device as the weights.

        Under autocast give its dtype, or every step converts the whole cache. ValueError without causal attention.
        """
        if not self.config.causal:
            raise ValueError("a cache for attention to both sides: expected a causal transformer")
        if batch < 1 or max_length < 1:
            raise ValueError(f"a cache for {batch} sequences of {max_length} positions: expected 1 or more")
        weight = self.embedding.weight
        cache = Cache(batch=batch, max_length=max_length)
        for place, block in self._live_blocks():
            if isinstance(block, Attention):
                size = max_length if block.window is None else min(block.window, max_length)
                shape = (batch, block.num_heads, size, self.config.width // block.num_heads)
                keys, values = (
                    torch.zeros(shape, dtype=dtype or weight.dtype, device=device or weight.device) for _ in range(2)
                )
                cache.entries[place] = KeysValues(keys=keys, values=values)
        return cache


def _check_room(cache: Cache, tokens: Tensor) -> None:
    batch, time = tokens.shape
    if batch != cache.batch:
        raise ValueError(f"{batch} sequences for a cache of {cache.batch}")
    if cache.length + time > cache.max_length:
        raise ValueError(
            f"{time} more positions after {cache.length} for a cache of {cache.max_length}; "
            "ask new_cache for a larger max_length"
        )


def activation_dtype(x: Tensor) -> torch.dtype:
    """What a linear layer makes of ``x``: under autocast not the dtype of ``x``."""
    if torch.is_autocast_enabled(x.device.type):
        return torch.get_autocast_dtype(x.device.type)
    return x.dtype


@torch.no_grad()
def generate(
    model: Transformer,
    tokens: Int[Tensor, "batch time"],
    *,
    num_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "batch total"]:
    """Continue each row of ``tokens`` by ``num_tokens`` sampled ones and return all of them.

    Temperature 0 takes the likeliest token; ``top_k`` samples among the k likeliest. The cache is made as
    long as needed: rotary positions know no longest sequence, though quality falls beyond the trained one.
    """
    batch, time = tokens.shape
    if time < 1 or num_tokens < 0 or temperature < 0 or (top_k is not None and top_k < 1):
        given = f"{time} tokens, num_tokens {num_tokens}, temperature {temperature}, top_k {top_k}"
        raise UserError(given, expected="a token to start from, no negative number and a top_k of 1 or more")
    dtype = activation_dtype(model.embedding.weight)
    cache = model.new_cache(batch, time + num_tokens, dtype=dtype)
    new = tokens
    for _ in range(num_tokens):
        logits = model.logits(model.hidden(new, cache)[:, -1]).float()
        new = _pick(logits, temperature, top_k, generator)
        tokens = torch.cat([tokens, new], 1)
    return tokens


def _pick(
    logits: Float[Tensor, "batch vocab"],
    temperature: float,
    top_k: int | None,
    generator: torch.Generator | None,
) -> Int[Tensor, "batch 1"]:
    if temperature == 0:
        return logits.argmax(-1, keepdim=True)
    words = None
    if top_k is not None and top_k < logits.shape[-1]:
        logits, words = logits.topk(top_k)
    # The largest is taken off first, or a small temperature divides to infinity.
    chances = ((logits - logits.amax(-1, keepdim=True)) / temperature).softmax(-1)
    picked = chances.multinomial(1, generator=generator)
    return picked if words is None else words.gather(-1, picked)
