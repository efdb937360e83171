"""The lifting steps of each wavelet, and two ways of taking them: on new arrays, or in place on scratch memory.

A transform parts its samples into even and odd ones; each step adds to every sample of one kind a multiple of the sum
of its neighbours of the other kind, and the inverse takes the steps back in reverse order (Sweldens 1996). Which
neighbours those are, borders included, is worked out here once, by `neighbours`, and used by both ways.
"""
# mypy: disable-error-code="no-any-return"
# (what a namespace's functions return is Any: a namespace is a module)

import functools
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, Literal, NamedTuple

import array_api_compat.numpy

from pennyweight.arrays.namespace import library

Wavelet = Literal["haar", "5/3", "9/7"]
Border = Literal["symmetric", "periodic", "zero"]
Scale = Literal["mean", "orthonormal"]


class Step(NamedTuple):
    """``target += factor * sums``, where ``sums`` holds for each target the sum of its neighbours.

    For integers ``target += sign of factor * ((sums + bias) >> shift)``; without a shift there is no integer form.
    """

    target: Literal["even", "odd"]
    factor: float
    bias: int = 0
    shift: int | None = None


@dataclass(frozen=True, kw_only=True)
class Lifting:
    """A wavelet: its steps, whether a sample sees two neighbours or one, and the gains of its bands.

    ``low`` makes the low band of a constant that constant, ``high`` makes the high band of +1, -1, ... 2 in size;
    ``sign`` is that of PyWavelets' high band against this one. ``amplifies``: the steps back enlarge roundings so much
    that float32 images would not come back to a millionth; such steps are taken in float64 where the device has it.
    """

    steps: tuple[Step, ...]
    two_sided: bool = True
    low: float = 1.0
    high: float = 1.0
    sign: int = -1
    amplifies: bool = False

    @property
    def reversible(self) -> bool:
        """Whether there is an integer form."""
        return all(step.shift is not None for step in self.steps)

    def gains(self, scale: Scale) -> tuple[float, float]:
        """What the low and the high band are multiplied with after the steps."""
        if scale == "mean":
            return self.low, self.high
        return self.low * math.sqrt(2), self.sign * self.high / math.sqrt(2)


_K = 1.230174104914001
LIFTINGS: dict[Wavelet, Lifting] = {
    "haar": Lifting(steps=(Step("odd", -1.0, 0, 0), Step("even", 0.5, 0, 1)), two_sided=False),
    "5/3": Lifting(steps=(Step("odd", -0.5, 0, 1), Step("even", 0.25, 2, 2))),
    # Daubechies and Sweldens (1998), the factorisation of CDF 9/7.
    "9/7": Lifting(
        steps=(
            Step("odd", -1.586134342059924),
            Step("even", -0.052980118572961),
            Step("odd", 0.882911075530934),
            Step("even", 0.443506852043971),
        ),
        low=1 / _K,
        high=_K,
        amplifies=True,
    ),
}


class Neighbours(NamedTuple):
    """For a stretch of targets: where their neighbours lie. The sum is ``weight * left``, or ``left + right``."""

    targets: slice
    left: slice
    right: slice | None = None
    weight: int = 1


def neighbours(lifting: Lifting, step: Step, border: Border, num_even: int, num_odd: int) -> list[Neighbours]:
    """The neighbours of all targets of a step, in stretches from the first target to the last.

    Odd sample i lies between even samples i and i + 1, even sample i between odd samples i - 1 and i; the ends may
    lack one, and `Border` says what stands for it. A one-sided wavelet pairs sample i with sample i, and the last even
    one of an odd length has no partner and no stretch.
    """
    sources, targets = (num_even, num_odd) if step.target == "odd" else (num_odd, num_even)
    if not lifting.two_sided:
        both = slice(0, min(sources, targets))
        return [Neighbours(both, both)]
    offset = 1 if step.target == "even" else 0
    first, last = slice(0, 1), slice(sources - 1, sources)
    found = [_at_border(slice(0, 1), first, last, border)] if offset else []
    if sources > 1:
        found.append(Neighbours(slice(offset, offset + sources - 1), slice(0, sources - 1), slice(1, sources)))
    if offset + sources - 1 < targets:
        found.append(_at_border(slice(targets - 1, targets), last, first, border))
    return found


