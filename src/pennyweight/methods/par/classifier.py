"""The task "text classification" on an encoder: the mean over the states of a text, and a linear layer.

A text that is longer than the context is judged by its beginning.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, Integer
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from pennyweight.arrays.statistics import ratio_of_sums
from pennyweight.blocks.transformer import Transformer
from pennyweight.core.errors import UserError
from pennyweight.core.task import Batch, Evaluation, Metric, Source, to_tensors
from pennyweight.data.labelled import LabelledSet, open_labelled
from pennyweight.data.masking import Marks
from pennyweight.data.rows import ShuffledRows, divided_rows, taken
from pennyweight.data.tokens import Tokenizer
from pennyweight.methods.par import foundation
from pennyweight.methods.par.config import ClassifierConfig
from pennyweight.methods.par.text import Read, Split, TextTask, sums_by


class TextClassifier(TextTask):
    """An encoder that names the class of a text; judged by accuracy on held-out documents."""

    metric = Metric(name="accuracy", better="higher")

    def __init__(
        self,
        config: ClassifierConfig,
        model: Transformer,
        tokenizer: Tokenizer,
        classes: tuple[str, ...],
        data: LabelledSet | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.tokenizer = tokenizer
        self.classes = classes
        self.marks = Marks.beyond(tokenizer.vocab_size)
        self.model = model
        self.head = nn.Linear(model.config.width, len(classes))
        self._data = data
        self._rows: dict[str, dict[str, NDArray[np.generic]]] = {}

    @property
    def data(self) -> LabelledSet:
        """The texts; a task that was loaded from a run for use has none."""
        if self._data is None:
            raise UserError("this classifier was loaded without its texts", expected="a task built for training")
        return self._data

    def source(self, stream: str, *, seed: int) -> Source:
        """Training texts in an order that changes with each epoch."""
        return ShuffledRows(self._arrays("train"), seed=seed)

    def parts(self, share: float, *, seed: int) -> tuple[Source, Source]:
        """The texts of the first documents and those of the rest."""
        first, second = divided_rows(self.data.splits["train"].documents, share)
        arrays = self._arrays("train")
        return ShuffledRows(taken(arrays, first), seed=seed), ShuffledRows(taken(arrays, second), seed=seed)

    def _arrays(self, split: str) -> dict[str, NDArray[np.generic]]:
        if split not in self._rows:
            part = self.data.splits[split]
            self._rows[split] = {"tokens": self._laid_out(part.texts), "label": part.labels}
        return self._rows[split]

    def _laid_out(self, texts: Sequence[bytes]) -> Integer[NDArray[np.unsignedinteger], "texts context"]:
        """A separator, the beginning of the text, padding."""
        context = self.config.context
        rows = np.full((len(texts), context), self.marks.padding, np.min_scalar_type(self.marks.padding))
        rows[:, 0] = self.tokenizer.separator
        for row, ids in zip(rows, self.tokenizer.encode_documents(texts), strict=True):
            row[1 : 1 + len(ids)] = ids[: context - 1]
        return rows

    def tokens(self, batch: Batch) -> Int[Tensor, "batch context"]:
        """``batch["tokens"]``."""
        return batch["tokens"]

    def _logits(self, states: Float[Tensor, "batch context width"], batch: Batch) -> Float[Tensor, "batch classes"]:
        real = (batch["tokens"] != self.marks.padding)[..., None].to(states.dtype)
        logits: Tensor = self.head((states * real).sum(1) / real.sum(1))
        return logits.float()

    def nats(
        self, states: Float[Tensor, "batch context width"], batch: Batch
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
        """Cross-entropy of ``batch["label"]``, one prediction a text."""
        nats = F.cross_entropy(self._logits(states, batch), batch["label"], reduction="none")
        return nats, torch.ones_like(nats)

    def examples(self, split: Split) -> Mapping[str, NDArray[np.generic]]:
        """All texts of a split."""
        return taken(self._arrays(split), np.arange(len(self.data.splits[split].texts)))

    def evaluate_states(self, read: Read, split: Split) -> Evaluation:
        """Accuracy; the interval resamples documents. In ``details``, the mean of the classes' accuracies."""
        logits = [self._logits(read(self.tokens(batch)), batch) for batch in self.held_out(split)]
        scores = torch.cat(logits).cpu()
        part = self.data.splits[split]
        right = (scores.argmax(-1).numpy() == part.labels).astype(np.float64)
        estimate = ratio_of_sums(*sums_by(part.documents, right))
        by_class, counts = sums_by(part.labels, right)
        nats = F.cross_entropy(scores, torch.from_numpy(part.labels))
        return Evaluation(
            value=estimate.value,
            low=estimate.low,
            high=estimate.high,
            interval=f"95 % bootstrap over {len(np.unique(part.documents))} documents",
            details={"mean over classes": float((by_class / counts).mean()), "nats per text": float(nats)},
        )

    def baselines(self, cache: Path) -> Mapping[str, float]:
        """Always the largest class of the training texts; and naive Bayes on how often each token occurs."""
        train, test = self.data.splits["train"], self.data.splits["test"]
        sizes = np.bincount(train.labels, minlength=len(self.classes))
        counts = np.ones((len(self.classes), self.marks.vocab_size))
        np.add.at(counts, (train.labels[:, None], self._arrays("train")["tokens"].astype(np.int64)), 1)
        counts[:, [self.tokenizer.separator, self.marks.padding]] = 1
        logs = np.log(counts / counts.sum(1, keepdims=True))
        logs[:, [self.tokenizer.separator, self.marks.padding]] = 0
        scores = logs[:, self._arrays("test")["tokens"].astype(np.int64)].sum(-1).T + np.log(np.maximum(sizes, 0.5))
        return {
            "majority class": float((test.labels == sizes.argmax()).mean()),
            "naive Bayes": float((scores.argmax(1) == test.labels).mean()),
        }

    def data_receipt(self) -> Mapping[str, str]:
        """Name, SHA-256 and split rule of the texts."""
        return {"name": self.data.name, "sha256": self.data.sha256, "split": self.data.split_rule}

    def save_assets(self, folder: Path) -> None:
        """The tokenizer, the size of the network and the names of the classes."""
        foundation.save(self.model, self.tokenizer, folder)
        foundation.save_names(self.classes, folder / "classes.json")

    @torch.no_grad()
    def classify(self, texts: Sequence[str]) -> list[str]:
        """The likeliest class of each text."""
        rows = taken({"tokens": self._laid_out([text.encode() for text in texts])}, np.arange(len(texts)))
        batch = to_tensors(rows, self.device)
        scores = self._logits(self.model.hidden(batch["tokens"]), batch)
        return [self.classes[number] for number in scores.argmax(-1).tolist()]


def build(config: ClassifierConfig, *, cache: Path, folder: Path | None = None) -> TextClassifier:
    """The task with its texts; from the ``folder`` of a run, the task for use without them."""
    if folder is not None:
        return TextClassifier(config, *foundation.load(folder), foundation.load_names(folder / "classes.json"))
    data = open_labelled(config.data)
    model, tokenizer = foundation.begun(
        config,
        data.splits["train"].texts,
        tokenizer=config.data.tokenizer,
        vocab_size=config.data.vocab_size,
        cache=cache,
    )
    return TextClassifier(config, model, tokenizer, data.classes, data)
