"""Wavelets: an image as a small image and the differences that bring it back, exactly, at any size.

not-so-BigGAN samples the small image and decodes the differences, so nothing may be lost on the way, borders included.
These are lifted wavelets (the steps are in `lifting`), critically sampled: ``n`` samples give ``ceil(n/2)`` low and
``floor(n/2)`` high ones, nothing is padded, and floats come back to a few units in their last place.

Wavelets: ``"haar"``; ``"5/3"`` (LeGall, CDF 5/3, PyWavelets' bior2.2); ``"9/7"`` (CDF 9/7, PyWavelets' bior4.4), whose
steps amplify roundings and are taken in float64 where the device has it.

Borders say what stands for the neighbour that a sample at the end lacks:

- ``"symmetric"``: the neighbour on its other side. That is the whole-sample symmetric extension of JPEG 2000, which
  NumPy and PyWavelets call "reflect"; a constant stays constant. Repeating the nearest sample of the same phase is the
  same thing here, because a step looks one sample far, and repeating the very last sample would make a step depend
  on what it computes. So there is no other "reflect" or "constant" to choose.
- ``"periodic"``: the sample at the other end. With an odd length two even samples meet at the seam and each phase
  wraps around onto itself; a constant stays constant all the same.
- ``"zero"``: nothing. A constant is not kept at the borders; for comparisons.

Haar lacks no neighbours: the last sample of an odd length goes into the low band as it is.

Scales: with ``"mean"`` the low band of a constant image is that constant and the high band of +1, -1, +1, ... is 2 in
size; with ``"orthonormal"`` both bands have PyWavelets' gains (root 2 each) and signs.

Signed integers are transformed to integers with the roundings of JPEG 2000 (5/3) or the S transform (Haar) and come
back to the last bit, even where a sum wraps around.
"""
# mypy: disable-error-code="no-any-return"
# (what a namespace's functions return is Any: a namespace is a module)

import math
import sys
from collections.abc import Iterator
from typing import Any, Generic, NamedTuple, get_args

from array_api_compat import device
from jaxtyping import Shaped

from pennyweight.arrays.lifting import LIFTINGS, Border, Scale, Transform, Wavelet, Workbench
from pennyweight.arrays.namespace import A, float64_of, library, namespace, portable

_PORTION_BYTES = 2**19
"""Bytes of images that one thread transforms at a time in place: with scratch memory, half of a usual L2 cache."""
_SHARED_PORTION_BYTES = 2**21
"""The same for each of several threads. They meet after every operation, and when another program keeps one of them
waiting, the others wait with it: fewer and larger operations then save more than the cache does."""


class Bands(NamedTuple, Generic[A]):
    """The differences of one level. First letter: along the rows' axis (-2); second: along the last axis.

    PyWavelets calls ``lh`` cV, ``hl`` cH and ``hh`` cD.
    """

    lh: A
    hl: A
    hh: A


class Pyramid(NamedTuple, Generic[A]):
    """The low band of images and their differences, the coarsest level first (the order of PyWavelets' wavedec2)."""

    low: A
    details: tuple[Bands[A], ...]


@portable()
def forward(
    images: Shaped[A, "*leading rows columns"],
    *,
    wavelet: Wavelet = "5/3",
    levels: int = 1,
    border: Border = "symmetric",
    scale: Scale = "mean",
) -> Pyramid[A]:
    """The low band of images and their differences at each level, along the last two axes.

    Rows are transformed along their axis before columns; the order matters to integers alone.
    Raises TypeError for unsigned integers and booleans, ValueError for sides that cannot be halved ``levels`` times.

    >>> import numpy as np
    >>> pyramid = forward(np.ones((3, 5, 7)), levels=2)
    >>> pyramid.low.shape, [bands.hh.shape for bands in pyramid.details], float(pyramid.low.min())
    ((3, 2, 2), [(3, 1, 2), (3, 2, 3)], 1.0)
    """
    transform = _transform(images, wavelet=wavelet, border=border, scale=scale)
    _check_levels(images.shape[-2:], levels)
    details: list[Bands[A]] = []
    for _ in range(levels):
        images, lh, hl, hh = _split_images(transform, images)
        details.insert(0, Bands(lh, hl, hh))
    return Pyramid(images, tuple(details))


