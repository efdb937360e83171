"""Each change of images equals Pillow, colorsys, SciPy, jax.image or a loop over pixels."""

import colorsys
from typing import Any

import jax
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps
from scipy import ndimage

from pennyweight.arrays import augment

METHODS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


def _images(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape)


def _palette() -> np.ndarray:
    """Images of all colours with channels in quarters: greys, primaries, and every tie between channels."""
    grid = np.stack(np.meshgrid(*[np.linspace(0, 1, 5)] * 3, indexing="ij")).reshape(3, 25, 5)
    return np.stack([grid, grid[::-1]])


def _pixel_by_pixel(images: np.ndarray, change: Any) -> np.ndarray:
    result = np.empty_like(images)
    for b in range(images.shape[0]):
        for i in range(images.shape[2]):
            for j in range(images.shape[3]):
                result[b, :, i, j] = change(b, *images[b, :, i, j])
    return result


@pytest.mark.parametrize("interpolation", METHODS)
@pytest.mark.parametrize("size", [(8, 9), (3, 25), (23, 4), (1, 1)])
def test_crops_equal_pillows(interpolation: Any, size: tuple[int, int]) -> None:
    images = _images(3, 2, 12, 15)
    boxes = np.array([[0, 0, 12, 15], [3, 4, 5, 7], [11, 2, 1, 13]])
    ours = augment.crop_and_resize(images, boxes, size=size, interpolation=interpolation)
    for image, (top, left, height, width), result in zip(images, boxes, ours, strict=True):
        for channel, one in zip(image, result, strict=True):
            cut = Image.fromarray(channel.astype(np.float32)).crop((left, top, left + width, top + height))
            theirs = np.asarray(cut.resize(size[::-1], METHODS[interpolation]))
            np.testing.assert_allclose(one, theirs, atol=1e-6)


@pytest.mark.parametrize(("interpolation", "method"), [("bicubic", "cubic"), ("bilinear", "linear")])
@pytest.mark.parametrize("antialias", [False, True])
def test_crops_equal_jax_images_resize(interpolation: Any, method: str, antialias: bool) -> None:
    """jax.image resizes as TensorFlow does, which is what BYOL's code calls (without antialiasing)."""
    images = _images(1, 1, 12, 15)
    for (top, left, height, width), size in (((0, 0, 12, 15), (5, 5)), ((2, 3, 7, 10), (9, 4))):
        ours = augment.crop_and_resize(
            images, np.array([[top, left, height, width]]), size=size, interpolation=interpolation, antialias=antialias
        )
        cut = images[0, 0, top : top + height, left : left + width]
        theirs = jax.image.resize(cut, size, method=method, antialias=antialias)
        np.testing.assert_allclose(ours[0, 0], theirs, atol=1e-5)


def test_a_whole_box_at_its_own_size_is_the_image() -> None:
    images = _images(2, 3, 6, 7)
    boxes = np.array([[0, 0, 6, 7], [0, 0, 6, 7]])
    np.testing.assert_allclose(augment.crop_and_resize(images, boxes, size=(6, 7)), images, atol=1e-15)


def test_negative_sides_mirror() -> None:
    images = _images(1, 3, 9, 8)
    plain = augment.crop_and_resize(images, np.array([[2, 1, 5, 6]]), size=(4, 7))
    mirrored = augment.crop_and_resize(images, np.array([[7, 7, -5, -6]]), size=(4, 7))
    np.testing.assert_allclose(mirrored, plain[..., ::-1, ::-1], atol=1e-14)
    flipped = augment.flip(plain, np.array([True]))
    np.testing.assert_array_equal(flipped, plain[..., ::-1])


@pytest.mark.parametrize("turn", [0.0, 0.1, 0.5, 1.0, -0.3, 2.75])
def test_hue_equals_colorsys(turn: float) -> None:
    images = np.concatenate([_palette(), _images(2, 3, 25, 5)])

    def change(_b: int, *rgb: float) -> Any:
        h, s, v = colorsys.rgb_to_hsv(*rgb)
        return colorsys.hsv_to_rgb((h + turn) % 1, s, v)

    ours = augment.shift_hue(images, np.full(4, turn))
    np.testing.assert_allclose(ours, _pixel_by_pixel(images, change), atol=1e-13)


