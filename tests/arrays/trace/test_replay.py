"""A tape that does not tell the truth does not play: every way of writing behind the recorder's back is noticed."""

import ctypes
import math
from typing import Any

import numpy as np
import pytest

from pennyweight.arrays.trace.look import Look
from pennyweight.arrays.trace.operations import Tape
from pennyweight.arrays.trace.replay import Replay, difference
from pennyweight.lottery.tracing.examine import _problems
from tests.arrays.trace.recording import Recording, led, real, recording, traced


def _ended(made: Recording) -> Tape:
    tape = made.tape()
    assert Replay(tape.raw).compare().compared > 0
    return tape


# --- memory that is written where nobody sees it ---


def _by_ctypes(x: Any) -> None:
    ctypes.memset(real(x).ctypes.data, 0x41, 8)


def _by_memoryview(x: Any) -> None:
    led(memoryview)(x)[1] = 5.0


def _by_its_real_array(x: Any) -> None:
    np.asarray(x)[2] = 5.0  # C code that asked for the array, and keeps it


def _by_a_library(x: Any) -> None:
    kept = real(x)
    led(lambda: kept.__setitem__(0, 9.0))()


@pytest.mark.parametrize("write", [_by_ctypes, _by_memoryview, _by_its_real_array, _by_a_library])
@pytest.mark.parametrize("used", ["number", "printed", "left at the end", "handed over"])
def test_memory_written_behind_the_recorders_back_is_noticed_and_the_line_named(write: Any, used: str) -> None:
    with recording() as made:
        x = made.duck(np.arange(4.0)) + 0
        write(x)
        if used == "number":
            x.sum()
            del x
        elif used == "printed":
            repr(x)
            del x
        elif used == "handed over":
            made.recorder.foreign(lambda a: None, x)
            del x
        tape = _ended(made)
    assert not tape.captured
    assert tape.replayed.worst > 1e-6
    (problem,) = _problems(tape, tape.replayed)
    assert "memory was written where the tracer could not see it" in problem


def test_memory_that_died_and_told_nothing_proves_nothing() -> None:
    with recording() as made:
        x = made.duck(np.arange(4.0)) + 0
        _by_ctypes(x)
        del x
        made.duck(np.arange(2.0)).sum()
        tape = _ended(made)
    assert tape.captured


def test_what_another_library_does_to_an_array_it_is_given_is_seen() -> None:
    def library(a: Any, b: Any) -> Any:
        a[0] = 7.0
        return b * 2

    with recording() as made:
        x, y = made.duck(np.arange(4.0)) + 0, made.duck(np.ones(2)) + 1
        z = made.recorder.foreign(library, x, y)
        total = (x.sum(), z + 1)
        tape = _ended(made)
    assert tape.captured
    assert next(op for op in tape.operations if op.name.endswith("library")).kind == "escape"
    assert (float(total[0]), real(total[1]).tolist()) == (13.0, [5.0, 5.0])


def test_what_a_library_changes_before_it_raises_is_seen() -> None:
    def library(a: Any) -> None:
        a[0] = 7.0
        raise KeyError

    with recording() as made:
        x = made.duck(np.arange(4.0)) + 0
        with pytest.raises(KeyError):
            made.recorder.foreign(library, x)
        kept = x * 1
        tape = _ended(made)
    assert tape.captured
    assert real(kept)[0] == 7.0


def test_shuffling_and_filling_by_random_numbers_is_followed() -> None:
    rng = np.random.default_rng(0)
    with recording() as made:
        x = made.duck(np.arange(40.0)) + 0
        made.call(rng.shuffle, x)
        made.call(rng.random, out=x[:5])
        made.call(np.random.shuffle, x[10:20])
        kept = x * made.call(rng.permutation, x)
        tape = _ended(made)
    assert tape.captured, tape.replayed
    del kept


# --- a tape that lies ---


def _tape() -> Tape:
    def program(x: Any, y: Any) -> Any:
        z = x * 2 + y
        z[1:] -= z.sum()
        repr(z)
        w = led(np.random.default_rng(3).random)(3)
        led(np.vectorize(lambda a: a + 1))(z)
        return z / w

    return traced(program, np.arange(3.0), np.ones(3))


def _index(tape: Tape, name: str) -> int:
    """The first operation of a name, or entry of a role."""
    return next(op.index for op in tape.operations if name in (op.name, tape.raw.entries[op.index].role))


