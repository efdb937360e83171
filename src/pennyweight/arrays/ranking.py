"""Scoring documents for queries, term by term, and judging rankings.

BM25 (Robertson and Zaragoza 2009) is a sum over query terms of rarity times saturated frequency. The product explains
an answer's source with exactly these summands: they are what is computed, and the score is their sum.

Legend: ``*batch`` queries or nothing, ``documents`` candidates of a query, ``terms`` terms of a query.
"""
# mypy: disable-error-code="no-any-return"
# (what a namespace's functions return is Any: a namespace is a module)

import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

from array_api_compat import device
from jaxtyping import Float, Int, Real

from pennyweight.arrays.namespace import A, namespace, portable

Variant = Literal["lucene", "robertson"]
Gain = Literal["linear", "exponential"]
_ORDERED = {"gradient": "an order moves in steps: the derivative is zero wherever there is one"}
_SORTED = {**_ORDERED, "dask": "Dask cannot sort"}


@portable()
def rarity(
    document_frequencies: Float[A, "*batch terms"], num_documents: float, *, variant: Variant = "lucene"
) -> Float[A, "*batch terms"]:
    """How much a term tells (inverse document frequency), from how many of the documents hold it.

    ``"robertson"`` is the log odds of the original, below zero for a term in more than half of the documents;
    ``"lucene"`` adds one before the logarithm and stays above zero.
    """
    xp = namespace(document_frequencies)
    odds = (num_documents - document_frequencies + 0.5) / (document_frequencies + 0.5)
    return xp.log(odds + 1) if _known(variant) == "lucene" else xp.log(odds)


@portable()
def saturation(
    frequencies: Float[A, "*batch documents terms"],
    lengths: Float[A, "*batch documents"],
    mean_length: float,
    *,
    k1: float = 1.2,
    b: float = 0.75,
    variant: Variant = "lucene",
) -> Float[A, "*batch documents terms"]:
    """How much a term's occurrences count: less and less with their number, and less in long documents.

    ``k1`` says how soon they saturate, ``b`` (0 to 1) how much the length matters. ``"robertson"`` goes up to
    ``k1 + 1``, ``"lucene"`` (since version 8) up to 1, which orders documents in the same way.
    """
    if not (k1 >= 0 and 0 <= b <= 1 and mean_length > 0):
        raise ValueError(f"k1 {k1}, b {b}, mean length {mean_length}: expected k1 >= 0, 0 <= b <= 1, length > 0")
    xp = namespace(frequencies, lengths)
    norm = k1 * (1 - b + b * lengths / mean_length)
    total = frequencies + norm[..., None]
    # With k1 = 0 a document without the term would be 0 / 0.
    share = frequencies / xp.where(total > 0, total, 1.0)
    return share if _known(variant) == "lucene" else share * (k1 + 1)


@portable()
def bm25_parts(
    frequencies: Float[A, "*#batch documents terms"],
    lengths: Float[A, "*#batch documents"],
    document_frequencies: Float[A, "*#batch terms"],
    *,
    num_documents: float,
    mean_length: float,
    weights: Float[A, "*#batch terms"] | None = None,
    k1: float = 1.2,
    b: float = 0.75,
    variant: Variant = "lucene",
) -> Float[A, "*batch documents terms"]:
    """What each term of a query adds to each document's BM25 score; the score is the sum over the last axis.

    ``frequencies`` counts each query term in each document, ``lengths`` are those of the documents in terms.
    ``document_frequencies``, ``num_documents`` and ``mean_length`` describe the whole collection. ``weights`` multiply
    terms: by their number in the query, or by less than one where an expansion added them.
    """
    tells = rarity(document_frequencies, num_documents, variant=variant)
    if weights is not None:
        tells = tells * weights
    return tells[..., None, :] * saturation(frequencies, lengths, mean_length, k1=k1, b=b, variant=variant)


@portable()
def bm25(
    frequencies: Float[A, "*#batch documents terms"],
    lengths: Float[A, "*#batch documents"],
    document_frequencies: Float[A, "*#batch terms"],
    *,
    num_documents: float,
    mean_length: float,
    weights: Float[A, "*#batch terms"] | None = None,
    k1: float = 1.2,
    b: float = 0.75,
    variant: Variant = "lucene",
) -> Float[A, "*batch documents"]:
    """The BM25 score of each document: the sum of `bm25_parts`, which describes the arguments.

    >>> import numpy as np
    >>> counts, lengths = np.array([[1.0, 0.0], [2.0, 1.0]]), np.array([10.0, 30.0])
    >>> bm25(counts, lengths, np.array([50.0, 2.0]), num_documents=100, mean_length=20).round(3).tolist()
    [0.396, 1.776]
    """
    parts = bm25_parts(
        frequencies,
        lengths,
        document_frequencies,
        num_documents=num_documents,
        mean_length=mean_length,
        weights=weights,
        k1=k1,
        b=b,
        variant=variant,
    )
    return namespace(parts).sum(parts, axis=-1)


