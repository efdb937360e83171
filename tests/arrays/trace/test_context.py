"""``with pennyweight.trace()``: a block is traced wherever it stands, and nothing of it is left behind."""

import functools
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import numpy.linalg as la
import pytest
from numpy import linspace, sqrt

import pennyweight
from pennyweight.arrays.trace import context, duck
from pennyweight.arrays.trace.operations import Tape

TABLE = np.arange(6.0).reshape(2, 3)
HELD = {"list": [np.ones(2), 3], "tuple": (np.zeros(2), "x"), "deep": [[np.full(2, 7.0)]]}


@dataclass
class Model:
    w: Any = field(default_factory=lambda: np.ones(3))
    layers: list[Any] = field(default_factory=lambda: [np.ones((3, 3)), None])

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            if layer is not None:
                x = x @ layer
        return np.tanh(x) * self.w


MODEL = Model()


def names(tape: Tape) -> list[str]:
    return [op.name for op in tape.operations if op.kind != "source"]


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Any:
    """Neither in this module's globals nor in what they hold."""
    before = dict(globals())
    yield
    after = globals()
    for name, found in before.items():
        assert after[name] is found, name
    left = [
        name
        for name, found in after.items()
        if type(found) is duck.TracedArray or isinstance(found, context._Facade | context._Called)
    ]
    assert not left
    held = [*HELD["list"], *HELD["tuple"], *HELD["deep"][0], MODEL.w, *MODEL.layers, TABLE]
    assert not [x for x in held if isinstance(x, duck.Behaviour)]


def helper(x: Any) -> Any:
    return np.sqrt(x) + TABLE[0]


def test_a_block_in_a_function_traces_its_locals_and_gives_them_back() -> None:
    x, n, text = np.ones((2, 3)), 3, "text"
    pair = [x, {"x": x}]
    with pennyweight.trace() as tape:
        y = x * n
        z = y.sum(axis=0)
        inside = type(x), isinstance(x, np.ndarray), pair[0] is x, pair[1]["x"] is x
    assert names(tape) == ["multiply", "sum"]
    assert tape.captured
    assert (type(x), type(y), type(z), type(pair[0])) == (np.ndarray,) * 4
    assert pair[0] is x is pair[1]["x"]
    assert inside == (duck.TracedArray, True, True, True)
    assert z.tolist() == [6, 6, 6]
    assert (n, text) == (3, "text")
    assert [op.where.line for op in tape.operations if op.kind != "source"] == [
        _line("y = x * n"),
        _line("z = y.sum(axis=0)"),
    ]
    assert {op.where.path for op in tape.operations} == {__file__}


def _line(text: str) -> int:
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.strip() == text)


def test_globals_containers_and_objects_are_followed() -> None:
    with pennyweight.trace() as tape:
        a = TABLE + HELD["list"][0].sum()
        b = MODEL(a)
        c = HELD["tuple"][0] + HELD["deep"][0][0]
    assert names(tape) == ["sum", "add", "matmul", "tanh", "multiply", "add"]
    assert tape.captured, tape.lost
    assert (type(a), type(b), type(c)) == (np.ndarray,) * 3


def test_functions_and_submodules_of_numpy_are_followed_under_any_name() -> None:
    with pennyweight.trace() as tape:
        x = linspace(0, 1, 4)
        y = np.add.reduce(np.linalg.norm(np.stack([sqrt(x), x]), axis=0)) + la.det(np.eye(2))
        z = np.fft.fft(x), np.random.default_rng(0).random(3)
    assert names(tape) == ["linspace", "sqrt", "stack", "linalg.norm", "add.reduce", "eye", "linalg.det", "fft.fft"]
    assert tape.captured
    assert (type(x), type(z[0])) == (np.ndarray, np.ndarray)
    assert y > 0
    assert type(np) is ModuleType
    assert not isinstance(linspace, context._Called)
    assert isinstance(linspace, FunctionType | type(np.sum))


def test_functions_of_the_module_that_are_called_are_followed() -> None:
    x = np.arange(3.0)
    with pennyweight.trace() as tape:
        y = helper(x)
    assert names(tape) == ["sqrt", "getitem", "add"]
    assert tape.captured
    assert y.shape == (3,)


def test_a_block_in_a_nested_function_sees_what_surrounds_it() -> None:
    x = np.ones(3)

    def inner(k: float) -> Tape:
        nonlocal x
        with pennyweight.trace() as tape:
            x = x * k
        return tape

    tape = inner(2.0)
    assert names(tape) == ["multiply"]
    assert (type(x), x.tolist()) == (np.ndarray, [2, 2, 2])
    assert tape.captured


def test_a_block_at_the_top_of_a_module_is_traced() -> None:
    source = (
        "import numpy as np\nimport pennyweight\nx = np.ones(3)\nwith pennyweight.trace() as tape:\n    y = x + 1\n"
        "    z = np.zeros(3) + y\nleft = type(x), type(y), type(z), type(np)\n"
    )
    space: dict[str, Any] = {"__name__": "made_for_a_test"}
    exec(compile(source, "made_for_a_test.py", "exec"), space)
    assert names(space["tape"]) == ["add", "zeros", "add"]
    assert space["left"] == (np.ndarray,) * 3 + (ModuleType,)
    assert space["tape"].captured