@pytest.mark.parametrize(
    "lie", ["number", "pull", "source", "foreign result", "handed over", "function", "literal", "end", "order"]
)
def test_a_wrong_entry_is_noticed(lie: str) -> None:
    tape = _tape()
    assert tape.captured, tape.replayed
    raw = tape.raw
    entries = raw.entries

    def change(index: int, **what: Any) -> None:
        entries[index] = entries[index]._replace(**what)

    if lie == "number":
        change(_index(tape, "sum"), kept=np.float64(3.25))
    elif lie == "pull":
        change(_index(tape, "repr"), kept=12345)
    elif lie == "source":
        change(_index(tape, "random.random"), kept=np.ones(3))
    elif lie == "foreign result":
        index = _index(tape, "foreign")
        out, changed, held = entries[index].kept
        change(index, kept=(out, [(raw.taken[index][0], np.zeros(3))], held))
        assert changed == []
    elif lie == "handed over":
        index = _index(tape, "foreign")
        out, changed, held = entries[index].kept
        change(index, kept=(out, changed, [(number, then + 1) for number, then in held]))
    elif lie == "function":
        change(_index(tape, "divide"), function=np.multiply)
    elif lie == "literal":
        change(_index(tape, "multiply"), args=(entries[_index(tape, "multiply")].args[0], 3))
    elif lie == "end":
        raw.finals[0][1][...] += 1
    else:
        first = _index(tape, "subtract")
        entries[first], entries[first + 1] = entries[first + 1], entries[first]
    again = Replay(raw).compare()
    assert again.worst > 1e-6 or again.stopped


def test_an_operation_that_cannot_be_played_stops_the_playing_and_is_named() -> None:
    def fails(*args: Any) -> None:
        raise OSError("gone")

    tape = _tape()
    index = _index(tape, "divide")
    tape.raw.entries[index] = tape.raw.entries[index]._replace(function=fails)
    fresh = Tape(tape.raw)
    assert (fresh.replayed.stopped, fresh.replayed.stopped_at) == ("OSError: gone", index)
    assert not fresh.captured
    assert "could not be played again: OSError: gone" in _problems(fresh, fresh.replayed)[0]


# --- no false alarms ---


@pytest.mark.parametrize("dtype", ["f8", "i4", "c16", "?", "M8[s]", "U3", [("a", "i4"), ("b", "f8")]])
def test_memory_that_was_never_written_is_no_false_alarm(dtype: Any) -> None:
    def program() -> Any:
        x = led(np.empty)(1000, dtype)
        real(x).view("u1")[:] = 0xA5 if np.dtype(dtype).kind not in "?U" else 1  # what the memory happened to hold
        y = led(np.empty_like)(x)
        real(y).view("u1")[:] = 0x5A if np.dtype(dtype).kind not in "?U" else 1
        y[:3] = x[:3]
        z = led(np.empty)((2, 3), dtype=dtype, order="F")
        real(z).T.view("u1")[:] = 1
        z[1] = z[0]
        return x, y, z

    tape = traced(program)
    assert tape.captured, tape.replayed.differences


def test_numbers_and_prints_of_memory_that_was_never_written_are_no_false_alarm() -> None:
    def program() -> Any:
        x = led(np.empty)(50)
        real(x)[:] = 3.25
        repr(x)
        return x.sum(), x.max(), led(hash)(1), x * 2

    assert traced(program).captured


def test_memory_that_was_never_written_hides_no_writing_elsewhere() -> None:
    def program() -> Any:
        x = led(np.empty)(50)
        real(x)[:] = 3.25
        x[:25] = 1
        real(x)[3] = 9  # where the program had written
        return x

    tape = traced(program)
    assert not tape.captured
    assert [d.what for d in tape.replayed.differences] == ["memory at the end"]


@pytest.mark.filterwarnings("ignore:'where' used without 'out'")
@pytest.mark.parametrize("out", [False, True])
def test_a_ufunc_that_leaves_out_elements_is_no_false_alarm(out: bool) -> None:
    def program(x: Any) -> Any:
        told = {"out": None} if out else {}
        y = led(np.divide)(1.0, x, where=x > 1, **told)
        both = led(np.divmod)(x, 2.0, where=[True, False, True, False])
        return y, *both, np.add.reduce(x, where=x > 1)

    for _ in range(3):
        assert traced(program, np.arange(4.0)).captured


