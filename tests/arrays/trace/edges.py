"""Small programs, each with something in it that a tracer might trip over. They must print the same under trace."""

EDGES: dict[str, str] = {}
"""Programs of which every array is followed."""
LOOSE: dict[str, str] = {}
"""Programs that cannot be followed, and must be left as they are all the same."""

# --- files and names ---

EDGES["an empty file"] = ""
EDGES["a single expression"] = "import numpy as np; print(np.arange(3) + 1)"
EDGES["from numpy import *"] = """
from numpy import *
x = linspace(0, 1, 5)
print(sum(x), abs(-x), max(x), round(pi, 3))
"""
EDGES["future annotations"] = '''
"""A docstring."""
from __future__ import annotations
import numpy as np
from dataclasses import dataclass, field

def scaled(x: np.ndarray[tuple(int for _ in range(2))], by: float = float("2")) -> np.zeros(3):
    return x * by

@dataclass
class Held:
    a: np.ndarray = field(default_factory=lambda: np.zeros(3))

print(__doc__, scaled(np.ones(2)), scaled.__annotations__, Held().a.sum(), Held.__annotations__)
'''
EDGES["what names there are"] = """
import numpy as np
x = np.arange(3)
print(sorted(globals()), sorted(n for n in dir() if not n.startswith("__")))
def f(a):
    b = a + 1
    return sorted(locals()), sorted(vars())
print(f(x), __name__, type(__builtins__).__name__, __spec__, type(__loader__).__name__)
"""

# --- calls of every form ---

