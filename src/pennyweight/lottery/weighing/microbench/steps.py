"""Steps of transformers in a child process, timed for the costs of their blocks (`lottery.weighing.blocks`)."""

import timeit
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from pennyweight.blocks.pattern import Pattern
from pennyweight.blocks.transformer import Transformer, TransformerConfig
from pennyweight.core.cost import Use
from pennyweight.core.machine import keep_memory
from pennyweight.core.optimizer import AdamW
from pennyweight.core.stack import Stack
from pennyweight.data.masking import num_chosen
from pennyweight.lottery.weighing.microbench.timing import Timed


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step of a model: training on ``batch`` sequences of ``length`` tokens, reading them, or a token after them.

    Without ``causal`` it is an encoder's: training restores 15 % of the tokens, reading is one pass without a cache,
    and nothing is decoded. It has a padding token, as the tasks on it have, though no text here is padded.
    """

    pattern: str
    vocab_size: int
    width: int
    num_heads: int
    window: int
    length: int
    batch: int
    use: Use
    causal: bool = True

    def document(self) -> dict[str, Any]:
        """What the cache knows it by. A causal step has the name that it had when there were no others."""
        document = asdict(self)
        if self.causal:
            del document["causal"]
        return document


_timed: dict[Step, Timed] = {}


def begin(stack: str, step: Step) -> float:
    """Build a model and run two steps; the seconds of the second."""
    keep_memory()  # blocks and whole models must meet the same memory, or their prices do not add up
    parsed = Stack.parse(stack)
    parsed.activate()
    wait = parsed.synchronize if parsed.device == "cuda" else None
    with _context(parsed, step):
        timed = _timed[step] = Timed(timeit.Timer(prepared(parsed, step)), wait)
    return timed.call_seconds


def take(stack: str, step: Step, seconds: float) -> float:
    """A slice of a step: its undisturbed seconds."""
    if step not in _timed:
        begin(stack, step)
    with _context(Stack.parse(stack), step):
        return _timed[step].low(seconds)


def _context(stack: Stack, step: Step) -> ExitStack:
    """Generation enters the stack's precision once for all of its tokens, as evaluation does; training at each step."""
    context = ExitStack()
    if step.use != "train":
        context.enter_context(torch.no_grad())
        context.enter_context(stack.autocast())
    return context


def prepared(stack: Stack, step: Step) -> Callable[[], object]:
    """A model with its data, as a function that takes one step, the way the product takes it."""
    device = torch.device(stack.device)
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    model = Transformer(
        TransformerConfig(
            vocab_size=step.vocab_size,
            width=step.width,
            num_heads=step.num_heads,
            window=step.window,
            pattern=Pattern.parse(step.pattern),
            causal=step.causal,
            padding=None if step.causal else step.vocab_size - 1,
        )
    ).to(device)
    _as_if_trained(model)
    shape = (step.batch, step.length + 1)
    words = step.vocab_size if step.causal else step.vocab_size - 1
    tokens = torch.randint(words, shape, generator=generator).to(device)
    if step.use == "train":
        return _training(stack, model, tokens)
    if not step.causal:
        return _seeing(model, tokens)
    return _reading(stack, model, tokens) if step.use == "prefill" else _decoding(stack, model, tokens)


def _as_if_trained(model: Transformer) -> None:
    """Blocks begin by adding nothing; zeros would make gradients zero that never are in training."""
    for name, parameter in model.named_parameters():
        if name.endswith("out.weight"):
            nn.init.normal_(parameter, std=0.02)


def _training(stack: Stack, model: Transformer, tokens: torch.Tensor) -> Callable[[], object]:
    optimizer = AdamW(lr=1e-6).build(model.named_parameters())
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    if not model.config.causal:
        targets = targets[:, : num_chosen(targets.shape[1])]

    def step() -> None:
        with stack.autocast():
            # All of an encoder's states are worked out, however few of them are read.
            logits = model.logits(model.hidden(inputs)[:, : targets.shape[1]])
            loss = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        model.zero_grad(set_to_none=True)

    return step


def _cache_dtype(stack: Stack) -> torch.dtype:
    return torch.bfloat16 if stack.precision == "bf16" else torch.float32


def _reading(stack: Stack, model: Transformer, tokens: torch.Tensor) -> Callable[[], object]:
    prompt = tokens[:, :-1]
    cache = model.new_cache(prompt.shape[0], prompt.shape[1], dtype=_cache_dtype(stack))

    def step() -> None:
        cache.length = 0
        model.logits(model.hidden(prompt, cache)[:, -1])

    return step


def _seeing(model: Transformer, tokens: torch.Tensor) -> Callable[[], object]:
    prompt = tokens[:, :-1]

    def step() -> None:
        model.logits(model.hidden(prompt)[:, -1])

    return step


def _decoding(stack: Stack, model: Transformer, tokens: torch.Tensor) -> Callable[[], object]:
    length = tokens.shape[1] - 1
    cache = model.new_cache(tokens.shape[0], length + 1, dtype=_cache_dtype(stack))
    for entry in cache.entries.values():
        for part in (entry.keys, entry.values):
            part.normal_()

    def step() -> None:
        cache.length = length
        model.logits(model.hidden(tokens[:, -1:], cache)[:, -1])

    return step
