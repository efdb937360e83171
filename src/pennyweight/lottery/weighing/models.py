"""Steps of whole models on a stack, timed in turns."""

from collections.abc import Mapping

from pennyweight.core.cost import Rate
from pennyweight.core.machine import BusyWatch
from pennyweight.core.stack import Stack
from pennyweight.lottery.weighing.microbench.steps import Step
from pennyweight.lottery.weighing.rounds import Series, estimate, measure
from pennyweight.lottery.weighing.worker import Worker

SECONDS_EACH = 1.5
_CHILD = "pennyweight.lottery.weighing.microbench.steps"
_FEWEST_STEPS = 6
_LIMIT = 300.0


def step_rates(stack: Stack, steps: Mapping[str, Step], *, seconds_each: float = SECONDS_EACH) -> dict[str, Rate]:
    """Seconds of each step, by its name, with the band in which another run should fall.

    All are taken in turns for about ``seconds_each`` a step, and six times at the least, so that whatever slows the
    machine down hits all of them.
    """
    watch = BusyWatch()
    with Worker(stack) as worker:
        series = {name: _series(worker, step) for name, step in steps.items()}
        needed = [max(seconds_each, _FEWEST_STEPS * one.call_seconds) for one in series.values()]
        measure(list(series.values()), seconds=sum(needed))
    busy = watch.share()
    return {name: estimate(one.slices, busy=busy) for name, one in series.items()}


def _series(worker: Worker, step: Step) -> Series:
    call_seconds: float = worker.call(f"{_CHILD}:begin", str(worker.stack), step, limit=_LIMIT)

    def take(seconds: float) -> float:
        low: float = worker.call(f"{_CHILD}:take", str(worker.stack), step, seconds, limit=_LIMIT)
        return low

    return Series(take=take, call_seconds=call_seconds)
