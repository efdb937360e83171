"""Changes of images for self-supervised learning, batched, with a value of its own for every image.

These are the augmentations of BYOL (2006.07733, appendix B) as its authors' code defines them, beside the definitions
that are usual elsewhere under the same names; `views` draws the values and puts the parts together. Nothing here is
random, nothing is clipped, and every change is differentiable in the images.

Legend: ``B`` images, ``C`` channels (RGB where colours matter), ``H`` rows, ``W`` columns; values are in [0, 1].
"""
# mypy: disable-error-code="no-any-return"
# (what a namespace's functions return is Any: a namespace is a module)

import functools
from types import ModuleType
from typing import Any, Literal, get_args

import numpy as np
from array_api_compat import device
from jaxtyping import Bool, Float, Real
from numpy.typing import NDArray

from pennyweight.arrays.namespace import A, namespace, portable

Interpolation = Literal["bilinear", "bicubic"]
Border = Literal["zero", "reflect"]
GREY = (0.2989, 0.5870, 0.1140)
"""The weights of red, green and blue in grey (ITU-R BT.601 to four digits, as BYOL's code has them)."""


@portable()
def crop_and_resize(
    images: Float[A, "B C H W"],
    boxes: Real[A, "B 4"],
    *,
    size: tuple[int, int],
    interpolation: Interpolation = "bicubic",
    antialias: bool = True,
) -> Float[A, "B C rows columns"]:
    """Cut ``(top, left, height, width)`` in pixels out of each image and bring it to ``size`` (rows, columns).

    A negative height or width counts from the far edge and mirrors: ``(0, 8, 8, -8)`` is ``(0, 0, 8, 8)`` flipped.
    Pixel centres are at halves and nothing outside a box is looked at. With ``antialias`` the filter is stretched where
    the image shrinks, as in Pillow; without it is not, as in TensorFlow and in BYOL's code. ``"bicubic"`` is Keys'
    kernel with a = -0.5 (1981) and goes beyond [0, 1] at edges.
    """
    xp = _checked(images)
    if interpolation not in get_args(Interpolation):
        raise ValueError(f"interpolation {interpolation!r}: expected 'bilinear' or 'bicubic'")
    if min(size) < 1:
        raise ValueError(f"size {size}: expected positive numbers of rows and columns")
    boxes = xp.astype(boxes, images.dtype)
    top, left, height, width = (boxes[:, i] for i in range(4))
    kernel = _cubic if interpolation == "bicubic" else _linear
    rows = _resampling(xp, kernel, top, height, images.shape[-2], size[0], antialias=antialias)
    columns = _resampling(xp, kernel, left, width, images.shape[-1], size[1], antialias=antialias)
    return rows[:, None, :, :] @ images @ xp.matrix_transpose(columns)[:, None, :, :]


def _resampling(
    xp: ModuleType, kernel: Any, start: Any, length: Any, num_in: int, num_out: int, *, antialias: bool
) -> Float[Any, "B num_out num_in"]:
    """For each image the weights of the input pixels in the output pixels, along one axis.

    A matrix product with mostly zeros beats gathering on CPUs up to some hundred pixels, and it is the same everywhere.
    """
    grid = {"dtype": start.dtype, "device": device(start)}
    start, length = start[:, None, None], length[:, None, None]
    scale = length / num_out
    pixels = xp.arange(num_in, **grid)[None, None, :] + 0.5
    centres = start + (xp.arange(num_out, **grid)[None, :, None] + 0.5) * scale
    stretch = xp.clip(xp.abs(scale), 1.0, None) if antialias else 1.0
    inside = xp.abs(pixels - start - length / 2) < xp.abs(length) / 2
    weights = kernel(xp, xp.abs(pixels - centres) / stretch) * xp.astype(inside, start.dtype)
    return weights / xp.sum(weights, axis=-1, keepdims=True)


def _linear(xp: ModuleType, distance: Any) -> Any:
    return xp.clip(1 - distance, 0.0, None)


