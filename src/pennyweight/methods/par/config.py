"""Recipes of PAR: text transformers whose layer pattern is the question."""

from dataclasses import dataclass

from pennyweight.blocks.pattern import Pattern
from pennyweight.core.errors import UserError
from pennyweight.core.optimizer import AdamW
from pennyweight.core.recipe import FitConfig
from pennyweight.core.schedule import Schedule
from pennyweight.data.labelled import LabelledConfig
from pennyweight.data.questions import QuestionsConfig
from pennyweight.data.text import TextConfig


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """The size of a transformer and its layer pattern.

    ``pattern`` is a pattern string or a preset (``par(5)``, ``interleaved``) over ``num_blocks`` blocks;
    ``width`` the residual width, ``num_heads`` of attention, ``window`` the reach of ``w`` blocks and
    ``context`` the training length, both in tokens.
    """

    pattern: str = "par(5)"
    num_blocks: int = 12
    width: int = 128
    num_heads: int = 4
    window: int = 128
    context: int = 512

    def __post_init__(self) -> None:
        self.parsed_pattern()
        if self.num_heads < 1 or self.width % (2 * self.num_heads):
            raise UserError(
                f"width {self.width} with {self.num_heads} heads",
                expected="a width that is an even multiple of the heads",
            )
        if self.context < 2 or self.window < 1:
            raise UserError(f"context {self.context}, window {self.window}", expected="context >= 2, window >= 1")

    def parsed_pattern(self) -> Pattern:
        """The pattern's blocks; a string that spells out its blocks may have any number of them."""
        preset = self.pattern.strip().lower().startswith(("par", "interleaved", "sandwich"))
        return Pattern.parse(self.pattern, num_blocks=self.num_blocks if preset else None)


@dataclass(frozen=True, kw_only=True)
class ParConfig(NetworkConfig):
    """A decoder language model with a layer pattern."""

    data: TextConfig = TextConfig()
    fit: FitConfig = FitConfig()


@dataclass(frozen=True, kw_only=True)
class EncoderConfig(NetworkConfig):
    """A masked-language model: an encoder with a layer pattern."""

    context: int = 256
    data: TextConfig = TextConfig()
    fit: FitConfig = FitConfig()


@dataclass(frozen=True, kw_only=True)
class FineTuneConfig(NetworkConfig):
    """A task on an encoder. ``encoder`` is the folder of a run of ``par/encoder`` to begin with, "" to begin anew.

    An encoder brings its pattern, width, heads, window and tokenizer along: those settings then have no effect.
    """

    encoder: str = ""
    context: int = 256


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(FineTuneConfig):
    """A text classifier; of a longer text the first ``context`` tokens are read."""

    data: LabelledConfig = LabelledConfig()
    fit: FitConfig = FitConfig()


@dataclass(frozen=True, kw_only=True)
class ReaderConfig(FineTuneConfig):
    """A reader of questions and passages.

    A passage that does not fit into ``context`` beside its question is cut into windows that share ``overlap`` tokens;
    an answer has at most ``longest_answer`` tokens.
    """

    overlap: int = 64
    longest_answer: int = 30
    data: QuestionsConfig = QuestionsConfig()
    fit: FitConfig = FitConfig()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.context < 16 or self.overlap < 0 or not 1 <= self.longest_answer <= self.context:
            raise UserError(
                f"context {self.context}, overlap {self.overlap}, longest_answer {self.longest_answer}",
                expected="context >= 16, overlap >= 0, longest_answer from 1 to the context",
            )


def tiny() -> ParConfig:
    """1.7 M parameters, context 512: minutes on two processor cores."""
    return ParConfig(
        data=TextConfig(vocab_size=2048),
        fit=FitConfig(batch=8, optimizer=AdamW(lr=3e-3), schedule=Schedule(warmup=0.08, decay=0.6)),
    )


def small() -> ParConfig:
    """9 M parameters, 16 blocks, 4,096 tokens: an evening on a desktop processor."""
    return ParConfig(
        num_blocks=16,
        width=256,
        data=TextConfig(vocab_size=4096),
        fit=FitConfig(batch=16, optimizer=AdamW(lr=1.5e-3), budget="2h"),
    )


def one_gpu() -> ParConfig:
    """120 M parameters, 32 blocks as in the paper, context 1,024: hours on one GPU."""
    return ParConfig(
        num_blocks=32,
        width=640,
        num_heads=10,
        context=1024,
        window=256,
        data=TextConfig(vocab_size=16384),
        fit=FitConfig(batch=64, optimizer=AdamW(lr=6e-4, beta2=0.95, weight_decay=0.1), budget="4h"),
    )


def encoder() -> EncoderConfig:
    """A masked-language model of 1.7 M parameters, context 256: minutes on two processor cores."""
    return EncoderConfig(
        data=TextConfig(vocab_size=2048),
        fit=FitConfig(batch=16, optimizer=AdamW(lr=3e-3), schedule=Schedule(warmup=0.08, decay=0.6)),
    )


def classifier() -> ClassifierConfig:
    """A text classifier of 1.7 M parameters, context 256: minutes on two processor cores."""
    return ClassifierConfig(
        data=LabelledConfig(vocab_size=2048),
        fit=FitConfig(batch=16, optimizer=AdamW(lr=1e-3), schedule=Schedule(warmup=0.08, decay=0.6)),
    )


def reader() -> ReaderConfig:
    """A reader of 1.7 M parameters that answers with spans, context 256: minutes on two processor cores."""
    return ReaderConfig(
        data=QuestionsConfig(vocab_size=2048),
        fit=FitConfig(batch=16, optimizer=AdamW(lr=1e-3), schedule=Schedule(warmup=0.08, decay=0.6)),
    )


RECIPES = {
    "tiny": tiny,
    "small": small,
    "one_gpu": one_gpu,
    "encoder": encoder,
    "classifier": classifier,
    "reader": reader,
}
DEFAULT = "tiny"
