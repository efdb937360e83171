"""Text as integers: two lossless tokenizers, token arrays on disk, and the windows read from them.

The training source is a pure function from a sample's number to its window, so the state of a sampler is one
integer and any process can ask for any part of any batch (data-parallel runs, exact resume).
"""

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import tokenizers
from jaxtyping import Float, Float64, Int64, Integer, UInt
from tokenizers import decoders, models, pre_tokenizers, trainers

from pennyweight.core.errors import UserError, WorkFailed
from pennyweight.core.files import write_atomic

# Hugging Face's encodings take some hundred bytes a token while they live; pieces and groups bound that.
_PIECE_CHARACTERS = 1 << 20
_GROUP_CHARACTERS = 1 << 22
_TRAINING_BYTES = 20_000_000  # merges of a small vocabulary settle long before this


class Tokenizer(ABC):
    """Text to token ids and back without loss; one id, ``separator``, stands before every document.

    ``vocab_size`` counts every id, the separator too; a model needs that many embeddings.
    """

    vocab_size: int
    separator: int
    _bytes_of: tuple[bytes, ...]

    @property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """The smallest of uint16 and uint32 that holds every id."""
        return np.dtype(np.uint16 if self.vocab_size <= 1 << 16 else np.uint32)

    @abstractmethod
    def encode_documents(self, documents: Sequence[bytes]) -> list[UInt[np.ndarray, "_"]]:
        """The ids of each document (valid UTF-8), without separators."""

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write one JSON file that ``load_tokenizer`` reads."""

    def encode(self, text: str) -> UInt[np.ndarray, "tokens"]:
        """The ids of a text, without a separator."""
        return self.encode_documents([text.encode()])[0]

    def decode_bytes(self, ids: Iterable[int] | Integer[np.ndarray, "tokens"]) -> bytes:
        """The bytes that ids stand for; a separator stands for none. IndexError for an id out of range."""
        listed = ids.tolist() if isinstance(ids, np.ndarray) else ids
        return b"".join(map(self._bytes_of.__getitem__, listed))

    def byte_lengths(self, ids: Integer[np.ndarray, "tokens"]) -> Int64[np.ndarray, "tokens"]:
        """How many bytes of text each id stands for."""
        return np.array([len(self._bytes_of[number]) for number in ids.tolist()], np.int64)

    def decode(self, ids: Iterable[int] | Integer[np.ndarray, "tokens"]) -> str:
        """The text of ids; bytes that are not UTF-8 (a sample cut inside a character) become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", errors="replace")


class ByteTokenizer(Tokenizer):
    """Every byte is its own id; the separator is 256."""

    vocab_size = 257
    separator = 256
    _bytes_of = (*(bytes([value]) for value in range(256)), b"")

    def encode_documents(self, documents: Sequence[bytes]) -> list[UInt[np.ndarray, "_"]]:
        """The bytes of each document as uint16."""
        return [np.frombuffer(document, np.uint8).astype(self.dtype) for document in documents]

    def save(self, path: Path) -> None:
        """Write the one word that says what this is."""
        write_atomic(path, json.dumps({"type": "bytes"}) + "\n")


class BpeTokenizer(Tokenizer):
    """Byte-level byte-pair encoding (Sennrich et al. 2016, over bytes), run by Hugging Face ``tokenizers``.

    Takes that library's JSON document, whose entry 0 is the separator. The separator is a word of the
    vocabulary that no merge leads to, and not a "special token": a text that spells its name stays text.
    """

    separator = 0

    def __init__(self, document: str) -> None:
        self._document = document
        self._engine = tokenizers.Tokenizer.from_str(document)
        self.vocab_size = self._engine.get_vocab_size()
        values = _byte_values()
        words = sorted(self._engine.get_vocab().items(), key=lambda word: word[1])
        if [number for _, number in words] != list(range(len(words))) or len(words) < 257:
            raise ValueError("the vocabulary is not numbered 0, 1, 2, ... or lacks bytes")
        self._bytes_of = (b"", *(bytes(values[sign] for sign in word) for word, _ in words[1:]))

    def encode_documents(self, documents: Sequence[bytes]) -> list[UInt[np.ndarray, "_"]]:
        """The ids of each document, long ones in pieces that are cut only where no token can cross."""
        parts: list[list[np.ndarray]] = [[] for _ in documents]
        for group in _groups(documents):
            encoded = self._engine.encode_batch_fast([piece for _, piece in group], add_special_tokens=False)
            for (number, _), encoding in zip(group, encoded, strict=True):
                parts[number].append(np.array(encoding.ids, dtype=self.dtype))
        return [np.concatenate(part) if part else np.zeros(0, self.dtype) for part in parts]

    def save(self, path: Path) -> None:
        """Write Hugging Face's tokenizer JSON, which other tools read too."""
        write_atomic(path, self._document)


