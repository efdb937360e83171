"""The task "reading": answer questions on passages with a span, yes, no, or that the passage does not say.

A loss of its own teaches which words stood where some were erased, so that the reader knows texts with gaps:
explanations make such, and query expansion asks what could stand in one.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from torch import nn
from torch.nn import functional as F

from pennyweight.blocks.reader.head import answer_nats
from pennyweight.blocks.reader.reader import Reader
from pennyweight.core.errors import UserError
from pennyweight.core.task import Batch, Evaluation, Losses, Metric, Source, Task
from pennyweight.data.judging import floors, judged
from pennyweight.data.questions import Question, QuestionSet
from pennyweight.data.wordpieces import WordPieces
from pennyweight.methods.qa import encoders
from pennyweight.methods.qa.config import ReaderConfig
from pennyweight.methods.qa.data import Laid, Windows, lay_out, open_data
from pennyweight.methods.qa.reading import answers


class Reading(Task):
    """A reader with its questions; judged by F1 on held-out documents."""

    metric = Metric(name="F1", better="higher")

    def __init__(
        self, config: ReaderConfig, reader: Reader, pieces: WordPieces, data: QuestionSet | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.reader = reader
        self.pieces = pieces
        self._data = data
        self._laid: dict[str, list[Laid | None]] = {}

    @property
    def data(self) -> QuestionSet:
        """The questions; a task that was loaded from a run for use has none."""
        if self._data is None:
            raise UserError("this reader was loaded without its questions", expected="a task built for training")
        return self._data

    def _windows(self, split: str) -> list[Laid | None]:
        if split not in self._laid:
            self._laid[split] = lay_out(self.data.splits[split], self.pieces, self.config)
        return self._laid[split]

    def source(self, stream: str, *, seed: int) -> Source:
        """Windows of the training questions."""
        return Windows([one for one in self._windows("train") if one], self.pieces, self.config, seed=seed)

    def forward(self, batch: Batch, turn: str = "main") -> Losses:
        """The answer's loss, and with its weight that of the erased words, both in nats."""
        encoder = self.reader.encoder
        states = encoder(batch["tokens"], batch["kinds"], batch["real"])
        logits = self.reader.answers(states, batch["inside"])
        answer = answer_nats(
            logits, right=batch["right"], other=batch["other"], longest=self.config.longest_answer
        ).mean()
        places = batch["places"][:, :, None].expand(-1, -1, states.shape[-1])
        guessed = self.reader.words(states.gather(1, places), encoder.word.weight).float()
        nats = F.cross_entropy(guessed.flatten(0, 1), batch["targets"].flatten(), ignore_index=-1, reduction="none")
        # Over all places, so that the mean of parts of a batch is the mean of the batch.
        words = nats.view(batch["targets"].shape).mean()
        return {"loss": answer + self.config.word_weight * words, "answer": answer.detach(), "words": words.detach()}

    def evaluate(self, split: Literal["validation", "test"]) -> Evaluation:
        """F1; the interval resamples passages. In ``details`` exact match and what was answered, by kind."""
        questions = self.data.splits[split]
        given = self.answer(questions, self._windows(split))
        return judged(questions, [(kind, text) for kind, text, _ in given])

    def answer(
        self, questions: Sequence[Question], laid: list[Laid | None] | None = None
    ) -> list[tuple[str, str, float]]:
        """The kind, the text and the margin of the answer to each question."""
        windows = lay_out(questions, self.pieces, self.config) if laid is None else laid
        texts = [question.passage for question in questions]
        return [*answers(self.reader, self.pieces, windows, texts, longest=self.config.longest_answer)]

    def baselines(self, cache: Path) -> Mapping[str, float]:
        """What answering without reading is worth."""
        return floors(self.data.splits["test"])

    def data_receipt(self) -> Mapping[str, str]:
        """Name, SHA-256 and split rule of the questions."""
        return {"name": self.data.name, "sha256": self.data.sha256, "split": self.data.split_rule}

    def save_assets(self, folder: Path) -> None:
        """The word pieces and the sizes of the reader."""
        encoders.save(self.reader, self.pieces, folder)

    def shard_units(self) -> Iterable[nn.Module]:
        """The layers."""
        return list(self.reader.encoder.layers)


def build(config: ReaderConfig, *, cache: Path, folder: Path | None = None) -> Reading:
    """The task with its questions; from the ``folder`` of a run, the task for use without them."""
    if folder is not None:
        return Reading(config, *encoders.load(folder))
    data = open_data(config.data)
    train = data.splits["train"]
    texts = [*dict.fromkeys(q.passage for q in train), *(q.text for q in train)]
    reader, pieces = encoders.begun(config, texts, cache=cache)
    if config.context > reader.encoder.config.positions:
        raise UserError(
            f"context {config.context}", expected=f"at most {reader.encoder.config.positions}, what the encoder knows"
        )
    return Reading(config, reader, pieces, data)