@portable()
def inverse(pyramid: Pyramid[A], *, wavelet: Wavelet = "5/3", border: Border = "symmetric", scale: Scale = "mean") -> A:
    """The images of which `forward` made this pyramid with the same options.

    Raises ValueError for bands that do not fit together.
    """
    images = pyramid.low
    for bands in pyramid.details:
        transform = _transform(images, *bands, wavelet=wavelet, border=border, scale=scale)
        for low, high, axis in ((images, bands.lh, -1), (images, bands.hl, -2), (bands.hl, bands.hh, -1)):
            _check_pair(low, high, axis)
        images = _merge_images(transform, images, *bands)
    return images


@portable()
def low_band(
    images: Shaped[A, "*leading rows columns"],
    *,
    wavelet: Wavelet = "5/3",
    levels: int = 1,
    border: Border = "symmetric",
    scale: Scale = "mean",
) -> Shaped[A, "*leading low_rows low_columns"]:
    """The low band of `forward` and nothing else: a small view of each image, for less memory."""
    transform = _transform(images, wavelet=wavelet, border=border, scale=scale)
    _check_levels(images.shape[-2:], levels)
    for _ in range(levels):
        for axis in (-2, -1):
            images, _high = transform.split(images, axis)
    return images


@portable()
def split(
    x: Shaped[A, "..."],
    *,
    axis: int = -1,
    wavelet: Wavelet = "5/3",
    border: Border = "symmetric",
    scale: Scale = "mean",
) -> tuple[A, A]:
    """The low and the high band along one axis.

    >>> import numpy as np
    >>> low, high = split(np.array([1, 2, 3, 4, 9]))
    >>> low.tolist(), high.tolist()
    ([1, 3, 8], [0, -2])
    """
    transform = _transform(x, wavelet=wavelet, border=border, scale=scale)
    axis = _negative(axis, x.ndim)
    _check_levels((x.shape[axis],), 1)
    return transform.split(x, axis)


@portable()
def merge(
    low: Shaped[A, "..."],
    high: Shaped[A, "..."],
    *,
    axis: int = -1,
    wavelet: Wavelet = "5/3",
    border: Border = "symmetric",
    scale: Scale = "mean",
) -> Shaped[A, "..."]:
    """The samples of which `split` made these bands with the same options."""
    transform = _transform(low, high, wavelet=wavelet, border=border, scale=scale)
    axis = _negative(axis, low.ndim)
    _check_pair(low, high, axis)
    return transform.merge(low, high, axis)


def _transform(*arrays: Any, wavelet: Wavelet, border: Border, scale: Scale) -> Transform:
    for name, given, known in (
        ("wavelet", wavelet, get_args(Wavelet)),
        ("border", border, get_args(Border)),
        ("scale", scale, get_args(Scale)),
    ):
        if given not in known:
            raise ValueError(f"{name} {given!r}: expected {' or '.join(map(repr, known))}")
    xp, dtype, lifting = namespace(*arrays), arrays[0].dtype, LIFTINGS[wavelet]
    integral = xp.isdtype(dtype, "integral")
    if integral and not xp.isdtype(dtype, "signed integer"):
        raise TypeError(f"an array of {dtype}: differences have signs; expected signed integers or floats")
    if integral and (scale != "mean" or not lifting.reversible):
        raise TypeError(f"integers with {wavelet} and scale {scale!r}: expected '5/3' or 'haar' and 'mean', or floats")
    if not integral and not xp.isdtype(dtype, "real floating"):
        raise TypeError(f"an array of {dtype}: expected floats or signed integers")
    wide = float64_of(arrays[0]) if lifting.amplifies else None
    return Transform(xp=xp, lifting=lifting, border=border, gains=lifting.gains(scale), integral=integral, wide=wide)


