"""Questions about functions of source code, with the span of the function that answers them, found by `ast`.

They make a real reading problem of what every machine already has: the answer stands in the passage, and the question
says by name which of several similar places is meant. Some ask for what is not there.
"""

import ast
import hashlib
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pennyweight.data.answers import normalised

_SHORTEST, _LONGEST = 80, 1500  # bytes of a function that becomes a passage
_LONGEST_ANSWER = 120
_MOST_QUESTIONS = 3  # of one function

_WORDINGS = {
    "default": (
        "What is the default of `{what}` in `{name}`?",
        "Which value does `{what}` have when `{name}` is called without it?",
        "default value of {what} of {name}",
    ),
    "assigned": (
        "What is assigned to `{what}` in `{name}`?",
        "Which value does `{name}` give to `{what}`?",
        "What is {what} set to in {name}?",
    ),
    "returned": (
        "What does `{name}` return?",
        "What is the result of `{name}`?",
        "Which expression does {name} give back?",
    ),
    "raised": (
        "Which exception does `{name}` raise?",
        "What does `{name}` raise when it fails?",
        "Which error can come out of {name}?",
    ),
    "described": (
        "What does `{name}` do?",
        "What is `{name}` for?",
        "How is {name} described?",
    ),
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, kw_only=True)
class CodeQuestion:
    """A question and where its answer stands in the passage, in bytes; None where it does not stand there."""

    text: str
    span: tuple[int, int] | None


def code_questions(documents: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, str, list[CodeQuestion]]]:
    """For each function that can be asked about: the path of its file, its source, and questions.

    A file that is no Python of this version, or not in UTF-8, has none.
    """
    for path, content in documents:
        places = _Places(content)
        for function in _functions(content):
            start, end = places.whole(function)
            if _SHORTEST <= end - start <= _LONGEST and (questions := _asked(path, function, places, start)):
                yield path, content[start:end].decode(), questions


def _asked(path: str, function: Function, places: "_Places", start: int) -> list[CodeQuestion]:
    """Some of the questions that a function answers, and their wordings, by hash."""
    facts = _facts(function)
    chosen = sorted(facts, key=lambda fact: _hash(path, function.lineno, *fact[:2]))[:_MOST_QUESTIONS]
    questions = []
    for kind, what, node in chosen:
        span = None if node is None else places.span(kind, node)
        if node is not None and span is None:
            continue
        words = _WORDINGS[kind]
        wording = words[_hash(path, function.lineno, kind, what, "wording") % len(words)]
        inside = None if span is None else (span[0] - start, span[1] - start)
        questions.append(CodeQuestion(text=wording.format(what=what, name=function.name), span=inside))
    return questions


class _Places:
    """Where the nodes of a tree stand in the bytes of their file."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._starts = [0]
        for line in content.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def whole(self, node: ast.stmt | ast.expr) -> tuple[int, int]:
        """First byte and the one after the last."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return (
            self._starts[node.lineno - 1] + node.col_offset,
            self._starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def span(self, kind: str, node: ast.expr) -> tuple[int, int] | None:
        """The answer that a node gives; None for one that is too long or of signs only."""
        start, end = self.whole(node)
        if kind == "described":
            assert isinstance(node, ast.Constant)
            first = str(node.value).strip().split("\n")[0].strip()
            # A docstring with escapes does not stand in the source as it reads.
            found = self._content.find(first.encode(), start, end)
            start, end = found, found + len(first.encode())
            if found < 0:
                return None
        text = self._content[start:end].decode()
        return (start, end) if len(text) <= _LONGEST_ANSWER and normalised(text) else None


def _functions(content: bytes) -> list[Function]:
    """The functions of a file; none of one that is no Python, or begins with a byte-order mark."""
    try:
        text = content.decode()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old escapes, in files that are not ours
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return []
    return [] if text.startswith("\ufeff") else [node for node in ast.walk(tree) if isinstance(node, Function)]


def _facts(function: Function) -> list[tuple[str, str, ast.expr | None]]:
    """What can be asked: the kind, the name that is asked for, and the node that answers; None where nothing does."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: dict[str, ast.expr | None] = dict.fromkeys((argument.arg for argument in positional), None)
    defaults |= {a.arg: d for a, d in zip(reversed(positional), reversed(arguments.defaults), strict=False)}
    defaults |= {a.arg: d for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)}
    facts: list[tuple[str, str, ast.expr | None]] = [
        ("default", name, node) for name, node in defaults.items() if name not in ("self", "cls") and node is not None
    ]
    missing = [name for name, node in defaults.items() if name not in ("self", "cls") and node is None]
    facts += [("default", name, None) for name in missing[:1]]
    own = list(_own(function))
    returned = [node.value for node in own if isinstance(node, ast.Return) and node.value is not None]
    if len(returned) == 1:
        facts.append(("returned", "", returned[0]))
    raised = [r for node in own if isinstance(node, ast.Raise) and (r := _raised(node)) is not None]
    if len({ast.unparse(node) for node in raised}) == 1:
        facts.append(("raised", "", raised[0]))
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        facts.append(("described", "", first.value))
    assigned: dict[str, list[ast.expr]] = {}
    for node in own:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            assigned.setdefault(node.targets[0].id, []).append(node.value)
    return facts + [("assigned", name, nodes[0]) for name, nodes in assigned.items() if len(nodes) == 1]


def _own(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function's body, without those of functions and classes inside it."""
    waiting: list[ast.AST] = [*function.body]
    while waiting:
        node = waiting.pop(0)
        yield node
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def _raised(node: ast.Raise) -> ast.expr | None:
    """The name of the exception that a statement raises."""
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return raised if isinstance(raised, ast.Name | ast.Attribute) else None


def _hash(*parts: object) -> int:
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big")