@portable(without=_SORTED)
def places(scores: Float[A, "*batch documents"]) -> Int[A, "*batch documents"]:
    """Each document's place, 1 for the highest score; of equal scores the lower index comes first.

    >>> import numpy as np
    >>> places(np.array([0.5, 2.0, 0.5])).tolist()
    [2, 1, 3]
    """
    xp = namespace(scores)
    # The place of a document is where its index stands in the order, which is the inverse permutation.
    return xp.argsort(_order(scores), axis=-1, stable=True) + 1


@portable(without=_ORDERED)
def reciprocal_rank_fusion(
    places: Real[A, "*batch rankings documents"], *, k: float = 60.0, weights: Sequence[float] | None = None
) -> Float[A, "*batch documents"]:
    """One score from several rankings: the sum of ``weight / (k + place)`` (Cormack, Clarke and Büttcher 2009).

    Places count from 1; 0 says that a ranking does not hold the document, which then adds nothing.
    """
    xp = namespace(places)
    if xp.isdtype(places.dtype, "integral"):
        places = xp.astype(places, xp.__array_namespace_info__().default_dtypes()["real floating"])
    if places.ndim < 2 or (weights is not None and len(weights) != places.shape[-2]):
        raise ValueError(f"places of {tuple(places.shape)} with weights {weights}: expected a weight for each ranking")
    shares = xp.where(places > 0, 1 / (k + places), 0.0)
    if weights is not None:
        shares = shares * xp.asarray(weights, dtype=shares.dtype, device=device(shares))[:, None]
    return xp.sum(shares, axis=-2)


@portable(without=_SORTED)
def ndcg(
    scores: Float[A, "*batch documents"],
    relevance: Float[A, "*batch documents"],
    *,
    k: int | None = None,
    gain: Gain = "linear",
) -> Float[A, "*batch"]:
    """Normalised discounted cumulative gain of the best ``k`` (Järvelin and Kekäläinen 2002), from 0 to 1.

    ``relevance`` holds grades from 0; ``"exponential"`` counts a grade as ``2 ** grade - 1``. Of equal scores the lower
    index comes first. NaN where nothing is relevant.
    """
    xp, k = namespace(scores, relevance), _depth(scores, k)
    if gain not in get_args(Gain):
        raise ValueError(f"gain {gain!r}: expected 'linear' or 'exponential'")
    gains = relevance if gain == "linear" else 2.0**relevance - 1
    discounts = 1 / xp.log2(xp.arange(2, k + 2, dtype=gains.dtype, device=device(gains)))
    found = xp.sum(_best(scores, gains, k) * discounts, axis=-1)
    most = xp.sum(_best(gains, gains, k) * discounts, axis=-1)
    return _where_any(relevance, found / xp.where(most > 0, most, 1.0))


@portable(without=_SORTED)
def reciprocal_rank(
    scores: Float[A, "*batch documents"], relevance: Float[A, "*batch documents"], *, k: int | None = None
) -> Float[A, "*batch"]:
    """One over the place of the first relevant document (grade above 0), 0 if it is not among the best ``k``.

    The mean over queries is the MRR. NaN where nothing is relevant.
    """
    xp, k = namespace(scores, relevance), _depth(scores, k)
    shares = 1 / xp.arange(1, k + 1, dtype=scores.dtype, device=device(scores))
    return _where_any(relevance, xp.max(xp.where(_best(scores, relevance, k) > 0, shares, 0.0), axis=-1))


@portable(without=_SORTED)
def recall(
    scores: Float[A, "*batch documents"], relevance: Float[A, "*batch documents"], *, k: int
) -> Float[A, "*batch"]:
    """The share of the relevant documents (grade above 0) among the best ``k``; NaN where nothing is relevant."""
    xp, k = namespace(scores, relevance), _depth(scores, k)
    relevant = xp.astype(relevance > 0, scores.dtype)
    total = xp.sum(relevant, axis=-1)
    return _where_any(relevance, xp.sum(_best(scores, relevant, k), axis=-1) / xp.where(total > 0, total, 1.0))


def _order(scores: Any) -> Any:
    return namespace(scores).argsort(-scores, axis=-1, stable=True)


def _best(scores: Any, values: Any, k: int) -> Any:
    """The values of the ``k`` documents with the best scores, best first."""
    return namespace(scores, values).take_along_axis(values, _order(scores)[..., :k], axis=-1)


def _where_any(relevance: Any, metric: Any) -> Any:
    xp = namespace(relevance)
    return xp.where(xp.any(relevance > 0, axis=-1), metric, math.nan)


def _depth(scores: Any, k: int | None) -> int:
    """How many documents are looked at: ``k``, or all where there are fewer."""
    if k is not None and k < 1:
        raise ValueError(f"the best {k} documents: expected 1 or more")
    documents: int = scores.shape[-1]
    return documents if k is None else min(k, documents)


def _known(variant: Variant) -> Variant:
    if variant not in get_args(Variant):
        raise ValueError(f"variant {variant!r}: expected 'lucene' or 'robertson'")
    return variant
