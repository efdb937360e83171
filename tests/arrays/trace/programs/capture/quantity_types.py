"""Arrays in other clothes: an ndarray subclass with a unit, a wrapper with operators, __array__, class state."""

import operator

import numpy as np


class Quantity(np.ndarray):
    """An array that carries a unit's name through views and slices."""

    def __new__(cls, values, unit=""):
        made = np.asarray(values, dtype=float).view(cls)
        made.unit = unit
        return made

    def __array_finalize__(self, parent):
        if parent is not None:
            self.unit = getattr(parent, "unit", "")

    def __repr__(self):
        return f"{np.asarray(self)!r} {self.unit}"

    def to(self, unit, factor):
        out = self * factor
        out.unit = unit
        return out


class Wrapped:
    """A wrapper by composition: operators forward, shapes and slices come back wrapped."""

    made = 0

    def __init__(self, data):
        self.data = np.array(data, copy=True)
        type(self).made += 1

    def _binary(self, other, function):
        return Wrapped(function(self.data, getattr(other, "data", other) if isinstance(other, Wrapped) else other))

    def __add__(self, other):
        return self._binary(other, operator.add)

    __radd__ = __add__

    def __mul__(self, other):
        return self._binary(other, operator.mul)

    def __matmul__(self, other):
        return self._binary(other, operator.matmul)

    def __neg__(self):
        return Wrapped(-self.data)

    def __getitem__(self, key):
        return Wrapped(self.data[key])

    def __setitem__(self, key, value):
        self.data[key] = value

    def __len__(self):
        return len(self.data)

    def __iter__(self):
        return (Wrapped(row) for row in self.data)

    def __array__(self, dtype=None, copy=None):
        return self.data.astype(dtype) if dtype is not None else self.data

    def __getattr__(self, name):
        if name.startswith("__") or name == "data":
            raise AttributeError(name)
        return getattr(self.data, name)


class Masked:
    """Wants the last word in binary operations with arrays."""

    __array_priority__ = 1000
    __array_ufunc__ = None

    def __init__(self, value):
        self.value = value

    def __radd__(self, other):
        return ("radd", type(other).__name__, np.shape(other), float(other.sum()) + self.value)


length = Quantity([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "m")
print(repr(length[0]), length[:, 1].unit, (length * 2).unit, type(length + 1).__name__, type(length.sum()).__name__)
print(
    length.T.unit,
    length.reshape(-1)[::2].unit,
    length.to("mm", 1000).max(),
    length.mean(axis=0).unit,
    np.sqrt(length).unit,
)
print(
    isinstance(length, np.ndarray),
    type(length) is np.ndarray,
    type(np.asarray(length)) is np.ndarray,
    np.asanyarray(length) is length,
)
length += 1
length[length > 5] = 5
print(np.asarray(length), np.vstack([length, length]).shape, length.copy().unit, length.view(np.ndarray).sum())
out = Quantity(np.empty((2, 3)), "s")
print(np.multiply(length, 2, out=out) is out, out.unit, np.add.reduce(out, axis=1).unit, out.dot(np.ones(3)))

w = Wrapped(np.arange(6).reshape(2, 3))
total = (w + 1) * np.array([1, 10, 100]) + w
print(np.asarray(total), total.shape, total.sum(), len(total), np.add(w, 1), np.mean(w), np.concatenate([w, w]).shape)
w[0, 0] = 99
print(
    -w[0].data,
    (w @ np.ones(3)).tolist(),
    sum(row.max() for row in w),
    (5 + w).data[0],
    Wrapped.made > 8,
    np.array(w, dtype="f4").dtype,
)
print(np.arange(3.0) + Masked(10), [np.array(w).shape, np.asarray(w).dtype.kind, np.shape(w), np.ndim(w)])


class Counter:
    """Callable with state in an array, shared by closures."""

    counts = np.zeros(4, dtype=int)

    def __call__(self, *parts, weight=1, **named):
        for part in parts:
            self.counts += np.bincount(part, minlength=4) * weight
        for name, value in named.items():
            setattr(self, name, value)
        return self


counter = Counter()
counter(np.array([0, 1, 1]), np.array([3, 3, 3]), weight=2, label=np.arange(2))(np.array([2]))
print(Counter.counts, counter.label, counter.counts is Counter.counts, vars(counter).keys())