EDGES["decorators"] = """
import functools
import numpy as np

def twice(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs) * 2
    return wrapper

def scaled(by):
    def decorate(function):
        return lambda *args: function(*args) * by
    return decorate

@twice
@scaled(by=np.float64(3))
def f(x):
    "Doc."
    return x + 1

@functools.lru_cache(maxsize=None)
def table(n):
    return np.arange(n)

@functools.singledispatch
def told(x):
    return "other"

@told.register
def _(x: int):
    return "int"

@np.vectorize
def clipped(a, b):
    return min(a, b)

print(f(np.arange(3)), f.__name__, table(4) is table(4), table.cache_info().hits, told(1), told(np.ones(2)), clipped([1, 5], 3))
"""
EDGES["star arguments, walrus, match, lambdas, comprehensions"] = """
import numpy as np

def total(*parts, scale=1, **named):
    return sum(part.sum() for part in parts) * scale + sum(named.values()).sum()

parts = [np.full(2, n) for n in range(3)]
print(total(*parts, **{"scale": 2, "extra": np.ones(2)}))
if (n := np.arange(4).sum()) > 5:
    print(n)
for shape in ((2, 3), (4,), ()):
    match np.zeros(shape):
        case np.ndarray(shape=(a, b)):
            print("matrix", a, b)
        case np.ndarray(ndim=1) as x if len(x) > 3:
            print("vector", x)
        case np.ndarray(size=1):
            print("number")
square = lambda x, by=np.array([1.0, 2.0]): x * by
print(square(3), [row.max() for row in np.eye(3) if row.any()], {k: v for k, v in zip("ab", np.arange(2))}, {*np.arange(3).tolist()})
print((lambda *a, **k: (len(a), sorted(k)))(*np.arange(3), **dict(z=1, y=2)))
x, (y, *z), w = np.arange(3), np.arange(4), 1
print(x, y, z, w, *np.arange(2), sep="|")
"""
EDGES["classes"] = """
import abc
import numpy as np

class Meta(type):
    def __new__(mcs, name, bases, space, **kwargs):
        space["made"] = np.arange(len(name))
        return super().__new__(mcs, name, bases, space)
    def __call__(cls, *args):
        made = super().__call__(*args)
        made.called = True
        return made

class Base(metaclass=Meta, key=np.float32(2)):
    table = np.linspace(0, 1, 3)
    rows = [np.full(2, k) for k in range(2)]
    __hidden = np.ones(2)

    def __init__(self, x):
        self.x = x

    def value(self):
        def inner():
            return self.__hidden.sum() + self.x.sum()
        return inner()

class Derived(Base):
    __slots__ = ()

    def __init__(self, x):
        super().__init__(np.asarray(x) * 2)

    def value(self):
        return super().value() + 1

    @property
    def size(self):
        return self.x.size

    @staticmethod
    def zeros(n):
        return np.zeros(n)

    @classmethod
    def of(cls, n):
        return cls(cls.zeros(n) + 1)

class Slotted:
    __slots__ = ("a",)
    def __init__(self):
        self.a = np.arange(3)
    def __iadd__(self, other):
        self.a += other
        return self
    def __getitem__(self, key):
        return self.a[key]

class Abstract(abc.ABC):
    @abc.abstractmethod
    def f(self): ...

d = Derived.of(3)
print(d.value(), d.size, d.called, Derived.made, Base.table, Base.rows, type(d).__name__, Base.__name__)
s = Slotted()
s += 2
print(s[1:], s.a)
Point = type("Point", (Base,), {"z": np.zeros(2)})
print(Point.z, Point.__module__, Point(np.ones(1)).value())
try:
    Abstract()
except TypeError as error:
    print(type(error).__name__)
"""
EDGES["who looks at his caller"] = """
import collections
import enum
import inspect
import logging
import pickle
import sys
import typing
import warnings
import numpy as np

Point = collections.namedtuple("Point", "x y")
Colour = enum.Enum("Colour", "RED GREEN")
Typed = typing.NamedTuple("Typed", [("a", int)])
print(Point.__module__, Colour.__module__, Typed.__module__, pickle.loads(pickle.dumps(Point(1, np.arange(2)))))
print(Point(np.arange(3), 2)._replace(y=np.ones(2)))

logging.basicConfig(format="%(filename)s:%(lineno)d:%(funcName)s %(message)s", stream=sys.stdout, level=logging.INFO)

def logged(x):
    logging.info("sum %s", x.sum())
    return sys._getframe(1).f_code.co_name, inspect.currentframe().f_back.f_lineno

def caller():
    return logged(np.arange(4))

print(caller())

def old(x):
    warnings.warn("old is old", DeprecationWarning, stacklevel=2)
    return x

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    old(np.ones(2))
    np.ones(2) / np.zeros(2)
    np.mean([])
print([(w.category.__name__, w.filename == __file__, w.lineno) for w in caught])
print([f.function for f in inspect.stack()][:1])
"""
EDGES["generators and coroutines"] = """
import asyncio
import contextlib
import numpy as np

def blocks(x, size):
    for start in range(0, len(x), size):
        got = yield x[start : start + size]
        if got is not None:
            yield got * 2

def chained(x):
    total = yield from blocks(x, 2)
    return total

async def work(x):
    await asyncio.sleep(0)
    return x.sum()

async def parts():
    for k in range(3):
        await asyncio.sleep(0)
        yield np.full(2, k)

async def main():
    both = await asyncio.gather(work(np.arange(3)), work(np.ones(4)))
    return both, [p async for p in parts()]

@contextlib.contextmanager
def scaled(x):
    x *= 2
    try:
        yield x
    finally:
        x /= 2

g = blocks(np.arange(6.0), 2)
print(next(g), g.send(np.ones(1)), list(g), list(chained(np.arange(3))))
print(asyncio.run(main()))
y = np.ones(3)
with scaled(y) as z, np.errstate(divide="ignore"):
    print(z, z is y)
print(y)
"""
EDGES["errors caught"] = """
import traceback
import numpy as np

def fails(x):
    return x.reshape(7, 7)

for attempt in (lambda: np.ones(3) + np.ones(4), lambda: fails(np.arange(5)), lambda: np.arange(3)[9],
                lambda: np.linalg.inv(np.zeros((2, 2))), lambda: np.ones((2, 3)) @ np.ones((2, 3)),
                lambda: np.concatenate([np.ones(2), np.ones((2, 2))]), lambda: {np.arange(2): 1},
                lambda: bool(np.arange(2)), lambda: int(np.arange(2)), lambda: np.arange(3).nothing,
                lambda: np.arange(2).view("f8").shape.none, lambda: np.zeros(3, "f4").__setitem__(slice(0, 2), [1, 2, 3])):
    try:
        attempt()
    except Exception as error:
        print(type(error).__name__, error, *traceback.format_exc().splitlines()[1:-1:2], sep="\\n   ")
try:
    try:
        fails(np.ones(2))
    except ValueError as error:
        raise RuntimeError("later") from error
except RuntimeError:
    print(traceback.format_exc())
"""
EDGES["recursion 900 deep"] = """
import sys
import numpy as np
def down(n, x):
    return x.sum() if n == 0 else down(n - 1, x)
print(down(900, np.arange(3)))
def left(x, n):
    return x if not n else left(x + 1, n - 1)
print(left(np.zeros(2), 900))
sys.setrecursionlimit(30_000)
print(down(20_000, np.arange(4)))
"""
EDGES["recursion without end"] = """
import numpy as np
def f(x):
    return f(x) + 1
try:
    f(np.ones(2))
except RecursionError as error:
    print("deep enough", str(error)[:20])
"""

