"""Random views of images as BYOL makes them: what may happen, what is drawn for a sample, and doing it.

Drawing is apart from doing. A sample's values are a pure function of a seed and the sample's number (Philox, a
counter-based generator: Salmon et al. 2011), so that a batch is the same however samples are spread over processes, and
resuming needs no state. Doing is a pure function of images and values, on any library.
"""
# mypy: disable-error-code="no-any-return"
# (what a namespace's functions return is Any: a namespace is a module)

import functools
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from types import ModuleType
from typing import Any, Literal

import numpy as np
from array_api_compat import device
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from pennyweight.arrays import augment
from pennyweight.arrays.namespace import NUMBERS, A, library, namespace, portable, stretches

Style = Literal["additive", "multiplicative", "linear"]
_PORTION_BYTES = 2**21  # of images transformed at a time on the host: larger temporaries cost page faults


@dataclass(frozen=True, kw_only=True)
class View:
    """What may happen to an image. Probabilities, ranges, and how far the colours may move.

    ``area`` is the part of the image that a crop keeps and ``ratio`` its width over its height. ``style`` says what
    brightness, contrast and saturation are; see `jitter`.
    """

    area: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5
    jitter: float = 0.8
    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.2
    hue: float = 0.1
    grey: float = 0.2
    blur: float = 1.0
    sigma: tuple[float, float] = (0.1, 2.0)
    solarise: float = 0.0
    style: Style = "additive"

    def __post_init__(self) -> None:
        shares = (self.flip, self.jitter, self.grey, self.blur, self.solarise)
        strengths = (self.brightness, self.contrast, self.saturation, 2 * self.hue)
        if not all(0 <= value <= 1 for value in (*shares, *strengths)):
            raise ValueError(f"{self}: expected probabilities and strengths from 0 to 1, and hue up to 0.5")
        if not (0 < self.area[0] <= self.area[1] <= 1 and 0 < self.ratio[0] <= self.ratio[1]):
            raise ValueError(
                f"{self}: expected an area above 0 and up to 1, and a positive ratio, each from low to high"
            )
        if not 0 <= self.sigma[0] <= self.sigma[1]:
            raise ValueError(f"{self}: expected sigma from low to high, not negative")


FIRST = View()
"""BYOL's first view: always blurred, never solarised."""
SECOND = replace(FIRST, blur=0.1, solarise=0.2)
"""BYOL's second view."""