def test_nans_infinities_and_negative_zeros_play_alike() -> None:
    def program(x: Any) -> Any:
        with np.errstate(all="ignore"):
            y = x / x
            repr(y)
            return y, y.sum(), -x * 0, x * np.inf, np.sqrt(-x - 1)

    assert traced(program, np.array([0.0, 1.0, np.inf, np.nan])).captured


def test_objects_text_and_dates_play_alike() -> None:
    def program(objects: Any, text: Any, dates: Any) -> Any:
        return (
            objects + objects,
            np.char.upper(text),
            dates + np.timedelta64(1, "D"),
            np.sort(text),
            objects[0],
            dates.max(),
        )

    tape = traced(
        program, np.array([1, "a", None][:1] * 3, dtype=object), np.array(["b", "a"]), np.array(["2020-01-01"], "M8[D]")
    )
    assert tape.captured, tape.replayed


def test_an_array_that_was_large_is_compared_without_a_copy_and_to_its_last_byte() -> None:
    a = np.zeros(3_000_000)
    b = a.copy()
    assert difference(a, b) == 0.0
    b[-1] = 1e-3
    assert difference(a, b) == 1.0
    a[-1] = 1e-3 * (1 + 1e-9)
    assert difference(a, b) == pytest.approx(1e-9, rel=1e-3)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0), ([1.0, 2.0], [1.0, 4.0], 0.5), ([np.nan], [np.nan], 0.0), ([np.nan], [1.0], math.inf),
        ([np.inf, 1.0], [np.inf, 2.0], 0.5), ([1], [2], math.inf), ([1.0], [1], math.inf), ([1.0], [[1.0]], math.inf), ([], [], 0.0),
        (["a"], ["b"], math.inf), ([1j], [2j], 0.5), ([0.0], [0.0], 0.0), ([1e-30], [0.0], 1e-30),
    ],
)  # fmt: skip
def test_a_difference_is_relative_to_the_largest_number(a: Any, b: Any, expected: float) -> None:
    assert difference(np.array(a), np.array(b)) == pytest.approx(expected)


# --- a tape is played and looked at ---


def test_playing_shows_the_real_inputs_of_each_operation() -> None:
    tape = traced(lambda x: (x * 2)[1:] + 1, np.arange(4.0))
    seen = {}

    def visit(index: int, entry: Any, arrays: Any) -> None:
        seen[tape.operations[index].name] = [arrays[value.number].tolist() for value in tape.raw.taken[index]]

    Replay(tape.raw).play(visit)
    assert seen == {"multiply": [[0, 1, 2, 3]], "getitem": [[0, 2, 4, 6]], "add": [[2, 4, 6]]}


def test_playing_leaves_the_tape_as_it_was() -> None:
    def program(x: Any) -> Any:
        x += 1
        x[0] = 5
        return x

    tape = traced(program, np.arange(4.0))
    for _ in range(3):
        assert Replay(tape.raw).compare().worst == 0.0
    walls, processors = Replay(tape.raw).time(passes=3, seconds=1)
    assert len(walls) == len(processors) == len(tape.operations)
    assert walls[0] == 0.0
    assert min(walls[1:]) > 0


def test_a_look_takes_times_from_playing_and_knows_makers_readers_and_writers() -> None:
    def program(x: Any) -> Any:
        y = x * 2
        z = y[1:]
        z += 1
        return y.sum() + z

    look = Look(traced(program, np.arange(4.0)), timing_seconds=0.01)
    names = [op.name for op in look.operations]
    assert names == ["test", "multiply", "getitem", "add", "sum", "add"]
    y, z = look.operations[1].outs[0], look.operations[2].outs[0]
    assert look.readers[y.number] == [2, 4]
    assert look.readers[z.number] == [3, 5]
    assert (look.made_by(z), look.origin(z)) == (look.operations[2], look.operations[1])
    assert look.written_between(y, 2, 4)
    assert not look.written_between(y, 3, 5)
    assert (look.offsets[y.number], look.offsets[z.number]) == (0, 8)
    assert len(look.seconds) == len(look.cpu_seconds) == 6
    assert look.total_seconds == pytest.approx(sum(look.seconds))
    assert look.total_bytes == sum(op.read + op.written for op in look.operations)
