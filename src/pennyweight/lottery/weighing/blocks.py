"""What the blocks of a transformer cost on a torch stack: the latency table of the pattern search.

PAR (2009.04534, section 3) searches layer patterns against a table of block latencies. A block's cost here is
what it adds to the step of a model that has others: four of a kind are put between the blocks of ``(af)*2``, and
the difference is shared among them. So it holds all that comes with a block: its norm, its residual, the
optimiser's update of its weights, and the caches it empties for its neighbours. Added to a model without
blocks, it would come out several per cent too cheap. For decoding it is two of a kind: six attention blocks keep more
keys and values than many a processor's cache holds, and each would come out dearer than in a model that was searched
for having few. What remains of ``(af)*2`` is the fixed cost: embedding,
final norm, head, loss and their update.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pennyweight.blocks.pattern import Pattern
from pennyweight.core.cost import FIXED, Rate, Use
from pennyweight.core.errors import UserError
from pennyweight.core.files import read_cached, write_json
from pennyweight.core.machine import BusyWatch, this_machine
from pennyweight.core.recipe import from_document, to_document
from pennyweight.core.stack import Stack
from pennyweight.lottery.weighing.microbench.steps import Step
from pennyweight.lottery.weighing.models import SECONDS_EACH, step_rates

BASE, _BASE_BLOCKS = "(af)*2", ("a", "a", "f", "f")
_COPIES: dict[Use, int] = {"train": 4, "prefill": 4, "decode": 2}
_FEW_WORDS = 64  # a small head beside the blocks, so that its noise does not drown theirs
_IDENTITY = "i"


def block_costs(
    stack: Stack,
    *,
    width: int,
    num_heads: int,
    length: int,
    batch: int,
    use: Use,
    kinds: Iterable[str] = ("a", "w", "f", "f1", "f2", "i"),
    window: int = 128,
    vocab_size: int = 2048,
    causal: bool = True,
    cache: Path,
    seconds_each: float = SECONDS_EACH,
) -> dict[str, Rate]:
    """Seconds that each kind of block adds to a step, by its letter in a pattern, and the ``"fixed"`` rest.

    ``use`` is ``"train"`` (forward, backward, clipping and AdamW on ``batch`` sequences of ``length`` tokens),
    ``"prefill"`` (reading them into a cache, logits of the last) or ``"decode"`` (one more token for each
    sequence after ``length`` cached ones). Blocks that are not ``causal`` see both sides: training restores hidden
    tokens, prefill is one pass, and there is no decoding. The fixed part belongs to ``vocab_size`` with a tied head.
    What this machine measured before is read from ``cache``; the rest is measured in turns,
    about ``seconds_each`` for a kind, and kept where no other process was busy meanwhile. Identity costs nothing: no
    such block is built.
    """
    if stack.library != "torch":
        raise UserError(f"stack {stack}", expected="torch, in which the blocks are written", hint="try cpu/torch/bf16")
    if use == "decode" and not causal:
        raise UserError("decoding with attention to both sides", expected="train or prefill, or causal blocks")
    letters = [spec.letter for kind in kinds for spec in _single(kind)]
    model = Step(
        pattern=BASE,
        vocab_size=vocab_size,
        width=width,
        num_heads=num_heads,
        window=window,
        length=length,
        batch=batch,
        use=use,
        causal=causal,
    )
    steps = steps_for_costs(model, letters)
    paths = {name: _path(cache, stack, step) for name, step in steps.items()}
    wanted = [*(letter for letter in dict.fromkeys(letters) if letter != _IDENTITY), FIXED]
    found = {name: rate for name in wanted if (rate := _read(paths[name]))}
    missing = [name for name in wanted if name not in found]
    if FIXED in missing:
        missing = list(dict.fromkeys([*_BASE_BLOCKS, *missing]))
    if missing:
        watch = BusyWatch()
        rates = step_rates(stack, {name: steps[name] for name in [*missing, BASE]}, seconds_each=seconds_each)
        fresh = costs_out_of(rates, use)
        if watch.share() <= BusyWatch.LIMIT:  # what was taken on a busy machine would be believed on an idle one
            for name, rate in fresh.items():
                document = {"step": steps[name].document(), "stack": str(stack), "rate": to_document(rate)}
                write_json(paths[name], document)
        found |= fresh
    return {name: found.get(name, Rate(value=0.0, low=0.0, high=0.0)) for name in (*letters, FIXED)}


def steps_for_costs(model: Step, letters: Iterable[str]) -> dict[str, Step]:
    """What is timed to price the blocks of models of this size: by letter, ``FIXED``, and ``BASE``, without them."""
    base = replace(model, pattern=BASE, vocab_size=_FEW_WORDS)
    steps = {letter: replace(base, pattern=_around(letter, model.use)) for letter in {*letters, *_BASE_BLOCKS}}
    return {**steps, FIXED: replace(model, pattern=BASE), BASE: base}


def costs_out_of(rates: Mapping[str, Rate], use: Use) -> dict[str, Rate]:
    """What blocks, and the fixed rest where it was timed, come to, out of the rates of `steps_for_costs`."""
    base = rates[BASE]
    costs = {name: _less(rate, base, share=_COPIES[use]) for name, rate in rates.items() if name not in (BASE, FIXED)}
    if FIXED in rates:
        costs[FIXED] = _less(rates[FIXED], _sum([costs[letter] for letter in _BASE_BLOCKS]))
    return costs


def model_seconds(pattern: Pattern, costs: Mapping[str, Rate]) -> Rate:
    """The step of a whole model: the fixed cost and that of each of its blocks; bands add up."""
    return _sum([costs[FIXED], *(costs[spec.letter] for spec in pattern)])


def _around(letter: str, use: Use) -> str:
    """The base with copies of a block between its own."""
    return f"(a{letter}f)*2" if _COPIES[use] == 2 else f"(a{letter}f{letter})*2"


def _single(kind: str) -> Pattern:
    pattern = Pattern.parse(kind)
    if len(pattern) != 1:
        raise UserError(f"block {kind!r}", expected="one letter of a pattern: a, w, f, f1, f2, f4 or i")
    return pattern


def _less(whole: Rate, part: Rate, *, share: int = 1) -> Rate:
    """What is left without a part, shared among so many: never less than nothing, which noise could say."""
    low, value, high = whole.low - part.high, whole.value - part.value, whole.high - part.low
    return Rate(low=max(0.0, low) / share, value=max(0.0, value) / share, high=max(0.0, high) / share)


def _sum(parts: Sequence[Rate]) -> Rate:
    return Rate(
        value=sum(part.value for part in parts),
        low=sum(part.low for part in parts),
        high=sum(part.high for part in parts),
    )


def _path(cache: Path, stack: Stack, step: Step) -> Path:
    asked = hashlib.sha256(json.dumps([str(stack), step.document()]).encode()).hexdigest()[:12]
    return cache / "blocks" / f"{this_machine().fingerprint}-{asked}.json"


def _read(path: Path) -> Rate | None:
    document = read_cached(path)
    try:
        return None if document is None else from_document(Rate, document["rate"])
    except (UserError, KeyError, TypeError):
        return None  # damaged: measured again
