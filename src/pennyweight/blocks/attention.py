"""Attention, causal or to both sides, full or windowed, with rotary positions (2104.09864) and a cache.

Shape letters: B batch, T time (queries), S source (keys), H heads, D width of a head, W width of the model.
Inside this module queries, keys and values are [B, T, H, D], as the projection leaves them; only the cache
is [B, H, S, D], so that one head's keys lie together when a single query reads all of them.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn


class Rotary(nn.Module):
    """Cosines and sines of rotary positions, computed once and grown when a longer sequence comes.

    The tables start empty and are no part of the state: a model built on the meta device or saved from a
    long run needs nothing of them.
    """

    cosines: Tensor
    sines: Tensor

    def __init__(self, head_width: int, *, base: float = 10000.0) -> None:
        super().__init__()
        self.head_width = head_width
        self.base = base
        self.register_buffer("cosines", torch.empty(0, 1, head_width), persistent=False)
        self.register_buffer("sines", torch.empty(0, 1, head_width), persistent=False)

    def forward(
        self, start: int, time: int, *, device: torch.device, dtype: torch.dtype
    ) -> tuple[Float[Tensor, "time 1 head_width"], Float[Tensor, "time 1 head_width"]]:
        """The tables for positions ``start`` to ``start + time - 1``, for ``rotate``."""
        if len(self.cosines) < start + time or self.cosines.device != device:
            self._grow(max(start + time, 2 * len(self.cosines)), device)
        part = slice(start, start + time)
        return self.cosines[part].to(dtype), self.sines[part].to(dtype)

    @torch.inference_mode(False)  # a table born in inference mode could never be used in training
    def _grow(self, size: int, device: torch.device) -> None:
        pairs = torch.arange(0, self.head_width, 2, device=device, dtype=torch.float32)
        positions = torch.arange(size, device=device, dtype=torch.float32)
        angles = torch.outer(positions, self.base ** (-pairs / self.head_width))[:, None]
        self.cosines = torch.cat([angles.cos(), angles.cos()], -1)
        self.sines = torch.cat([-angles.sin(), angles.sin()], -1)


def rotate(
    x: Float[Tensor, "batch time heads head_width"],
    cosines: Float[Tensor, "time 1 head_width"],
    sines: Float[Tensor, "time 1 head_width"],
) -> Float[Tensor, "batch time heads head_width"]:
    """Turn each pair (x[i], x[i + D/2]) by the angle of its position, in three operations and in x's dtype."""
    return torch.addcmul(x * cosines, x.roll(x.shape[-1] // 2, -1), sines)


def band(queries: int, keys: int, *, window: int | None, device: torch.device) -> Bool[Tensor, "queries keys"]:
    """Which of ``keys`` positions the last ``queries`` of them may see: themselves and what came before.

    With a window, only the last ``window`` positions, the query's own included.
    """
    past = keys - queries
    mask = torch.ones(queries, keys, dtype=torch.bool, device=device).tril(past)
    return mask if window is None else mask.triu(past - window + 1)


def attend(
    q: Float[Tensor, "batch time heads head_width"],
    k: Float[Tensor, "batch source heads head_width"],
    v: Float[Tensor, "batch source heads head_width"],
    *,
    mask: Bool[Tensor, "time source"] | Bool[Tensor, "any_batch 1 any_time source"] | None = None,
    causal: bool = False,
) -> Float[Tensor, "batch time heads head_width"]:
    """Softmax attention: causal (as many queries as keys), under a mask, or of everything to everything."""
    return F.scaled_dot_product_attention(
        q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask, is_causal=causal
    ).transpose(1, 2)


def attend_window(
    q: Float[Tensor, "batch time heads head_width"],
    k: Float[Tensor, "batch time heads head_width"],
    v: Float[Tensor, "batch time heads head_width"],
    *,
    window: int,
) -> Float[Tensor, "batch time heads head_width"]:
    """Attention of each position to the last ``window`` of them, in time that grows with T, not with T squared.

    The sequence is cut into chunks; a chunk's queries need the keys of that chunk and of the one before.
    """
    batch, time, heads, width = q.shape
    if time <= window:
        return attend(q, k, v, causal=True)
    size = max(window, _SMALLEST_CHUNK)
    mask = band(size, 2 * size, window=window, device=q.device)
    begin = slice(0, min(time, size))
    # The last columns of the band are the band of a chunk that has nothing before it.
    alone = None if size == window else mask[begin, size : size + begin.stop]
    first = attend(q[:, begin], k[:, begin], v[:, begin], mask=alone, causal=alone is None)
    if time <= size:
        return first
    later = -(-time // size) - 1  # the chunks after the first
    tail = (later + 1) * size - time
    if tail:  # the added positions are in everybody's future and are cut off below
        q, k, v = (F.pad(x, (0, 0, 0, 0, 0, tail)) for x in (q, k, v))
    queries = q[:, size:].reshape(batch * later, size, heads, width)
    rest = attend(queries, _pairs(k, size), _pairs(v, size), mask=mask)
    return torch.cat([first, rest.reshape(batch, later * size, heads, width)], 1)[:, :time]


def sides(window: int) -> tuple[int, int]:
    """How far a window reaches to the left and to the right: ``window`` positions with the query's own.

    An even window reaches one position further to the left.

    >>> sides(1), sides(2), sides(5)
    ((0, 0), (1, 0), (2, 2))
    """
    return window // 2, (window - 1) // 2


def attend_around(
    q: Float[Tensor, "batch time heads head_width"],
    k: Float[Tensor, "batch time heads head_width"],
    v: Float[Tensor, "batch time heads head_width"],
    *,
    window: int | None = None,
    visible: Bool[Tensor, "batch time"] | None = None,
) -> Float[Tensor, "batch time heads head_width"]:
    """Attention of each position to those on both of its sides, of which only the ``visible`` ones are seen.

    With a window each sees what ``sides`` says, in time that grows with T, not with T squared. A query that may see
    nothing gets zeros.
    """
    if window is None:
        return attend(q, k, v) if visible is None else _attend_seen(q, k, v, visible[:, None, None])
    batch, time, heads, width = q.shape
    left, right = sides(window)
    size = max(window, _SMALLEST_CHUNK)
    chunks = -(-time // size)
    if chunks == 1:
        near = torch.ones(time, time, dtype=torch.bool, device=q.device).triu(-left).tril(right)[None, None]
        return _attend_seen(q, k, v, near if visible is None else near & visible[:, None, None])
    seen = q.new_ones(batch, time, dtype=torch.bool) if visible is None else visible

    def chunked(x: Tensor) -> Tensor:
        """[B, 1 + chunks + 1, size, ...] with nothing before the first and after the last."""
        padded = F.pad(x, (0, 0) * (x.ndim - 2) + (size, (chunks + 1) * size - time))
        return padded.view(batch, chunks + 2, size, *x.shape[2:])

    def spans(x: Tensor) -> Tensor:
        """Each chunk between the neighbours that its queries reach: [B chunks, left + size + right, ...]."""
        x = chunked(x)
        return torch.cat([x[:, :-2, size - left :], x[:, 1:-1], x[:, 2:, :right]], 2).flatten(0, 1)

    near = torch.ones(size, left + size + right, dtype=torch.bool, device=q.device).triu().tril(left + right)
    queries = chunked(q)[:, 1:-1].flatten(0, 1)
    mixed = _attend_seen(queries, spans(k), spans(v), (near & spans(seen)[:, None])[:, None])
    return mixed.reshape(batch, chunks * size, heads, width)[:, :time]


def _attend_seen(q: Tensor, k: Tensor, v: Tensor, mask: Bool[Tensor, "any_batch 1 any_time source"]) -> Tensor:
    """Attention under a mask, of which some rows may be empty: zeros there, where kernels may give NaN."""
    empty = ~mask.any(-1, keepdim=True)
    return attend(q, k, v, mask=mask | empty).masked_fill(empty.transpose(1, 2), 0.0)


# Measured on two CPU cores: chunks of 16 take 1.7 times as long as chunks of 32 in bfloat16.
_SMALLEST_CHUNK = 32


def _pairs(x: Tensor, size: int) -> Tensor:
    """Each chunk but the first behind the one before it: [B (chunks - 1), 2 size, H, D]."""
    batch, time, heads, width = x.shape
    x = x.view(batch, time // size, size, heads, width)
    return torch.cat([x[:, :-1], x[:, 1:]], 2).flatten(0, 1)


@dataclass(frozen=True, kw_only=True)
class KeysValues:
    """What one attention block remembers: a ring whose slot ``position % size`` holds that position.

    With room for the whole sequence the ring never turns; a windowed block needs ``window`` slots only.
    """

    keys: Float[Tensor, "batch heads size head_width"]
    values: Float[Tensor, "batch heads size head_width"]

    @property
    def size(self) -> int:
        """How many positions there is room for."""
        return self.keys.shape[2]

    def write(
        self,
        start: int,
        k: Float[Tensor, "batch time heads head_width"],
        v: Float[Tensor, "batch time heads head_width"],
    ) -> None:
        """Store the keys and values of the positions from ``start`` on; the oldest make room."""
        end = start + k.shape[1]
        k, v = k[:, -self.size :], v[:, -self.size :]
        first = (end - k.shape[1]) % self.size
        before_turn = min(k.shape[1], self.size - first)
        for ring, new in ((self.keys, k.transpose(1, 2)), (self.values, v.transpose(1, 2))):
            ring[:, :, first : first + before_turn] = new[:, :, :before_turn]
            if before_turn < k.shape[1]:
                ring[:, :, : k.shape[1] - before_turn] = new[:, :, before_turn:]

    def read(
        self, end: int, *, dtype: torch.dtype, in_order: bool = False
    ) -> tuple[Float[Tensor, "batch known heads head_width"], Float[Tensor, "batch known heads head_width"]]:
        """What is remembered of the positions before ``end``; a turned ring is put in order only on request."""
        turn = -(end % self.size) if in_order and end > self.size else 0

        def known(ring: Tensor) -> Tensor:
            return (ring.roll(turn, 2) if turn else ring[:, :, :end]).transpose(1, 2).to(dtype)

        return known(self.keys), known(self.values)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a block is told beside the states: the tables of their positions, and which of them may be seen.

    ``start`` is the position of the first state; ``visible`` is None where all of them may be seen.
    """

    rotary: tuple[Float[Tensor, "time 1 head_width"], Float[Tensor, "time 1 head_width"]]
    visible: Bool[Tensor, "batch time"] | None = None
    start: int = 0


class Attention(nn.Module):
    """A pre-norm block of self-attention; it returns what is to be added to its input.

    ``window`` limits each position to the last ``window`` positions, its own included, or, where attention is not
    ``causal``, to as many around it (``sides``).
    """

    def __init__(self, width: int, num_heads: int, *, window: int | None = None, causal: bool = True) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.window = window
        self.causal = causal
        self.norm = nn.RMSNorm(width, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(
        self, x: Float[Tensor, "batch time width"], around: Surroundings, *, past: KeysValues | None = None
    ) -> Float[Tensor, "batch time width"]:
        """Attend within ``x`` and, with a ``past``, to the positions before ``around.start``, and remember ``x``."""
        batch, time, width = x.shape
        # One split instead of three keeps the backward pass to one concatenation.
        qk, v = torch.split(self.qkv(self.norm(x)), [2 * width, width], -1)
        qk = rotate(qk.view(batch, time, 2 * self.num_heads, -1), *around.rotary)
        q, k = torch.split(qk, self.num_heads, 2)
        v = v.view(batch, time, self.num_heads, -1)
        if past is not None:
            y = self._attend_past(q, k, v, past, around.start)
        elif self.causal:
            y = self._attend(q, k, v)
        else:
            y = attend_around(q, k, v, window=self.window, visible=around.visible)
        mixed: Tensor = self.out(y.flatten(2))
        return mixed

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if self.window is None:
            return attend(q, k, v, causal=True)
        return attend_window(q, k, v, window=self.window)

    def _attend_past(self, q: Tensor, k: Tensor, v: Tensor, past: KeysValues, start: int) -> Tensor:
        time = q.shape[1]
        if time == 1:
            # The ring then holds exactly what this query may see: no mask, and the order does not matter.
            past.write(start, k, v)
            return attend(q, *past.read(start + 1, dtype=q.dtype))
        if start == 0:
            past.write(start, k, v)
            return self._attend(q, k, v)
        if self.window is None:
            return self._extend(q, k, v, past=past, start=start)
        # A long addition to a windowed block goes window by window, or it would cost T squared.
        mixed = [
            self._extend(*(x[:, at : at + self.window] for x in (q, k, v)), past=past, start=start + at)
            for at in range(0, time, self.window)
        ]
        return torch.cat(mixed, 1)

    def _extend(self, q: Tensor, k: Tensor, v: Tensor, *, past: KeysValues, start: int) -> Tensor:
        old_keys, old_values = past.read(start, in_order=True, dtype=q.dtype)
        keys, values = torch.cat([old_keys, k], 1), torch.cat([old_values, v], 1)
        past.write(start, k, v)
        # Not is_causal: with fewer queries than keys it would align the two at their beginnings.
        mask = band(q.shape[1], keys.shape[1], window=self.window, device=q.device)
        return attend(q, keys, values, mask=mask)
