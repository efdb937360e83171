"""The task "language model with a layer pattern", and the recall probe that stands beside its loss.

PAR (2009.04534) judges patterns by perplexity alone; here it is bits per byte, which does not depend on the
tokenizer, and recall at a distance, which a pattern with little attention loses first.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from pennyweight.arrays.statistics import ratio_of_sums
from pennyweight.blocks.transformer import Transformer, generate
from pennyweight.core.errors import UserError
from pennyweight.core.task import Batch, Evaluation, Metric, Source
from pennyweight.data.floors import floors
from pennyweight.data.text import (
    EvaluationWindows,
    TextCorpus,
    TextWindows,
    Tokenizer,
    divided,
    evaluation_windows,
    load_tokenizer,
    open_text,
)
from pennyweight.methods.par import classifier, encoder, reader
from pennyweight.methods.par.config import ClassifierConfig, EncoderConfig, ParConfig, ReaderConfig
from pennyweight.methods.par.text import Read, Split, TextTask, model_config, token_nats

_SNIPPET = 16


class LanguageModel(TextTask):
    """A decoder that predicts the next token of a text; judged in bits per byte on held-out documents."""

    metric = Metric(name="bits per byte", unit="bits/byte", better="lower")

    def __init__(self, config: ParConfig, tokenizer: Tokenizer, corpus: TextCorpus | None = None) -> None:
        super().__init__()
        self.config = config
        self.tokenizer = tokenizer
        self.model = Transformer(model_config(config, vocab_size=tokenizer.vocab_size, causal=True))
        self._corpus = corpus
        self._windows: dict[str, EvaluationWindows] = {}

    @property
    def corpus(self) -> TextCorpus:
        """The text; a task that was loaded from a run for use has none."""
        if self._corpus is None:
            raise UserError("this language model was loaded without its text", expected="a task built for training")
        return self._corpus

    def source(self, stream: str, *, seed: int) -> Source:
        """Training windows of ``context + 1`` tokens."""
        return TextWindows(self.corpus.splits["train"], context=self.config.context, seed=seed)

    def parts(self, share: float, *, seed: int) -> tuple[Source, Source]:
        """Windows of the first documents and of the rest."""
        first, second = divided(self.corpus.splits["train"], share)
        return (
            TextWindows(first, context=self.config.context, seed=seed),
            TextWindows(second, context=self.config.context, seed=seed),
        )

    def tokens(self, batch: Batch) -> Int[Tensor, "batch context"]:
        """All but the last of ``batch["tokens"]`` [batch, context + 1]."""
        return batch["tokens"][:, :-1]

    def nats(
        self, states: Float[Tensor, "batch context width"], batch: Batch
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
        """Cross-entropy of the next tokens; of held-out samples ``batch["targets"]`` tells padding by -1."""
        targets = batch["targets"] if "targets" in batch else batch["tokens"][:, 1:]
        nats = token_nats(self.model.logits(states), targets)
        return nats.sum(1), (targets >= 0).sum(1).to(nats.dtype)

    def examples(self, split: Split) -> Mapping[str, NDArray[np.generic]]:
        """Windows in which every token of the split is a target once."""
        windows = self._held_out(split)
        # What stands under a target of -1 is read by nobody.
        last = np.maximum(windows.targets[:, -1:], 0)
        return {"tokens": np.concatenate([windows.inputs, last], axis=1), "targets": windows.targets}

    def _held_out(self, split: Split) -> EvaluationWindows:
        if split not in self._windows:
            self._windows[split] = evaluation_windows(self.corpus.splits[split], context=self.config.context)
        return self._windows[split]

    def evaluate_states(self, read: Read, split: Split) -> Evaluation:
        """Bits per byte over all documents of a split; the interval resamples documents."""
        windows = self._held_out(split)
        nats = np.concatenate(
            [
                token_nats(self.model.logits(read(self.tokens(batch))), batch["targets"]).double().cpu().numpy()
                for batch in self.held_out(split)
            ]
        )
        bits = windows.sum_by_document(nats) / math.log(2)
        estimate = ratio_of_sums(bits, windows.document_bytes.astype(np.float64))
        num_tokens = int((windows.targets >= 0).sum())
        return Evaluation(
            value=estimate.value,
            low=estimate.low,
            high=estimate.high,
            interval=f"95 % bootstrap over {len(bits)} documents",
            details={"nats per token": float(nats.sum()) / num_tokens},
        )

    def baselines(self, cache: Path) -> Mapping[str, float]:
        """Byte models fitted on all the training text, and xz, on the same held-out text."""
        return floors(self.corpus, cache=cache)

    def data_receipt(self) -> Mapping[str, str]:
        """Name, SHA-256 and split rule of the text."""
        return {"name": self.corpus.name, "sha256": self.corpus.sha256, "split": self.corpus.split_rule}

    def save_assets(self, folder: Path) -> None:
        """The tokenizer, so that the model writes text without its corpus."""
        self.tokenizer.save(folder / "tokenizer.json")

    @torch.no_grad()
    def write(self, prompt: str, *, num_tokens: int, temperature: float, top_k: int, seed: int) -> str:
        """``prompt`` continued by ``num_tokens`` sampled tokens; an empty prompt begins a document."""
        device = self.model.embedding.weight.device
        ids = [self.tokenizer.separator, *self.tokenizer.encode(prompt).tolist()]
        generator = torch.Generator(device).manual_seed(seed)
        tokens = generate(
            self.model,
            torch.tensor([ids], device=device),
            num_tokens=num_tokens,
            temperature=temperature,
            top_k=top_k or None,
            generator=generator,
        )
        return self.tokenizer.decode(tokens[0].cpu().numpy())


def build(
    config: ParConfig | EncoderConfig | ClassifierConfig | ReaderConfig, *, cache: Path, folder: Path | None = None
) -> TextTask:
    """The task of a configuration with its data; from the ``folder`` of a run, the task for use without it."""
    match config:
        case EncoderConfig():
            return encoder.build(config, cache=cache, folder=folder)
        case ClassifierConfig():
            return classifier.build(config, cache=cache, folder=folder)
        case ReaderConfig():
            return reader.build(config, cache=cache, folder=folder)
        case ParConfig():
            return build_language_model(config, cache=cache, folder=folder)


def build_language_model(config: ParConfig, *, cache: Path, folder: Path | None = None) -> LanguageModel:
    """The task with its text; from the ``folder`` of a run, the task for use with that run's tokenizer."""
    if folder is not None:
        return LanguageModel(config, load_tokenizer(folder / "tokenizer.json"))
    corpus = open_text(config.data, cache=cache)
    return LanguageModel(config, corpus.tokenizer, corpus)


