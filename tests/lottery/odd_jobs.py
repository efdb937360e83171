"""Rivals that do odd things in a child process; it imports this module, so that is light."""

import os
import signal
import time
from dataclasses import dataclass

import numpy as np

from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.ideas.runnable import Arrays, NotAvailable, Runnable


@dataclass(frozen=True)
class OddJob:
    """A rival that does what its name says, on the stack named or on all."""

    what: str
    only: str = ""

    @property
    def key(self) -> str:
        return self.what

    def make(self, stack: Stack) -> Runnable:
        acts = not self.only or self.only == str(stack)
        if acts and self.what == "not available":
            raise NotAvailable("it lacks something")
        if acts and self.what == "raises":
            raise ZeroDivisionError("by zero\nsecond line")
        return Runnable(
            call=lambda: self._call(acts),
            arrays=lambda out: [np.asarray(out)],
            statement=f"{self.what}()",
            compiled=self.what.startswith("compiles"),
        )

    def _call(self, acts: bool) -> float:
        if acts and self.what == "crashes":
            os.kill(os.getpid(), signal.SIGSEGV)
        if acts and self.what.endswith("hangs"):
            time.sleep(60)
        return float(np.sum(np.arange(200.0)))

    def judge(self, stack: Stack, outputs: Arrays) -> tuple[float, str]:
        assert float(outputs[0]) == 19900.0
        return (0.5, "it is wrong") if self.what == "is wrong" else (0.0, "")
