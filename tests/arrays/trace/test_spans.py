"""What is asked for is what is told: one function of a program, a number of operations, a limit of time."""

from pathlib import Path

import pytest

from tests.arrays.trace.harness import Traced, begin, both, finish, trace

_PROGRAM = """
import asyncio
import contextlib
import functools
import numpy as np

x = np.ones(4)

def plain(a):
    "A docstring."
    return a + 1

def only_a_docstring(a):
    "Nothing else."

def recursive(n, a):
    return a * 2 if n == 0 else recursive(n - 1, a) - 1

def generator(a):
    for k in range(3):
        sent = yield a * k
        if sent is not None:
            a = a / sent

async def coroutine(a):
    b = a - 1
    await asyncio.sleep(0)
    return b * b

class Model:
    factor = 3

    def __init__(self, w):
        self.w = w * 1

    def forward(self, a):
        global last
        last = a @ self.w
        return last

    @property
    def size(self):
        return self.w.sum()

    @staticmethod
    def fixed(a):
        return np.sqrt(a)

    @classmethod
    def made(cls, n):
        return cls(np.zeros(n) + cls.factor)

    class Inner:
        def deep(self, a):
            return -a

def outer(a):
    def inner(b):
        return b % 2
    return inner(a) + 5

@functools.lru_cache
def cached(n):
    return np.full(n, 2.0)

@contextlib.contextmanager
def context(a):
    a += 1
    yield a
    a -= 1

def raises(a):
    try:
        return a.reshape(7)
    finally:
        a.fill(3)

y = x * 7
plain(x); plain(y); only_a_docstring(x)
recursive(3, x)
g = generator(x)
next(g); z = y ** 2; g.send(2); list(g)
print(asyncio.run(coroutine(x)))
m = Model(x)
m.forward(x); m.size; Model.fixed(x); Model.made(4).forward(y); Model.Inner().deep(x)
outer(x); cached(3); cached(3)
with context(x) as c:
    d = c ** 3
try:
    raises(x)
except ValueError:
    pass
print(plain.__doc__, plain.__name__, [v.tolist() for v in generator(x)][0], Model.made(2).size, last.shape)
"""

_PRINTED = "[0. 0. 0. 0.]\nA docstring. plain [0.0, 0.0, 0.0, 0.0] 6.0 ()\n"


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "program.py"
    path.write_text(_PROGRAM)
    return path


def names(traced: Traced) -> list[str]:
    return [name for name, *_ in traced.operations]


def test_what_the_program_prints_it_prints_without_trace(script: Path) -> None:
    assert finish(begin(script)).stdout == _PRINTED


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("plain", ["add"] * 2), ("only_a_docstring", []), ("recursive", ["multiply", "subtract", "subtract", "subtract"]),
        ("generator", ["multiply", "divide", "multiply", "multiply"] + ["multiply"] * 3), ("coroutine", ["subtract", "multiply"]),
        ("Model.forward", ["matmul"] * 2), ("Model.__init__", ["multiply"] * 3), ("Model.size", ["sum"] * 2), ("Model.fixed", ["sqrt"]),
        ("Model.made", ["zeros", "add", "multiply"] * 2), ("Model.Inner.deep", ["negative"]), ("outer", ["remainder", "add"]),
        ("outer.inner", ["remainder"]), ("cached", ["full"]), ("context", ["add", "subtract"]), ("raises", ["fill"]),
        ("nothing", []), ("deep", []), ("Model", []),
    ],
)  # fmt: skip
def test_only_the_operations_of_the_function_are_told(
    function: str, expected: list[str], script: Path, tmp_path: Path
) -> None:
    traced = trace(script, folder=str(tmp_path), function=function)
    assert (traced.out, traced.err, traced.code) == (_PRINTED, "", 0)
    assert names(traced) == expected
    assert traced.captured, traced.problems
    assert traced.numbers["count"] > len(expected)


def test_recursion_is_as_deep_inside_of_the_function_asked_for_as_elsewhere(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(
        "import numpy as np\ndef f(n, x):\n    return f(n - 1, x) if n else x.sum()\nprint(f(960, np.ones(3)))\n"
    )
    traced = trace(script, folder=str(tmp_path), function="f")
    assert traced.out == "3.0\n", traced.err
    assert names(traced) == ["sum"]


def test_a_tape_that_is_full_ends_and_the_program_goes_on(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(
        "import hashlib\nimport numpy as np\nx = np.zeros(3)\nfor _ in range(1000):\n    x = x + 1\n    x[0] = 5\n"
        "print(x, np.sqrt(x).sum(), np.concatenate([x, np.ones(1)]), hashlib.md5(x).hexdigest()[:4], x.T.base is x)\n"
    )
    plain, traced = both(script, folder=tmp_path, limit=100)
    assert (traced.out, traced.err) == (plain.stdout, plain.stderr)
    assert traced.numbers["count"] == 100
    assert not traced.captured
    assert traced.problems == ("recording ended after 100 operations; what came later is not here",)
    assert (traced.worst, traced.lost) == (0.0, ())


@pytest.mark.parametrize("swallows", [False, True])
def test_time_that_is_up_never_falls_between_a_deed_and_its_word(swallows: bool, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    body = "        x += 1\n        y[:] = x\n        np.multiply(x, y, out=y)\n        x.sort()\n"
    caught = "    except Exception:\n        pass\n" if swallows else "    finally:\n        pass\n"
    script.write_text(f"import numpy as np\nx, y = np.zeros(50), np.zeros(50)\nwhile True:\n    try:\n{body}{caught}")
    for seconds in (0.1, 0.15, 0.2):
        traced = trace(script, folder=str(tmp_path), seconds=seconds)
        assert (traced.ending, traced.code, traced.err) == ("time limit", 124, "")
        assert traced.captured, traced.problems
        assert traced.numbers["count"] > 100
        assert seconds <= traced.numbers["seconds"] < seconds + 2


def test_a_program_that_ends_in_time_is_not_stopped_afterwards(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(
        "import atexit, time\nimport numpy as np\natexit.register(lambda: (time.sleep(0.3), print(np.ones(2))))\nprint(1)\n"
    )
    traced = trace(script, folder=str(tmp_path), seconds=0.2)
    assert (traced.ending, traced.out, traced.err) == ("done", "1\n[1. 1.]\n", "")
