"""Training examples that lie in memory as rows of arrays, in an order that the seed decides."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Int64
from numpy.typing import NDArray

from pennyweight.core.errors import UserError


class ShuffledRows:
    """Rows by number: every epoch visits all of them once, in an order drawn from (seed, epoch) alone.

    Whole numbers are widened to 64 bits when they are handed out, so that the arrays may be kept small.
    """

    def __init__(self, arrays: Mapping[str, NDArray[np.generic]], *, seed: int) -> None:
        self._arrays = arrays
        self._seed = seed
        self.num_rows = len(next(iter(arrays.values())))
        if not self.num_rows:
            raise UserError("no training examples", expected="at least one")
        self._orders: dict[int, Int64[np.ndarray, "rows"]] = {}

    def batch(self, numbers: Int64[np.ndarray, "batch"]) -> dict[str, NDArray[np.generic]]:
        """The rows of sample numbers (0 and up)."""
        epochs, places = np.divmod(numbers, self.num_rows)
        rows = np.empty_like(numbers)
        for epoch in np.unique(epochs).tolist():
            here = epochs == epoch
            rows[here] = self._order(epoch)[places[here]]
        return taken(self._arrays, rows)

    def _order(self, epoch: int) -> Int64[np.ndarray, "rows"]:
        if epoch not in self._orders:
            order = np.random.default_rng([self._seed, epoch]).permutation(self.num_rows).astype(np.int64)
            # Two epochs are enough for a batch that crosses a border.
            self._orders = dict([*self._orders.items()][-1:]) | {epoch: order}
        return self._orders[epoch]


def taken(
    arrays: Mapping[str, NDArray[np.generic]], rows: Int64[np.ndarray, "batch"] | NDArray[np.bool_]
) -> dict[str, NDArray[np.generic]]:
    """Some rows of all arrays, whole numbers as 64 bits."""
    chosen = {name: array[rows] for name, array in arrays.items()}
    return {n: part.astype(np.int64) if np.issubdtype(part.dtype, np.integer) else part for n, part in chosen.items()}


def divided_rows(documents: Int64[np.ndarray, "rows"], share: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows belong to the first documents, and which to the rest, about ``share`` of the documents.

    UserError for fewer than two documents.
    """
    numbers = np.unique(documents)
    if len(numbers) < 2:
        raise UserError(f"{len(numbers)} training documents", expected="two or more, to search with")
    first = min(len(numbers) - 1, max(1, round((1 - share) * len(numbers))))
    ours = documents < numbers[first]
    return ours, ~ours
