"""Ufuncs as objects: reduce, accumulate, outer, at, reduceat, where=, initial=, out tuples, own ufuncs, names."""

import operator

import numpy as np
from numpy import add, maximum, multiply, subtract

rng = np.random.default_rng(55)
x = rng.integers(1, 20, (5, 7))
f = rng.random((4, 1000), dtype=np.float32)

print(
    add.reduce(x, axis=None),
    add.reduce(x, axis=(0, 1), keepdims=True),
    multiply.reduce(x[0] % 3 + 1),
    maximum.reduce(x, axis=1, initial=15),
    np.logical_and.reduce(x > 0, axis=0),
)
print(
    add.accumulate(x[0]),
    maximum.accumulate(x, axis=1)[1],
    np.minimum.accumulate(x[:, 0][::-1])[::-1],
    multiply.accumulate([1, 2, 3, 4]),
    subtract.accumulate([9, 2, 3]),
    np.logaddexp.accumulate([0.0, 0.0])[1].round(6),
)
print(
    multiply.outer([1, 2], [3, 4, 5]).tolist(),
    subtract.outer(x[0, :2], x[1, :3]).shape,
    np.equal.outer(x[0], x[1]).sum(),
    np.outer([1, 2], [3, 4])[1],
    np.add.outer(np.arange(3), np.ones((2, 2))).shape,
)
print(
    add.reduceat(np.arange(10), [0, 4, 7]),
    add.reduceat(x, [0, 2], axis=0)[:, 0],
    maximum.reduceat(x[0], [0, 3, 5]),
    multiply.reduceat(x[0], [0, 1, 4])[0],
)
counts = np.zeros(5, dtype=int)
add.at(counts, [0, 1, 1, 4, 4, 4], 1)
np.subtract.at(counts, 4, 10)
np.negative.at(counts, [0])
maximum.at(counts, [2, 3], [5, 6])
print(
    counts,
    np.sum(x, where=x > 10),
    np.mean(f, axis=1, where=f > 0.5).round(4),
    np.max(x, initial=0, where=x % 2 == 0),
    np.prod(x[0] / 10, dtype=float).round(6),
    np.any(x > 18, where=x < 19),
)

fraction, whole = np.empty(3), np.empty(3)
result = np.modf([1.5, -2.25, 3.0], out=(fraction, whole))
np.divmod([7, -7], 3, out=(a := np.empty(2, int), b := np.empty(2, int)))
print(
    result[0] is fraction,
    whole,
    a,
    b,
    np.frexp(8.0),
    np.divmod(17, 5),
    np.sqrt([4.0, -1.0, 9.0], where=[True, False, True], out=np.zeros(3)),
)
scaled = np.multiply(f, 2, dtype=np.float64)[0, :2]
kept = np.add(f[0, :3], 1, out=np.empty(3, dtype=np.float64), casting="safe")
print(
    scaled.dtype,
    kept.dtype,
    np.add(1, 2, dtype="f4").dtype,
    np.true_divide(7, 2),
    np.power([2, 3], [3, 2]),
    np.float_power(2, -1),
    np.add("a", "b"),
)
try:
    np.add(x, 0.5, out=x)
except TypeError as error:
    print(type(error).__name__, "same_kind" in str(error))

collatz = np.frompyfunc(lambda n: n // 2 if n % 2 == 0 else 3 * n + 1, 1, 1)
print(
    collatz(np.arange(1, 8)),
    collatz(7),
    collatz.nin,
    np.frompyfunc(max, 2, 1).reduce([3, 9, 2]),
    np.frompyfunc(lambda p, q: f"{p}{q}", 2, 1).outer(["a", "b"], [1, 2]).tolist(),
)
clamp = np.vectorize(lambda v, low, high: min(max(v, low), high), excluded=["high"], doc="Limits.")
print(
    clamp(x[0], 5, high=12), np.vectorize(np.dot, signature="(n),(n)->()")(x, x[0]), np.vectorize(divmod)([7, 8], 3)[1]
)

for name in ("sin", "hypot", "floor_divide", "matmul", "isfinite"):
    ufunc = getattr(np, name)
    print(name, ufunc.nin, ufunc.nout, ufunc.signature, isinstance(ufunc, np.ufunc), ufunc.identity, end="; ")
print()
table = {"+": np.add, "-": operator.sub, "max": np.maximum, "m": np.matmul}
stack = []
program = "1 2 + 5 - 3 max"
for token in program.split():
    stack.append(np.float64(token) if token.isdigit() else table[token](stack.pop(-2), stack.pop()))
print(
    stack,
    list(map(np.sqrt, [4, 9.0])),
    sorted(["b", "a"], key=lambda s: np.char.equal(s, "b")),
    np.add.reduce(np.array(["x", "y"], dtype=object)),
)


def evaluate(steps, value, **options):
    """Apply functions one after the other, each with its share of the options."""
    for step in steps:
        value = step(value, **options.get(step.__name__, {}))
    return value


print(evaluate([np.cumsum, np.sqrt, np.round], x, cumsum={"axis": 1}, round={"decimals": 2})[0])
print(
    np.matmul(x, x.T)[0, :2],
    x.dot([1] * 7),
    np.inner(x[0], x[1]),
    np.vdot([1j, 2], [3, 4j]),
    np.cross([1, 0, 0], [0, 1, 0]),
    np.tensordot(x, x, axes=([0, 1], [0, 1])),
    np.matmul(x[None], x.T)[0, 0, 0],
)
softplus = np.logaddexp(0, [-800.0, 0, 800])
xlogx = np.multiply(p := np.array([0.0, 0.5, 0.5]), np.log(p, where=p > 0, out=np.zeros(3)))
print(
    softplus.round(4),
    -xlogx.sum().round(6),
    np.gcd.reduce([12, 18, 30]),
    np.lcm(4, 6),
    np.bitwise_xor.outer([1, 2], [3])[1],
    np.ldexp(0.5, [1, 2]),
    np.arctan2([1, -1], [0, -1]).round(4),
    np.degrees(np.pi),
    np.interp(2.5, [1, 2, 3], [10, 20, 40]),
)
