"""Zero-dimensional results in Python's hands: conversion, formatting, hashing, indexing, comparing, printing."""

import math
import operator
import random

import numpy as np

x = np.linspace(0, 1, 11)
n = np.int64(3)
half = x[5]
zero_d = np.array(2.5)

print(
    float(half), int(x[9] * 10), complex(half), bool(x[0]), bool(np.array([1])), operator.index(n), [10, 20, 30, 40][n]
)
print(
    "abc" * n,
    list(range(n)),
    (1, 2, 3, 4)[:n],
    x[n : n + 2],
    "x" * int(zero_d),
    [0] * np.int8(2),
    math.factorial(n),
    2**n,
    n**2,
)
print(
    round(half),
    round(x[3], 1),
    round(zero_d.item(), 1),
    abs(-half),
    abs(-x[:2]),
    -x[1],
    +x[1],
    ~n,
    n.bit_count(),
    np.float64(7).is_integer(),
)
print(
    math.sqrt(zero_d),
    math.floor(half),
    math.ceil(x[1]),
    math.isclose(x[3], 0.3),
    math.sin(x.sum()),
    math.fsum(x),
    math.gcd(n, 12),
    math.trunc(x[-1]),
)
print(
    f"{half:.3f} {n:05d} {n:>4} {half!r} {x.mean():8.2e} {np.float32(0.1)} {x[1]:%} {n:b} {1234567 * n:,}",
    f"{x[:2]}",
    str(half),
    repr(n),
    f"{zero_d}",
)
template, number = "{:.2f} {} {name}", "{0:d}"
print(
    template.format(half, n, name=x[2]),
    "total: " + str(x.sum()),
    number.format(n),
    format(half, ".1f"),
    ascii(n),
)

print(
    isinstance(half, float),
    isinstance(n, int),
    isinstance(half, np.floating),
    isinstance(n, (int, np.integer)),
    np.isscalar(half),
    np.isscalar(zero_d),
)
print(
    type(x) is np.ndarray,
    isinstance(x, np.ndarray),
    type(half) is np.float64,
    type(x.sum()),
    type(x > 0.5),
    type((x > 0.5)[0]),
    type(zero_d + 1),
)
print(
    x.dtype == float,
    x.dtype == np.float64,
    x.dtype == "float64",
    x.dtype is np.dtype("f8"),
    x.dtype in (np.float32, np.float64),
    x.dtype.kind,
    x.dtype.type(3),
)
print(
    np.issubdtype(x.dtype, np.floating),
    x.dtype.name,
    x.dtype.itemsize,
    np.dtype(int).char,
    {np.dtype("f4"): "single"}[np.float32(1).dtype],
    n.dtype.num >= 0,
)

print(
    hash(half) == hash(0.5),
    {half: "half"}[0.5],
    {n, 3},
    len({*x.tolist(), half}),
    n == 3 and half == 0.5,
    0.4 < half < 0.6,
    (x > 0.2) & ~(x > 0.7),
)
try:
    hash(x)
except TypeError as error:
    print(error)
try:
    if x > 0.5:
        print("never")
except ValueError as error:
    print(str(error)[:36])
try:
    x["name"]
except IndexError as error:
    print(str(error)[:40])
for attempt in (
    lambda: x[11],
    lambda: x[0, 0],
    lambda: x @ x[:3],
    lambda: np.array([1, 2]).reshape(3),
    lambda: float(x),
    lambda: len(zero_d),
    lambda: x.nonsense,
):
    try:
        attempt()
    except (IndexError, ValueError, TypeError, AttributeError) as error:
        print(type(error).__name__, end=" ")
print()

print(
    x.item(4),
    x.tolist()[:2],
    zero_d.item(),
    zero_d[()],
    zero_d.shape,
    zero_d.tolist(),
    x.min() + 1,
    x.argmax() // 2,
    divmod(n, 2),
    pow(n, 2),
    n << 2,
    n | 4,
    n % 2 == 1,
)
print(
    max(half, 0.4),
    min(n, 5),
    sum([half, n]),
    sorted([half, x[2], x[7]]),
    max(x, key=lambda v: -((v - 0.42) ** 2)),
    [v for v in x if v > 0.85],
    x[-1] or "zero",
    x[0] or "zero",
)
print(
    (x[1] + x[2] == x[3]).item(),
    np.bool_(True) and "yes",
    not np.bool_(False),
    np.True_ is np.bool_(True),
    np.True_ == 1,
    int(np.True_) + 1,
    [1, 2][int(np.True_)],
)
print(
    complex(1 + 2j) * n,
    np.complex64(1j) ** 2,
    (np.sqrt(-1 + 0j)).imag,
    half.conjugate(),
    half.real,
    n.imag,
    np.array([3 + 4j])[0].__abs__(),
    half.hex(),
    half.as_integer_ratio(),
)
state = random.Random(5)
deck = np.arange(10)
state.shuffle(deck)
print(
    deck, state.choice(deck) in deck, sorted(state.sample(deck.tolist(), int(n))), np.random.default_rng(1).integers(n)
)

np.set_printoptions(precision=3, suppress=True, threshold=20, linewidth=90)
print(np.arange(100).reshape(20, 5) / 7, np.array([1e-9, 1.0]), sep="\n")
with np.printoptions(formatter={"float": "{:+.1f}".format}):
    print(x, np.array2string(x[:3], separator="; "), np.array_repr(x[:2]), np.array_str(x[:2]), sep="\n")
print(
    repr(np.zeros((2, 0))),
    np.array([True, None], dtype=object),
    np.format_float_positional(half, 3),
    np.format_float_scientific(1234.5, 2),
)
