"""What became of memory: views, copies, results, writing in place; and the bytes that moved."""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pennyweight.arrays.trace.operations import Operation
from pennyweight.arrays.trace.words import line_sentence, operation_words
from tests.arrays.trace.recording import led, operations, recording, traced

X = np.arange(12.0).reshape(3, 4)  # 96 bytes


def last(function: Callable[..., Any], *arrays: Any) -> Operation:
    return operations(function, *(arrays or (X.copy(),)))[-1]


# --- kinds ---


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[1:], lambda x: x[:, 0], lambda x: x.T, lambda x: x.reshape(-1), lambda x: x.ravel(), lambda x: x[None],
        lambda x: x.swapaxes(0, 1), lambda x: np.broadcast_to(x, (5, 3, 4)), lambda x: np.split(x, 3), lambda x: x.view("i8"),
        lambda x: x[..., ::-1], lambda x: x.diagonal(), lambda x: np.lib.stride_tricks.sliding_window_view(x, 2, axis=0),
        lambda x: np.expand_dims(x, 0), lambda x: led(np.asarray)(x).view(), lambda x: np.einsum("ij->ji", x),
        lambda x: np.flip(x), lambda x: np.rot90(x), lambda x: x[()], lambda x: led(np.lib.stride_tricks.as_strided)(x, (2,), (8,)),
    ],
)  # fmt: skip
def test_looking_at_the_same_memory_is_a_view_and_moves_nothing(function: Any) -> None:
    op = last(function)
    assert (op.kind, op.family, op.read, op.written, op.work.flops) == ("view", "view", 0, 0, 0)


@pytest.mark.parametrize(
    ("function", "read", "written"),
    [
        (lambda x: x.copy(), 96, 96), (lambda x: x.flatten(), 96, 96), (lambda x: x.T.reshape(-1), 96, 96), (lambda x: led(np.array)(x), 96, 96),
        (lambda x: x.astype("f4"), 96, 48), (lambda x: x.astype("i8"), 96, 96), (lambda x: np.concatenate([x, x]), 96, 192),
        (lambda x: x[[0, 2]], 64, 64), (lambda x: x[:, [0, 0]], 48, 48), (lambda x: x[[0, 1], [1, 1]], 16, 16),
        (lambda x: x[np.array([0, 2])], 64 + 0, 64), (lambda x: np.take(x, [1], axis=0), 32, 32), (lambda x: np.repeat(x, 2), 96, 192),
        (lambda x: np.tile(x, 2), 96, 192), (lambda x: led(np.ascontiguousarray)(x.T), 96, 96), (lambda x: np.roll(x, 1), 96, 96),
        (lambda x: np.pad(x, 1), 96, 240), (lambda x: np.stack([x, x]), 96, 192),
    ],
)  # fmt: skip
def test_moving_without_computing_is_a_copy(function: Any, read: int, written: int) -> None:
    op = last(function)
    assert (op.kind, op.written, op.work.flops) == ("copy", written, 0)
    assert op.read - read in (0, 16), "an index array of two is read too"
    assert op.family in ("copy", "gather")


@pytest.mark.parametrize(
    ("function", "read", "written"),
    [
        (lambda x: x + 1, 96, 96), (lambda x: x * x, 96, 96), (lambda x: x + x.T.T, 192, 96), (lambda x: x > 2, 96, 12),
        (lambda x: x.sum(axis=0), 96, 32), (lambda x: x @ np.ones((4, 2)), 96 + 64, 48), (np.sqrt, 96, 96), (lambda x: -x, 96, 96),
        (lambda x: x.cumsum(axis=1), 96, 96), (lambda x: np.where(x > 2, x, 0.0), 96 + 12, 96), (lambda x: np.fft.rfft(x), 96, 144),
        (lambda x: x[:, ::2] * 2, 48, 48), (lambda x: np.add.outer(x[0], x[1]), 64, 128),
    ],
)  # fmt: skip
def test_a_result_is_new_memory(function: Any, read: int, written: int) -> None:
    op = last(function)
    assert (op.kind, op.read, op.written) == ("new", read, written)


def test_an_axis_that_is_broadcast_is_read_once_and_said_to_be_virtual() -> None:
    rows, row = X.copy(), np.arange(4.0)
    op = last(lambda a, b: a + b, rows, row)
    assert (op.read, op.written, op.virtual, op.broadcasts) == (96 + 32, 96, 96 - 32, True)
    wide = last(lambda x: np.broadcast_to(x, (50, 3, 4)) * 2)
    assert (wide.read, wide.written) == (96, 50 * 96)
    outer = last(lambda a, b: a[:, None] * b, np.arange(3.0), row)
    assert (outer.read, outer.written, outer.virtual) == (24 + 32, 96, 2 * 96 - 24 - 32)
    assert not last(lambda a, b: a + b, rows, rows.copy()).broadcasts


