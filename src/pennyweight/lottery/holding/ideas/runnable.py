"""What a rival becomes on a stack: something to call again and again, and the words for why it cannot be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from pennyweight.core.stack import Stack

Arrays = Sequence[NDArray[Any]]


class NotAvailable(Exception):
    """The stack lacks what the idea needs; the message is the cell's reason, a sentence without its full stop."""


@dataclass(frozen=True, kw_only=True)
class Runnable:
    """A rival on a stack.

    ``call`` is one call, done when it returns unless there is ``wait``, which blocks until the device is done.
    ``arrays`` makes NumPy's arrays of what a call returned. ``statement`` is what is run, as its reader would write
    it. ``compiled`` tells that the first call may compile, so that its time says nothing about the next.
    """

    call: Callable[[], Any]
    arrays: Callable[[Any], Arrays]
    statement: str
    wait: Callable[[], object] | None = None
    compiled: bool = False


class Job(Protocol):
    """A rival at a size, on its way to the child process of a stack; must pickle."""

    @property
    def key(self) -> str:
        """Tells jobs apart within a process."""

    def make(self, stack: Stack) -> Runnable:
        """Prepare it on a stack; raises `NotAvailable` where the stack cannot run it."""

    def judge(self, stack: Stack, outputs: Arrays) -> tuple[float, str]:
        """The error of a result relative to the reference, and why it is wrong (or an empty string)."""