@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.7, 50.0])
def test_saturation_equals_colorsys(factor: float) -> None:
    images = np.concatenate([_palette(), _images(2, 3, 25, 5)])

    def change(_b: int, *rgb: float) -> Any:
        h, s, v = colorsys.rgb_to_hsv(*rgb)
        return colorsys.hsv_to_rgb(h, min(1.0, s * factor), v)

    ours = augment.scale_saturation(images, np.full(4, factor))
    np.testing.assert_allclose(ours, _pixel_by_pixel(images, change), atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_colours_next_to_grey_or_black_stay_finite(dtype: Any) -> None:
    tiny = np.finfo(dtype).smallest_subnormal
    images = np.array([[0.5, 0.5, np.nextafter(dtype(0.5), dtype(1))], [0, 0, tiny], [tiny, 0, 0], [0, 0, 0]], dtype)
    images = images[:, :, None, None]
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        for change, value in ((augment.shift_hue, 0.3), (augment.scale_saturation, 2.0)):
            changed = change(images, np.full(4, value, dtype))
            np.testing.assert_allclose(changed, images, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "enhance"),
    [
        (augment.scale_brightness, ImageEnhance.Brightness),
        (augment.grey_contrast, ImageEnhance.Contrast),
        (augment.blend_saturation, ImageEnhance.Color),
    ],
)
@pytest.mark.parametrize("factor", [0.0, 0.7, 1.3])
def test_the_usual_colour_changes_are_pillows_to_a_rounding(change: Any, enhance: Any, factor: float) -> None:
    pixels = (_images(9, 11, 3) * 255).astype(np.uint8)
    theirs = np.asarray(enhance(Image.fromarray(pixels)).enhance(factor))
    ours = change(pixels.transpose(2, 0, 1)[None] / 255, np.array([factor]))
    np.testing.assert_allclose(np.clip(ours[0].transpose(1, 2, 0), 0, 1) * 255, theirs, atol=1.6)


def test_byols_brightness_and_contrast_are_their_definitions() -> None:
    images, values = _images(3, 3, 4, 5), np.array([-0.4, 0.1, 0.3])
    brighter, spread = augment.shift_brightness(images, values), augment.channel_contrast(images, 1 + values)
    for b in range(3):
        for c in range(3):
            mean = images[b, c].sum() / 20
            np.testing.assert_allclose(brighter[b, c], images[b, c] + values[b])
            np.testing.assert_allclose(spread[b, c], (1 + values[b]) * (images[b, c] - mean) + mean)


def test_grey_is_pillows_to_a_rounding_and_for_flagged_images_alone() -> None:
    pixels = (_images(2, 9, 11, 3) * 255).astype(np.uint8)
    images = pixels.transpose(0, 3, 1, 2) / 255
    grey = augment.greyscale(images, np.array([True, False]))
    theirs = np.asarray(Image.fromarray(pixels[0]).convert("L"))
    for channel in grey[0]:
        np.testing.assert_allclose(channel * 255, theirs, atol=1.0)
    np.testing.assert_array_equal(grey[1], images[1])


def test_solarising_equals_pillows_in_flagged_images_alone() -> None:
    pixels = (_images(2, 9, 11, 3) * 255).astype(np.uint8)
    images = pixels.transpose(0, 3, 1, 2) / 255
    ours = augment.solarise(images, np.array([True, False]), threshold=100 / 255)
    theirs = np.asarray(ImageOps.solarize(Image.fromarray(pixels[0]), threshold=100))
    np.testing.assert_allclose(ours[0].transpose(1, 2, 0) * 255, theirs, atol=1e-9)
    np.testing.assert_array_equal(ours[1], images[1])


@pytest.mark.parametrize(("border", "mode"), [("zero", "constant"), ("reflect", "mirror")])
@pytest.mark.parametrize("radius", [0, 1, 4])
def test_blur_equals_scipys_filters(border: Any, mode: Any, radius: int) -> None:
    images, sigmas = _images(4, 2, 9, 12), np.array([0.1, 0.8, 2.0, 30.0])
    ours = augment.gaussian_blur(images, sigmas, radius=radius, border=border)
    for image, sigma, result in zip(images, sigmas, ours, strict=True):
        taps = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
        taps /= taps.sum()
        expected = image
        for axis in (1, 2):
            expected = ndimage.correlate1d(expected, taps, axis=axis, mode=mode)
        np.testing.assert_allclose(result, expected, atol=1e-14)


@given(st.integers(1, 7), st.integers(1, 3))
def test_no_width_is_no_blur(side: int, channels: int) -> None:
    images = _images(2, channels, side, side)
    np.testing.assert_array_equal(augment.gaussian_blur(images, np.zeros(2), radius=side - 1), images)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: augment.flip(x[0], np.ones(3, dtype=bool)), TypeError, r"shape \(3, 5, 5\): expected floats \[B, C"),
        (lambda x: augment.flip((x * 9).astype(int), np.ones(2, dtype=bool)), TypeError, "images of int64"),
        (lambda x: augment.crop_and_resize(x, np.ones((2, 4)), size=(0, 4)), ValueError, r"size \(0, 4\)"),
        (
            lambda x: augment.crop_and_resize(x, np.ones((2, 4)), size=(4, 4), interpolation="nearest"),  # type: ignore[arg-type]
            ValueError,
            "interpolation 'nearest'",
        ),
        (lambda x: augment.gaussian_blur(x, np.ones(2), radius=5), ValueError, r"radius 5 on images of \(5, 5\)"),
        (lambda x: augment.gaussian_blur(x, np.ones(2), radius=1, border="wrap"), ValueError, "border 'wrap'"),  # type: ignore[arg-type]
    ],
)
def test_mistakes_are_told(call: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        call(_images(2, 3, 5, 5))
