"""The reader's head: one softmax over every span of a passage, yes, no, and that the passage does not answer.

A span scores what it begins with and what it ends with together; yes, no and none are read off the first position.
Being in one softmax they can be compared, and training learns when to say none. Logits of different windows of a
passage are not on one scale; what is compared between windows is how much an answer exceeds none in its own (Alberti et
al., 1901.08634).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

NEVER = -1e9  # finite: minus infinity would make a gradient of nothing NaN
YES, NO, NONE = 0, 1, 2
"""The answers that are no span, by their number."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Logits:
    """What a window says: how well an answer begins and ends at each position, and each answer that is no span."""

    begins: Float[Tensor, "batch time"]
    ends: Float[Tensor, "batch time"]
    others: Float[Tensor, "batch 3"]

    def spans(self, longest: int) -> Float[Tensor, "batch time longest"]:
        """The score of every span, by its first position and its length less one; about `NEVER` beyond the end."""
        up_to = F.pad(self.ends, (0, longest - 1), value=2 * NEVER)
        return self.begins[:, :, None] + up_to.unfold(1, longest, 1)

    def total(self, longest: int) -> Float[Tensor, " batch"]:
        """The logarithm of the sum of all exponentials: of all spans, yes, no and none."""
        return torch.cat([self.spans(longest).flatten(1), self.others], 1).logsumexp(1)


class AnswerHead(nn.Module):
    """Logits from states."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.edges = nn.Linear(width, 2)
        self.others = nn.Linear(width, 3)

    def forward(self, states: Float[Tensor, "batch time width"], inside: Bool[Tensor, "batch time"]) -> Logits:
        """The logits of windows; ``inside`` tells the positions of the passage, where answers may stand."""
        edges = self.edges(states).float().masked_fill(~inside[..., None], NEVER)
        return Logits(begins=edges[..., 0], ends=edges[..., 1], others=self.others(states[:, 0]).float())


@dataclass(frozen=True, kw_only=True, eq=False)
class Best:
    """The best span of each window: its first and last position, and its logit.

    ``margin`` is how much it exceeds none. Where a window has no position for a span, the logit is below `NEVER`.
    """

    first: Int[Tensor, " batch"]
    last: Int[Tensor, " batch"]
    logit: Float[Tensor, " batch"]
    margin: Float[Tensor, " batch"]


def best_spans(logits: Logits, *, longest: int) -> Best:
    """Of all spans of at most ``longest`` positions the best: begin and end are chosen together, none after the other.

    Of equal ones the earliest begins, and is the shortest.
    """
    scores = logits.spans(longest)
    best, where = scores.flatten(1).max(1)
    first = where // longest
    return Best(first=first, last=first + where % longest, logit=best, margin=best - logits.others[:, NONE])


def answer_nats(
    logits: Logits,
    *,
    right: Int[Tensor, "batch answers 2"],
    other: Int[Tensor, " batch"],
    longest: int,
) -> Float[Tensor, " batch"]:
    """What it costs not to give a right answer, in nats: minus the logarithm of the chance of all right ones together.

    ``right`` are spans (first, last), -1 where there are fewer; ``other`` is the number of the answer that is no span,
    -1 where spans are right. A span that is longer than ``longest`` counts by its first ``longest`` positions.
    """
    total = logits.total(longest)
    first, last = right[..., 0], right[..., 1]
    known = first >= 0
    begins = logits.begins.gather(1, first.clamp_min(0))
    ends = logits.ends.gather(1, torch.minimum(last, first + longest - 1).clamp_min(0))
    spans = (begins + ends).masked_fill(~known, 2 * NEVER).logsumexp(1)
    told = logits.others.gather(1, other.clamp_min(0)[:, None])[:, 0]
    return total - torch.where(other >= 0, told, spans)
