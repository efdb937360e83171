"""Shapes that do not fit are explained, and every repair that is named works and gives the shape that is told."""

import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.arrays.trace.clash import Explanation, explain
from pennyweight.arrays.trace.tape import Clash
from tests.arrays.trace.harness import trace
from tests.arrays.trace.recording import led, recording


def clash_of(function: Callable[..., Any], *arrays: Any) -> Explanation | None:
    """What is explained of a function that raises on ducks."""
    with recording() as made:
        ducks = [made.duck(x) for x in arrays]
        with pytest.raises((ValueError, TypeError, IndexError)):
            function(*ducks)
        clash = made.tape().raw.clash
        return explain(clash) if clash is not None and clash.hold() else None


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add, "sub": operator.sub, "truediv": operator.truediv, "less": operator.lt, "maximum": np.maximum,
    "matmul": operator.matmul, "dot": np.dot, "inner": np.inner, "iadd": operator.iadd, "imul": operator.imul,
}  # fmt: skip
shapes = st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=1, max_size=3).map(tuple)


@given(name=st.sampled_from([*OPERATORS]), left=shapes, right=shapes)
def test_every_repair_works_and_gives_the_shape_it_is_said_to_give(
    name: str, left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    function = OPERATORS[name]
    a, b = np.ones(left), np.ones(right)
    try:
        function(a.copy(), b)
    except ValueError as error:
        clash = Clash(function=function, args=(a, b), kwargs={}, error=f"ValueError: {error}", code=None, at=0)
    else:
        return
    explained = explain(clash)
    if explained is None:
        assert name == "iadd" or name == "imul", "they fit, but not into what is written into"
        return
    for text, shape in explained.repairs:
        x = a.copy()
        if name in ("matmul", "dot", "inner"):
            one, two = text.split(" @ ")
            result = function(eval(one, {"a": x, "b": b}), eval(two, {"a": x, "b": b}))
        else:
            repaired = eval(text, {"a": x, "b": b})
            result = function(x, repaired) if text.startswith("b") else function(repaired, b)
        assert np.shape(result) == shape, (text, left, right)


def test_the_axes_that_clash_are_named() -> None:
    told = clash_of(lambda a, b: a + b, np.ones((5, 4, 3)), np.ones((4, 2)))
    assert told is not None
    assert "axis -1 is 3 on one side and 2 on the other" in told.sentence
    told = clash_of(lambda a, b: a * b, np.ones((5, 4, 3)), np.ones((2, 3)))
    assert told is not None
    assert "axis -2 is 4 on one side and 2 on the other" in told.sentence
    told = clash_of(lambda a, b: a @ b, np.ones((3, 4)), np.ones((3, 4)))
    assert told is not None
    assert told.sentence == "(3, 4) @ (3, 4): the last axis of the first has 4, the axis it meets has 3"
    assert told.repairs == (("a @ b.T", (3, 3)), ("a.T @ b", (4, 4)))


def test_a_column_is_proposed_for_numbers_of_the_rows() -> None:
    told = clash_of(np.subtract, np.ones((100, 3)), np.ones(100))
    assert told is not None
    assert told.repairs[0] == ("b[:, None]", (100, 3))


def test_no_large_result_is_computed_to_try_a_repair() -> None:
    wide = np.broadcast_to(np.float32(1), (1 << 20, 512))
    clash = Clash(function=operator.matmul, args=(wide, wide), kwargs={}, error="ValueError: x", code=None, at=0)
    told = explain(clash)
    assert told is not None
    assert told.repairs == (("a @ b.T", (1 << 20, 1 << 20)), ("a.T @ b", (512, 512)))


def test_what_is_written_into_is_not_repaired() -> None:
    told = clash_of(operator.iadd, np.ones((4, 3)), np.ones(4))
    assert told is not None
    assert [text for text, _ in told.repairs] == ["b[:, None]"]


def test_an_assignment_that_does_not_fit_is_explained_by_the_part() -> None:
    told = clash_of(lambda a, b: a.__setitem__((slice(1, 3), 0), b), np.ones((4, 3)), np.ones(5))
    assert told is not None
    assert told.sentence == "(5,) does not fit into the part of (4, 3) that it is assigned to, (2,)"


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: np.concatenate([a, b], axis=0), lambda a, b: a.reshape(7), lambda a, b: a[9], lambda a, b: np.linalg.solve(a, b),
        lambda a, b: led(np.array)(["x"]) + 1, lambda a, b: a + "text", lambda a, b: np.einsum("ij,jk", a, b),
    ],
)  # fmt: skip
def test_other_errors_are_left_to_speak_for_themselves(function: Any) -> None:
    assert clash_of(function, np.ones((2, 3)), np.ones((4, 5))) is None


@pytest.mark.parametrize(
    ("line", "repair"),
    [
        ("z = a * 2 + (rows + column) * a", "column[:, None]"), ("rows += column", "column[:, None]"),
        ("print(np.add(rows, column))", "column[:, None]"), ("z = [rows - held['x'] for _ in range(1)]", "held['x'][:, None]"),
        ("z = rows / (column + 1)", "(column + 1)[:, None]"), ("if (rows < obj.column).any(): pass", "obj.column[:, None]"),
        ("z = rows + rows.sum(axis=1)", "rows.sum(axis=1)[:, None]"), ("é = 'é'; z = rows + column", "column[:, None]"),
        ("z = rows.dot(column)", "rows.T @ column"), ("z = (rows +\n    column)", "b[:, None]"),
    ],
)  # fmt: skip
def test_operands_are_named_as_in_the_source(line: str, repair: str, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    head = "import numpy as np\nfrom types import SimpleNamespace\na, rows, column = np.ones((4, 3)), np.ones((4, 3)), np.ones(4)\n"
    script.write_text(f"{head}held, obj = {{'x': column}}, SimpleNamespace(column=column)\n{line}\n", encoding="utf-8")
    traced = trace(script, folder=str(tmp_path))
    assert traced.ending == "raised", traced.err
    assert repair in [text for text, _ in traced.repairs]
    assert traced.error_line >= 5