@pytest.mark.parametrize(
    ("function", "name", "read", "written"),
    [
        (lambda x: operator.iadd(x, 1), "add", 96, 96), (lambda x: operator.iadd(x[1:], x[:-1]), "add", 128, 64),
        (lambda x: np.add(x, 1, out=x), "add", 96, 96), (lambda x: np.multiply(x, x, out=x), "multiply", 96, 96),
        (lambda x: np.sqrt(x, x), "sqrt", 96, 96), (lambda x: x.sort(axis=0), "sort", 96, 96), (lambda x: x.fill(3), "fill", 0, 96),
        (lambda x: x.clip(0, 1, out=x), "clip", 96, 96), (lambda x: x.setfield(1, "i4"), "setfield", 96, 96),
    ],
)  # fmt: skip
def test_writing_into_memory_that_was_there_is_in_place(function: Any, name: str, read: int, written: int) -> None:
    op = last(function)
    assert (op.name, op.kind, op.read, op.written) == (name, "in place", read, written)


@pytest.mark.parametrize("positional", [False, True])
def test_an_array_that_is_only_written_into_is_not_read(positional: bool) -> None:
    out = np.empty((3, 4))
    for function in (np.add, np.multiply):
        op = last(
            (lambda x, y, f=function: f(x, x, y)) if positional else (lambda x, y, f=function: f(x, x, out=y)),
            X.copy(),
            out,
        )
        assert (op.kind, op.read, op.written, op.work.arithmetic) == ("in place", 96, 96, 12)
        assert op.ins[0] is not op.outs[0]
    op = last(
        (lambda x, y: np.dot(x.T, x, y)) if positional else (lambda x, y: np.dot(x.T, x, out=y)),
        X.copy(),
        np.empty((4, 4)),
    )
    assert (op.kind, op.read, op.written, op.work.arithmetic) == ("in place", 192, 128, 2 * 48)


@pytest.mark.parametrize(
    ("index", "written", "index_bytes"),
    [
        (slice(None), 96, 0), (0, 32, 0), ((0, 1), 8, 0), ((slice(None), slice(1, 3)), 48, 0), (Ellipsis, 96, 0),
        ((Ellipsis, 0), 24, 0), ((slice(None, None, 2), slice(None)), 64, 0), ([0, 2], 64, 0), (np.array([2]), 32, 8),
        ((slice(None), [0, 1]), 48, 0), (([0, 1], [1, 2]), 16, 0), (X > 5, 48, 12), (np.array([True, False, True]), 64, 3),
        ((np.array([[0], [1]]), np.array([0, 3])), 32, 32), ((slice(0, 2), np.array([0, 3])), 32, 16), ((None, 1), 32, 0),
        ((np.array([0, 1]), slice(None, None, 3)), 32, 16), (([0, 1, 2], slice(1)), 24, 0), ([True, False, False], 32, 0),
    ],
    ids=str,
)  # fmt: skip
def test_an_assignment_writes_what_its_index_picks(index: Any, written: int, index_bytes: int) -> None:
    def assign(x: Any, *at: Any) -> None:
        given = iter(at)
        parts = index if isinstance(index, tuple) else (index,)
        led = tuple(next(given) if isinstance(part, np.ndarray) else part for part in parts)
        x[led if isinstance(index, tuple) else led[0]] = 7.0

    x = X.copy()
    arrays = [part for part in (index if isinstance(index, tuple) else (index,)) if isinstance(part, np.ndarray)]
    op = last(assign, x, *arrays)
    assert (op.name, op.kind, op.written, op.read) == ("setitem", "in place", written, index_bytes)
    check = X.copy()
    check[index] = np.nan
    assert np.isnan(check).sum() * 8 == written
    assert op.family == (
        "scatter"
        if arrays or any(isinstance(p, list) for p in (index if isinstance(index, tuple) else (index,)))
        else "copy"
    )


def test_an_assigned_array_is_read_and_scattered_writes_count_their_places() -> None:
    assert last(lambda x, y: x.__setitem__(0, y), X.copy(), np.arange(4.0)).read == 32
    at = last(lambda x, i: np.add.at(x, i, 1.0), np.zeros(1000), np.array([1, 1, 5]))
    assert (at.kind, at.read, at.written) == ("in place", 24 + 24, 24)
    put = last(lambda x, i: x.put(i, 2.0), np.zeros(1000), np.array([1, 5]))
    assert (put.kind, put.read, put.written) == ("in place", 16, 16)
    copied = last(lambda x, y: np.copyto(x, y), np.zeros(5), np.ones(5))
    assert (copied.kind, copied.read, copied.written) == ("in place", 40, 40)


