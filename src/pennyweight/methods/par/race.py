"""PAR's claim as a race: its rule's pattern against the interleaved one, at equal time or equal size."""

from collections.abc import Mapping

import torch

from pennyweight.core.race import Contest, Side, Timed, Traits
from pennyweight.core.stack import Stack
from pennyweight.core.task import Task
from pennyweight.methods.par.sizes import EQUALISERS
from pennyweight.methods.par.task import LanguageModel, recall, recall_distances

_DECODED = 32


def traits(task: Task, stack: Stack) -> Traits:
    """FLOPs and cache of a language model; its prefill and decode speed at the full context."""
    assert isinstance(task, LanguageModel)
    model, context = task.model, task.config.context
    vocab_size = task.tokenizer.vocab_size
    tokens = torch.randint(1, vocab_size, (1, context), generator=torch.Generator().manual_seed(0)).to(
        model.embedding.weight.device
    )
    prompt = tokens[:, : context - _DECODED]
    dtype = torch.bfloat16 if stack.precision == "bf16" else torch.float32
    filled = model.new_cache(1, context, dtype=dtype)
    model(prompt, cache=filled)
    figures = {
        "attention blocks": float(model.config.pattern.count("attention")),
        "FLOPs per token": model.config.flops(1, context) / context,
        "cache bytes at the context": float(filled.num_bytes),
    }

    def prefill() -> None:
        model(prompt, cache=model.new_cache(1, context, dtype=dtype))

    def decode() -> None:
        for position in range(context - _DECODED, context):
            model(tokens[:, position : position + 1], cache=filled)
        filled.length = prompt.shape[1]

    return Traits(
        figures=figures,
        timed={
            "prefill": Timed(work=prefill, amount=prompt.shape[1], unit="tokens"),
            "decode": Timed(work=decode, amount=_DECODED, unit="tokens"),
        },
    )


def probe(task: Task, stack: Stack) -> Mapping[str, float]:
    """Recall by distance beside its floor, which bits per byte hardly show."""
    assert isinstance(task, LanguageModel)
    scores = {}
    for distance in recall_distances(task.config.context):
        measured = recall(task.model, distance=distance, vocab_size=task.tokenizer.vocab_size)
        scores[f"recall at {distance}"] = measured["accuracy"]
        scores[f"recall floor at {distance}"] = measured["floor"]
    return scores


CONTEST = Contest(
    claim=(
        "Replacing about 63 % of self-attention blocks by feed-forward blocks lowers compute time by 35 % and"
        " keeps the perplexity (Mandava, Migacz & Fit-Florea 2020, arXiv 2009.04534, abstract)."
    ),
    recipe="par/tiny",
    idea=Side(name="PAR rule, p = 5", settings={"pattern": "par(5)"}),
    rival=Side(name="interleaved", settings={"pattern": "interleaved"}),
    traits=traits,
    probe=probe,
    equalisers=EQUALISERS,
    differ="pattern",
)
