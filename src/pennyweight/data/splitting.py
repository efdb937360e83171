"""Which split a document belongs to: by a hash of its name, so that it never depends on the other documents."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np


def by_hash(identities: Sequence[bytes], fractions: Mapping[str, float]) -> tuple[list[str], list[str]]:
    """Cut documents, ranked by the hash of their identity, at the fractions; the rest is ``"train"``.

    Returns the split of each document, and the splits whose share the hash left empty (or that left too little for
    the next): the nearest document in rank took the place. There must be a document for each split.
    """
    scores = np.array([_unit_hash(identity) for identity in identities])
    order = np.argsort(scores, kind="stable")
    labels = np.full(len(identities), "train", dtype="<U10")
    clamped, edge, low = [], 0.0, 0
    for number, (split, fraction) in enumerate(fractions.items()):
        edge += fraction
        asked = int(np.count_nonzero(scores < edge))
        cut = min(max(asked, low + 1), len(identities) - len(fractions) + number)
        if cut != asked:
            clamped.append(split)
        labels[order[low:cut]] = split
        low = cut
    return labels.tolist(), clamped


def _unit_hash(identity: bytes) -> float:
    return int.from_bytes(hashlib.blake2b(identity, digest_size=8).digest(), "big") / 2**64
