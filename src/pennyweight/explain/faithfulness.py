"""How far an attribution may be trusted: what the score loses and keeps when words are erased in its order.

Comprehensiveness: how much the score falls when the most important are erased. Sufficiency: how much of it is kept by
them alone (DeYoung et al. 1911.03429). Each is averaged over the shares of words, and stands beside the same for random
orders: an attribution that does no better than chance explains nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray

from pennyweight.explain.occlusion import Erased

SHARES = (0.05, 0.1, 0.2, 0.35, 0.5)


@dataclass(frozen=True, kw_only=True)
class Faithfulness:
    """Averages over the shares, in units of the score: of the attribution and of random orders.

    ``falls`` and ``keeps`` are single figures by share, for the sentence that is shown.
    """

    comprehensiveness: float
    sufficiency: float
    random_comprehensiveness: float
    random_sufficiency: float
    shares: tuple[float, ...]
    falls: tuple[float, ...]
    keeps: tuple[float, ...]


def faithfulness(
    erased: Erased,
    importance: Float[NDArray[np.float64], "units"],
    *,
    shares: Sequence[float] = SHARES,
    draws: int = 3,
    seed: int = 0,
) -> Faithfulness:
    """Measure an attribution by erasing: units in falling order of importance, and ``draws`` random orders.

    All inputs are scored in one call. What is random depends on the seed alone, so that attributions of the same units
    stand beside the same chance.
    """
    units = len(importance)
    if units < 2:
        raise ValueError(f"{units} units: expected two or more, to put in an order")
    generator = np.random.default_rng(seed)
    orders = [np.argsort(-np.asarray(importance), kind="stable"), *(generator.permutation(units) for _ in range(draws))]
    masks = [np.zeros(units, bool)]
    for order in orders:
        for share in shares:
            first = np.zeros(units, bool)
            first[order[: max(1, round(share * units))]] = True
            masks += [first, ~first]
    scores = erased(np.array(masks))
    curves = scores[1:].reshape(len(orders), len(shares), 2)
    falls, keeps = scores[0] - curves[..., 0], scores[0] - curves[..., 1]
    return Faithfulness(
        comprehensiveness=float(falls[0].mean()),
        sufficiency=float(keeps[0].mean()),
        random_comprehensiveness=float(falls[1:].mean()) if draws else float("nan"),
        random_sufficiency=float(keeps[1:].mean()) if draws else float("nan"),
        shares=tuple(shares),
        falls=tuple(falls[0].tolist()),
        keeps=tuple(keeps[0].tolist()),
    )
