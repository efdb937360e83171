"""All rewrites that are tried. Each is a function from a look at a tape, and what was found on it, to proposals.

A rewrite names the operations that it would replace and how to compute the same from the same inputs. What it says to
the user is written for somebody who reads the line of source beside it.
"""

from collections.abc import Callable, Iterator, Sequence

from pennyweight.arrays.trace.lints import Finding
from pennyweight.arrays.trace.look import Look
from pennyweight.lottery.tracing.advice import chains, loops, memory, single
from pennyweight.lottery.tracing.advice.trial import Proposal

Rewrite = Callable[[Look, Sequence[Finding]], Iterator[Proposal]]

REWRITES: tuple[Rewrite, ...] = (
    chains.distances,
    chains.blocks,
    chains.in_place,
    memory.views,
    memory.contiguous,
    memory.single_precision,
    single.powers,
    single.einsum_paths,
    single.real_transforms,
    single.partitions,
    single.inverses,
    single.once,
    loops.grow_once,
    loops.whole_arrays,
)


def propose(look: Look, findings: Sequence[Finding]) -> list[Proposal]:
    """All proposals for a tape."""
    return [proposal for rewrite in REWRITES for proposal in rewrite(look, findings)]
