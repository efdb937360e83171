"""What held-out text costs without a neural network: the floors beside every language model's score.

All are in bits per byte. Counts of bytes with Witten-Bell interpolation (Witten and Bell 1991, method C) say
what local statistics give; ``xz`` says what repetition inside the held-out text itself gives.
"""

import json
import lzma
from collections.abc import Sequence, Sized
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64, UInt8, UInt32

from pennyweight.core.errors import UserError
from pennyweight.core.files import write_json
from pennyweight.data.text import TextCorpus

_CHUNK = 1 << 23  # positions counted at a time: bounds memory at some hundred MB whatever the text's size


def order0(train: Sequence[bytes], test: Sequence[bytes]) -> float:
    """Bits per byte of ``test`` under the byte frequencies of ``train``; unseen bytes back off to 1/256."""
    return witten_bell(train, test, order=0)


def witten_bell(train: Sequence[bytes], test: Sequence[bytes], *, order: int = 3) -> float:
    """Bits per byte of ``test`` under interpolated counts of at most ``order`` (0 to 3) bytes of history.

    P(c|h) = (N(h,c) + T(h) P(c|h')) / (N(h) + T(h)), where N counts, T(h) is the number of distinct bytes
    seen after h, h' drops h's oldest byte, and below the empty history stands 1/256. A history that was never
    seen adds nothing. Documents are independent: the first bytes of one use the shorter history they have,
    in counting and in scoring. No separator is predicted. UserError when ``test`` is empty.
    """
    if not 0 <= order <= 3:
        raise ValueError(f"order {order}: expected 0, 1, 2 or 3 (histories are packed into 32 bits)")
    seen, held_out = _joined(train), _joined(test)
    _require_text(held_out)
    probability = np.full(len(held_out), 1 / 256)
    for length in range(order + 1):
        places = np.flatnonzero(_with_history(test, length))
        if not len(places):
            break
        grams = _packed(held_out, length, 0)[places - length]
        keys, counts = _counted(seen, _with_history(train, length), length, wanted=grams >> 8)
        if not len(keys):
            break
        histories, first = np.unique(keys >> 8, return_index=True)
        total = np.add.reduceat(counts, first)
        distinct = np.diff(first, append=len(keys))
        here = _find(histories, grams >> 8)
        known = here >= 0
        here, grams, places = here[known], grams[known], places[known]
        gram = _find(keys, grams)
        joint = np.where(gram >= 0, counts[gram], 0)
        lower = probability[places]
        probability[places] = (joint + distinct[here] * lower) / (total[here] + distinct[here])
    return float(-np.log2(probability).mean())


def xz(test: Sequence[bytes]) -> float:
    """Bits per byte of ``test``, joined, in an .xz file of preset 9 extreme. UserError when it is empty."""
    joined = b"".join(test)
    _require_text(joined)
    return 8 * len(lzma.compress(joined, preset=9 | lzma.PRESET_EXTREME)) / len(joined)


def floors(corpus: TextCorpus, *, cache: Path) -> dict[str, float]:
    """The three floors of a corpus's test split, by name; kept as JSON beside the prepared arrays."""
    names = ["order-0", "witten-bell order-3", "xz -9e"]
    path = cache / "text" / f"floors-{corpus.sha256[:24]}.json"
    try:
        kept = json.loads(path.read_bytes())
        if kept["sha256"] == corpus.sha256:
            return {name: float(kept["bits_per_byte"][name]) for name in names}
    except (OSError, ValueError, KeyError, TypeError):
        pass  # never measured, or damaged: measure
    train, test = corpus.documents("train"), corpus.documents("test")
    found = dict(zip(names, [order0(train, test), witten_bell(train, test), xz(test)], strict=True))
    write_json(path, {"corpus": corpus.name, "sha256": corpus.sha256, "bits_per_byte": found})
    return found


def _require_text(held_out: Sized) -> None:
    if len(held_out) == 0:
        raise UserError("the held-out text is empty", expected="at least one byte")


def _joined(documents: Sequence[bytes]) -> UInt8[np.ndarray, "bytes"]:
    return np.frombuffer(b"".join(documents), np.uint8)


def _with_history(documents: Sequence[bytes], length: int) -> Bool[np.ndarray, "bytes"]:
    """Which bytes have at least ``length`` bytes before them in their document."""
    ends = np.cumsum([len(document) for document in documents], dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    has = np.ones(total, bool)
    for offset in range(length):
        # An offset beyond a short document falls on the next one's first bytes, which are marked anyhow.
        early = np.concatenate([[0], ends[:-1]]) + offset
        has[early[early < total].astype(np.int64)] = False
    return has


def _packed(
    text: UInt8[np.ndarray, "bytes"], length: int, first: int, last: int | None = None
) -> UInt32[np.ndarray, "grams"]:
    """Bytes ``first + length`` to ``last`` with their history, one 32-bit number each, newest byte lowest."""
    last = len(text) if last is None else last
    packed = np.zeros(max(last - first - length, 0), np.uint32)
    for offset in range(length + 1):
        packed <<= 8
        packed |= text[first + offset : first + offset + len(packed)]
    return packed


def _counted(
    text: UInt8[np.ndarray, "bytes"],
    allowed: Bool[np.ndarray, "bytes"],
    length: int,
    *,
    wanted: UInt32[np.ndarray, "histories"],
) -> tuple[UInt32[np.ndarray, "distinct"], Int64[np.ndarray, "distinct"]]:
    """The distinct grams (sorted) and their counts, of wanted histories only, so that memory is bounded."""
    table = np.zeros(256**length, bool)
    table[wanted] = True
    keys, counts = np.zeros(0, np.uint32), np.zeros(0, np.int64)
    for first in range(0, len(text) - length, _CHUNK):
        last = min(first + _CHUNK + length, len(text))
        grams = _packed(text, length, first, last)
        grams = grams[allowed[first + length : last]]
        new, times = np.unique(grams[table[grams >> 8]], return_counts=True)
        keys, where = np.unique(np.concatenate([keys, new]), return_inverse=True)
        counts = np.bincount(where, weights=np.concatenate([counts, times]), minlength=len(keys))
    return keys, counts.astype(np.int64)


def _find(keys: UInt32[np.ndarray, "keys"], sought: UInt32[np.ndarray, "sought"]) -> Int64[np.ndarray, "sought"]:
    """Where each sought number stands in sorted ``keys``, or -1."""
    where = np.minimum(np.searchsorted(keys, sought), len(keys) - 1)
    return np.where(keys[where] == sought, where, -1)
