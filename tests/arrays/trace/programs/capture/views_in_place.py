"""Changing arrays through their views: slices, negative strides, reshapes, transposes, flags, augmented operators."""

import sys
import weakref

import numpy as np

x = np.arange(24.0)
y = x[::-1]
x[::2] += y[1::2]
print(x[:6], y[0] == x[-1], np.shares_memory(x, y), y.strides, y.base is x)

grid = x.reshape(4, 6)
grid[1:3, ::2] *= -1
grid[:, 1] -= grid[:, 0]
grid[-1] = grid[0][::-1]
grid.T[0] = [7, 8, 9, 10]
grid[..., 5] /= 2
print(
    x.tolist()[:7],
    grid.flags["C_CONTIGUOUS"],
    grid.T.flags.f_contiguous,
    grid.ravel().base is x,
    grid.flatten().base is None,
)

i = np.arange(1, 13, dtype=np.int64)
i **= 2
i //= 3
i %= 11
i <<= 2
i |= 1
i ^= 6
i >>= 1
i &= 15
print(i)
m = np.eye(3) + 0.5
m @= m.T.copy()
m **= 0.5
m /= m.sum(axis=1, keepdims=True)
flags = np.array([True, False, True])
flags &= [True, True, False]
flags |= np.array([False, True, False])
flags ^= True
print(m.round(4), flags, -flags.astype(int))

overlap = np.arange(10)
overlap[1:] = overlap[:-1]
chained = np.arange(10)
chained[1:] += chained[:-1]
print(overlap, chained)
fib = np.zeros(20, dtype=int)
fib[:2] = 1
for k in range(2, 20):
    fib[k] = fib[k - 1] + fib[k - 2]
sieve = np.ones(10_000, dtype=bool)
sieve[:2] = False
for p in range(2, 100):
    if sieve[p]:
        sieve[p * p :: p] = False
print(fib[-1], sieve.sum(), np.flatnonzero(sieve)[-3:])

z = np.zeros((3, 4), dtype=complex)
z.real = np.arange(12).reshape(3, 4)
z.imag[1] = 5
z.real[:, 0] -= 1
diagonal = np.einsum("ii->i", z[:, :3])
diagonal *= 1j
z.view(float)[2, -1] = 9
print(z, z.imag.base is not None, z.view("f8").shape)

a = np.empty(6, dtype="i2")
a.fill(7)
a.put([0, -1], [1, 2])
np.put(a, 2, 9)
a[3] = 4
a.sort()
a[::-1].sort()
a.partition(3)
print(a[3], a.argsort().tolist(), sorted(a.tolist(), reverse=True))
owner = np.arange(6)
owner.resize(5)
owner.resize((4, 2), refcheck=False)
owner.shape = (2, 4)
owner.shape = 2, -1
owner.setflags(write=False)
try:
    owner[0] = 1
except ValueError as error:
    print(error, owner.tolist())
fixed = np.broadcast_to(np.arange(3), (2, 3))
print(
    fixed.strides,
    fixed.flags.writeable,
    np.ascontiguousarray(fixed).strides,
    np.asfortranarray(grid).strides,
    np.require(grid.T, requirements="C").shape,
)

src, dst = np.arange(4), np.zeros((3, 4))
dst[:] = src
dst[1] = 5
dst[:, [0, 2]] = dst[:, [2, 0]]
dst[dst == 5] = np.nan
np.copyto(dst, -1, where=np.isnan(dst))
np.place(dst, dst > 2, [30, 40])
np.putmask(dst, dst == 1, dst * 100)
np.fill_diagonal(dst, 8)
dst[np.newaxis, ..., None][0, 0, :, 0] += 0.5
print(dst, np.resize(src, (2, 3)), np.swapaxes(dst, 0, 1).base is not None)
first, second = np.split(x, 2)
first[:], second[:] = second.copy(), first.copy()
left = x
left += 1
left = left + 1
print(left is x, x[0], (left - x)[0], sys.getsizeof(x) > x.nbytes, x.data.nbytes, np.may_share_memory(first, second))
alive = weakref.ref(y)
del y
print(
    alive() is None,
    x.squeeze().shape,
    x[None].squeeze(0).shape,
    np.atleast_2d(x).shape,
    x.reshape(2, 3, -1).transpose(2, 0, 1).shape,
    x.reshape(4, 6, order="F")[0],
)
