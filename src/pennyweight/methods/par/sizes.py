"""The sizes that a language model of a pattern comes in, for a race at equal latency, parameters or FLOPs.

PAR's rule puts a feed-forward block (8 W² parameters) where an attention block (4 W²) was, so its networks are about a
fifth larger than the interleaved one that they were compared with. Here the rival's width W makes up for it.
"""

import math
from collections.abc import Callable
from dataclasses import replace

from pennyweight.blocks.transformer import TransformerConfig
from pennyweight.core.equality import Size, match_count, match_latency
from pennyweight.core.race import Lineup, Match, Side
from pennyweight.methods.par.config import ParConfig
from pennyweight.methods.par.task import LanguageModel
from pennyweight.methods.par.text import model_config

_LARGEST = 4
_NEAR = 0.01
_OWN_HEADS = (1 / 2, 2.0)
_OTHER_HEADS = (3 / 4, 4 / 3)


def sizes(side: Side, config: ParConfig, *, fine: bool = False) -> list[Size]:
    """The side in widths up to four times its own, in order, in the steps that its heads allow.

    The number of heads stays while a head is half to twice as wide as it was; beyond that there are as many as keep a
    head's width nearest to what it was. ``fine`` adds the widths that one head more or fewer allows, where a head stays
    within a third: the time of attention follows its heads, so they are for counting alone.
    """
    step = 2 * config.num_heads
    heads = {width: _num_heads(width, config) for width in range(step, _LARGEST * config.width + 1, step)}
    for other in (config.num_heads - 1, config.num_heads + 1) if fine else ():
        for width in range(2 * other, _LARGEST * config.width, 2 * other) if other else ():
            if _fits(width, other, config, _OTHER_HEADS):
                heads.setdefault(width, other)
    found = sorted((width, count) for width, count in heads.items() if count)
    return [_size(side, config, width=width, num_heads=count) for width, count in found]


def _num_heads(width: int, config: ParConfig) -> int:
    """The heads of a width, 0 where none suit: a head may be narrow only when it is the only one."""
    if _fits(width, config.num_heads, config, _OWN_HEADS):
        return config.num_heads
    whole = [heads for heads in range(1, width // 2 + 1) if width % (2 * heads) == 0]
    nearest = min(whole, key=lambda heads: abs(math.log(_stretch(width, heads, config))))
    return nearest if nearest == 1 or _fits(width, nearest, config, _OWN_HEADS) else 0


def _fits(width: int, heads: int, config: ParConfig, limits: tuple[float, float]) -> bool:
    return limits[0] <= _stretch(width, heads, config) <= limits[1]


def _stretch(width: int, heads: int, config: ParConfig) -> float:
    """How many times as wide as in the recipe a head is."""
    return width / heads / (config.width / config.num_heads)


def _size(side: Side, config: ParConfig, *, width: int, num_heads: int) -> Size:
    if width == config.width:
        return Size(side=side, scale=width)
    heads = f" and {num_heads} heads" if num_heads != config.num_heads else ""
    instead = f" and {config.num_heads}" if heads else ""
    name = f"{side.name}, width {width}" + (f", {num_heads} heads" if heads else "")
    return Size(
        side=replace(side, name=name, settings={**side.settings, "width": width, "num_heads": num_heads}),
        scale=width,
        change=f"width {width}{heads} instead of {config.width}{instead}",
    )


def equal_latency(lineup: Lineup) -> Match:
    """The rival in the width at which its training step takes as long as the idea's."""
    return match_latency(lineup, sizes(lineup.rival, _config(lineup, lineup.rival)))


def equal_parameters(lineup: Lineup) -> Match:
    """The rival in the width at which it has as many parameters as the idea; both get equally many samples."""
    return _match(lineup, lambda model, context: model.num_parameters, kind="parameters", quantity="parameters")


def equal_flops(lineup: Lineup) -> Match:
    """The rival in the width at which a token costs it as many FLOPs as the idea, at the training length.

    Both get equally many samples, hence equally many FLOPs of training.
    """
    return _match(
        lineup, lambda model, context: model.flops(1, context) / context, kind="flops", quantity="FLOPs per token"
    )


def _match(lineup: Lineup, count: Callable[[TransformerConfig, int], float], *, kind: str, quantity: str) -> Match:
    task = lineup.build(lineup.rival)
    assert isinstance(task, LanguageModel)
    vocab_size = task.tokenizer.vocab_size

    def counted(side: Side) -> float:
        config = _config(lineup, side)
        return count(model_config(config, vocab_size=vocab_size, causal=True), config.context)

    config = _config(lineup, lineup.rival)
    match = match_count(lineup, sizes(lineup.rival, config), counted, kind=kind, quantity=quantity)
    assert match.equality.ratio is not None
    if abs(match.equality.ratio.value - 1) <= _NEAR:
        return match
    return match_count(lineup, sizes(lineup.rival, config, fine=True), counted, kind=kind, quantity=quantity)


def _config(lineup: Lineup, side: Side) -> ParConfig:
    config = lineup.configure(side)
    assert isinstance(config, ParConfig)
    return config


EQUALISERS = {"latency": equal_latency, "parameters": equal_parameters, "flops": equal_flops}
