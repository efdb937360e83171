"""Exact nearest neighbours in bounded memory: for k-NN judges of encoders, memorisation checks, dense retrieval.

Matrix products pick a few more candidates than asked for, and differences give these their exact distances. A bound
on the rounding of the products then says for which queries a row that was not picked might still be nearer or as near;
those are searched again with more candidates. So the result is that of a plain loop, ties included: of equal
distances the lower index wins, on every library.
"""
# mypy: disable-error-code="no-any-return"
# (what a namespace's functions return is Any: a namespace is a module)

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Generic, Literal, NamedTuple, get_args

import numpy as np
from jaxtyping import Float

from pennyweight.arrays.namespace import A, library, namespace, portable, stretches

Metric = Literal["squared", "cosine"]
_PORTION = 1024  # queries in one matrix product


class Neighbours(NamedTuple, Generic[A]):
    """For each query its neighbours, the nearest first: their rows in the database, and how far they are."""

    indices: A
    distances: A


@portable(
    without={
        "jit": "which queries need a second look is known only with their distances",
        "gradient": "a choice has no derivative; differentiate the distances to the chosen rows",
    }
)
def nearest(
    queries: Float[A, "queries width"],
    database: Float[A, "rows width"],
    k: int,
    *,
    metric: Metric = "squared",
    memory_bytes: int = 2**26,
) -> Neighbours[A]:
    """The ``k`` rows of the database nearest to each query.

    ``"squared"`` is the squared Euclidean distance, ``"cosine"`` is one less the cosine. About ``memory_bytes`` are
    taken beside the inputs and the result. A NumPy memory map is read block by block; Dask arrays are searched chunk by
    chunk when the result is computed: in both cases the database may be larger than memory.

    Raises ValueError for a ``k`` that the database does not hold, for values that are not finite when squared and, with
    ``"cosine"``, for rows of zeros, which have no direction.

    >>> import numpy as np
    >>> found = nearest(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 1.0]]), 2)
    >>> found.indices.tolist(), found.distances.tolist()
    ([[1, 2]], [[1.0, 1.0]])
    """
    xp = namespace(queries, database)
    if metric not in get_args(Metric):
        raise ValueError(f"metric {metric!r}: expected 'squared' or 'cosine'")
    if queries.ndim != 2 or database.ndim != 2 or queries.shape[1] != database.shape[1]:
        raise ValueError(
            f"queries of {tuple(queries.shape)} and a database of {tuple(database.shape)}: expected two matrices with"
            " rows of one width"
        )
    if not 1 <= k <= database.shape[0]:
        raise ValueError(f"{k} neighbours in a database of {database.shape[0]} rows: expected 1 to {database.shape[0]}")
    if library(database) == "dask":
        return _nearest_in_chunks(queries, database, k, metric=metric, memory_bytes=memory_bytes)
    search = _Search(xp=xp, database=database, k=k, cosine=metric == "cosine", memory_bytes=memory_bytes)
    queries = search.comparable(queries, "queries")
    with _exact_products(database):
        # No queries go through once, so that the empty result has its types.
        portions = list(stretches(queries.shape[0], _PORTION)) or [slice(0, 0)]
        found = [search.run(queries[portion, :], k + 16 + k // 8) for portion in portions]
    indices, distances = (xp.concat(parts, axis=0) for parts in zip(*found, strict=True))
    # Between directions, |a - b|^2 = 2 - 2 cos.
    return Neighbours(indices, distances * 0.5 if search.cosine else distances)


@dataclass(frozen=True, kw_only=True)
class _Search:
    """A search through one database, for a portion of the queries at a time."""

    xp: ModuleType
    database: Any
    k: int
    cosine: bool
    memory_bytes: int

    def comparable(self, rows: Any, name: str) -> Any:
        """The rows, checked; for the cosine their directions."""
        xp = self.xp
        squares = xp.sum(rows * rows, axis=1)
        if not bool(xp.all(xp.isfinite(squares))):
            raise ValueError(f"{name} with values that are not finite when squared: expected numbers")
        if not self.cosine:
            return rows
        if not bool(xp.all(squares > 0)):
            raise ValueError(f"{name} with rows of zeros: expected rows with a direction; leave those out")
        return rows / xp.sqrt(squares)[:, None]

    def run(self, queries: Any, num_candidates: int) -> Neighbours[Any]:
        """Pick candidates, measure them, and search again with four times as many where the choice is not certain."""
        xp, total = self.xp, self.database.shape[0]
        num_candidates = min(num_candidates, total)
        candidates, bound = self._pick(queries, num_candidates)
        found = self._measure(queries, candidates)
        if num_candidates == total:
            return found
        certain = found.distances[:, -1] < bound
        if bool(xp.all(certain)):
            return found
        again = self.run(xp.take(queries, xp.nonzero(~certain)[0], axis=0), 4 * num_candidates)
        count = queries.shape[0]
        places = xp.arange(count, device=queries.device)
        places = xp.where(certain, places, count - 1 + xp.cumulative_sum(xp.astype(~certain, places.dtype)))
        both = (xp.concat(pair, axis=0) for pair in zip(found, again, strict=True))
        return Neighbours(*(xp.take(values, places, axis=0) for values in both))

    def _pick(self, queries: Any, num_candidates: int) -> tuple[Any, Any]:
        """The candidates of each query, and a distance below which no other row can lie."""
        xp, itemsize = self.xp, self.xp.finfo(self.database.dtype).bits // 8
        size = max(1, self.memory_bytes // (4 * itemsize * max(1, queries.shape[0])))
        scores, rows, longest = None, None, 0.0
        for stretch in stretches(self.database.shape[0], size):
            block = self.comparable(self.database[stretch, :], "a database")
            squares = xp.sum(block * block, axis=1)
            longest = max(longest, float(xp.max(squares)))
            # The squared distance less |query|^2, which is the same for all rows.
            new = squares[None, :] - 2 * (queries @ xp.matrix_transpose(block))
            best = _smallest(xp, new, num_candidates)
            new, best = xp.take_along_axis(new, best, axis=1), best + stretch.start
            if rows is not None:
                new, best = xp.concat([scores, new], axis=1), xp.concat([rows, best], axis=1)
                kept = _smallest(xp, new, num_candidates)
                new, best = xp.take_along_axis(new, kept, axis=1), xp.take_along_axis(best, kept, axis=1)
            scores, rows = new, best
        squares = xp.sum(queries * queries, axis=1)
        # Any order of summing `width` products is within width * eps / 2 of the sum of their sizes (Higham 2002, 3.1);
        # twice that, and a few roundings for what surrounds the product and for the distances measured later.
        slack = (queries.shape[1] + 8) * _unit(xp, self.database) * (xp.sqrt(squares) + longest**0.5) ** 2
        return rows, xp.max(scores, axis=1) + squares - slack

    def _measure(self, queries: Any, candidates: Any) -> Neighbours[Any]:
        """The k nearest of the candidates by the sum of squared differences."""
        xp, (count, width) = self.xp, queries.shape
        itemsize = xp.finfo(queries.dtype).bits // 8
        size = max(1, self.memory_bytes // (3 * itemsize * max(1, count * width)))
        candidates = xp.sort(candidates, axis=1)  # then a stable order by distance puts the lower row of a tie first
        measured = []
        for stretch in stretches(candidates.shape[1], size):
            some = candidates[:, stretch]
            rows = xp.take(self.database, xp.reshape(some, (-1,)), axis=0)
            rows = xp.reshape(self.comparable(rows, "a database"), (count, some.shape[1], width))
            measured.append(xp.sum((rows - queries[:, None, :]) ** 2, axis=2))
        distances = xp.concat(measured, axis=1)
        order = xp.argsort(distances, axis=1, stable=True)[:, : self.k]
        return Neighbours(xp.take_along_axis(candidates, order, axis=1), xp.take_along_axis(distances, order, axis=1))


def _smallest(xp: ModuleType, values: Any, count: int) -> Any:
    """Where the smallest values of each row are, in any order; the standard has sorting alone, which is slower."""
    count = min(count, values.shape[1])
    match library(values):
        case "torch":
            return values.topk(count, dim=1, largest=False, sorted=False).indices
        case "numpy":
            return xp.argpartition(values, count - 1, axis=1)[:, :count]
        case "jax":
            return sys.modules["jax"].lax.top_k(-values, count)[1]
        case _:
            return xp.argsort(values, axis=1)[:, :count]


@contextlib.contextmanager
def _exact_products(array: Any) -> Iterator[None]:
    """JAX may round the factors of a product to fewer digits on a GPU or TPU: not here."""
    if library(array) != "jax":
        yield
        return
    with sys.modules["jax"].default_matmul_precision("highest"):
        yield


def _unit(xp: ModuleType, array: Any) -> float:
    """The relative rounding of a matrix product's factors, which torch can be told to enlarge for float32 on a GPU."""
    unit = float(xp.finfo(array.dtype).eps)
    if library(array) == "torch" and array.device.type != "cpu":
        unit = max(unit, {"highest": 0.0, "high": 2.0**-10, "medium": 2.0**-7}[_torch_precision()])
    return unit


def _torch_precision() -> str:
    return str(sys.modules["torch"].get_float32_matmul_precision())


def _nearest_in_chunks(queries: Any, database: Any, k: int, *, metric: Metric, memory_bytes: int) -> Neighbours[Any]:
    """The nearest of each chunk of rows, then the nearest of those; nothing is computed before it is asked for."""
    da = sys.modules["dask.array"]
    record = np.dtype([("distance", database.dtype), ("row", np.int64)])

    def search(queries: Any, chunk: Any, rows: Any) -> Any:
        found = nearest(queries, chunk, min(k, len(chunk)), metric=metric, memory_bytes=memory_bytes)
        records = np.empty(found.indices.shape, dtype=record)
        records["distance"], records["row"] = found.distances, rows[found.indices]
        return records

    def best(records: Any) -> Any:
        order = np.lexsort((records["row"], records["distance"]), axis=1)[:, :k]
        return np.take_along_axis(records, order, axis=1)

    rows = da.arange(database.shape[0], chunks=(database.chunks[0],))
    wide = queries.rechunk({1: -1}), database.rechunk({1: -1})
    pieces = da.blockwise(
        search, "qr", wide[0], "qw", wide[1], "rw", rows, "r",
        concatenate=True, adjust_chunks={"r": lambda size: min(k, size)}, dtype=record, meta=np.empty((0, 0), record),
    )  # fmt: skip
    merged = pieces.rechunk({1: -1}).map_blocks(best, dtype=record, chunks=(pieces.chunks[0], (k,)))
    return Neighbours(merged["row"], merged["distance"])