def _split_images(transform: Transform, images: Any) -> list[Any]:
    """The bands ll, lh, hl, hh of one level."""
    if not _in_place(transform, images):
        return [band for half in transform.split(images, -2) for band in transform.split(half, -1)]
    leading, (rows, columns) = images.shape[:-2], images.shape[-2:]
    stack = images.reshape((-1, rows, columns))
    sizes = [(r, c) for r in _halves(rows) for c in _halves(columns)]
    bands = [_empty(transform, (stack.shape[0], *size), like=images) for size in sizes]
    for bench, portion in _portions(transform, stack):
        bench.split(stack[portion], [band[portion] for band in bands])
    return [band.reshape((*leading, *size)) for band, size in zip(bands, sizes, strict=True)]


def _merge_images(transform: Transform, *bands: Any) -> Any:
    low, lh, hl, hh = bands
    if not _in_place(transform, *bands):
        return transform.merge(transform.merge(low, lh, -1), transform.merge(hl, hh, -1), -2)
    leading, rows, columns = low.shape[:-2], low.shape[-2] + hl.shape[-2], low.shape[-1] + lh.shape[-1]
    stacks = [band.reshape((-1, *band.shape[-2:])) for band in bands]
    images = _empty(transform, (stacks[0].shape[0], rows, columns), like=low)
    for bench, portion in _portions(transform, images):
        bench.merge([stack[portion] for stack in stacks], images[portion])
    return images.reshape((*leading, rows, columns))


def _in_place(transform: Transform, *arrays: Any) -> bool:
    """Whether scratch memory may be written to: NumPy, or PyTorch when nothing is recorded for a gradient."""
    kinds = {library(array) for array in arrays}
    if transform.integral or kinds not in ({"numpy"}, {"torch"}) or 0 in arrays[0].shape:
        return False
    if kinds == {"numpy"}:
        return True
    torch = sys.modules["torch"]
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return False
    recorded = torch.is_grad_enabled() and any(array.requires_grad for array in arrays)
    return not recorded and not any(
        torch.autograd.forward_ad.unpack_dual(array).tangent is not None for array in arrays
    )


def _portions(transform: Transform, stack: Any) -> Iterator[tuple[Workbench, slice]]:
    """The workbench and a stretch of images for it, over the whole stack."""
    total, rows, columns = stack.shape
    count = total  # on an accelerator, where many small operations cost more than a cache saves
    if str(device(stack)) == "cpu":
        threads = sys.modules["torch"].get_num_threads() if library(stack) == "torch" else 1
        portion = _PORTION_BYTES if threads == 1 else threads * _SHARED_PORTION_BYTES
        count = min(total, max(1, portion // (rows * columns * stack.dtype.itemsize)))
    bench = Workbench(transform, (count, rows, columns), like=stack)
    for start in range(0, total, count):
        # The last portion reaches back and does some images again: one workbench fits all.
        first = min(start, total - count)
        yield bench, slice(first, first + count)


def _empty(transform: Transform, shape: tuple[int, ...], *, like: Any) -> Any:
    return transform.xp.empty(shape, dtype=like.dtype, device=like.device)


def _halves(size: int) -> tuple[int, int]:
    return (size + 1) // 2, size // 2


def _negative(axis: int, ndim: int) -> int:
    if not -ndim <= axis < ndim:
        raise ValueError(f"axis {axis} of an array with {ndim} axes: expected {-ndim} to {ndim - 1}")
    return axis if axis < 0 else axis - ndim


def _check_levels(sides: tuple[int, ...], levels: int) -> None:
    most = math.ceil(math.log2(min(sides))) if min(sides) > 0 else 0
    if not 1 <= levels <= most:
        raise ValueError(f"{levels} levels on sides of {tuple(sides)}: expected 1 to {most}, a side of 1 has no halves")


def _check_pair(low: Any, high: Any, axis: int) -> None:
    spare = low.shape[axis] - high.shape[axis] if low.ndim == high.ndim else -1
    others = [tuple(size for i, size in enumerate(x.shape, -x.ndim) if i != axis) for x in (low, high)]
    if spare not in (0, 1) or others[0] != others[1] or not high.shape[axis]:
        raise ValueError(
            f"a low band of {tuple(low.shape)} and a high one of {tuple(high.shape)}: expected equal shapes,"
            f" or one high sample fewer along axis {axis}"
        )
