"""The wavelets lose nothing at any size, and equal PyWavelets, JPEG 2000's definition and plain loops."""

import math
from typing import Any

import jax
import numpy as np
import pytest
import pywt
import torch
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.arrays import wavelet
from pennyweight.arrays.lifting import LIFTINGS
from pennyweight.arrays.wavelet import Bands, Pyramid, forward, inverse, low_band, merge, split

WAVELETS = ["haar", "5/3", "9/7"]
BORDERS = ["symmetric", "periodic", "zero"]
SCALES = ["mean", "orthonormal"]
PYWT = {"haar": "haar", "5/3": "bior2.2", "9/7": "bior4.4"}
options = st.fixed_dictionaries(
    {"wavelet": st.sampled_from(WAVELETS), "border": st.sampled_from(BORDERS), "scale": st.sampled_from(SCALES)}
)


def _noise(*shape: int, dtype: Any = np.float64) -> np.ndarray:
    return np.random.default_rng(math.prod(shape)).random(shape).astype(dtype)


@given(st.integers(2, 20), st.integers(2, 20), options, st.data())
def test_float32_images_come_back_to_a_millionth_at_any_size(rows: int, columns: int, how: Any, data: Any) -> None:
    levels = data.draw(st.integers(1, math.ceil(math.log2(min(rows, columns)))))
    images = _noise(2, rows, columns, dtype=np.float32)
    for given_images in (images, torch.asarray(images), torch.asarray(images).requires_grad_()):
        pyramid = forward(given_images, levels=levels, **how)
        assert len(pyramid.details) == levels
        assert pyramid.low.shape[-1] == -(-columns // 2**levels)
        back = inverse(pyramid, **how)
        assert abs(back - given_images).max() <= 1e-6


@pytest.mark.parametrize("name", WAVELETS)
@pytest.mark.parametrize("recorded", [False, True])
def test_the_worst_pixel_of_large_images_comes_back_to_a_millionth(name: Any, recorded: bool) -> None:
    images = torch.asarray(_noise(4, 256, 256, dtype=np.float32).round()).requires_grad_(recorded)  # black and white
    back = inverse(forward(images, wavelet=name, levels=3), wavelet=name)
    assert float((back - images).detach().abs().max()) < 1e-6


@given(st.integers(2, 40), options)
def test_a_line_comes_back_along_any_axis(size: int, how: Any) -> None:
    x = _noise(3, size, 2)
    low, high = split(x, axis=1, **how)
    assert (low.shape[1], high.shape[1]) == (-(-size // 2), size // 2)
    np.testing.assert_allclose(merge(low, high, axis=-2, **how), x, atol=1e-14)


def _by_loops(x: list[Any], name: str, border: str, *, integers: bool = False) -> tuple[list[Any], list[Any]]:
    """Lifting one sample at a time, on a line that is continued at its ends as the border says."""
    line = dict(enumerate(x))
    n, steps = len(x), LIFTINGS[name].steps

    def at(i: int) -> Any:
        if 0 <= i < n:
            return line[i]
        if border == "zero":
            return 0
        if border == "symmetric":
            return line[-i if i < 0 else 2 * (n - 1) - i]
        same = [k for k in range(n) if k % 2 == i % 2]  # the samples of its kind, in a circle
        return line[same[-1] if i < 0 else same[0]]

    for step in steps:
        first = 1 if step.target == "odd" else 0
        for i in range(first, n, 2):
            total = at(i - 1) + at(i + 1)
            if integers:
                whole = math.floor(_scaled(total, step))
                line[i] += whole if step.factor > 0 else -whole
            else:
                line[i] += step.factor * total
    gains = LIFTINGS[name].gains("mean")
    return [line[i] * gains[0] for i in range(0, n, 2)], [line[i] * gains[1] for i in range(1, n, 2)]


def _scaled(total: int, step: Any) -> float:
    """JPEG 2000's integer steps: half of two neighbours, a quarter of two and a half (ISO 15444-1, F.4.8.1)."""
    return total / 2 if step.target == "odd" else (total + 2) / 4


@pytest.mark.parametrize("name", ["5/3", "9/7"])
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("size", [2, 3, 4, 5, 8, 9])
def test_each_border_is_what_it_says(name: str, border: str, size: int) -> None:
    x = _noise(size)
    low, high = split(x, wavelet=name, border=border)  # type: ignore[arg-type]
    expected_low, expected_high = _by_loops(x.tolist(), name, border)
    np.testing.assert_allclose(low, expected_low, atol=1e-14)
    np.testing.assert_allclose(high, expected_high, atol=1e-14)


@pytest.mark.parametrize("size", [16, 17, 8, 9, 33])
@pytest.mark.parametrize("name", WAVELETS)
def test_bands_equal_pywavelets(name: str, size: int) -> None:
    """Symmetric is PyWavelets' "reflect" (for Haar "symmetric"), less the samples that it keeps beyond the ends."""
    x = _noise(size)
    beyond = {"haar": 0, "5/3": 1, "9/7": 2}[name]
    theirs = pywt.dwt(x, PYWT[name], mode="symmetric" if name == "haar" else "reflect")
    ours = split(x, wavelet=name, scale="orthonormal")  # type: ignore[arg-type]
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other[beyond : beyond + len(one)], atol=2e-12)
    if size % 2 == 0:
        periodic = split(x, wavelet=name, border="periodic", scale="orthonormal")  # type: ignore[arg-type]
        for one, other in zip(periodic, pywt.dwt(x, PYWT[name], mode="periodization"), strict=True):
            np.testing.assert_allclose(one, other, atol=2e-12)


@pytest.mark.parametrize("name", WAVELETS)
def test_pyramids_equal_pywavelets_band_for_band(name: str) -> None:
    images = _noise(2, 36, 64)
    ours = forward(images, wavelet=name, levels=2, border="periodic", scale="orthonormal")  # type: ignore[arg-type]
    low, *details = pywt.wavedec2(images, PYWT[name], mode="periodization", level=2)
    np.testing.assert_allclose(ours.low, low, atol=1e-11)
    for bands, (horizontal, vertical, diagonal) in zip(ours.details, details, strict=True):
        np.testing.assert_allclose(bands.lh, vertical, atol=1e-11)
        np.testing.assert_allclose(bands.hl, horizontal, atol=1e-11)
        np.testing.assert_allclose(bands.hh, diagonal, atol=1e-11)


@pytest.mark.parametrize("name", WAVELETS)
@pytest.mark.parametrize("border", ["symmetric", "periodic"])
@pytest.mark.parametrize("size", [7, 8])
def test_a_constant_stays_that_constant_and_has_no_differences(name: str, border: str, size: int) -> None:
    pyramid = forward(np.full((size, size), 0.7), wavelet=name, levels=2, border=border)  # type: ignore[arg-type]
    np.testing.assert_allclose(pyramid.low, 0.7, atol=1e-13)
    for bands in pyramid.details:
        assert max(np.abs(band).max() for band in bands) < 1e-12


@pytest.mark.parametrize("name", WAVELETS)
def test_alternating_samples_are_two_in_the_high_band(name: str) -> None:
    low, high = split(np.tile([1.0, -1.0], 8), wavelet=name)  # type: ignore[arg-type]
    np.testing.assert_allclose(low, 0, atol=1e-12)
    np.testing.assert_allclose(np.abs(high), 2, atol=1e-12)


def test_zeros_beyond_the_border_show_in_a_constant_image() -> None:
    low = forward(np.ones((16, 16)), border="zero").low
    np.testing.assert_allclose(low[:-1, :-1], 1)
    assert np.abs(low[-1] - 1).min() > 0.1


@given(
    st.sampled_from(["haar", "5/3"]), st.sampled_from(["int8", "int16", "int32"]), st.sampled_from(BORDERS),
    st.integers(2, 12), st.integers(2, 12),
)  # fmt: skip
def test_integers_come_back_to_the_last_bit_even_where_sums_wrap(
    name: Any, dtype: str, border: Any, rows: int, columns: int
) -> None:
    generator = np.random.default_rng(rows * columns)
    info = np.iinfo(dtype)
    images = generator.choice([info.min, info.max, 0, -1, 1], size=(rows, columns)).astype(dtype)
    for given_images in (images, torch.asarray(images)):
        _check_exact(given_images, wavelet=name, border=border)


def test_integers_come_back_in_jax_too() -> None:
    _check_exact(jax.numpy.asarray(_noise(5, 6) * 1e9, dtype="int32"))


def _check_exact(images: Any, **how: Any) -> None:
    pyramid = forward(images, **how)
    assert pyramid.low.dtype == images.dtype
    assert bool((inverse(pyramid, **how) == images).all())


@given(st.lists(st.integers(-255, 255), min_size=2, max_size=17))
def test_integers_are_rounded_as_in_jpeg_2000(values: list[int]) -> None:
    low, high = split(np.array(values, dtype=np.int16))
    expected = _by_loops(values, "5/3", "symmetric", integers=True)
    assert (low.tolist(), high.tolist()) == expected


@pytest.mark.parametrize("count", [1, 5, 7])
@pytest.mark.parametrize("make", [np.asarray, torch.asarray])
def test_portions_give_what_the_whole_gives(count: int, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two or three images a portion, so that the last portion reaches back; and the plain steps of other libraries."""
    images = make(_noise(count, 3, 9, 6, dtype=np.float32))
    monkeypatch.setattr(wavelet, "_in_place", lambda *_: False)
    plain = forward(images, levels=2, scale="orthonormal")
    monkeypatch.undo()
    for bytes_of in ("_PORTION_BYTES", "_SHARED_PORTION_BYTES"):
        monkeypatch.setattr(wavelet, bytes_of, 9 * 6 * 4 * 5 // 2)
    portions = forward(images, levels=2, scale="orthonormal")
    for one, other in zip((portions.low, *portions.details[0]), (plain.low, *plain.details[0]), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_allclose(inverse(portions, scale="orthonormal"), images, atol=1e-6)


def test_arrays_need_not_be_contiguous() -> None:
    images = _noise(2, 3, 10, 12, dtype=np.float32)
    last = torch.asarray(images).to(memory_format=torch.channels_last)
    np.testing.assert_allclose(forward(last).low, forward(images).low, atol=1e-7)
    np.testing.assert_allclose(inverse(forward(last)), images, atol=1e-6)
    turned = images[:, ::-1, ::2, :]
    np.testing.assert_allclose(inverse(forward(turned)), turned, atol=1e-6)


def test_bands_are_arrays_of_their_own() -> None:
    images = _noise(1, 4, 4)
    pyramid = forward(images)
    for band in (pyramid.low, *pyramid.details[0]):
        band += 1
    np.testing.assert_array_equal(images, _noise(1, 4, 4))


@pytest.mark.parametrize("name", WAVELETS)
def test_the_low_band_alone_is_that_of_the_pyramid(name: Any) -> None:
    images = _noise(2, 13, 9)
    np.testing.assert_allclose(low_band(images, wavelet=name, levels=3), forward(images, wavelet=name, levels=3).low)


def test_no_images_are_no_trouble() -> None:
    pyramid = forward(np.ones((0, 3, 8, 8)))
    assert pyramid.low.shape == (0, 3, 4, 4)
    assert inverse(pyramid).shape == (0, 3, 8, 8)


def test_gradients_are_recorded_where_they_are_asked_for() -> None:
    images = torch.asarray(_noise(2, 6, 7)).requires_grad_()
    assert forward(images).low.requires_grad
    with torch.no_grad():
        assert not forward(images).low.requires_grad
    assert torch.autograd.gradcheck(lambda x: forward(x, wavelet="9/7")[0], (images,))


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # torch itself does
def test_torchs_transformations_of_functions_go_through() -> None:
    images = torch.asarray(_noise(2, 6, 7))

    def energy(x: torch.Tensor) -> torch.Tensor:
        return (inverse(forward(x))[..., :3, :4] * forward(x).low).sum()

    images_with_gradient = images.clone().requires_grad_()
    expected = torch.autograd.grad(energy(images_with_gradient), images_with_gradient)[0]
    torch.testing.assert_close(torch.func.grad(energy)(images), expected)
    torch.testing.assert_close(torch.func.jvp(energy, (images,), (images,))[1], (expected * images).sum())
    torch.testing.assert_close(torch.vmap(lambda x: forward(x).low)(images), forward(images).low)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(images, torch.ones_like(images))
        tangent = torch.autograd.forward_ad.unpack_dual(forward(dual).low).tangent
        torch.testing.assert_close(tangent, torch.ones_like(tangent))
    with torch.inference_mode():
        assert not forward(images).low.requires_grad


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: forward(np.ones((8, 8)), wavelet="db4"), r"wavelet 'db4': expected 'haar' or '5/3' or '9/7'"),  # type: ignore[arg-type]
        (lambda: forward(np.ones((8, 8)), border="reflect"), "border 'reflect': expected 'symmetric'"),  # type: ignore[arg-type]
        (lambda: forward(np.ones((8, 8)), scale="unit"), "scale 'unit'"),  # type: ignore[arg-type]
        (lambda: forward(np.ones((5, 8)), levels=4), r"4 levels on sides of \(5, 8\): expected 1 to 3"),
        (lambda: forward(np.ones((8, 8)), levels=0), "expected 1 to 3"),
        (lambda: forward(np.ones((1, 8))), "expected 1 to 0"),
        (lambda: split(np.ones((8, 1))), "expected 1 to 0"),
        (lambda: split(np.ones(8), axis=1), "axis 1 of an array with 1 axes: expected -1 to 0"),
        (lambda: forward(np.ones((8, 8), dtype=np.uint8)), "an array of uint8: differences have signs"),
        (lambda: forward(np.ones((8, 8), dtype=bool)), "an array of bool: expected floats or signed integers"),
        (lambda: forward(np.ones((8, 8), dtype=np.int32), wavelet="9/7"), "integers with 9/7"),
        (lambda: forward(np.ones((8, 8), dtype=np.int32), scale="orthonormal"), "scale 'orthonormal'"),
        (lambda: merge(np.ones(4), np.ones(2)), r"a low band of \(4,\) and a high one of \(2,\): expected equal"),
        (lambda: merge(np.ones(1), np.ones(0)), "expected equal shapes"),
        (lambda: merge(np.ones((2, 4)), np.ones((3, 4))), "along axis -1"),
        (
            lambda: inverse(Pyramid(np.ones((4, 4)), (Bands(np.ones((4, 4)), np.ones((3, 4)), np.ones((4, 4))),))),
            r"a low band of \(3, 4\) and a high one of \(4, 4\)",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(call: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
