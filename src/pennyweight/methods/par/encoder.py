"""The task "masked-language model": a transformer that sees both sides learns to restore hidden tokens.

It is the first half of PAR BERT (2009.04534), which is then fine-tuned: `classifier` and `reader` may begin with it.
The head is the matrix that embeds the tokens; BERT's extra layer before it is left out.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from pennyweight.arrays.statistics import ratio_of_sums
from pennyweight.blocks.transformer import Transformer
from pennyweight.core.errors import UserError
from pennyweight.core.task import Batch, Evaluation, Metric, Source
from pennyweight.data.masking import HeldOutMasks, Marks, MaskedWindows, held_out_masks
from pennyweight.data.text import TextCorpus, Tokenizer, divided, load_tokenizer, open_text
from pennyweight.methods.par.config import EncoderConfig
from pennyweight.methods.par.text import Read, Split, TextTask, model_config, token_nats


class MaskedLanguageModel(TextTask):
    """An encoder that restores hidden tokens; judged in bits per hidden token of held-out documents."""

    metric = Metric(name="bits per masked token", unit="bits/token", better="lower")

    def __init__(self, config: EncoderConfig, tokenizer: Tokenizer, corpus: TextCorpus | None = None) -> None:
        super().__init__()
        self.config = config
        self.tokenizer = tokenizer
        self.marks = Marks.beyond(tokenizer.vocab_size)
        self.model = Transformer(
            model_config(config, vocab_size=self.marks.vocab_size, causal=False, padding=self.marks.padding)
        )
        self._corpus = corpus
        self._held_out: dict[str, HeldOutMasks] = {}

    @property
    def corpus(self) -> TextCorpus:
        """The text; a task that was loaded from a run for use has none."""
        if self._corpus is None:
            raise UserError("this encoder was loaded without its text", expected="a task built for training")
        return self._corpus

    def source(self, stream: str, *, seed: int) -> Source:
        """Training windows of ``context`` tokens, some of them hidden."""
        return MaskedWindows(self.corpus.splits["train"], context=self.config.context, marks=self.marks, seed=seed)

    def parts(self, share: float, *, seed: int) -> tuple[Source, Source]:
        """Windows of the first documents and of the rest."""
        first, second = (
            MaskedWindows(part, context=self.config.context, marks=self.marks, seed=seed)
            for part in divided(self.corpus.splits["train"], share)
        )
        return first, second

    def tokens(self, batch: Batch) -> Int[Tensor, "batch context"]:
        """``batch["tokens"]``, in which some are hidden."""
        return batch["tokens"]

    def nats(
        self, states: Float[Tensor, "batch context width"], batch: Batch
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
        """Cross-entropy of the chosen tokens (``places``, ``targets``)."""
        nats = token_nats(self._logits(states, batch), batch["targets"])
        return nats.sum(1), (batch["targets"] >= 0).sum(1).to(nats.dtype)

    def _logits(self, states: Tensor, batch: Batch) -> Float[Tensor, "batch chosen vocab"]:
        """Only the chosen tokens are read out: the head is most of a small model's work."""
        places = batch["places"][..., None].expand(-1, -1, states.shape[-1])
        return self.model.logits(states.gather(1, places))

    def examples(self, split: Split) -> Mapping[str, NDArray[np.generic]]:
        """Windows in which every token of the split stands once, hidden in the same way each time."""
        found = self._masks(split)
        return {"tokens": found.tokens, "places": found.places, "targets": found.targets}

    def _masks(self, split: Split) -> HeldOutMasks:
        if split not in self._held_out:
            self._held_out[split] = held_out_masks(
                self.corpus.splits[split], context=self.config.context, marks=self.marks
            )
        return self._held_out[split]

    def evaluate_states(self, read: Read, split: Split) -> Evaluation:
        """Bits per hidden token; the interval resamples documents. In ``details``, how many are restored."""
        bits, right = [], []
        for batch in self.held_out(split):
            logits = self._logits(read(self.tokens(batch)), batch)
            bits.append((token_nats(logits, batch["targets"]) / math.log(2)).double().cpu().numpy())
            right.append((logits.argmax(-1) == batch["targets"]).cpu().numpy())
        masks = self._masks(split)
        estimate = ratio_of_sums(*_by_document(np.concatenate(bits), masks))
        restored, counts = _by_document(np.concatenate(right).astype(np.float64), masks)
        return Evaluation(
            value=estimate.value,
            low=estimate.low,
            high=estimate.high,
            interval=f"95 % bootstrap over {masks.num_documents} documents",
            details={"restored": float(restored.sum() / counts.sum()), "masked tokens": float(counts.sum())},
        )

    def baselines(self, cache: Path) -> Mapping[str, float]:
        """The frequencies of tokens in the training text, one added to each count, on the same hidden tokens."""
        counts = np.bincount(self.corpus.splits["train"].tokens, minlength=self.tokenizer.vocab_size) + 1.0
        targets = self._masks("test").targets
        bits = -np.log2(counts / counts.sum())
        return {"token frequencies": float(bits[targets[targets >= 0]].mean())}

    def data_receipt(self) -> Mapping[str, str]:
        """Name, SHA-256 and split rule of the text."""
        return {"name": self.corpus.name, "sha256": self.corpus.sha256, "split": self.corpus.split_rule}

    def save_assets(self, folder: Path) -> None:
        """The tokenizer."""
        self.tokenizer.save(folder / "tokenizer.json")


def _by_document(
    values: Float[NDArray[np.float64], "windows chosen"], masks: HeldOutMasks
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums over each document, and how many of its tokens were hidden."""
    real = masks.documents >= 0
    rows, number = masks.documents[real], masks.num_documents
    sums, counts = (np.bincount(rows, weights=w, minlength=number) for w in (values[real], np.ones(len(rows))))
    return sums.astype(np.float64), counts.astype(np.float64)


def build(config: EncoderConfig, *, cache: Path, folder: Path | None = None) -> MaskedLanguageModel:
    """The task with its text; from the ``folder`` of a run, the task for use with that run's tokenizer."""
    if folder is not None:
        return MaskedLanguageModel(config, load_tokenizer(folder / "tokenizer.json"))
    corpus = open_text(config.data, cache=cache)
    return MaskedLanguageModel(config, corpus.tokenizer, corpus)
