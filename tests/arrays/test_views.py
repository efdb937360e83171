"""What is drawn depends on seed and number alone and has the right spread; what is done equals images one by one."""

import colorsys
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage, stats

from pennyweight.arrays import views
from pennyweight.arrays.augment import GREY
from pennyweight.arrays.views import FIRST, SECOND, Draw, View, draw, jitter, transform

MANY = draw(SECOND, np.arange(4000), size=(40, 50), seed=1)


def _equal(one: Draw, other: Draw) -> bool:
    return all(np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(Draw))


@given(st.lists(st.integers(0, 2**40), min_size=1, max_size=12), st.integers(0, 2**63))
def test_a_draw_depends_on_seed_and_number_alone(numbers: list[int], seed: int) -> None:
    together = draw(SECOND, np.array(numbers), size=(32, 48), seed=seed)
    for place, number in enumerate(numbers):
        alone = draw(SECOND, np.array([number]), size=(32, 48), seed=seed)
        assert _equal(alone, together[place : place + 1])


def test_seeds_streams_and_numbers_draw_differently() -> None:
    def of(first: int, **which: int) -> Draw:
        return draw(FIRST, np.arange(first, first + 8), size=(99, 99), **{"seed": 0, **which})

    draws = [of(0), of(8), of(0, seed=1), of(0, stream=1), of(0, seed=1, stream=1)]
    for i, one in enumerate(draws):
        for other in draws[:i]:
            assert not np.isin(one.brightness, other.brightness).any()


def test_the_same_numbers_are_drawn_today_and_tomorrow() -> None:
    """Another order of drawing would change every training run."""
    found = draw(SECOND, np.array([0, 12345]), size=(32, 32), seed=7)
    assert found.boxes.tolist() == [[0, 2, 32, 28], [1, 1, 25, 31]]
    assert found.hue == pytest.approx([0.0670701107357, 0.0371572622306], abs=1e-12)


def test_what_is_drawn_is_uniform_and_as_frequent_as_asked() -> None:
    for values, low, high in (
        (MANY.brightness, -0.4, 0.4), (MANY.contrast, 0.6, 1.4), (MANY.saturation, 0.8, 1.2), (MANY.hue, -0.1, 0.1),
        (MANY.sigmas[MANY.sigmas > 0], 0.1, 2.0),
    ):  # fmt: skip
        assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 0.001
    for flags, share in (
        (MANY.flips, 0.5), (MANY.jitters, 0.8), (MANY.greys, 0.2), (MANY.sigmas > 0, 0.1), (MANY.solarises, 0.2)
    ):  # fmt: skip
        assert stats.binomtest(int(flags.sum()), len(flags), share).pvalue > 0.001
    orders = np.unique(MANY.orders, axis=0, return_counts=True)[1]
    assert len(orders) == 24
    assert stats.chisquare(orders).pvalue > 0.001


def test_crops_keep_the_area_and_ratio_asked_for_and_lie_inside() -> None:
    top, left, height, width = MANY.boxes.T
    assert (top >= 0).all() and (left >= 0).all()  # noqa: PT018
    assert (top + height <= 40).all() and (left + width <= 50).all()  # noqa: PT018
    whole = (height < 40) & (width < 50)  # the others were cut to the image
    area, ratio = (height * width)[whole] / 2000, (width / height)[whole]
    assert area.min() > 0.07
    assert 0.70 < ratio.min() < 0.80
    assert 1.26 < ratio.max() < 1.43
    assert stats.kstest(area[area < 0.5], stats.uniform(0.08, 0.42).cdf).pvalue > 0.001
    small = draw(FIRST, np.arange(500), size=(2, 2), seed=0).boxes
    assert small[:, 2:].min() == 1


def test_both_views_of_byol_are_its_codes() -> None:
    assert (FIRST.blur, FIRST.solarise, SECOND.blur, SECOND.solarise) == (1.0, 0.0, 0.1, 0.2)
    assert replace(SECOND, blur=1.0, solarise=0.0) == FIRST
    first = draw(FIRST, np.arange(100), size=(9, 9), seed=0)
    assert (first.sigmas > 0).all()
    assert not first.solarises.any()


