"""The two ways a command can end badly: a wrong request (exit code 2) and work that failed (exit code 1).

Everything else that is raised is a bug of ours and keeps its traceback.
"""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """The request was wrong. One line: what was given, what was expected, what to do.

    >>> print(UserError("budget '5 parsecs'", expected="seconds, samples, bytes or joules", hint="try 90s"))
    budget '5 parsecs': expected seconds, samples, bytes or joules; try 90s
    """

    def __init__(self, given: str, *, expected: str = "", hint: str = "") -> None:
        text = given
        if expected:
            text += f": expected {expected}"
        if hint:
            text += f"; {hint}"
        super().__init__(" ".join(text.split()))


class WorkFailed(RuntimeError):
    """The request was right and the work could not be done. The message says what is kept and how to go on."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, or lists all of them when none is near."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    if near:
        return f"did you mean {near[0]}?"
    return "known: " + ", ".join(known)