def train_bpe(documents: Sequence[bytes], *, vocab_size: int) -> BpeTokenizer:
    """Learn byte-pair merges from documents (valid UTF-8): the same documents give the same tokenizer.

    ``vocab_size`` counts the separator and the 256 bytes; a short text may offer fewer merges than asked.
    """
    engine = tokenizers.Tokenizer(models.BPE())
    engine.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    engine.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=["<|separator|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    engine.train_from_iterator((document.decode() for document in documents), trainer, length=len(documents))
    learnt = json.loads(engine.to_str())
    learnt["added_tokens"] = []
    return BpeTokenizer(json.dumps(learnt, ensure_ascii=False))


def load_tokenizer(path: Path) -> Tokenizer:
    """Read what ``Tokenizer.save`` wrote. Raises UserError when the file is missing or is something else."""
    try:
        text = path.read_text(encoding="utf-8")
        return ByteTokenizer() if json.loads(text).get("type") == "bytes" else BpeTokenizer(text)
    except OSError as error:
        raise UserError(f"tokenizer {path} cannot be read: {error.strerror}") from error
    except Exception as error:  # the Rust library raises bare Exception on a bad document
        raise UserError(f"tokenizer {path} is damaged: {error}", expected="a file written by save()") from error


def cached_tokenizer(
    documents: Sequence[bytes], *, kind: Literal["bytes", "bpe"], vocab_size: int, cache: Path
) -> Tokenizer:
    """A tokenizer of a kind; one that is learnt on the first 20 MB of the documents is kept in ``cache``."""
    if kind == "bytes":
        return ByteTokenizer()
    if vocab_size < 257:
        raise UserError(
            f"vocab_size {vocab_size}", expected="at least 257 (a separator and 256 bytes)", hint="try 1024"
        )
    digest = hashlib.sha256(f"bpe {vocab_size}".encode())
    learnt_on, total = [], 0
    for document in documents:
        digest.update(len(document).to_bytes(8, "big") + document)
        learnt_on.append(document)
        total += len(document)
        if total >= _TRAINING_BYTES:
            break
    path = cache / "tokenizers" / f"{digest.hexdigest()[:24]}.json"
    if path.is_file():
        try:
            return load_tokenizer(path)
        except UserError:
            pass  # damaged: learnt again
    learnt = train_bpe(learnt_on, vocab_size=vocab_size)
    try:
        learnt.save(path)
    except OSError as error:
        raise WorkFailed(f"the cache {path.parent} cannot be written: {error.strerror}; choose another") from error
    return learnt


def _byte_values() -> dict[str, int]:
    """Which byte each sign of the byte-level alphabet stands for (the table that GPT-2 introduced)."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = sorted(set(range(256)) - set(visible))
    return {chr(value): value for value in visible} | {chr(256 + i): value for i, value in enumerate(hidden)}


# The pre-tokenizer never joins a visible character to white space after it, so encoding the two sides of
# such a place apart gives the same ids. Only ASCII is trusted: engines differ on what else is white space.
_SAFE_CUT = re.compile(r"[!-~](?=\n)")


def _pieces(text: str, size: int = _PIECE_CHARACTERS) -> Iterator[str]:
    start = 0
    while len(text) - start > size and (cut := _SAFE_CUT.search(text, start + size - 1)):
        yield text[start : cut.end()]
        start = cut.end()
    yield text[start:]


def _groups(documents: Sequence[bytes]) -> Iterator[list[tuple[int, str]]]:
    """Pieces of documents with the document's number, in groups of about ``_GROUP_CHARACTERS``."""
    group: list[tuple[int, str]] = []
    held = 0
    for number, document in enumerate(documents):
        for piece in _pieces(document.decode()):
            group.append((number, piece))
            held += len(piece)
            if held >= _GROUP_CHARACTERS:
                yield group
                group, held = [], 0
    if group:
        yield group


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenSplit:
    """The tokens of one split, memory-mapped: for each document its separator, then its text.

    ``starts`` are the places of the separators; ``document_bytes`` counts text bytes, without separators.
    """

    tokens: UInt[np.ndarray, "tokens"]
    starts: Int64[np.ndarray, "documents"]
    document_bytes: Int64[np.ndarray, "documents"]

    @property
    def num_documents(self) -> int:
        """How many documents the split holds."""
        return len(self.starts)

    @property
    def num_bytes(self) -> int:
        """Bytes of text in the split."""
        return int(self.document_bytes.sum())


def divided(split: TokenSplit, share: float) -> tuple[TokenSplit, TokenSplit]:
    """The documents of a split in two parts, the second with about ``share`` of them; UserError for fewer than two."""
    if split.num_documents < 2:
        raise UserError(f"{split.num_documents} training documents", expected="two or more, to search with")
    first = min(split.num_documents - 1, max(1, round((1 - share) * split.num_documents)))
    border = int(split.starts[first])
    return (
        TokenSplit(
            tokens=split.tokens[:border], starts=split.starts[:first], document_bytes=split.document_bytes[:first]
        ),
        TokenSplit(
            tokens=split.tokens[border:],
            starts=split.starts[first:] - border,
            document_bytes=split.document_bytes[first:],
        ),
    )


class TextWindows:
    """Training windows by number: sample n is the same window whoever asks, in whatever order.

    The split is read as a ring, cut into ``num_windows`` windows that meet but do not overlap; every epoch
    shifts the cuts by a random phase and visits them in a random order, both drawn from (seed, epoch) alone.
    """

    def __init__(self, split: TokenSplit, *, context: int, seed: int) -> None:
        if context < 1:
            raise UserError(f"context {context}", expected="at least 1 token")
        if len(split.tokens) < context + 1:
            raise UserError(
                f"a text of {len(split.tokens):,} tokens",
                expected=f"at least {context + 1:,} for a context of {context:,}",
                hint="give more text or a shorter context",
            )
        self._tokens = split.tokens
        self._context = context
        self._seed = seed
        self._plans: dict[int, Int64[np.ndarray, "windows"]] = {}

    @property
    def num_windows(self) -> int:
        """Windows in an epoch: tokens // context."""
        return len(self._tokens) // self._context

    def epoch(self, number: int) -> int:
        """The epoch that sample ``number`` belongs to."""
        return number // self.num_windows

    def batch(self, numbers: Int64[np.ndarray, "batch"]) -> dict[str, Int64[np.ndarray, "batch width"]]:
        """The windows of sample numbers (0 and up): ``tokens`` [batch, context + 1], inputs and targets in one."""
        epochs, places = np.divmod(numbers, self.num_windows)
        firsts = np.empty_like(numbers)
        for epoch in np.unique(epochs).tolist():
            here = epochs == epoch
            firsts[here] = self._plan(epoch)[places[here]]
        taken = (firsts[:, None] + np.arange(self._context + 1)) % len(self._tokens)
        return {"tokens": np.asarray(self._tokens)[taken].astype(np.int64)}

    def _plan(self, epoch: int) -> Int64[np.ndarray, "windows"]:
        """The first token of each window of an epoch, in the order of visit."""
        if epoch not in self._plans:
            random = np.random.default_rng([self._seed, epoch])
            phase = random.integers(len(self._tokens))
            firsts = random.permutation(self.num_windows).astype(np.int64) * self._context + phase
            # Two epochs are enough for a batch that crosses a border, and keep memory flat in a long run.
            self._plans = dict([*self._plans.items()][-1:]) | {epoch: firsts % len(self._tokens)}
        return self._plans[epoch]


@dataclass(frozen=True, kw_only=True, eq=False)
class EvaluationWindows:
    """Every token of a split but the first separator, once as a target.

    ``targets`` and ``documents`` are -1 where a window is padded. A separator belongs to the document that it
    opens.
    """

    inputs: Int64[np.ndarray, "windows context"]
    targets: Int64[np.ndarray, "windows context"]
    documents: Int64[np.ndarray, "windows context"]
    document_bytes: Int64[np.ndarray, "documents"]

    def sum_by_document(self, values: Float[np.ndarray, "windows context"]) -> Float64[np.ndarray, "documents"]:
        """Sum per-target values (for instance nats) over each document; what stands on padding is ignored."""
        real = self.documents >= 0
        return np.bincount(self.documents[real], weights=values[real], minlength=len(self.document_bytes))


def evaluation_windows(split: TokenSplit, *, context: int) -> EvaluationWindows:
    """Lay a split out in consecutive windows of at most ``context`` targets; only the last one is padded."""
    if context < 1:
        raise UserError(f"context {context}", expected="at least 1 token")
    num_targets = len(split.tokens) - 1
    shape = (-(-num_targets // context), context)
    inputs = np.zeros(shape, np.int64)
    targets = np.full(shape, -1, np.int64)
    documents = np.full(shape, -1, np.int64)
    inputs.flat[:num_targets] = split.tokens[:-1]
    targets.flat[:num_targets] = split.tokens[1:]
    documents.flat[:num_targets] = np.searchsorted(split.starts, np.arange(1, num_targets + 1), side="right") - 1
    return EvaluationWindows(inputs=inputs, targets=targets, documents=documents, document_bytes=split.document_bytes)