def _one_by_one(images: np.ndarray, drawn: Draw, *, size: tuple[int, int], style: str, border: str) -> np.ndarray:
    """The chain for one image after the other, with Pillow, colorsys and SciPy."""
    results = []
    for b, image in enumerate(images):
        top, left, height, width = drawn.boxes[b].tolist()
        channels = [
            np.asarray(
                Image.fromarray(channel.astype(np.float32))
                .crop((left, top, left + width, top + height))
                .resize(size[::-1], Image.Resampling.BICUBIC)
            ).astype(float)
            for channel in image
        ]
        x = np.clip(np.stack(channels), 0, 1)
        if drawn.flips[b]:
            x = x[:, :, ::-1]
        if drawn.jitters[b]:
            for kind in drawn.orders[b]:
                x = np.clip(_changed(x, int(kind), drawn, b, style), 0, 1)
        if drawn.greys[b]:
            x = np.tile(np.tensordot(GREY, x, axes=1), (3, 1, 1))
        radius = size[0] // 20
        if drawn.sigmas[b] > 0 and radius:
            taps = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * drawn.sigmas[b] ** 2))
            for axis in (1, 2):
                mode = "constant" if border == "zero" else "mirror"
                x = ndimage.correlate1d(x, taps / taps.sum(), axis=axis, mode=mode)  # type: ignore[arg-type]
        if drawn.solarises[b]:
            x = np.where(x < 0.5, x, 1 - x)
        results.append(np.clip(x, 0, 1))
    return np.stack(results)


def _changed(x: np.ndarray, kind: int, drawn: Draw, b: int, style: str) -> np.ndarray:
    additive = style == "additive"
    grey = np.tensordot(GREY, x, axes=1)
    if kind == 0:
        return x + drawn.brightness[b] if additive else x * (1 + drawn.brightness[b])
    if kind == 1:
        mean = x.mean(axis=(1, 2), keepdims=True) if additive else grey.mean()
        return mean + drawn.contrast[b] * (x - mean)
    if kind == 2 and not additive:
        return grey + drawn.saturation[b] * (x - grey)
    result = np.empty_like(x)
    for i, j in np.ndindex(*x.shape[1:]):
        h, s, v = colorsys.rgb_to_hsv(*x[:, i, j])
        if kind == 2:
            result[:, i, j] = colorsys.hsv_to_rgb(h, min(1.0, s * drawn.saturation[b]), v)
        else:
            result[:, i, j] = colorsys.hsv_to_rgb((h + drawn.hue[b]) % 1, s, v)
    return result


@pytest.mark.parametrize("style", ["additive", "multiplicative"])
@pytest.mark.parametrize("border", ["zero", "reflect"])
@pytest.mark.parametrize("make", [np.asarray, torch.asarray])
def test_a_batch_equals_its_images_one_by_one(style: Any, border: Any, make: Any) -> None:
    images = np.random.default_rng(0).random((16, 3, 24, 30))
    view = replace(SECOND, blur=0.5, hue=0.4, saturation=0.9)
    drawn = draw(view, np.arange(16), size=(24, 30), seed=3)
    ours = transform(make(images), drawn, size=(41, 22), style=style, border=border)
    expected = _one_by_one(images, drawn, size=(41, 22), style=style, border=border)
    np.testing.assert_allclose(ours, expected, atol=2e-6)  # Pillow resizes in float32


def test_portions_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.random.default_rng(1).random((7, 3, 22, 22))
    drawn = draw(SECOND, np.arange(7), size=(22, 22), seed=0)
    whole = transform(images, drawn)
    monkeypatch.setattr(views, "_PORTION_BYTES", 2 * images[0].nbytes)
    np.testing.assert_allclose(transform(images, drawn), whole, atol=1e-15)