def _at_border(target: slice, near: slice, far: slice, border: Border) -> Neighbours:
    if border == "periodic":
        return Neighbours(target, near, far)
    return Neighbours(target, near, weight=2 if border == "symmetric" else 1)


@dataclass(frozen=True, kw_only=True)
class Transform:
    """A wavelet with its options, along one axis at a time, making new arrays: for every library and for gradients."""

    xp: ModuleType
    lifting: Lifting
    border: Border
    gains: tuple[float, float]
    integral: bool
    wide: Any = None  # the type in which the steps are taken, where that is not the array's own

    def split(self, x: Any, axis: int) -> tuple[Any, Any]:
        """The low and the high band along a negative axis."""
        if library(x) == "dask":
            half = (x.shape[axis] + 1) // 2
            both = self._chunk_by_chunk(Transform._split_into_one, x, axis)
            return both[along(axis, slice(0, half))], both[along(axis, slice(half, None))]
        dtype, x = x.dtype, self._widened(x)
        even, odd = x[along(axis, slice(0, None, 2))], x[along(axis, slice(1, None, 2))]
        for step in self.lifting.steps:
            even, odd = self._take(step, even, odd, axis, 1)
        low, high = self._scaled(even, self.gains[0]), self._scaled(odd, self.gains[1])
        return self.xp.astype(low, dtype, copy=False), self.xp.astype(high, dtype, copy=False)

    def merge(self, low: Any, high: Any, axis: int) -> Any:
        """What `split` made these bands of."""
        if library(low) == "dask":
            return self._chunk_by_chunk(Transform._merge_from_one, self.xp.concat([low, high], axis=axis), axis)
        dtype, low, high = low.dtype, self._widened(low), self._widened(high)
        even, odd = self._scaled(low, 1 / self.gains[0]), self._scaled(high, 1 / self.gains[1])
        for step in reversed(self.lifting.steps):
            even, odd = self._take(step, even, odd, axis, -1)
        return self.xp.astype(_interleaved(self.xp, even, odd, axis), dtype, copy=False)

    def _chunk_by_chunk(self, function: Callable[..., Any], x: Any, axis: int) -> Any:
        """Dask: whole lines in each chunk, low and high samples of a line one after the other in one chunk."""
        host = replace(self, xp=array_api_compat.numpy)
        return x.rechunk({x.ndim + axis: -1}).map_blocks(functools.partial(function, host), axis=axis, dtype=x.dtype)

    def _split_into_one(self, x: Any, axis: int) -> Any:
        return self.xp.concat(self.split(x, axis), axis=axis)

    def _merge_from_one(self, both: Any, axis: int) -> Any:
        half = (both.shape[axis] + 1) // 2
        return self.merge(both[along(axis, slice(0, half))], both[along(axis, slice(half, None))], axis)

    def _take(self, step: Step, even: Any, odd: Any, axis: int, direction: int) -> tuple[Any, Any]:
        stretches = neighbours(self.lifting, step, self.border, even.shape[axis], odd.shape[axis])
        target, source = (odd, even) if step.target == "odd" else (even, odd)
        sums = []
        for stretch in stretches:
            left = source[along(axis, stretch.left)]
            if stretch.right is not None:
                left = left + source[along(axis, stretch.right)]
            sums.append(left * stretch.weight if stretch.weight != 1 else left)
        alone = target[along(axis, slice(stretches[-1].targets.stop, None))]
        if alone.shape[axis]:
            sums.append(self.xp.zeros_like(alone))
        target = target + self._change(step, self.xp.concat(sums, axis=axis), direction)
        return (even, target) if step.target == "odd" else (target, odd)

    def _change(self, step: Step, sums: Any, direction: int) -> Any:
        if not self.integral:
            return sums * (direction * step.factor)
        rounded = (sums + step.bias) >> step.shift
        return rounded if direction * step.factor > 0 else -rounded

    def _widened(self, x: Any) -> Any:
        return x if self.wide is None else self.xp.astype(x, self.wide, copy=False)

    def _scaled(self, band: Any, gain: float) -> Any:
        return band if gain == 1.0 else band * gain