def test_arrays_that_stand_by_are_no_part_of_the_tape() -> None:
    x, bystander = np.ones(3), np.ones(1 << 20)
    with pennyweight.trace() as tape:
        y = x[1:] + 1
    assert [op.name for op in tape.operations] == ["outside", "getitem", "add"]
    assert tape.peak_bytes == x.nbytes + y.nbytes
    assert tape.captured
    assert type(bystander) is np.ndarray


def test_generators_of_random_numbers_are_followed_and_given_back() -> None:
    rng = np.random.default_rng(0)
    with pennyweight.trace() as tape:
        x = rng.random(3) + np.random.default_rng(1).random(3)
        inside = isinstance(rng, np.random.Generator), np.random.default_rng(rng).random(2).shape
    assert names(tape) == ["add"]
    assert tape.captured, tape.lost
    assert inside == (True, (2,))
    assert type(rng) is np.random.Generator
    again = np.random.default_rng(0)
    np.testing.assert_array_equal(x, again.random(3) + np.random.default_rng(1).random(3))


def test_an_exception_passes_and_leaves_nothing_behind() -> None:
    x = np.ones(3)
    with pytest.raises(ValueError, match="broadcast"), pennyweight.trace() as tape:  # noqa: PT012 - they are traced
        y = x + 1
        y + np.ones(4)
    assert type(x) is np.ndarray
    assert names(tape) == ["add", "ones"]
    assert not duck.is_attached()


def test_blocks_one_after_another_are_tapes_of_their_own() -> None:
    x = np.ones(3)
    tapes = []
    for k in range(3):
        with pennyweight.trace() as tape:
            x = x + k
        tapes.append(tape)
    assert [names(tape) for tape in tapes] == [["add"]] * 3
    assert all(tape.captured for tape in tapes)
    assert x.tolist() == [4, 4, 4]


def test_a_block_inside_of_another_is_refused_and_the_outer_goes_on() -> None:
    x = np.ones(3)
    with pennyweight.trace() as tape:
        y = x + 1
        with pytest.raises(RuntimeError, match="inside of a trace already"), pennyweight.trace():
            pass
        z = y * 2
    assert names(tape) == ["add", "multiply"]
    assert tape.captured
    assert z.tolist() == [4, 4, 4]


def test_a_tape_that_is_asked_too_early_says_so_and_is_not_spoilt() -> None:
    x = np.ones(3)
    with pennyweight.trace() as tape:
        y = x + 1
        with pytest.raises(RuntimeError, match="when the block has ended"):
            tape.operations  # noqa: B018
    assert names(tape) == ["add"]
    assert y.sum() == 6


def test_after_so_many_operations_recording_ends_and_the_block_goes_on() -> None:
    x = np.ones(3)
    with pennyweight.trace(limit=5) as tape:
        for _ in range(100):
            x = x + 1
    assert len(tape.operations) == 5
    assert not tape.captured
    assert (type(x), x.tolist()) == (np.ndarray, [101, 101, 101])


def test_an_array_that_was_not_seen_being_made_is_named_and_the_tape_not_believed() -> None:
    hidden = functools.partial(lambda a, b: a, np.arange(3.0))
    x = np.ones(3)
    with pennyweight.trace() as tape:
        y = x + hidden(0)
    assert not tape.captured
    assert [(where.line, what) for where, what in tape.lost] == [
        (_line("y = x + hidden(0)"), "an array that was not seen being made")
    ]
    assert y.tolist() == [1, 2, 3]


def test_arrays_written_in_the_block_are_the_programs_own() -> None:
    x = np.zeros(4)
    view = x[1:]
    with pennyweight.trace() as tape:
        x += 1
        view[0] = 7
        TABLE[0, 0] += 1
    TABLE[0, 0] -= 1
    assert x.tolist() == [1, 7, 1, 1]
    assert view.base is x
    assert len(tape.operations) > 3


def test_generators_comprehensions_and_lambdas_in_the_block_are_followed() -> None:
    x = np.arange(4.0)
    with pennyweight.trace() as tape:
        parts = [row * 2 for row in (x.reshape(2, 2))]
        total = sum(part.sum() for part in parts)
        scaled = (lambda a: a / total)(x)
    assert tape.captured
    assert (
        names(tape) == ["reshape", "getitem", "multiply", "getitem", "multiply", "sum", "sum", "divide"] or total == 12
    )
    assert [type(part) for part in parts] == [np.ndarray] * 2
    assert scaled.sum() == 0.5


def test_long_lists_of_numbers_are_left_alone() -> None:
    numbers = list(range(200_000))
    before = id(numbers)
    with pennyweight.trace() as tape:
        x = np.array(numbers)
    assert id(numbers) == before
    assert tape.captured
    assert x.sum() == sum(numbers)
    assert sys.getrefcount(numbers) < 5