_OPERATIONS = ("brightness", "contrast", "saturation", "hue")
_ORDERS = np.array(list(itertools.permutations(range(len(_OPERATIONS)))))
_LANES = 16  # random numbers a sample; four of them come from one step of Philox's counter


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What happens to each image of a batch, on the host.

    ``boxes`` are (top, left, height, width) in pixels. ``orders`` says which of brightness, contrast, saturation and
    hue (0 to 3) comes first, second and so on. ``brightness`` is what is added, or the factor less one. A sigma of 0 is
    no blur.
    """

    boxes: Int[NDArray[np.int64], "B 4"]
    flips: Bool[NDArray[np.bool_], " B"]
    jitters: Bool[NDArray[np.bool_], " B"]
    orders: Int[NDArray[np.int64], "B 4"]
    brightness: Float[NDArray[np.float64], " B"]
    contrast: Float[NDArray[np.float64], " B"]
    saturation: Float[NDArray[np.float64], " B"]
    hue: Float[NDArray[np.float64], " B"]
    greys: Bool[NDArray[np.bool_], " B"]
    sigmas: Float[NDArray[np.float64], " B"]
    solarises: Bool[NDArray[np.bool_], " B"]

    def __getitem__(self, part: slice | NDArray[Any]) -> "Draw":
        """What happens to a part of the batch."""
        return Draw(**{field.name: getattr(self, field.name)[part] for field in fields(self)})


@portable(host=True, without=NUMBERS)
def draw(
    view: View, numbers: Int[NDArray[np.int64], " B"], *, size: tuple[int, int], seed: int, stream: int = 0
) -> Draw:
    """Draw for the samples with these numbers, whose images have ``size`` (rows, columns).

    The same seed, stream and number give the same values, whatever else is in the batch. Give the two views of an
    image two streams. A crop is drawn once and cut to the image where it is larger, as in BYOL's code.

    >>> both = draw(FIRST, np.array([7, 8]), size=(32, 32), seed=0)
    >>> bool((both.boxes[1] == draw(FIRST, np.array([8]), size=(32, 32), seed=0).boxes[0]).all())
    True
    """
    u = _uniforms(np.asarray(numbers), seed=seed, stream=stream)
    rows, columns = size

    def between(lane: int, low: float, high: float) -> NDArray[np.float64]:
        return low + u[:, lane] * (high - low)

    area = between(0, *view.area) * rows * columns
    ratio = np.exp(between(1, math.log(view.ratio[0]), math.log(view.ratio[1])))
    heights = np.clip(np.round(np.sqrt(area / ratio)), 1, rows)
    widths = np.clip(np.round(np.sqrt(area * ratio)), 1, columns)
    tops = np.floor(u[:, 2] * (rows - heights + 1))
    lefts = np.floor(u[:, 3] * (columns - widths + 1))
    return Draw(
        boxes=np.stack([tops, lefts, heights, widths], axis=1).astype(np.int64),
        flips=u[:, 4] < view.flip,
        jitters=u[:, 5] < view.jitter,
        orders=_ORDERS[np.floor(u[:, 6] * len(_ORDERS)).astype(np.int64)],
        brightness=between(7, -view.brightness, view.brightness),
        contrast=between(8, 1 - view.contrast, 1 + view.contrast),
        saturation=between(9, 1 - view.saturation, 1 + view.saturation),
        hue=between(10, -view.hue, view.hue),
        greys=u[:, 11] < view.grey,
        sigmas=np.where(u[:, 12] < view.blur, between(13, *view.sigma), 0.0),
        solarises=u[:, 14] < view.solarise,
    )


def _uniforms(numbers: NDArray[np.int64], *, seed: int, stream: int) -> Float[NDArray[np.float64], "B lanes"]:
    """Numbers in [0, 1): ``_LANES`` for each sample, from its own stretch of the counter."""
    if numbers.ndim != 1 or (numbers < 0).any():
        raise ValueError(f"numbers {numbers}: expected a row of sample numbers from 0")
    raw = np.empty((len(numbers), _LANES), dtype=np.uint64)
    # One generator for each run of consecutive numbers, which usually is the batch.
    breaks = np.flatnonzero(np.diff(numbers) != 1) + 1
    for run in np.split(np.arange(len(numbers)), breaks):
        if len(run):
            counter = [int(numbers[run[0]]) * (_LANES // 4), 0, 0, 0]
            generator = np.random.Philox(key=[seed, stream], counter=counter)
            raw[run] = generator.random_raw(len(run) * _LANES).reshape(len(run), _LANES)
    return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53


@portable()
def transform(
    images: Float[A, "B 3 H W"],
    drawn: Draw,
    *,
    size: tuple[int, int] | None = None,
    style: Style = "additive",
    interpolation: augment.Interpolation = "bicubic",
    antialias: bool = True,
    border: augment.Border = "zero",
) -> Float[A, "B 3 rows columns"]:
    """Do what was drawn: crop and resize, flip, jitter, grey, blur, solarise, in this order, and clip to [0, 1].

    ``size`` is that of the result, by default that of the images. The blur reaches a twentieth of its rows to either
    side (11 pixels for 224, none below 20). What was drawn is constant to ``jax.jit``: each draw is compiled anew.

    >>> drawn = draw(SECOND, np.arange(2), size=(40, 40), seed=0)
    >>> transform(np.full((2, 3, 40, 40), 0.25), drawn, size=(24, 24)).shape
    (2, 3, 24, 24)
    """
    rows, columns = size or images.shape[-2:]

    def views_of(images: Any, drawn: Draw) -> Any:
        xp = namespace(images)
        views = augment.crop_and_resize(
            images,
            _like(xp, images, _mirrored(drawn)),
            size=(rows, columns),
            interpolation=interpolation,
            antialias=antialias,
        )
        views = xp.clip(views, 0.0, 1.0)
        views = _on_some(views, drawn, drawn.jitters, functools.partial(jitter, style=style))
        views = augment.greyscale(views, _like(xp, views, drawn.greys))
        if rows >= 20:
            blur = functools.partial(_blurred, radius=rows // 20, border=border)
            views = _on_some(views, drawn, drawn.sigmas > 0, blur)
        return xp.clip(_on_some(views, drawn, drawn.solarises, _solarised), 0.0, 1.0)

    eager = library(images) in ("numpy", "torch") and str(device(images)) == "cpu"
    if not eager or not images.shape[0]:
        return views_of(images, drawn)
    bytes_each = 3 * max(rows * columns, images.shape[-2] * images.shape[-1]) * images.dtype.itemsize
    portions = stretches(images.shape[0], max(1, _PORTION_BYTES // bytes_each))
    return namespace(images).concat([views_of(images[part, ...], drawn[part]) for part in portions], axis=0)


def _mirrored(drawn: Draw) -> Int[NDArray[np.int64], "B 4"]:
    """The boxes, those of flipped images counted from their right edge."""
    top, left, height, width = drawn.boxes.T
    left, width = np.where(drawn.flips, left + width, left), np.where(drawn.flips, -width, width)
    return np.stack([top, left, height, width], axis=1)


def _blurred(images: Any, drawn: Draw, *, radius: int, border: augment.Border) -> Any:
    sigmas = _like(namespace(images), images, drawn.sigmas)
    return augment.gaussian_blur(images, sigmas, radius=radius, border=border)


def _solarised(images: Any, drawn: Draw) -> Any:
    return augment.solarise(images, _like(namespace(images), images, drawn.solarises))


@portable()
def jitter(images: Float[A, "B 3 H W"], drawn: Draw, *, style: Style = "additive") -> Float[A, "B 3 H W"]:
    """Change brightness, contrast, saturation and hue of each image in its own order, and clip to [0, 1].

    - ``"additive"`` is BYOL's code: add, spread about each channel's mean, multiply in HSV, turn in HSV.
    - ``"multiplicative"`` is torchvision: multiply, spread about the mean grey, spread about each pixel's grey, turn in
      HSV.
    - ``"linear"`` puts the chain into one 3 x 3 matrix an image, which is faster: add, spread about each channel's
      mean, spread about each pixel's grey, turn the chroma plane of YIQ, and clip at the end alone.

    The other two clip after each change.
    """
    if style == "linear":
        return _linear_jitter(images, drawn)
    xp = namespace(images)
    changes: tuple[Callable[..., Any], ...] = (
        augment.shift_brightness, augment.channel_contrast, augment.scale_saturation, augment.shift_hue
    )  # fmt: skip
    values = [drawn.brightness, drawn.contrast, drawn.saturation, drawn.hue]
    if style == "multiplicative":
        changes = (augment.scale_brightness, augment.grey_contrast, augment.blend_saturation, augment.shift_hue)
        values[0] = 1 + drawn.brightness
    # Images are kept sorted by the change that is next, so that each change runs once on a stretch of them.
    which = np.arange(len(drawn.orders))
    for turn in range(len(changes)):
        kinds = drawn.orders[which, turn]
        sorting = np.argsort(kinds, kind="stable")
        images, which, kinds = _taken(xp, images, sorting), which[sorting], kinds[sorting]
        changed = []
        for kind, change in enumerate(changes):
            start, stop = np.searchsorted(kinds, [kind, kind + 1])
            if start < stop:
                some = images[int(start) : int(stop), ...]
                changed.append(xp.clip(change(some, _like(xp, some, values[kind][which[start:stop]])), 0.0, 1.0))
        images = xp.concat(changed, axis=0)
    return _taken(xp, images, np.argsort(which))


_YIQ = np.array([augment.GREY, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)])


def _linear_jitter(images: Any, drawn: Draw) -> Any:
    """Every change keeps this form: a matrix times the pixel, another times the image's first mean, and a number."""
    count, grey = len(drawn.orders), np.tile(augment.GREY, (3, 1))
    of_pixel, of_mean = np.tile(np.eye(3), (count, 1, 1)), np.zeros((count, 3, 3))
    constant = np.zeros((count, 3, 1))
    spread = drawn.contrast[:, None, None]
    purity = drawn.saturation[:, None, None]
    mixing = {2: purity * np.eye(3) + (1 - purity) * grey, 3: np.linalg.inv(_YIQ) @ _turns(drawn.hue) @ _YIQ}
    for kinds in drawn.orders.T:
        constant[kinds == 0] += drawn.brightness[kinds == 0, None, None]
        some = kinds == 1
        of_mean[some] += (1 - spread[some]) * of_pixel[some]
        of_pixel[some] *= spread[some]
        for kind, matrices in mixing.items():
            some = kinds == kind
            of_pixel[some], of_mean[some], constant[some] = (
                matrices[some] @ part[some] for part in (of_pixel, of_mean, constant)
            )
    xp = namespace(images)
    pixels = xp.reshape(images, (*images.shape[:2], -1))
    matrix, offset = (_like(xp, images, part) for part in (of_pixel, constant))
    offset = offset + _like(xp, images, of_mean) @ xp.mean(pixels, axis=-1, keepdims=True)
    return xp.clip(xp.reshape(matrix @ pixels + offset, images.shape), 0.0, 1.0)


