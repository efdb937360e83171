"""All the ways people loop over arrays in Python, from rows and zips to nditer and generators."""

import itertools
import operator
import statistics
from functools import reduce

import numpy as np

rng = np.random.default_rng(14)
table = rng.integers(0, 50, size=(60, 5))

print(sum(table), sum(row.sum() for row in table), len(table), max(map(max, table)), min(table[0]), sorted(table[1]))
a, b, *rest = table[:4]
print(a, b.tolist(), len(rest), *rest[0])
first, (second, _), third = table[0, 0], table[1, :2], table[2][0]
print(first, second, third, type(first) is np.int64)

best, where = -1, None
for i, row in enumerate(table):
    for j, value in enumerate(row):
        if value > best:
            best, where = value, (i, j)
print(best, where, table[where], where == np.unravel_index(table.argmax(), table.shape), best in table, 99 in table)

print(
    [int(x * y) for x, y in zip(a, b, strict=True)],
    list(reversed(a)),
    [*map(operator.itemgetter(0), table[:3])],
    next(zip(*table[:2], strict=True)),
)
print(
    any(a > 40),
    all(a >= 0),
    list(filter(lambda v: v % 2, a)),
    reduce(np.maximum, table),
    reduce(lambda p, q: p + q, table, 0)[:2],
)
print(list(itertools.accumulate(a))[-1], list(itertools.chain.from_iterable(table[:2]))[:3], next(iter(table))[0])
print(
    statistics.mean(a.tolist()),
    statistics.pstdev(table[:, 0].tolist()).__round__(4),
    dict(zip("abcde", a, strict=True))["c"],
)

total = 0
for value in table.flat:
    total += value
table.flat[7] = -1
print(total, table.flat[5:8], table.flat[[0, -1]], [index for index, value in np.ndenumerate(table) if value < 0])
print(sum(table[index] for index in np.ndindex(*table.shape)), list(np.ndindex(2, 2)))

doubled = table.copy()
with np.nditer(doubled, op_flags=["readwrite"]) as it:
    for cell in it:
        cell[...] = 2 * cell
print((doubled == 2 * table).all())
it = np.nditer([table[:2], np.arange(5)], flags=["multi_index"])
print([(it.multi_index, int(x), int(y)) for x, y in it][:3])
out = np.nditer([a.astype(float), None])
with out:
    for x, y in out:
        y[...] = x**0.5
    print(out.operands[1].round(3))
runs = [run.tolist() for run in np.nditer(table[:2], flags=["external_loop"], order="F")]
print(len(runs), runs[0][:4])

grown = np.array([], dtype=int)
for k in range(30):
    grown = np.append(grown, k * k % 7)
stack = []
for row in table[::6]:
    stack.append(row[::-1] * 2)
stack = np.array(stack)
print(grown.shape, grown[-5:], stack.shape, stack.sum())
counts = {}
for value in table.ravel().tolist():
    counts[value] = counts.get(value, 0) + 1
print(len(counts), counts[int(np.bincount(np.abs(table.ravel())).argmax())], {k: counts[k] for k in sorted(counts)[:3]})
fibonacci = np.fromiter(
    itertools.islice(itertools.accumulate(itertools.repeat((0, 1)), lambda s, _: (s[1], s[0] + s[1])), 12),
    dtype="i8,i8",
)
print(fibonacci["f0"], np.fromiter((k / 2 for k in range(4)), float, count=4), np.array([*range(3)]) @ [1, 2, 3])


def pairs(x):
    """A generator that yields views and is told to stop."""
    start = 0
    while start + 1 < len(x):
        jump = yield x[start : start + 2]
        start += 2 if jump is None else jump


walker = pairs(np.arange(10))
print(next(walker), walker.send(5), list(walker))
print(
    [chunk.shape for chunk in np.array_split(table, 7)],
    [column.max() for column in table.T],
    list(map(np.sum, table[:3])),
)
i = 0
while table[i].sum() < 150 and i < len(table) - 1:
    i += 1
print(i, table[i], [[int(value) for value in row if value > 40] for row in table[:4]], list(range(table[0, 0] % 4 + 1)))
print(
    np.apply_along_axis(lambda row: np.sort(row)[::-1][:2], 1, table)[:3].tolist(),
    np.vectorize(lambda p, q=1: p + q, otypes=[float])(a, 2),
)
