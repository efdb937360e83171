"""Work as steps, and what a stack's cost table expects of them: of a tape's operations, or counted by hand."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pennyweight.arrays.trace.families import Family
from pennyweight.arrays.trace.operations import Operation
from pennyweight.core.cost import CostTable
from pennyweight.core.errors import UserError
from pennyweight.lottery.weighing.predict import predict_seconds

_IDLE_KINDS = ("view", "source", "pull", "escape")
_IDLE_FAMILIES = ("view", "creation")


@dataclass(frozen=True, kw_only=True)
class Step:
    """A piece of work: operations of one family in one number format, and the bytes that it reads and writes.

    ``matrix`` tells matrix products, which a device's matrix units can take, from all else.
    """

    family: Family
    dtype: str
    operations: float
    num_bytes: float
    matrix: bool = False


def steps_of(operations: Iterable[Operation]) -> tuple[Step, ...]:
    """A step for every operation of a tape that computes or moves."""
    return tuple(_step(op) for op in operations if op.kind not in _IDLE_KINDS)


def _step(op: Operation) -> Step:
    matrix = op.family == "contraction"
    values = op.ins if matrix else op.outs  # a product is as wide as what goes in: sums of int8 are int32
    dtype = str(values[0].dtype).removeprefix("torch.") if values else "float32"
    return Step(
        family=op.family,
        dtype=dtype,
        operations=op.work.flops + op.work.compare or op.work.index,
        num_bytes=float(op.moved),
        matrix=matrix,
    )


def expected_seconds(steps: Iterable[Step], table: CostTable) -> float | None:
    """What a stack's table expects of steps, one after the other; None where it has no rate for one."""
    alike = Counter(step for step in steps if step.family not in _IDLE_FAMILIES)
    try:
        return sum(
            times
            * predict_seconds(
                table, step.family, step.dtype, operations=step.operations, num_bytes=step.num_bytes, reach=1.0
            ).value
            for step, times in alike.items()
        )
    except UserError:
        return None
