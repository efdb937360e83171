"""The operations of a tape as the steps of a work."""

from collections.abc import Iterable

from pennyweight.arrays.trace.operations import Operation
from pennyweight.lottery.holding.card import Step

_IDLE = ("view", "source", "pull", "escape")


def steps_of(operations: Iterable[Operation]) -> tuple[Step, ...]:
    """A step for every operation that computes or moves."""
    return tuple(_step(op) for op in operations if op.kind not in _IDLE)


def _step(op: Operation) -> Step:
    matrix = op.family == "contraction"
    values = op.ins if matrix else op.outs  # a product is as wide as what goes in: sums of int8 are int32
    dtype = str(values[0].dtype).removeprefix("torch.") if values else "float32"
    return Step(
        family=op.family,
        dtype=dtype,
        operations=op.work.flops + op.work.compare or op.work.index,
        num_bytes=float(op.read + op.written),
        matrix=matrix,
    )
