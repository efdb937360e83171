"""What a fine-tuned task begins with: the transformer and the tokenizer of a trained `par/encoder`, or new ones."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from pennyweight.blocks.pattern import Pattern
from pennyweight.blocks.transformer import Transformer, TransformerConfig
from pennyweight.core.errors import UserError
from pennyweight.core.files import write_json
from pennyweight.core.fit import load_task
from pennyweight.core.run import Run, read_document
from pennyweight.data.masking import Marks
from pennyweight.data.tokens import Tokenizer, cached_tokenizer, load_tokenizer
from pennyweight.methods.par.config import FineTuneConfig
from pennyweight.methods.par.encoder import MaskedLanguageModel
from pennyweight.methods.par.text import model_config

Foundation = tuple[Transformer, Tokenizer]


def begun(
    config: FineTuneConfig,
    texts: Sequence[bytes],
    *,
    tokenizer: Literal["bytes", "bpe"],
    vocab_size: int,
    cache: Path,
) -> Foundation:
    """The transformer and tokenizer of the run ``config.encoder``, whose size and pattern they have.

    Without one, a new transformer of the configured size and a tokenizer learnt on ``texts``.
    """
    if config.encoder:
        run = Run.open(Path(config.encoder).expanduser())
        encoder = load_task(run, cache=cache)
        if not isinstance(encoder, MaskedLanguageModel):
            raise UserError(f"encoder {run.name} ({run.recipe})", expected="a run of par/encoder")
        return encoder.model.train(), encoder.tokenizer
    learnt = cached_tokenizer(texts, kind=tokenizer, vocab_size=vocab_size, cache=cache)
    marks = Marks.beyond(learnt.vocab_size)
    return Transformer(model_config(config, vocab_size=marks.vocab_size, causal=False, padding=marks.padding)), learnt


def save(model: Transformer, tokenizer: Tokenizer, folder: Path) -> None:
    """Write the size of the transformer and the tokenizer, so that neither data nor encoder is needed again."""
    tokenizer.save(folder / "tokenizer.json")
    write_json(folder / "network.json", {**asdict(model.config), "pattern": str(model.config.pattern)})


def load(folder: Path) -> Foundation:
    """A transformer, not yet with its weights, and the tokenizer, back from `save`."""
    document = read_document(folder / "network.json")
    try:
        config = TransformerConfig(**{**document, "pattern": Pattern.parse(document["pattern"])})
    except (TypeError, KeyError) as error:
        raise UserError(f"{folder / 'network.json'}", expected=f"the size of a transformer ({error})") from None
    return Transformer(config), load_tokenizer(folder / "tokenizer.json")


def save_names(names: Sequence[str], path: Path) -> None:
    """Write a list of names."""
    write_json(path, {"names": list(names)})


def load_names(path: Path) -> tuple[str, ...]:
    """Names back from `save_names`."""
    document = read_document(path)
    names = document.get("names")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{path}", expected=f"a list of names, found {json.dumps(names)[:40]}")
    return tuple(names)
