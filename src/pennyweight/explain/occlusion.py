"""Attributions by leaving parts out: what a score loses without a unit, and the fewest units that turn it.

Units are whatever a caller erases: words, sentences, passages. Nothing of a model is looked at, so this works on
readers of other people too. These are true counterfactuals of what was erased; what erasing means (a mask, nothing) is
the caller's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import NDArray

Erased = Callable[[Bool[NDArray[np.bool_], "inputs units"]], Float[NDArray[np.float64], "inputs"]]
"""The score of each of some inputs of which some units are erased (True)."""


def leave_one_out(erased: Erased, units: int) -> Float[NDArray[np.float64], "units"]:
    """What the score loses without each unit alone: exact, of these units one by one."""
    masks = np.vstack([np.zeros((1, units), bool), np.eye(units, dtype=bool)])
    scores = erased(masks)
    lost: NDArray[np.float64] = scores[0] - scores[1:]
    return lost


@dataclass(frozen=True, kw_only=True)
class Counterfactual:
    """Units without which the score falls below zero, and the score then. None of them can be put back alone.

    ``tried`` counts the inputs that were scored. That no other set is smaller is not claimed.
    """

    units: tuple[int, ...]
    score: float
    tried: int


def counterfactual(erased: Erased, order: Sequence[int], units: int, *, most: int = 64) -> Counterfactual | None:
    """Units whose loss turns the score below zero; None where losing the first ``most`` of the order does not.

    Units are erased in the given order (the most important first) until the score turns; then each is put back that is
    not needed, the last first.
    """
    chosen = [*order][: min(most, units)]
    masks = np.zeros((len(chosen) + 1, units), bool)
    for number, unit in enumerate(chosen):
        masks[number + 1 :, unit] = True
    scores = erased(masks)
    tried = len(masks)
    below = np.flatnonzero(scores < 0)
    if not len(below):
        return None
    if below[0] == 0:
        return Counterfactual(units=(), score=float(scores[0]), tried=tried)
    gone = masks[below[0]].copy()
    score = float(scores[below[0]])
    for unit in reversed(chosen[: below[0] - 1]):
        without = gone.copy()
        without[unit] = False
        (value,) = erased(without[None])
        tried += 1
        if value < 0:
            gone, score = without, float(value)
    return Counterfactual(units=tuple(np.flatnonzero(gone).tolist()), score=score, tried=tried)