def recall_distances(context: int) -> list[int]:
    """64, 128, 256, ... and the longest distance at which a snippet still repeats inside the context."""
    longest = context - _SNIPPET
    distances = [64 * 2**k for k in range(32) if 64 * 2**k < longest]
    return [*distances, longest] if longest > _SNIPPET else []


@torch.no_grad()
def recall(
    model: Transformer, *, distance: int, vocab_size: int, num_sequences: int = 64, seed: int = 0
) -> dict[str, float]:
    """Does the model repeat what it saw ``distance`` tokens ago? The induction test of a language model.

    A snippet of random tokens, other random tokens, and the snippet again: from the second token of the
    repeat on, each next token is known to whoever can look back. Returns ``accuracy`` there, and
    ``floor``, the accuracy on the same tokens at their first occurrence, where they cannot be known.
    """
    generator = np.random.default_rng([seed, distance])
    first = generator.integers(1, vocab_size, (num_sequences, distance))
    tokens = torch.from_numpy(np.concatenate([first, first[:, :_SNIPPET]], axis=1)).to(model.embedding.weight.device)
    guesses = model(tokens[:, :-1]).argmax(-1)
    right = (guesses == tokens[:, 1:]).float()
    return {
        "accuracy": right[:, distance : distance + _SNIPPET - 1].mean().item(),
        "floor": right[:, : _SNIPPET - 1].mean().item(),
    }