def along(axis: int, stretch: slice) -> tuple[Any, ...]:
    """The index of a stretch along a negative axis."""
    return (..., stretch, *[slice(None)] * (-axis - 1))


def _interleaved(xp: ModuleType, even: Any, odd: Any, axis: int) -> Any:
    num_odd = odd.shape[axis]
    pairs = xp.stack([even[along(axis, slice(0, num_odd))], odd], axis=axis)
    shape = list(odd.shape)
    shape[axis] = 2 * num_odd
    joined = xp.reshape(pairs, tuple(shape))
    if even.shape[axis] == num_odd:
        return joined
    return xp.concat([joined, even[along(axis, slice(num_odd, None))]], axis=axis)


class Workbench:
    """The same transform on both axes of real images, in place on scratch memory: for NumPy and PyTorch.

    Images go through a few at a time, so that what one step hands to the next stays in the cache. Every view of the
    scratch memory is made once; what is left of a step is an addition and a multiply-add.
    """

    def __init__(self, transform: Transform, size: tuple[int, int, int], *, like: Any) -> None:
        """``size``: images in a portion, rows, columns. ``like``: an array of the images' type, on their device."""
        count, rows, columns = size
        low, high = transform.gains
        self._gains = low * low, low * high, high * low, high * high
        self._library = sys.modules[str(library(like))]
        dtype = like.dtype if transform.wide is None else transform.wide
        xp, wide, narrow = transform.xp, (columns + 1) // 2, columns // 2
        # Even columns, then odd ones, with room for one more so that both go through the steps on rows at once.
        phases = xp.zeros((2, count, rows, wide), dtype=dtype, device=like.device)
        self._sums = xp.empty((rows + 1) * count * wide, dtype=dtype, device=like.device)
        even, odd = phases[0], phases[1, ..., :narrow]
        self._phases = even, odd
        self._bands = [phase[:, first::2] for first in (0, 1) for phase in (even, odd)]
        self._on_rows = self._moves(transform, phases[:, :, 0::2], phases[:, :, 1::2], axis=-2)
        self._on_columns = self._moves(transform, even, odd, axis=-1)

    def _moves(self, transform: Transform, even: Any, odd: Any, *, axis: int) -> list[tuple[Any, Any, Any, Any, float]]:
        """The arguments of `_add` for each stretch of each step."""
        moves = []
        for step in transform.lifting.steps:
            target, source = (odd, even) if step.target == "odd" else (even, odd)
            for stretch in neighbours(transform.lifting, step, transform.border, even.shape[axis], odd.shape[axis]):
                into, left = target[along(axis, stretch.targets)], source[along(axis, stretch.left)]
                right = None if stretch.right is None else source[along(axis, stretch.right)]
                sums = self._sums[: math.prod(into.shape)].reshape(into.shape)
                moves.append((into, left, right, sums, step.factor * stretch.weight))
        return moves

    def split(self, images: Any, into: Sequence[Any]) -> None:
        """Write the bands ll, lh, hl, hh of a portion of images."""
        for first, phase in enumerate(self._phases):
            phase[...] = images[..., first::2]
        for move in (*self._on_rows, *self._on_columns):
            self._add(*move)
        for place, band, gain in zip(into, self._bands, self._gains, strict=True):
            place[...] = band if gain == 1.0 else band * gain

    def merge(self, bands: Sequence[Any], into: Any) -> None:
        """Write the images that have these bands."""
        for place, band, gain in zip(self._bands, bands, self._gains, strict=True):
            place[...] = band if gain == 1.0 else band * (1 / gain)
        # Backwards stretch by stretch: those of one step do not touch one another.
        for target, left, right, sums, factor in reversed((*self._on_rows, *self._on_columns)):
            self._add(target, left, right, sums, -factor)
        for first, phase in enumerate(self._phases):
            into[..., first::2] = phase

    def _add(self, target: Any, left: Any, right: Any, sums: Any, factor: float) -> None:
        """Add ``factor * (left + right)`` to the target; without a right one, ``factor * left``."""
        if right is not None:
            left = self._library.add(left, right, out=sums)
        if self._library.__name__ == "torch":
            target.add_(left, alpha=factor)
        else:
            target += self._library.multiply(left, factor, out=sums)
