"""What attention costs on this machine, by length: the part of ``search`` that needs no training."""

import itertools
from collections.abc import Callable, Sequence
from typing import cast

from pennyweight.core.cost import FIXED
from pennyweight.core.stack import candidates
from pennyweight.lottery.weighing.blocks import block_costs
from pennyweight.methods.par.config import ParConfig
from pennyweight.methods.par.search.kept import kept_scores
from pennyweight.methods.par.search.menu import latency_prices
from pennyweight.report.prices import Priced
from pennyweight.verbs.request import Place, read_request

PART = 0.7
"""Of the interleaved model's time, for the pattern that follows from prices alone."""
_RECIPE, _LENGTHS = "par/tiny", (128, 512, 2048)
_TOKENS = 2048
_SECONDS_EACH = 0.4


def price_by_length(
    place: Place, *, lengths: Sequence[int] = _LENGTHS, report: Callable[[str, float], None]
) -> list[Priced]:
    """What attention costs here beside a feed-forward block in each precision, and what kept scores then choose.

    The model has the size of the default recipe; a batch always holds as many tokens, so that only the length changes.
    """
    config = cast(ParConfig, read_request(_RECIPE, {}).config)
    scores, rows = kept_scores(), []
    stacks = candidates()
    for number, (stack, length) in enumerate(itertools.product(stacks, lengths)):
        report("pricing attention", number / (len(stacks) * len(lengths)))
        costs = block_costs(
            stack,
            width=config.width,
            num_heads=config.num_heads,
            length=length,
            batch=max(1, _TOKENS // length),
            use="train",
            kinds=("a", "f", "i"),
            vocab_size=config.data.vocab_size,
            cache=place.cache,
            seconds_each=_SECONDS_EACH,
        )
        pattern = scores.cheapest(latency_prices("train", costs), PART)
        rows.append(
            Priced(
                stack=str(stack),
                length=length,
                attention=costs["a"],
                feedforward=costs["f"],
                fixed=costs[FIXED],
                pattern=str(pattern),
            )
        )
    return rows