def test_small_images_are_not_blurred() -> None:
    images = np.random.default_rng(2).random((3, 3, 19, 19))
    view = View(jitter=0.0, grey=0.0, flip=0.0, area=(1.0, 1.0), ratio=(1.0, 1.0))
    drawn = draw(view, np.arange(3), size=(19, 19), seed=0)
    np.testing.assert_allclose(transform(images, drawn), images, atol=1e-14)
    assert (
        np.abs(
            transform(images, drawn, size=(20, 20))
            - transform(images, replace(drawn, sigmas=np.zeros(3)), size=(20, 20))
        ).max()
        > 0.01
    )


def test_no_images_are_no_trouble() -> None:
    assert transform(np.ones((0, 3, 8, 8)), MANY[:0], size=(4, 5)).shape == (0, 3, 4, 5)


def _linear_chain(x: np.ndarray, drawn: Draw, b: int) -> np.ndarray:
    """The changes one after the other, without clipping; the hue by rotating in a basis of the chroma plane."""
    yiq = np.array([GREY, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)])
    for kind in drawn.orders[b]:
        if kind == 3:
            y, i, q = np.tensordot(yiq, x, axes=1)
            turned = (i + 1j * q) * np.exp(-2j * np.pi * drawn.hue[b])
            x = np.tensordot(np.linalg.inv(yiq), np.stack([y, turned.real, turned.imag]), axes=1)
        elif kind == 2:
            x = _changed(x, 2, drawn, b, "multiplicative")
        else:
            x = _changed(x, int(kind), drawn, b, "additive")
    return np.clip(x, 0, 1)


def test_the_linear_style_is_its_changes_in_turn_in_one_matrix() -> None:
    images = np.random.default_rng(3).random((24, 3, 5, 6))
    view = View(hue=0.4, saturation=0.9)
    drawn = replace(draw(view, np.arange(24), size=(5, 6), seed=2), orders=views._ORDERS)
    ours = jitter(images, drawn, style="linear")
    for b in range(24):
        np.testing.assert_allclose(ours[b], _linear_chain(images[b], drawn, b), atol=1e-13)


def test_the_linear_style_is_near_the_exact_one_where_nothing_is_clipped() -> None:
    images = np.random.default_rng(4).uniform(0.4, 0.6, (24, 3, 6, 6))
    view = View(brightness=0.1, contrast=0.3, saturation=0.2, hue=0.1)
    drawn = replace(draw(view, np.arange(24), size=(6, 6), seed=2), orders=views._ORDERS)
    exact, linear = jitter(images, drawn), jitter(images, drawn, style="linear")
    assert np.abs(linear - exact).mean() < 0.4 * np.abs(exact - images).mean()
    plain = replace(drawn, hue=np.zeros(24), saturation=np.ones(24))
    np.testing.assert_allclose(jitter(images, plain, style="linear"), jitter(images, plain), atol=1e-13)


@pytest.mark.parametrize("style", ["additive", "linear"])
def test_a_third_of_a_turn_brings_red_nearest_to_green(style: Any) -> None:
    red = np.zeros((1, 3, 1, 1))
    red[:, 0] = 0.6
    third = replace(
        draw(View(), np.array([0]), size=(1, 1), seed=0),
        brightness=np.zeros(1), contrast=np.ones(1), saturation=np.ones(1), hue=np.array([1 / 3]),
    )  # fmt: skip
    assert jitter(red, third, style=style)[0, :, 0, 0].argmax() == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"blur": 1.5}, "expected probabilities and strengths from 0 to 1"),
        ({"hue": 0.6}, "hue up to 0.5"),
        ({"area": (0.0, 1.0)}, "expected an area above 0"),
        ({"ratio": (2.0, 1.0)}, "from low to high"),
        ({"sigma": (-1.0, 1.0)}, "expected sigma"),
    ],
)
def test_mistakes_are_told(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        View(**settings)


@pytest.mark.parametrize("numbers", [[-1], [[1]]])
def test_numbers_are_a_row_from_zero(numbers: Any) -> None:
    with pytest.raises(ValueError, match="expected a row of sample numbers from 0"):
        draw(FIRST, np.array(numbers), size=(9, 9), seed=0)