# --- copies, pickles, tests in docstrings ---

EDGES["copies and pickles"] = """
import copy
import io
import pickle
from dataclasses import asdict, dataclass, field, replace
import numpy as np

@dataclass
class Held:
    a: np.ndarray
    b: list = field(default_factory=list)

held = Held(np.arange(3), [np.ones(2)])
twin = copy.deepcopy(held)
twin.a += 1
shallow = copy.copy(held)
print(held, twin, shallow.a is held.a, asdict(held), replace(held, b=[]))
back = pickle.loads(pickle.dumps({"x": held, "y": held.a}))
back["y"] *= 2
print(back, type(back["y"]) is np.ndarray, back["x"].a is back["y"])
buffer = io.BytesIO()
np.save(buffer, held.a)
buffer.seek(0)
print(np.load(buffer) + 1)
objects = np.array([[1], [2, 3]], dtype=object)
deep = copy.deepcopy(objects)
deep[0].append(5)
print(objects, deep)
"""
EDGES["doctest"] = '''
"""A module that tests itself.

>>> double(np.arange(3))
array([0, 2, 4])
>>> double(np.ones(2)).sum()
np.float64(4.0)
"""
import doctest
import numpy as np

def double(x):
    """Twice.

    >>> double(3)
    6
    """
    return x * 2

print(doctest.testmod())
'''
EDGES["unittest"] = """
import io
import unittest
import numpy as np

class Sums(unittest.TestCase):
    def setUp(self):
        self.x = np.arange(4)
    def test_sum(self):
        self.assertEqual(self.x.sum(), 6)
        np.testing.assert_allclose(self.x / 2, [0, 0.5, 1, 1.5])
    def test_raises(self):
        with self.assertRaises(IndexError):
            self.x[7]

runner = unittest.TextTestRunner(stream=io.StringIO())
print(unittest.main(exit=False, argv=["x"], testRunner=runner).result)
"""
EDGES["warnings of its own lines"] = """
import warnings
import numpy as np
warnings.simplefilter("ignore", RuntimeWarning)
a = np.zeros(2)
a / a
warnings.simplefilter("default")
b = np.ones(2)
with warnings.catch_warnings():
    warnings.filterwarnings("error", message=".*divide.*")
    try:
        b / a
    except RuntimeWarning as error:
        print(error)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("default")
    for _ in range(3):
        b / a
    b / a
    a / a
print([(str(w.message), w.lineno) for w in caught])
with warnings.catch_warnings(record=True) as caught:
    warnings.filterwarnings("ignore", module="__main__")
    warnings.filterwarnings("once", message="invalid")
    b / a
print(len(caught))
"""
EDGES["shapes and flags assigned"] = """
import numpy as np
x = np.arange(12.0)
y = x
x.shape = 3, 4
y[0] = 7
print(x, y.shape, x is y)
x.flags.writeable = False
try:
    x[0, 0] = 1
except ValueError as error:
    print(error)
x.setflags(write=True)
x.flat = 0
x.flat[3:5] = [1, 2]
it = x.flat
print(next(it), it.index, it.coords, list(x.flat)[3:6], x.flat[4], len(x.flat), np.sum(x.flat))
z = np.zeros(4, dtype="c16")
z.real, z.imag = 1, np.arange(4)
z.dtype = "f8"
print(z)
r = np.arange(3)
r.resize(5)
r.resize(2, 2)
print(r)
"""
EDGES["numbers that stay numbers"] = """
import decimal
import fractions
import math
import numpy as np
x = np.arange(4.0)
s = x.sum()
print(type(s), type(x[1]), type(x.max()), type(s + 1), type(float(s)), type(x.argmax()), type(x.any()), type(np.sqrt(2.0)))
print(math.sqrt(s), round(s, 2), divmod(s, 4), s // 4, int(s), f"{s:.2f}", "%d" % s, hash(s) == hash(6.0), s == 6, s in {6.0})
print([10, 20, 30][np.int64(1)], "ab" * x.argmax(), range(int(s))[np.argmin(x)], isinstance(s, float), x[1] * (1, 2)[1])
o = np.array([fractions.Fraction(1, 3), decimal.Decimal("1.5")], dtype=object)
print(o[:1] + 1, o[1], (o[:1] * 3).sum(), o[:1] + fractions.Fraction(1, 2), np.float64(2) ** np.arange(3), np.array(5)[()], np.array(5).item())
z = np.array(3.0)
z += 1
print(z, type(z), type(z[()]), z.shape, float(z), z == 4, [z][0] is z)
"""
EDGES["buffers"] = """
import array
import base64
import hashlib
import struct
import zlib
import numpy as np
x = np.arange(6, dtype="i2")
print(hashlib.sha256(x).hexdigest()[:8], zlib.crc32(x), base64.b64encode(x)[:8], struct.unpack("6h", x)[2], bytes(x)[:4], bytearray(x)[:2])
m = memoryview(x)
print(m.shape, m[2], m.nbytes, array.array("h", x.tobytes())[3], np.frombuffer(m, "i2").sum(), np.asarray(memoryview(x))[1])
print(x.__array_interface__["shape"], x.ctypes.shape[:], x.data.nbytes, np.array(array.array("d", [1, 2])))
"""
EDGES["operators with strangers"] = """
import numpy as np

class Unit:
    __array_ufunc__ = None
    def __rmul__(self, other):
        return "rmul", type(other).__name__, other.sum()
    def __eq__(self, other):
        return "eq"
    __hash__ = None

class Logged:
    def __init__(self, x):
        self.x = x
    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        plain = [i.x if isinstance(i, Logged) else i for i in inputs]
        return Logged(getattr(ufunc, method)(*plain, **kwargs))
    def __array_function__(self, function, types, args, kwargs):
        return "function", function.__name__, [t.__name__ for t in types]

class Like:
    def __array__(self, dtype=None, copy=None):
        return np.arange(3.0)

class Sequence:
    def __len__(self):
        return 2
    def __getitem__(self, k):
        if k > 1:
            raise IndexError
        return k + 1.0

x = np.arange(3)
print(x * Unit(), x == Unit(), (x + Logged(np.ones(3))).x, (np.add(Logged(x), x)).x, np.concatenate([x, Logged(x)]))
print(x + Like(), np.sum(Like()), np.array(Sequence()) + 1, np.add(x, Like()), x.dot(Like()), np.array([Like(), Like()]).shape)
print(x.__add__(Unit()), [1, 2, 3] + x, (1, 2, 3) - x, 2 ** x, 7 // (x + 1), divmod(x, 2), divmod(7, x + 1), True & (x > 1), -x, ~x, abs(-x))
"""
EDGES["order of attributes and identity"] = """
import weakref
import numpy as np
x = np.arange(12).reshape(3, 4)
v = x[1:]
print(x.base is None, v.base is x.base, v.base.shape, v[0].base is v.base, x.T.base is x.base, np.asarray(x) is x, np.array(x, copy=False) is x)
y = np.zeros(3)
w = y[::2]
print(w.base is y, w[:1].base is y, y.real is y, y.view() is y, y.ravel().base is y, y.astype(float, copy=False) is y, np.add(y, 1, out=y) is y)
r = weakref.ref(w)
del w
print(r() is None, x in [x], [a is x for a in (x, v)], y is not x, {id(x): 1}[id(x)])
d = {"x": x}
d["x"] += 1
print(d["x"] is x, x[0, 0], x.flags.c_contiguous, x.T.flags.f_contiguous, x.strides, x.itemsize, x.nbytes, x.ndim)
try:
    x == y
    np.array_equal(x, y)
except Exception as error:
    print(type(error))
print(isinstance(x, np.ndarray), issubclass(type(x), np.ndarray), type(x), x.__class__, type(x) is np.ndarray, type(x).__name__)
"""
EDGES["text"] = """
import numpy as np
x = np.linspace(0, 1, 3)
print(x, repr(x), str(x), f"{x}", f"{x[1]:.3f}", "{}".format(x), "%s" % x, x.tolist())
np.set_printoptions(precision=2, suppress=True)
print(np.array([[1e-9, 2.3456]]), np.array2string(x, separator=","), np.array_repr(x))
with np.printoptions(precision=1):
    print(x / 3)
"""
EDGES["structured"] = """
import numpy as np
t = np.dtype([("name", "U5"), ("age", "i4"), ("pos", "f8", (2,))])
p = np.array([("ann", 3, (1, 2)), ("bob", 5, (3, 4))], dtype=t)
p["age"] += 1
p[0]["age"] = 9
first = p[1]
first["pos"][0] = 7
for record in p:
    record["age"] *= 2
q = p.view(np.recarray)
print(p, q.name, q[0].age, p[["name", "age"]].dtype.names, np.sort(p, order="age")["name"], p["pos"].sum(axis=0))
"""
EDGES["monkeypatched"] = """
import numpy as np
original = np.zeros
np.zeros = lambda *a, **k: original(*a, **k) + 1
print(np.zeros(2) + 1)
np.zeros = original
np.ndarray
import numpy.linalg as la
norm, la.norm = la.norm, lambda x: -1.0
print(la.norm(np.ones(3)), np.linalg.norm(np.ones(2)))
la.norm = norm
print(np.linalg.norm(np.ones(4)))
"""
EDGES["partial and operator"] = """
import functools
import itertools
import operator
import numpy as np
x = [np.full(2, k) for k in range(3)]
print(functools.reduce(operator.add, x), functools.partial(np.sum, axis=0)(np.stack(x)), list(map(np.sum, x)), functools.partial(np.zeros, 2)())
print(list(itertools.accumulate(x)), sum(x), max(x, key=np.sum), sorted(x, key=lambda a: -a.sum())[0], operator.itemgetter(1)(x), operator.matmul(*x[:2]))
print(list(map(operator.methodcaller("sum"), x)), operator.attrgetter("T")(np.ones((1, 2))), [*map(float, x[1])], any(a.any() for a in x), all(map(np.all, x)))
print(list(zip(*np.arange(4).reshape(2, 2))), dict(enumerate(np.arange(2))), list(reversed(np.arange(3))), 2 in np.arange(3), np.arange(3).tolist().index(2))
"""
EDGES["where= without out="] = """
import numpy as np
a, b = np.arange(4.0), np.array([0.0, 1, 0, 2])
c = np.divide(a, b, where=b != 0)
print(c[b != 0])
m = np.add(a, b, where=[True, False, True, True], out=None)
print(m[[0, 2, 3]], np.sum(a, where=b > 0), np.max(a, where=b > 0, initial=0))
d = np.empty(3)
d[:2] = 1
e = np.empty_like(d)
e[0] = 2
kept = [c, d, e, np.empty((2, 2)), m]
"""
EDGES["uninitialised and printed"] = """
import numpy as np
x = np.empty(1000)
with np.errstate(all="ignore"):  # it holds whatever was there, and that may be no number
    total = float(x.sum() * 0)
repr(x)
y = x.copy()
if y is not None:
    str(y[:3])
print("done")
"""
EDGES["deletes and reuses"] = """
import gc
import numpy as np
for k in range(200):
    a = np.full(100, k)
    b = a[10:20]
    del a
    c = np.full(100, -k)
    b += c[:10]
    assert b[0] == 0
gc.collect()
print(b.sum())
"""
EDGES["an iterator that writes"] = """
import numpy as np
a = np.arange(6.0).reshape(2, 3)
with np.nditer(a, op_flags=["readwrite"]) as it:
    for x in it:
        x[...] = 2 * x
for x in np.nditer(a.T, flags=["external_loop"], op_flags=[["readwrite"]], order="F"):
    x += 1
it = np.nditer([a[::-1, ::2], None], flags=["multi_index"])
for x, y in it:
    y[...] = x + it.multi_index[0]
print(a, it.operands[1])
with np.nditer(a, flags=["buffered"], op_flags=["readwrite"], op_dtypes=["i8"], casting="unsafe") as it:
    for x in it:
        x[...] = x * 10
print(a, isinstance(it, np.nditer))
try:
    for x in np.nditer(a):
        x[...] = 1
except ValueError as error:
    print(error)
print([(i, float(x)) for i, x in np.ndenumerate(a)][:2], list(np.ndindex(2, 1)))
"""