def _cubic(xp: ModuleType, distance: Any) -> Any:
    # Keys' two pieces as one expression: the first term is the outer piece, the second what the inner one adds.
    outer, inner = xp.clip(2 - distance, 0.0, None), xp.clip(1 - distance, 0.0, None)
    return 0.5 * outer * outer * (outer - 1) + inner * inner * (1 - 2 * inner)


@portable()
def flip(images: Float[A, "B C H W"], flags: Bool[A, " B"]) -> Float[A, "B C H W"]:
    """Mirror the flagged images left to right."""
    xp = _checked(images)
    return xp.where(flags[:, None, None, None], xp.flip(images, axis=-1), images)


@portable()
def shift_brightness(images: Float[A, "B C H W"], deltas: Float[A, " B"]) -> Float[A, "B C H W"]:
    """Add a number to each image (BYOL's code, TensorFlow)."""
    return images + deltas[:, None, None, None]


@portable()
def scale_brightness(images: Float[A, "B C H W"], factors: Float[A, " B"]) -> Float[A, "B C H W"]:
    """Multiply each image (Pillow, torchvision)."""
    return images * factors[:, None, None, None]


@portable()
def channel_contrast(images: Float[A, "B C H W"], factors: Float[A, " B"]) -> Float[A, "B C H W"]:
    """Multiply the deviations of each channel from its mean (BYOL's code, TensorFlow)."""
    means = _checked(images).mean(images, axis=(-2, -1), keepdims=True)
    return means + (images - means) * factors[:, None, None, None]


@portable()
def grey_contrast(images: Float[A, "B 3 H W"], factors: Float[A, " B"]) -> Float[A, "B 3 H W"]:
    """Multiply the deviations of each image from the mean of its grey version (Pillow, torchvision)."""
    means = _checked(images).mean(_grey(images), axis=(-2, -1), keepdims=True)
    return means + (images - means) * factors[:, None, None, None]


@portable()
def scale_saturation(images: Float[A, "B 3 H W"], factors: Float[A, " B"]) -> Float[A, "B 3 H W"]:
    """Multiply the saturation in HSV, up to 1 (BYOL's code, TensorFlow). Factors are at least 0."""
    xp = _checked(images)
    value, chroma = _value_and_chroma(xp, images)
    # The saturation is chroma / value; hue and value stay when all distances to the value grow in one proportion.
    growth = xp.minimum(factors[:, None, None, None], value / _at_least_tiny(xp, chroma))
    return value - (value - images) * growth


@portable()
def blend_saturation(images: Float[A, "B 3 H W"], factors: Float[A, " B"]) -> Float[A, "B 3 H W"]:
    """Multiply the deviations of each pixel from its grey (Pillow, torchvision)."""
    grey = _grey(images)
    return grey + (images - grey) * factors[:, None, None, None]


@portable()
def shift_hue(images: Float[A, "B 3 H W"], turns: Float[A, " B"]) -> Float[A, "B 3 H W"]:
    """Turn the hue in HSV; 1 is the whole circle."""
    xp = _checked(images)
    value, chroma = _value_and_chroma(xp, images)
    red, green, blue = _channels(images)
    # In sixths of the circle the hue is plus or minus 1 + g + b - r, where r, g and b are the channels stretched to
    # 0 ... 1: plus from red over green to cyan, minus from there over blue back. Selecting by the largest channel, as
    # usual, is several times slower where neighbouring pixels differ.
    lowest = value - chroma
    hue = xp.copysign((green + blue - red - lowest) / _at_least_tiny(xp, chroma) + 1, green - blue)
    sixths = hue + 6 * turns[:, None, None, None]
    sixths = sixths - 6 * xp.floor(sixths / 6)
    # A channel has all of the chroma within a sixth of its own hue and none from two sixths on.
    shares = xp.abs(sixths - 3) - 1, 2 - xp.abs(sixths - 2), 2 - xp.abs(sixths - 4)
    return xp.concat([lowest + chroma * xp.clip(share, 0.0, 1.0) for share in shares], axis=1)