def _turns(hue: Float[NDArray[np.float64], " B"]) -> Float[NDArray[np.float64], "B 3 3"]:
    """Rotations of the chroma plane; from red over yellow to green is backwards there."""
    cosines, sines = np.cos(2 * np.pi * hue), np.sin(2 * np.pi * hue)
    zeros, ones = np.zeros_like(hue), np.ones_like(hue)
    rows = [[ones, zeros, zeros], [zeros, cosines, sines], [zeros, -sines, cosines]]
    return np.moveaxis(np.array(rows), -1, 0)


def _on_some(images: Any, drawn: Draw, flags: Bool[NDArray[np.bool_], " B"], change: Callable[[Any, Draw], Any]) -> Any:
    """Change the flagged images, with what was drawn for them, and leave the others."""
    xp, (which,), (rest,) = namespace(images), np.nonzero(flags), np.nonzero(~flags)
    if not len(which):
        return images
    if not len(rest):
        return change(images, drawn)
    both = xp.concat([change(_taken(xp, images, which), drawn[which]), _taken(xp, images, rest)], axis=0)
    return _taken(xp, both, np.argsort(np.concatenate([which, rest])))


def _taken(xp: ModuleType, images: Any, places: NDArray[np.int64]) -> Any:
    # Dask takes places that are known to it without computing anything.
    return xp.take(images, places if library(images) == "dask" else _like(xp, images, places), axis=0)


def _like(xp: ModuleType, images: Any, values: NDArray[Any]) -> Any:
    """Values of the host where the images are; floats become of the images' type."""
    dtype = images.dtype if values.dtype.kind == "f" else None
    return xp.asarray(values, dtype=dtype, device=device(images))
