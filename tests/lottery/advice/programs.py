"""Programs that a rewrite would help, each with the line that it is for, and programs that it must leave alone."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pennyweight.arrays.trace.lints import Finding, find
from pennyweight.arrays.trace.look import Look
from pennyweight.lottery.tracing.advice.proposals import propose
from pennyweight.lottery.tracing.advice.trial import Proposal

HEAD = "import numpy as np\nimport pennyweight\nrng = np.random.default_rng(0)\nwith pennyweight.trace() as tape:\n"
"""What stands before a program, which is indented once."""


@dataclass(frozen=True)
class Tried:
    """A program that was looked at: what was found, what is proposed."""

    look: Look
    findings: list[Finding]
    proposals: list[Proposal]
    space: dict[str, Any]

    def named(self, rewrite: str) -> list[Proposal]:
        return [proposal for proposal in self.proposals if proposal.rewrite == rewrite]


Try = Callable[[str], Tried]


def tried(source: str, folder: Path) -> Tried:
    """Trace a program in this process and ask for proposals."""
    body = "".join(f"    {line}\n" for line in source.strip().splitlines())
    path = folder / "program.py"
    path.write_text(HEAD + body)
    space: dict[str, Any] = {"__name__": "made_for_a_test"}
    exec(compile(HEAD + body, str(path), "exec"), space)
    look = Look(space["tape"], timing_seconds=0.05)
    assert look.tape.captured, (look.replayed.stopped, look.replayed.differences, look.tape.lost)
    findings = find(look)
    return Tried(look, findings, propose(look, findings), space)


def line_of(source: str, text: str = "# here") -> int:
    """The line of the program, in its file, that holds a text."""
    lines = source.strip().splitlines()
    return HEAD.count("\n") + 1 + next(number for number, line in enumerate(lines) if text in line)


GOOD: dict[str, tuple[str, float]] = {}
"""By rewrite and what it is: a program, and the largest error that the rewrite may make."""
BAD: dict[str, str] = {}
"""By rewrite and why it does not apply: a program."""


def good(name: str, source: str, error: float = 0.0) -> None:
    GOOD[name] = source, error


# --- powers ---

for _exponent in (3, 4, 5, 6, 8, -2, -3, 1.5, 2.5, -0.5, -1.5):
    good(
        f"multiply instead of a power: {_exponent}",
        f"x = rng.random(20_000) + 0.5\nfor _ in range(3):\n    y = x ** {_exponent}  # here",
        1e-14,
    )
good("multiply instead of a power: a function", "x = rng.random(20_000)\ny = np.power(x, 3)  # here", 1e-14)
good("multiply instead of a power: integers", "x = rng.integers(0, 9, 20_000)\ny = x ** 3  # here")
BAD["multiply instead of a power: in place"] = "x = rng.random(20_000)\nx **= 3"
BAD["multiply instead of a power: a square, which is one already"] = "x = rng.random(20_000)\ny = x ** 2"
BAD["multiply instead of a power: an array of powers"] = "x = rng.random(20_000)\ny = x ** rng.integers(1, 5, 20_000)"
BAD["multiply instead of a power: no power that is known"] = "x = rng.random(20_000)\ny = x ** 3.3"
BAD["multiply instead of a power: into a wider type"] = (
    "x = rng.random(20_000).astype(np.float32)\ny = x ** np.float64(3)"
)
BAD["multiply instead of a power: a base that is a number"] = "x = rng.random(20_000)\ny = 3 ** x"
BAD["multiply instead of a power: with where"] = (
    "x = rng.random(20_000)\nout = np.zeros(20_000)\ny = np.power(x, 3, out=out, where=x > 0.5)"
)

# --- einsum, transforms, sorting, solving ---

good(
    "einsum along a path: two",
    "a, b = rng.random((60, 70)), rng.random((70, 50))\nc = np.einsum('ij,jk->ik', a, b)  # here",
    1e-12,
)
good(
    "einsum along a path: three",
    "a, b, c = (rng.random((24, 24)) for _ in range(3))\nd = np.einsum('ij,jk,kl->il', a, b, c)  # here",
    1e-12,
)
BAD["einsum along a path: has one"] = "a = rng.random((60, 60))\nc = np.einsum('ij,jk->ik', a, a, optimize=True)"
BAD["einsum along a path: a view"] = "a = rng.random((60, 60))\nc = np.einsum('ij->ji', a)\nd = np.einsum('ii->i', a)"

good(
    "transform real numbers as real: a row",
    "x = rng.random(8192)\nfor _ in range(3):\n    y = np.fft.fft(x)  # here",
    1e-12,
)
good("transform real numbers as real: an image", "x = rng.random((64, 65))\ny = np.fft.fft2(x)  # here", 1e-12)
BAD["transform real numbers as real: complex"] = "x = rng.random(8192) + 1j\ny = np.fft.fft(x)"
BAD["transform real numbers as real: another length"] = "x = rng.random(8192)\ny = np.fft.fft(x, 16384)"
BAD["transform real numbers as real: another axis"] = "x = rng.random((64, 64))\ny = np.fft.fft(x, axis=0)"

good("select instead of sorting: the least", "x = rng.random(50_000)\ny = np.sort(x)[:10]  # here")
good("select instead of sorting: the greatest", "x = rng.random(50_000)\ny = np.sort(x)[-10:]  # here")
good("select instead of sorting: their places", "x = rng.random(50_000)\ny = x.argsort()[:10]  # here")
BAD["select instead of sorting: all of it is used"] = "x = rng.random(50_000)\ny = np.sort(x)\nz, w = y[:10], y[-10:]"
BAD["select instead of sorting: half of it"] = "x = rng.random(50_000)\ny = np.sort(x)[:25_000]"
BAD["select instead of sorting: along an axis"] = (
    "x = rng.random((200, 200))\ny = np.sort(x)[:10]\nz = np.sort(x, axis=0)[:3]"
)
BAD["select instead of sorting: in place"] = "x = rng.random(50_000)\nx.sort()\ny = x[:10]"
BAD["select instead of sorting: every second"] = "x = rng.random(50_000)\ny = np.sort(x)[:10:2]"
BAD["select instead of sorting: places that are equal"] = "x = rng.integers(0, 3, 50_000)\ny = np.argsort(x)[:10]"

good(
    "solve instead of inverting: a vector",
    "a, b = rng.random((150, 150)) + 150 * np.eye(150), rng.random(150)\nx = np.linalg.inv(a) @ b  # here",
    1e-12,
)
good(
    "solve instead of inverting: a matrix",
    "a, b = rng.random((100, 100)) + 100 * np.eye(100), rng.random((100, 4))\nx = np.linalg.inv(a).dot(b)  # here",
    1e-12,
)
BAD["solve instead of inverting: from the right"] = (
    "a, b = rng.random((90, 90)), rng.random((90, 90))\nx = b @ np.linalg.inv(a)"
)
BAD["solve instead of inverting: the inverse is wanted"] = (
    "a, b = rng.random((90, 90)), rng.random(90)\ni = np.linalg.inv(a)\nx = i @ b\nt = i.trace()"
)
good(
    "solve instead of inverting: many at once",
    "a, b = rng.random((5, 30, 30)) + 30 * np.eye(30), rng.random(30)\nx = np.linalg.inv(a) @ b  # here",
    1e-12,
)

# --- the same again ---

good(
    "once before the loop: a product",
    "a, b = rng.random((90, 90)), rng.random((90, 90))\nx = rng.random(90)\nfor _ in range(6):\n    c = a @ b  # here\n    x = np.tanh(x)",
)
BAD["once before the loop: another number each time"] = "a = rng.random(50_000)\nfor k in range(6):\n    c = a * k"
BAD["once before the loop: another keyword each time"] = (
    "a = rng.random((200, 200))\nfor k in range(6):\n    c = a.sum(axis=0, initial=k)"
)
BAD["once before the loop: the array is written to"] = (
    "a = rng.random((90, 90))\nfor k in range(6):\n    c = a @ a\n    a[0] = k"
)
BAD["once before the loop: the result is written to"] = (
    "a = rng.random(50_000)\nfor k in range(6):\n    c = a * 2\n    c += 1"
)
BAD["once before the loop: twice is not often"] = "a = rng.random((90, 90))\nfor k in range(2):\n    c = a @ a"
BAD["once before the loop: random numbers"] = "a = rng.random(50_000)\nfor k in range(6):\n    c = rng.permutation(a)"

# --- memory ---

good(
    "look instead of copying: a range",
    "x = rng.random((40_000, 16))\nfor k in range(0, 40_000, 4000):\n    y = x[np.arange(k, k + 4000)]  # here\n    s = y[0, 0]",
)
good(
    "look instead of copying: to be safe",
    "x = rng.random(1_000_000)\nfor k in range(4):\n    y = x.copy()  # here\n    s = y @ y\n    del y",
)
good(
    "look instead of copying: flat",
    "x = rng.random((1000, 1000))\nfor k in range(4):\n    y = x.flatten()  # here\n    s = y @ y\n    del y",
)
BAD["look instead of copying: written to"] = (
    "x = rng.random(1_000_000)\nfor k in range(4):\n    y = x.copy()\n    y[0] = 1\n    del y"
)
BAD["look instead of copying: any order"] = (
    "x = rng.random((40_000, 16))\ni = rng.permutation(40_000)\nfor k in range(4):\n    y = x[i]"
)

good(
    "the order in memory: a column", "x = rng.random((4000, 400))\nfor k in range(400):\n    y = x[:, k].max()  # here"
)
BAD["the order in memory: a row"] = "x = rng.random((4000, 400))\nfor k in range(400):\n    y = x[k].max()"

good(
    "stay in single precision: an array",
    "x = rng.random(60_000).astype(np.float32)\nfor _ in range(3):\n    y = x * np.linspace(0, 1, 60_000)  # here",
    1e-6,
)
good(
    "stay in single precision: a number",
    "x = rng.random(60_000).astype(np.float32)\nfor _ in range(3):\n    y = x * np.sqrt(np.arange(4.0)).max()  # here",
    1e-6,
)
BAD["stay in single precision: asked for"] = (
    "x = rng.random(60_000).astype(np.float32)\ny = x * np.linspace(0, 1, 60_000).astype(float)"
)

# --- chains ---

good(
    "distances by a matrix product: rows and rows",
    "a, b = rng.random((600, 8)), rng.random((500, 8))\nd = ((a[:, None, :] - b[None]) ** 2).sum(axis=-1)  # here",
    1e-12,
)
good(
    "distances by a matrix product: the other way round",
    "a, b = rng.random((600, 8)), rng.random((500, 8))\ne = b[None] - a[:, None]\nd = np.sum(e * e, axis=2)",
    1e-12,
)
BAD["distances by a matrix product: over another axis"] = (
    "a, b = rng.random((60, 60)), rng.random((60, 60))\nd = ((a[:, None, :] - b[None]) ** 2).sum(axis=0)"
)
BAD["distances by a matrix product: cubes"] = (
    "a, b = rng.random((600, 8)), rng.random((500, 8))\nd = ((a[:, None, :] - b[None]) ** 3).sum(axis=-1)"
)
BAD["distances by a matrix product: the differences are wanted"] = (
    "a, b = rng.random((600, 8)), rng.random((500, 8))\ne = a[:, None, :] - b[None]\nd = (e**2).sum(axis=-1)\nm = e.max()"
)
good(
    "block by block: a formula",
    "x, y = rng.random((2000, 500)), rng.random(500)\nfor _ in range(3):\n    z = np.sqrt(x * x + y) * 2 - x  # here",
)
good(
    "block by block: with a sum",
    "x = rng.random((4000, 300))\nfor _ in range(3):\n    s = (np.exp(-x) * x).sum(axis=1)  # here",
    1e-14,
)
BAD["block by block: over the first axis"] = (
    "x = rng.random((4000, 300))\nfor _ in range(3):\n    s = (np.exp(-x) * x).sum(axis=0)"
)
BAD["block by block: small"] = "x = rng.random((40, 30))\nfor _ in range(30):\n    s = np.exp(-x) * x + 1"
BAD["block by block: written into what is read"] = (
    "x = rng.random(400_000)\nfor _ in range(3):\n    np.add(x[1:], np.multiply(x[:-1], 0.5), out=x[1:])"
)
good(
    "compute in place: a formula",
    "x, y = rng.random(400_000), rng.random(400_000)\nfor _ in range(3):\n    z = (x * y + 1) / (x - 2) - y * 3  # here",
)
BAD["compute in place: not only ufuncs"] = "x = rng.random(400_000)\nfor _ in range(3):\n    z = np.round(x * 2 + 1, 3)"
BAD["compute in place: written into what is read"] = BAD["block by block: written into what is read"]

# --- loops ---

good(
    "room from the start: rows",
    "t = np.empty((0, 16))\nfor _ in range(400):\n    t = np.concatenate([t, rng.random((1, 16))])  # here",
)
good("room from the start: numbers", "t = np.array([])\nfor k in range(600):\n    t = np.append(t, [1.0, k])  # here")
good(
    "room from the start: columns",
    "t = np.empty((16, 0))\nfor _ in range(400):\n    t = np.hstack([t, rng.random((16, 1))])  # here",
)
BAD["room from the start: a list"] = (
    "p = []\nfor _ in range(400):\n    p.append(rng.random((1, 16)))\nt = np.concatenate(p)"
)
BAD["room from the start: a window"] = (
    "t = np.zeros(512)\nfor _ in range(200):\n    t = np.concatenate([t[8:], rng.random(8)])"
)

good(
    "all at once: a function of each",
    "x, y = rng.random(3000), np.zeros(3000)\nfor i in range(3000):\n    y[i] = np.sqrt(x[i])  # here",
)
good(
    "all at once: a search for each",
    "x, y = rng.random(3000), np.zeros(3000, int)\nt = np.linspace(0, 1, 50)\nfor i in range(3000):\n    y[i] = np.searchsorted(t, x[i])  # here",
)
good(
    "all at once: a weighted count",
    "k, w = rng.integers(0, 40, 3000), rng.random(3000)\nt = np.zeros(40)\nfor i in range(3000):\n    t[k[i]] += w[i]  # here",
    1e-12,
)
good(
    "all at once: a count of whole numbers",
    "k = rng.integers(0, 40, 3000)\nt = np.zeros(40, dtype=np.int64)\nfor i in k:\n    t[i] += 1  # here",
)
good(
    "all at once: a count in single precision",
    "k = rng.integers(0, 40, 3000)\nt = np.zeros(40, dtype=np.float32)\nfor i in k:\n    t[i] += 1  # here",
)
BAD["all at once: a recurrence"] = (
    "x, y = rng.random(3000), np.zeros(3000)\nfor i in range(1, 3000):\n    y[i] = np.tanh(y[i - 1]) + x[i]"
)
BAD["all at once: a few rounds"] = "x, y = rng.random(40), np.zeros(40)\nfor i in range(40):\n    y[i] = np.sqrt(x[i])"
BAD["all at once: what is read is written to"] = (
    "x, y = rng.random(3000), np.zeros(3000)\nt = np.linspace(0, 1, 50)\n"
    "for i in range(3000):\n    y[i] = np.searchsorted(t, x[i])\n    t[i % 50] = t[i % 50] / 2"
)