def test_numbers_pulls_and_sources_are_told_apart() -> None:
    with recording() as made:
        x = made.duck(np.arange(3.0))
        total = x.sum()
        truth = bool(x[0] > 0)
        repr(x)
        list(x)
        y = made.call(np.zeros, 3)
        z = made.call(np.random.default_rng(0).random, 3)
        kept = x * total, truth, y, z
        tape = made.tape()
    kinds = [(op.name, op.kind) for op in tape.operations]
    assert kinds == [
        ("test", "source"), ("sum", "number"), ("getitem", "number"), ("repr", "pull"), ("iterate", "pull"),
        ("zeros", "new"), ("random.random", "source"), ("multiply", "new"),
    ]  # fmt: skip
    del kept


def test_functions_that_return_their_argument_are_views_of_it() -> None:
    for function in (
        led(np.asarray),
        led(np.ascontiguousarray),
        led(np.asanyarray),
        np.atleast_1d,
        lambda x: x.conj(),
        lambda x: np.real(x),
    ):
        ops = operations(function, X.copy())
        assert all(op.kind == "view" for op in ops), ops


# --- promotion ---


@pytest.mark.parametrize(
    ("function", "promoted"),
    [
        (lambda a, b: a + b, "float32 and float64 to float64"), (lambda a, b: b * a, "float64 and float32 to float64"),
        (lambda a, b: a + a, ""), (lambda a, b: a * 2.0, ""), (lambda a, b: a > b, ""), (lambda a, b: a @ b, "float32 and float64 to float64"),
        (lambda a, b: a + np.float64(2), ""), (lambda a, b: a.astype(float), ""),
    ],
)  # fmt: skip
def test_a_promotion_names_the_types(function: Any, promoted: str) -> None:
    a, b = np.ones((3, 3), "f4"), np.ones((3, 3))
    assert last(function, a, b).promoted == promoted


# --- repetition ---


def test_operations_that_repeat_are_described_as_when_they_are_described_alone() -> None:
    def program(x: Any) -> Any:
        for k in range(4):
            y = x[k : k + 3] * 2.0
            y += x[:3]
            x[k] = y.sum()
            x[:3][y > 100] = 0
            z = np.where(y > 3, y, k)
            np.add(y, z, out=y)
            x[[0, 1]] = y[[1, 2]]
        return y

    tape = traced(program, np.arange(20.0))
    from pennyweight.arrays.trace.operations import _understand

    for op in tape.operations:
        raw = tape.raw
        alone = _understand(op.index, raw.entries[op.index], raw.taken[op.index], raw.given[op.index], op.elided)
        assert op == alone


# --- words ---


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda x: x[1:], "(2, 4) of (3, 4) looked at (a view)"), (lambda x: x[None], "(3, 4) seen as (1, 3, 4) (a view)"),
        (lambda x: x.T, "T: a view (4, 3) of the same memory"), (lambda x: x + x[0], "(3, 4) + (4,) broadcasts to (3, 4): 96 B new"),
        (lambda x: x * 2, "(3, 4) × a number: 96 B new"), (lambda x: x * x, "(3, 4) × itself: 96 B new"),
        (lambda x: x.sum(), "sum of (3, 4) to one number"), (lambda x: x.sum(0), "sum of (3, 4) to (4,)"),
        (lambda x: x.copy(), "copy copies 96 B"), (lambda x: x[x > 3], "a mask copies (8,) out of (3, 4), 64 B"),
        (lambda x: x[[0, 1]], "an index array copies (2, 4) out of (3, 4), 64 B"), (lambda x: x[0, 0], "one element taken"),
        (lambda x: operator.iadd(x, 1), "(3, 4) + a number in place, 96 B"), (lambda x: x.__setitem__(0, 1), "32 B of (3, 4) assigned"),
        (lambda x: x.__setitem__([0, 1], 1), "64 B of (3, 4) assigned by an index array"), (lambda x: x @ x.T, "(3, 4) @ (4, 3) to (3, 3): 72 B new"),
        (lambda x: x.tolist(), "(3, 4): it becomes a Python list"), (lambda x: np.asarray(memoryview(b"ab")), ""),
    ],
)  # fmt: skip
def test_an_operation_is_told_in_the_words_of_the_papers_figure(function: Any, said: str) -> None:
    ops = operations(function, X.copy())
    assert (operation_words(ops[-1]) if ops else "") == said


def test_a_line_is_told_in_one_sentence_and_repetitions_are_counted() -> None:
    ops = operations(lambda x: x + 1 + 1 + 1, X.copy())
    assert line_sentence(ops) == "(3, 4) + a number: 96 B new (×3)"
    many = operations(lambda x: [x + 1, x.T, x.sum(), x.copy(), x[0], x[1:]], X.copy())
    assert line_sentence(many).endswith("; and 2 more")
    assert line_sentence([]) == ""
