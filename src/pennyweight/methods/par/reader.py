"""The task "extractive question answering" on an encoder: where in a passage does the answer begin, and where end?

As in BERT (1810.04805, section 4.2): a score for the beginning and one for the end at each position, the first position
standing for no answer. Of all spans that are not too long the best is taken, by what it scores more than no answer does
in the same window (Alberti et al. 2019, 1901.08634), so that windows of a long passage can be compared.

The head is two rows of weights, on purpose: it is here so that patterns can be searched for readers. The product's one
reader belongs in `blocks`, and is made there with the work on question answering.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from pennyweight.blocks.reader.head import NEVER, Logits
from pennyweight.blocks.reader.head import best_spans as whole_best_spans
from pennyweight.blocks.transformer import Transformer
from pennyweight.core.errors import UserError
from pennyweight.core.task import Batch, Evaluation, Metric, Source, to_tensors
from pennyweight.data.answers import f1
from pennyweight.data.judging import first_sentence, judged
from pennyweight.data.questions import Question, QuestionSet, open_questions
from pennyweight.data.rows import ShuffledRows, divided_rows, taken
from pennyweight.data.spans import SpanWindows, span_windows
from pennyweight.data.tokens import Tokenizer
from pennyweight.methods.par import foundation
from pennyweight.methods.par.config import ReaderConfig
from pennyweight.methods.par.text import Read, Split, TextTask


class Reader(TextTask):
    """An encoder that finds the answer in a passage, or that there is none; judged by F1 on held-out documents."""

    metric = Metric(name="F1", better="higher")
    null_allowed: Tensor

    def __init__(
        self, config: ReaderConfig, model: Transformer, tokenizer: Tokenizer, data: QuestionSet | None = None
    ) -> None:
        super().__init__()
        self.config = config
        self.tokenizer = tokenizer
        self.model = model
        self.head = nn.Linear(model.config.width, 2)
        # Whether "no answer" is an answer: only where training had questions without one. Saved with the weights.
        unanswered = data is not None and any(not question.answers for question in data.splits["train"])
        self.register_buffer("null_allowed", torch.tensor(unanswered))
        self._data = data
        self._windows: dict[str, SpanWindows] = {}

    @property
    def data(self) -> QuestionSet:
        """The questions; a task that was loaded from a run for use has none."""
        if self._data is None:
            raise UserError("this reader was loaded without its questions", expected="a task built for training")
        return self._data

    def windows(self, split: str) -> SpanWindows:
        """The windows of a split's questions."""
        if split not in self._windows:
            self._windows[split] = self._laid_out(self.data.splits[split])
        return self._windows[split]

    def _laid_out(self, questions: Sequence[Question]) -> SpanWindows:
        return span_windows(questions, self.tokenizer, context=self.config.context, overlap=self.config.overlap)

    def source(self, stream: str, *, seed: int) -> Source:
        """Windows of the training questions in an order that changes with each epoch."""
        return ShuffledRows(self.windows("train").arrays, seed=seed)

    def parts(self, share: float, *, seed: int) -> tuple[Source, Source]:
        """The questions on the first documents and those on the rest."""
        windows, names = self.windows("train"), [question.document for question in self.data.splits["train"]]
        numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
        documents = np.array([numbers[name] for name in names], np.int64)[windows.questions]
        first, second = divided_rows(documents, share)
        return (
            ShuffledRows(taken(windows.arrays, first), seed=seed),
            ShuffledRows(taken(windows.arrays, second), seed=seed),
        )

    def tokens(self, batch: Batch) -> Int[Tensor, "batch context"]:
        """``batch["tokens"]``."""
        return batch["tokens"]

    def _scores(
        self, states: Float[Tensor, "batch context width"], batch: Batch
    ) -> tuple[Float[Tensor, "batch context"], Float[Tensor, "batch context"]]:
        """How well an answer would begin and end at each position of the passage, or at the first for none."""
        places = torch.arange(states.shape[1], device=states.device)
        inside = (places >= batch["start"][:, None]) & (places < batch["stop"][:, None]) | (places == 0)
        begins, ends = self.head(states).float().masked_fill(~inside[..., None], NEVER).unbind(-1)
        return begins, ends

    def nats(
        self, states: Float[Tensor, "batch context width"], batch: Batch
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
        """Cross-entropy of where the answer begins and of where it ends: two predictions a window."""
        begins, ends = self._scores(states, batch)
        nats = F.cross_entropy(begins, batch["first"], reduction="none")
        nats = nats + F.cross_entropy(ends, batch["last"], reduction="none")
        return nats, torch.full_like(nats, 2.0)

    def examples(self, split: Split) -> Mapping[str, NDArray[np.generic]]:
        """All windows of a split."""
        windows = self.windows(split)
        return taken(windows.arrays, np.arange(len(windows.questions)))

    def evaluate_states(self, read: Read, split: Split) -> Evaluation:
        """F1; the interval resamples passages. In ``details`` exact match, and F1 by whether there is an answer."""
        batches = ((batch, read(self.tokens(batch))) for batch in self.held_out(split))
        answers = self._answers(self.windows(split), [self._found(batch, states) for batch, states in batches])
        return judged(self.data.splits[split], [("span" if answer else "none", answer) for answer in answers])

    def _found(self, batch: Batch, states: Tensor) -> NDArray[np.float64]:
        """The best span of each window: its first and last position, and by how much it is better than none."""
        begins, ends = self._scores(states, batch)
        first, last, margin = best_spans(
            begins, ends, start=batch["start"], stop=batch["stop"], longest=self.config.longest_answer
        )
        return torch.stack([first.double(), last.double(), margin.double()], 1).cpu().numpy()

    def _answers(self, windows: SpanWindows, found: Sequence[NDArray[np.float64]]) -> list[str]:
        """The answer to each question: the span of its best window, or nothing."""
        spans = np.concatenate(found)
        best: dict[int, int] = {}
        for row, (question, margin) in enumerate(zip(windows.questions.tolist(), spans[:, 2].tolist(), strict=True)):
            if question not in best or margin > spans[best[question], 2]:
                best[question] = row
        answers = []
        for question, passage in enumerate(windows.passages):
            row = best[question]
            first, last, margin = spans[row].tolist()
            nothing = margin < NEVER / 2 or (bool(self.null_allowed) and margin < 0)
            shift = int(windows.offsets[row] - windows.arrays["start"][row])
            answers.append("" if nothing else passage.text(int(first) + shift, int(last) + shift))
        return answers

    def baselines(self, cache: Path) -> Mapping[str, float]:
        """Always no answer, the first sentence, or any span of the passage that is not too long."""
        generator = np.random.default_rng(0)
        questions = self.data.splits["test"]
        drawn = []
        for passage in self.windows("test").passages:
            first = int(generator.integers(max(1, len(passage.ids))))
            last = min(len(passage.ids), first + int(generator.integers(self.config.longest_answer)) + 1) - 1
            drawn.append(passage.text(first, last) if last >= first else "")
        ways = {
            "no answer": [""] * len(questions),
            "first sentence": [first_sentence(question.passage) for question in questions],
            "random span": drawn,
        }
        return {
            name: float(np.mean([f1(answer, q.right) for answer, q in zip(answers, questions, strict=True)]))
            for name, answers in ways.items()
        }

    def data_receipt(self) -> Mapping[str, str]:
        """Name, SHA-256 and split rule of the questions."""
        return {"name": self.data.name, "sha256": self.data.sha256, "split": self.data.split_rule}

    def save_assets(self, folder: Path) -> None:
        """The tokenizer and the size of the network."""
        foundation.save(self.model, self.tokenizer, folder)

    @torch.no_grad()
    def answer(self, question: str, passage: str) -> str:
        """The answer to a question in a passage of any length; "" where it is not found there."""
        windows = self._laid_out([Question(text=question, passage=passage, document="", answers=())])
        batch = to_tensors(taken(windows.arrays, np.arange(len(windows.questions))), self.device)
        return self._answers(windows, [self._found(batch, self.model.hidden(self.tokens(batch)))])[0]


def best_spans(
    begins: Float[Tensor, "batch context"],
    ends: Float[Tensor, "batch context"],
    *,
    start: Int[Tensor, " batch"],
    stop: Int[Tensor, " batch"],
    longest: int,
) -> tuple[Int[Tensor, " batch"], Int[Tensor, " batch"], Float[Tensor, " batch"]]:
    """The first and last position of the best span of at most ``longest``, and its margin over no answer.

    A span scores what it begins with and what it ends with together; it lies in ``start`` to before ``stop``. Position
    0 scores for no answer. Where there is no span the margin is at most ``NEVER``.
    """
    places = torch.arange(begins.shape[1], device=begins.device)
    outside = (places < start[:, None]) | (places >= stop[:, None])
    none = (begins[:, 0] + ends[:, 0])[:, None].expand(-1, 3)
    logits = Logits(
        begins=begins.masked_fill(outside, 2 * NEVER), ends=ends.masked_fill(outside, 2 * NEVER), others=none
    )
    best = whole_best_spans(logits, longest=longest)
    return best.first, best.last, best.margin


def build(config: ReaderConfig, *, cache: Path, folder: Path | None = None) -> Reader:
    """The task with its questions; from the ``folder`` of a run, the task for use without them."""
    if folder is not None:
        return Reader(config, *foundation.load(folder))
    data = open_questions(config.data)
    train = data.splits["train"]
    texts = [text.encode() for text in dict.fromkeys(q.passage for q in train)]
    model, tokenizer = foundation.begun(
        config,
        texts + [question.text.encode() for question in train],
        tokenizer=config.data.tokenizer,
        vocab_size=config.data.vocab_size,
        cache=cache,
    )
    return Reader(config, model, tokenizer, data)