@portable()
def greyscale(images: Float[A, "B 3 H W"], flags: Bool[A, " B"]) -> Float[A, "B 3 H W"]:
    """Make the flagged images grey, in three equal channels."""
    xp = _checked(images)
    return xp.where(flags[:, None, None, None], _grey(images), images)


@portable()
def solarise(images: Float[A, "B C H W"], flags: Bool[A, " B"], *, threshold: float = 0.5) -> Float[A, "B C H W"]:
    """Invert what is not below the threshold, in the flagged images."""
    xp = _checked(images)
    return xp.where(flags[:, None, None, None] & (images >= threshold), 1 - images, images)


@portable()
def gaussian_blur(
    images: Float[A, "B C H W"], sigmas: Float[A, " B"], *, radius: int, border: Border = "zero"
) -> Float[A, "B C H W"]:
    """Blur each image with a Gaussian of its own width in pixels, cut off at ``radius``; 0 leaves an image as it is.

    Beyond the border there is nothing (BYOL's code, where borders darken) or the mirrored image (``"reflect"``, as in
    torchvision; without repeating the last pixel).
    """
    xp = _checked(images)
    if border not in get_args(Border):
        raise ValueError(f"border {border!r}: expected 'zero' or 'reflect'")
    if not 0 <= radius < min(images.shape[-2:]):
        raise ValueError(f"radius {radius} on images of {tuple(images.shape[-2:])}: expected less than either side")
    grid = {"dtype": images.dtype, "device": device(images)}
    squares = xp.arange(-radius, radius + 1, **grid) ** 2
    taps = xp.exp(-squares[None, :] / (2 * xp.clip(sigmas, 1e-6, None)[:, None] ** 2))
    taps = taps / xp.sum(taps, axis=1, keepdims=True)
    rows, columns = (
        xp.tensordot(taps, xp.asarray(_shifts(side, radius, border), **grid), axes=1) for side in images.shape[-2:]
    )
    return rows[:, None, :, :] @ images @ xp.matrix_transpose(columns)[:, None, :, :]


@functools.lru_cache(maxsize=32)
def _shifts(side: int, radius: int, border: Border) -> Float[NDArray[np.float32], "taps side side"]:
    """For each tap of a filter, the matrix that moves pixels under it."""
    shifts = np.zeros((2 * radius + 1, side, side), dtype=np.float32)
    for tap in range(2 * radius + 1):
        places = np.arange(side)
        sources = places + tap - radius
        if border == "reflect":
            sources = np.abs(sources)
            sources = np.where(sources >= side, 2 * (side - 1) - sources, sources)
        inside = (sources >= 0) & (sources < side)
        shifts[tap, places[inside], sources[inside]] = 1
    return shifts


def _grey(images: Any) -> Any:
    red, green, blue = (weight * channel for weight, channel in zip(GREY, _channels(images), strict=True))
    return red + green + blue


def _channels(images: Any) -> tuple[Any, Any, Any]:
    return images[:, 0:1, ...], images[:, 1:2, ...], images[:, 2:3, ...]


def _value_and_chroma(xp: ModuleType, images: Any) -> tuple[Any, Any]:
    """HSV's value, the largest channel, and how far the smallest lies below it."""
    red, green, blue = _channels(images)
    value = xp.maximum(xp.maximum(red, green), blue)
    return value, value - xp.minimum(xp.minimum(red, green), blue)


def _at_least_tiny(xp: ModuleType, chroma: Any) -> Any:
    """A divisor: a grey pixel has no chroma, and whatever is made of its quotient is then multiplied by zero."""
    return xp.clip(chroma, float(xp.finfo(chroma.dtype).eps) ** 2, None)


def _checked(images: Any) -> ModuleType:
    xp = namespace(images)
    if images.ndim != 4 or not xp.isdtype(images.dtype, "real floating"):
        raise TypeError(f"images of {images.dtype} and shape {tuple(images.shape)}: expected floats [B, C, H, W]")
    return xp
