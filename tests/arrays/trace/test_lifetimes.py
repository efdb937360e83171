"""The memory that a tape tells is the memory that the program takes without trace, reuse of temporaries included."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.arrays.trace.harness import trace
from tests.arrays.trace.recording import led, traced

_MB = 1 << 17  # float64 in a mebibyte

PROGRAMS = {
    "a chain of temporaries": "y = x * 2 + 1 - x / 3 + x * x",
    "in place": "y = x * 2\ny += x\ny *= y\nnp.sqrt(y, out=y)",
    "held by names": "a = x + 1\nb = a * 2\nc = b - a\ndel a\nd = c + b\ndel b, c\ne = d * d",
    "a broadcast temporary": "y = ((x[:, None] - x[None, :64]) ** 2).sum(axis=1)",
    "temporaries with a row": "z = x.reshape(-1, 64)\ny = (z * 2 + z[0]) / 3 + (z[0] + z * z)",
    "functions of temporaries": "y = np.exp(-x) / (1 + np.exp(-x))",
    "reversed operands": "y = 2 - x * 3\ny = 2 * (x + 1)\ny = 1 / (x + 2)\nz = x - (x + 1) * 2",
    "powers": "y = (x + 1) ** 2 + (x + 1) ** 0.5\ny = (x + 1) ** 2.0\nz = (x + 1) ** 3 - (x + 1) ** -1",
    "lists and numbers": "y = ((x + 1) * np.array(2.0) - np.float32(1)) * True\nz = (x[:4] + 1) * [1, 2, 3, 4]",
    "integers": "k = x.astype(np.int64)\ny = (k * 3 + 1) // 2 - (k << 1)\ny = (k + 1) / 2",
    "truths": "y = (x > 0.5) & ~(x < 0.7) | (x > 0.9)\nz = x[y]\nw = np.where(y, x, -x)",
    "other types": "f = x.astype(np.float32)\ny = f * 2 + x\nz = (f + 1) * f - f * np.float64(2)",
    "a function that is called": "def f(a):\n    return a * 2 + 1\ny = f(x) + f(x + 1) * 3",
    "a loop": "for k in range(4):\n    y = (x + k) * 2 - x\n    x = y / 2",
    "rows that grow": "rows = []\nfor k in range(6):\n    rows.append(x[: k * 10_000] * 2)\ny = np.concatenate(rows)",
    "a walrus and a conditional": "y = (t := x + 1) * 2\nz = (x * 2 if t is not None else x) + 1",
    "complex numbers": "z = x + 1j * x\ny = (z * z.conj()).real + 1\nw = abs(z * 2)",
    "small arrays are not reused": "s = x[:20_000]\ny = [s * 2 + 1 - s * 3 for _ in range(20)]",
    "copies and views": "a = x[::2]\nb = a.copy()\nc = b.reshape(4, -1).T\nd = np.ascontiguousarray(c)\ndel b, c\ne = d + 1",
    "an object's attributes": "class O: pass\no = O()\no.a = x + 1\no.b = o.a * 2 + o.a\no.a = None\no.c = -(o.b + 1)",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_peak_is_that_of_the_program_without_trace(name: str, tmp_path: Path) -> None:
    source = f"import numpy as np\nx = np.linspace(0.0, 1.0, {4 * _MB})\n{PROGRAMS[name]}\n"
    script = tmp_path / "program.py"
    script.write_text(source)
    code, space = compile(source, str(script), "exec"), {"__name__": "__main__"}
    tracemalloc.start(1)
    try:
        exec(code, space)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    found = trace(script, folder=str(tmp_path))
    assert found.captured, (found.problems, found.err)
    # NumPy's linspace works on a temporary of its own, but less is alive then than later.
    assert found.numbers["peak"] == pytest.approx(peak, rel=0.02)


def test_what_is_alive_at_each_operation_is_the_sum_of_what_was_made_and_not_given_back() -> None:
    def program(x: Any) -> Any:
        a = x + 1  # 80 bytes each
        b = a * 2
        del a
        c = b[1:]  # keeps b
        del b
        d = c - 1
        del c
        return d

    tape = traced(program, np.arange(10.0))
    names = [op.name for op in tape.operations]
    assert names == ["test", "add", "multiply", "getitem", "subtract"]
    assert tape.live_bytes == [80, 160, 240, 160, 232]
    assert (tape.peak, tape.peak_bytes) == (2, 240)


def test_the_timeline_agrees_with_buffers_counted_one_by_one() -> None:
    rng = np.random.default_rng(0)

    def program(x: Any) -> Any:
        held = [x]
        for _ in range(200):
            held.append(held[rng.integers(len(held))] * 2.0)
            if rng.random() < 0.5:
                held.pop(int(rng.integers(len(held))))
            if not held:
                held.append(x + 1)
        return held

    tape = traced(program, np.arange(7.0))
    counted = [
        sum(
            b.nbytes for b in tape.raw.buffers if b.born <= index < (len(tape.operations) if b.died is None else b.died)
        )
        for index in range(len(tape.operations))
    ]
    assert tape.live_bytes == counted
    assert len({*counted}) > 10


def test_a_view_makes_no_buffer_and_keeps_its_owners_alive() -> None:
    tape = traced(lambda x: [(x * 1)[k:] for k in range(3)], np.arange(10.0))
    assert len(tape.raw.buffers) == 4
    assert tape.live_bytes[-1] == 4 * 80


def test_a_tape_that_is_empty_has_no_peak() -> None:
    tape = traced(lambda: None)
    assert (tape.operations, tape.live_bytes, tape.peak, tape.peak_bytes, tape.flops, tape.bytes) == (
        [],
        [],
        0,
        0,
        0,
        0,
    )
    assert tape.captured


def test_memory_that_is_used_again_at_the_same_address_is_another_buffer() -> None:
    def program(x: Any) -> Any:
        for _ in range(50):
            y = led(np.empty)(1000)
            y[:] = 1
            del y

    tape = traced(program, np.arange(2.0))
    assert len(tape.raw.buffers) == 51
    assert max(tape.live_bytes) == 8000 + 16