# --- the world outside ---

EDGES["sys.exit with text"] = "import sys, numpy as np; print(np.ones(2)); sys.exit('enough')"
EDGES["sys.exit with an object"] = "import sys, numpy as np; sys.exit([1, np.int64(2)])"
EDGES["sys.exit with nothing"] = "import sys, numpy as np; np.ones(2); sys.exit()"
EDGES["sys.exit with a large number"] = "import sys; sys.exit(257)"
EDGES["sys.exit with true"] = "import sys; sys.exit(True)"
EDGES["raises with a cause and a note"] = """
import numpy as np
def f(x):
    return x.reshape(3)
try:
    f(np.ones(2))
except ValueError as error:
    error.add_note("shapes are shapes")
    raise RuntimeError("no luck") from error
"""
EDGES["raises a group"] = """
import numpy as np
found = []
for n in (2, 3):
    try:
        np.ones(n).reshape(7)
    except ValueError as error:
        found.append(error)
raise ExceptionGroup("two", found)
"""
EDGES["an exception hook of its own"] = """
import sys
import numpy as np
def hook(kind, error, trace):
    frames = []
    while trace:
        frames.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    print("caught", kind.__name__, error, frames)
sys.excepthook = hook
def f(x):
    return x[5]
f(np.ones(2))
"""
EDGES["a thread that raises"] = """
import threading
import numpy as np
def work(x):
    return x.reshape(5)
t = threading.Thread(target=work, args=(np.ones(2),), name="worker")
t.start()
t.join()
print("after")
"""
EDGES["exit hooks"] = """
import atexit
import numpy as np
x = np.arange(4)
atexit.register(lambda: print("last", x.sum(), np.zeros(2) + 1))
print("first")
"""
EDGES["changes folder"] = """
import os
import tempfile
import numpy as np
os.chdir(tempfile.mkdtemp())
np.save("x.npy", np.arange(3))
print(np.load("x.npy"), os.listdir())
"""
EDGES["an alarm of its own"] = """
import signal
import time
import numpy as np
class Late(Exception):
    pass
def ring(number, frame):
    raise Late
signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.05)
x = np.zeros(10)
try:
    while True:
        x = x + 1
except Late:
    print("rang", (x == x[0]).all(), signal.getsignal(signal.SIGALRM) is ring)
"""
EDGES["forks"] = """
import os
import sys
import numpy as np
x = np.arange(3)
pid = os.fork()
if pid == 0:
    x += 10
    sys.stdout.flush()
    sys.exit(int(x.sum()))
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), x)
"""
EDGES["a fork that falls off the end"] = """
import os
import numpy as np
x = np.arange(3)
pid = os.fork()
if pid:
    os.waitpid(pid, 0)
print("child" if pid == 0 else "parent", x.sum(), flush=True)
"""
EDGES["a pool of processes"] = """
import multiprocessing
import numpy as np
def square(x):
    return x**2
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(2) as pool:
        parts = pool.map(square, [np.arange(3), np.ones(2)])
        one = pool.apply(np.sum, (np.arange(4),))
    print(parts, one, parts[0] + 1, (parts[1] * 2).sum())
"""
EDGES["a pool of threads"] = """
from concurrent.futures import ThreadPoolExecutor
import numpy as np
x = np.arange(40_000.0).reshape(4, -1)
with ThreadPoolExecutor(3) as pool:
    sums = list(pool.map(lambda row: float(np.sqrt(row).sum()), x))
    pool.submit(np.multiply, x[0], 2, out=x[0]).result()
print(np.round(sums, 3), x[0, :3])
"""
EDGES["closes what it prints to"] = """
import sys
import numpy as np
print(np.ones(2).sum(), flush=True)
sys.stdout.close()
"""
EDGES["prints elsewhere"] = """
import contextlib
import io
import sys
import numpy as np
buffer = io.StringIO()
with contextlib.redirect_stdout(buffer):
    print(np.arange(3))
print(buffer.getvalue().strip(), file=sys.stderr)
sys.stdout.write(str(np.ones(1)) + "\\n")
"""
EDGES["numba decorates"] = """
import sys
import types
numba = types.ModuleType("numba")
class Compiled:
    def __init__(self, function):
        self.names = function.__code__.co_names
        self.function = function
    def __call__(self, *args):
        return self.function(*args)
numba.njit = Compiled
numba.vectorize = lambda *types: Compiled
sys.modules["numba"] = numba
import numba as nb
from numba import njit
import numpy as np
@njit
def f(x):
    return np.sqrt(x)
@nb.vectorize("float64(float64)")
def g(x):
    return abs(x)
print(f.names, g.names, f(np.arange(3.0)), g(np.ones(1)))
"""
EDGES["scipy"] = """
import numpy as np
from scipy import ndimage, optimize, sparse, special
from scipy.interpolate import CubicSpline
x = np.linspace(0, 1, 50)
def f(p):
    return ((p - np.array([1.0, 2.0])) ** 2).sum()
found = optimize.minimize(f, np.zeros(2))
spline = CubicSpline(x, np.sin(x))
m = sparse.csr_matrix(np.eye(3))
y = np.arange(3.0)
print(found.x.round(4), ndimage.gaussian_filter(x, 2)[:2].round(4), special.erf(x)[1].round(6), spline(np.array([0.5])).round(6))
print(m @ y, (m * 2).toarray().sum(), y @ m, m.dot(y), sparse.linalg.spsolve(m.tocsc(), y) if hasattr(sparse, "linalg") else "")
m.data *= 3
print((m @ y).sum(), m.data * 2)
"""
EDGES["torch and back"] = """
import numpy as np
import torch
x = np.arange(4.0, dtype=np.float32)
t = torch.from_numpy(x) * 2
y = t.numpy() + x
print(y, torch.tensor(x).sum().item(), np.asarray(t), t.mean().item(), (t > 2).any().item())
"""
EDGES["evaluates text"] = """
import numpy as np
x = np.arange(3)
print(eval("np.ones(3) + x"), eval("x.sum()", {"x": x}))
space = {}
exec("import numpy as np\\ny = np.arange(4) * 2\\ndef f(a):\\n    return np.cumsum(a)", space)
print(space["y"], space["f"](x), eval(compile("x * 2", "<text>", "eval")))
"""
LOOSE["a subclass of ndarray"] = """
import numpy as np
class Named(np.ndarray):
    def __new__(cls, x, name):
        made = np.asarray(x).view(cls)
        made.name = name
        return made
    def __array_finalize__(self, other):
        self.name = getattr(other, "name", "?")
n = Named(np.arange(3), "n")
print((n + 1).name, n[1:].name, n.sum(), type(n * 2).__name__, np.asarray(n) + 1, np.sqrt(n).name)
"""
LOOSE["a view that is written behind our back"] = """
import numpy as np
x = np.zeros(4)
m = memoryview(x)
m[1] = 5.0
print(x)
"""
