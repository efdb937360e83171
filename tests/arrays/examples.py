"""Example inputs for every declared function of `pennyweight.arrays`: what the contract is tried on.

NumPy arrays of float64 stand for arrays of the library and type under test; everything else is passed as it is.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pennyweight.arrays import views, wavelet


@dataclass(frozen=True, kw_only=True)
class Example:
    """Arguments; ``along`` is how the example is differentiated: the places of the arguments that are varied."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    along: tuple[int, ...] = (0,)


def _images(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.05, 0.95, shape)


def _mean(rows: Any, axis: int) -> Any:
    return rows.mean(axis=axis) if hasattr(rows, "mean") else rows.__array_namespace__().mean(rows, axis=axis)


def _flags(*values: int) -> np.ndarray:
    return np.array(values, dtype=bool)


def _gaussian(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.random.default_rng(seed).normal(size=(20, 4))
    return rows.mean(axis=0), np.cov(rows.T)


_IMAGES = _images(3, 3, 8, 7)
_FACTORS = np.array([0.6, 1.0, 1.4])
# Gentle enough that no channel reaches 0 or 1: at such a kink a derivative is not what differences show.
_GENTLE = views.View(
    brightness=0.02, contrast=0.05, saturation=0.05, hue=0.02, jitter=1.0, grey=0.0, blur=0.5, solarise=0.5
)
_DRAWN = views.draw(_GENTLE, np.arange(2), size=(22, 24), seed=5)
_SCORES = np.round(_images(4, 9, seed=1), 1)
_GRADES = np.random.default_rng(2).integers(0, 4, (4, 9)).astype(float)
_COUNTS = np.random.default_rng(3).integers(0, 4, (2, 5, 3)).astype(float)
_LENGTHS = np.random.default_rng(4).integers(5, 40, (2, 5)).astype(float)
_HOLDING = np.array([[3.0, 40.0, 80.0], [1.0, 99.0, 7.0]])
_COLLECTION = {"num_documents": 100, "mean_length": 20.0}
_TIED = np.random.default_rng(5).integers(0, 5, (3, 12)).astype(float)
_SAMPLE = np.random.default_rng(6).normal(size=(40, 5))
_OTHER = np.random.default_rng(7).normal(size=(30, 5)) + 0.3

EXAMPLES: dict[str, Callable[[], Example]] = {
    "wavelet.forward": lambda: Example(args=(_images(2, 9, 12),), kwargs={"levels": 2}),
    "wavelet.inverse": lambda: Example(
        args=(wavelet.forward(_images(3, 9, 12), levels=2),), kwargs={"border": "periodic", "scale": "orthonormal"}
    ),
    "wavelet.low_band": lambda: Example(args=(_images(2, 9, 12),), kwargs={"levels": 2, "border": "zero"}),
    "wavelet.split": lambda: Example(args=(_images(4, 7, 3),), kwargs={"axis": 1, "wavelet": "9/7"}),
    "wavelet.merge": lambda: Example(
        args=(_images(4, 5), _images(4, 4, seed=1)), kwargs={"wavelet": "haar"}, along=(0, 1)
    ),
    "neighbours.nearest": lambda: Example(args=(_SAMPLE[:7], _OTHER, 4), kwargs={"metric": "cosine"}),
    "statistics.difference_of_means": lambda: Example(args=([3.0, 3.1, 2.9], [1.0, 1.1, 0.9])),
    "statistics.ratio_of_means": lambda: Example(args=([3.0, 3.1, 2.9], [1.0, 1.1, 0.9])),
    "statistics.median": lambda: Example(args=([3.0, 3.1, 2.9],)),
    "statistics.ratio_of_sums": lambda: Example(args=(_FACTORS, _FACTORS + 1)),
    "statistics.paired_difference": lambda: Example(args=([3.0, 3.1, 2.9], [1.0, 1.1, 0.9])),
    "statistics.paired_ratio": lambda: Example(args=([3.0, 3.1, 2.9], [1.0, 1.1, 0.9])),
    "statistics.bootstrap": lambda: Example(args=(_mean, _SAMPLE[:, 0]), kwargs={"seed": 1, "num_resamples": 200}),
    "correlation.pearson": lambda: Example(args=(_images(3, 12), _images(12, seed=1)), along=(0, 1)),
    "correlation.spearman": lambda: Example(args=(_TIED, _images(12))),
    "correlation.kendall": lambda: Example(args=(_TIED, _TIED[::-1])),
    "correlation.kendall_distance": lambda: Example(args=(_TIED, _TIED[::-1])),
    "correlation.ranks": lambda: Example(args=(_TIED,)),
    "distances.kernel_distance": lambda: Example(
        args=(_SAMPLE, _OTHER), kwargs={"kernel": "gaussian", "bandwidth": 2.0, "memory_bytes": 20_000}, along=(0, 1)
    ),
    "distances.kernel_distance_interval": lambda: Example(args=(_SAMPLE, _OTHER), kwargs={"block": 10, "seed": 3}),
    "distances.moments": lambda: Example(args=(_SAMPLE,)),
    "distances.frechet_distance": lambda: Example(args=(*_gaussian(1), *_gaussian(2))),
    "ranking.rarity": lambda: Example(args=(_HOLDING, 100), kwargs={"variant": "robertson"}),
    "ranking.saturation": lambda: Example(args=(_COUNTS, _LENGTHS, 20.0), along=(0, 1)),
    "ranking.bm25_parts": lambda: Example(args=(_COUNTS, _LENGTHS, _HOLDING), kwargs=_COLLECTION, along=(0, 1, 2)),
    "ranking.bm25": lambda: Example(
        args=(_COUNTS, _LENGTHS[0], _HOLDING[0]), kwargs={**_COLLECTION, "variant": "robertson"}, along=(0, 1, 2)
    ),
    "ranking.places": lambda: Example(args=(_SCORES,)),
    "ranking.reciprocal_rank_fusion": lambda: Example(
        args=(np.array([[1.0, 2.0, 0.0], [3.0, 1.0, 2.0]]),), kwargs={"weights": [1.0, 0.5]}
    ),
    "ranking.ndcg": lambda: Example(args=(_SCORES, _GRADES), kwargs={"k": 5, "gain": "exponential"}),
    "ranking.reciprocal_rank": lambda: Example(args=(_SCORES, _GRADES)),
    "ranking.recall": lambda: Example(args=(_SCORES, _GRADES), kwargs={"k": 3}),
    "augment.crop_and_resize": lambda: Example(
        args=(_IMAGES, np.array([[0, 0, 8, 7], [1, 2, 5, 4], [2, 6, 3, -5]])), kwargs={"size": (5, 9)}
    ),
    "augment.flip": lambda: Example(args=(_IMAGES, _flags(1, 0, 1))),
    "augment.shift_brightness": lambda: Example(args=(_IMAGES, _FACTORS), along=(0, 1)),
    "augment.scale_brightness": lambda: Example(args=(_IMAGES, _FACTORS), along=(0, 1)),
    "augment.channel_contrast": lambda: Example(args=(_IMAGES, _FACTORS), along=(0, 1)),
    "augment.grey_contrast": lambda: Example(args=(_IMAGES, _FACTORS), along=(0, 1)),
    "augment.scale_saturation": lambda: Example(args=(_IMAGES, _FACTORS), along=(0, 1)),
    "augment.blend_saturation": lambda: Example(args=(_IMAGES, _FACTORS), along=(0, 1)),
    "augment.shift_hue": lambda: Example(args=(_IMAGES, np.array([0.1, -0.3, 1.2])), along=(0, 1)),
    "augment.greyscale": lambda: Example(args=(_IMAGES, _flags(1, 0, 1))),
    "augment.solarise": lambda: Example(args=(_IMAGES, _flags(1, 0, 1))),
    "augment.gaussian_blur": lambda: Example(
        args=(_IMAGES, _FACTORS), kwargs={"radius": 2, "border": "reflect"}, along=(0, 1)
    ),
    "views.draw": lambda: Example(args=(views.FIRST, np.arange(3)), kwargs={"size": (9, 9), "seed": 1}),
    "views.jitter": lambda: Example(args=(_IMAGES[:2], _DRAWN)),
    "views.transform": lambda: Example(args=(_images(2, 3, 22, 24), _DRAWN), kwargs={"size": (20, 21)}),
}
