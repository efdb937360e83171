"""Well-known kernels as people write them with NumPy, each a function without arguments that returns arrays or numbers.

Each is run as a script of its own (`test_kernels`), so it finds nothing here but ``np`` and ``made``.
"""
# ruff: noqa: E741 - matrices are called what the literature calls them

from collections.abc import Callable
from typing import Any

import numpy as np

KERNELS: list[Callable[[], Any]] = []


def kernel(function: Callable[[], Any]) -> Callable[[], Any]:
    KERNELS.append(function)
    return function


def made(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).random(shape)


# --- linear algebra by hand ---


@kernel
def gemm():
    a, b, c = made(1, 20, 30), made(2, 30, 25), made(3, 20, 25)
    c[:] = 1.5 * a @ b + 1.2 * c
    return c


@kernel
def gemver():
    n = 40
    a, u1, v1, u2, v2, y, z = made(4, n, n), *(made(k, n) for k in range(5, 11))
    a += np.outer(u1, v1) + np.outer(u2, v2)
    x = 1.2 * y @ a + z
    return a, x, 1.5 * a @ x


@kernel
def gesummv():
    a, b, x = made(1, 30, 30), made(2, 30, 30), made(3, 30)
    return 1.5 * a @ x + 1.2 * b @ x


@kernel
def mvt():
    a, x1, x2, y1, y2 = made(1, 30, 30), *(made(k, 30) for k in range(2, 6))
    x1 += a @ y1
    x2 += y2 @ a
    return x1, x2


@kernel
def bicg():
    a, p, r = made(1, 30, 20), made(2, 20), made(3, 30)
    return r @ a, a @ p


@kernel
def atax():
    a, x = made(1, 30, 20), made(2, 20)
    return (a @ x) @ a


@kernel
def doitgen():
    a, c = made(1, 6, 7, 8), made(2, 8, 8)
    for r in range(a.shape[0]):
        for q in range(a.shape[1]):
            a[r, q, :] = np.reshape(np.reshape(a[r, q], (1, 1, 8)) @ c, (8,))
    return a


@kernel
def symm():
    m, n = 12, 10
    a, b, c = made(1, m, m), made(2, m, n), made(3, m, n)
    c *= 1.2
    for i in range(m):
        for j in range(n):
            c[:i, j] += 1.5 * b[i, j] * a[i, :i]
            c[i, j] += 1.5 * (b[i, j] * a[i, i] + b[:i, j] @ a[i, :i])
    return c


@kernel
def syrk():
    n, m = 14, 9
    a, c = made(1, n, m), made(2, n, n)
    for i in range(n):
        c[i, : i + 1] *= 1.2
        for k in range(m):
            c[i, : i + 1] += 1.5 * a[i, k] * a[: i + 1, k]
    return c


@kernel
def syr2k():
    n, m = 12, 8
    a, b, c = made(1, n, m), made(2, n, m), made(3, n, n)
    for i in range(n):
        c[i, : i + 1] *= 1.2
        for k in range(m):
            c[i, : i + 1] += a[: i + 1, k] * 1.5 * b[i, k] + b[: i + 1, k] * 1.5 * a[i, k]
    return c


@kernel
def trmm():
    m, n = 12, 10
    a, b = np.tril(made(1, m, m)), made(2, m, n)
    for i in range(m):
        for j in range(n):
            b[i, j] += np.dot(a[i + 1 :, i], b[i + 1 :, j])
    b *= 1.5
    return b


@kernel
def trisolv():
    n = 25
    l = np.tril(made(1, n, n)) + n * np.eye(n)
    x, b = np.zeros(n), made(2, n)
    for i in range(n):
        x[i] = (b[i] - l[i, :i] @ x[:i]) / l[i, i]
    return x, np.abs(l @ x - b).max() < 1e-12


@kernel
def cholesky():
    n = 16
    a = made(1, n, n)
    a = a @ a.T + n * np.eye(n)
    whole = a.copy()
    a[0, 0] = np.sqrt(a[0, 0])
    for i in range(1, n):
        for j in range(i):
            a[i, j] -= np.dot(a[i, :j], a[j, :j])
            a[i, j] /= a[j, j]
        a[i, i] -= np.dot(a[i, :i], a[i, :i])
        a[i, i] = np.sqrt(a[i, i])
    return np.tril(a), np.allclose(np.tril(a), np.linalg.cholesky(whole))


@kernel
def lu():
    n = 14
    a = made(1, n, n) + n * np.eye(n)
    for i in range(n):
        for j in range(i):
            a[i, j] -= a[i, :j] @ a[:j, j]
            a[i, j] /= a[j, j]
        for j in range(i, n):
            a[i, j] -= a[i, :i] @ a[:i, j]
    return a


@kernel
def ludcmp():
    n = 12
    a, b = made(1, n, n) + n * np.eye(n), made(2, n)
    whole = a.copy()
    for k in range(n):
        a[k + 1 :, k] /= a[k, k]
        a[k + 1 :, k + 1 :] -= np.outer(a[k + 1 :, k], a[k, k + 1 :])
    y, x = np.zeros_like(b), np.zeros_like(b)
    for i in range(n):
        y[i] = b[i] - a[i, :i] @ y[:i]
    for i in range(n - 1, -1, -1):
        x[i] = (y[i] - a[i, i + 1 :] @ x[i + 1 :]) / a[i, i]
    return x, np.allclose(whole @ x, b)


@kernel
def gramschmidt():
    m, n = 20, 10
    a = made(1, m, n)
    q, r = np.zeros_like(a), np.zeros((n, n))
    for k in range(n):
        r[k, k] = np.sqrt(np.dot(a[:, k], a[:, k]))
        q[:, k] = a[:, k] / r[k, k]
        for j in range(k + 1, n):
            r[k, j] = np.dot(q[:, k], a[:, j])
            a[:, j] -= q[:, k] * r[k, j]
    return r, np.allclose(q.T @ q, np.eye(n))


@kernel
def durbin():
    r = made(1, 25)
    y = np.empty_like(r)
    alpha, beta = -r[0], 1.0
    y[0] = -r[0]
    for k in range(1, len(r)):
        beta *= 1.0 - alpha * alpha
        alpha = -(r[k] + np.dot(np.flip(r[:k]), y[:k])) / beta
        y[:k] += alpha * np.flip(y[:k])
        y[k] = alpha
    return y


@kernel
def correlation():
    data = made(1, 40, 12)
    mean, deviation = np.mean(data, axis=0), np.std(data, axis=0)
    deviation[deviation <= 0.1] = 1.0
    data -= mean
    data /= np.sqrt(len(data)) * deviation
    corr = np.eye(12, dtype=data.dtype)
    for i in range(11):
        corr[i + 1 :, i] = corr[i, i + 1 :] = data[:, i] @ data[:, i + 1 :]
    return corr


@kernel
def covariance():
    data = made(1, 40, 12)
    data -= np.mean(data, axis=0)
    cov = np.zeros((12, 12))
    for i in range(12):
        cov[i:, i] = cov[i, i:] = data[:, i] @ data[:, i:] / (len(data) - 1.0)
    return cov, np.allclose(cov, np.cov(data.T))


# --- stencils and differential equations ---


@kernel
def jacobi_1d():
    a, b = made(1, 100), made(2, 100)
    for _ in range(10):
        b[1:-1] = 0.33333 * (a[:-2] + a[1:-1] + a[2:])
        a[1:-1] = 0.33333 * (b[:-2] + b[1:-1] + b[2:])
    return a, b


@kernel
def seidel_2d():
    a = made(1, 16, 16)
    for _ in range(3):
        for i in range(1, 15):
            a[i, 1:-1] += a[i - 1, :-2] + a[i - 1, 1:-1] + a[i - 1, 2:] + a[i, 2:] + a[i + 1, :-2] + a[i + 1, 1:-1]
            a[i, 1:-1] += a[i + 1, 2:]
            for j in range(1, 15):
                a[i, j] += a[i, j - 1]
                a[i, j] /= 9.0
    return a


@kernel
def adi():
    n, steps = 16, 3
    u, v, p, q = made(1, n, n), np.empty((n, n)), np.empty((n, n)), np.empty((n, n))
    a, b, d = -0.3, 1.6, -0.2
    for _ in range(steps):
        v[0, 1:-1] = 1.0
        p[1:-1, 0], q[1:-1, 0] = 0.0, v[0, 1:-1]
        for j in range(1, n - 1):
            p[1:-1, j] = -a / (a * p[1:-1, j - 1] + b)
            q[1:-1, j] = -d * u[j, :-2] + (1.0 + 2.0 * d) * u[j, 1:-1] - d * u[j, 2:] - a * q[1:-1, j - 1]
            q[1:-1, j] /= a * p[1:-1, j - 1] + b
        v[-1, 1:-1] = 1.0
        for j in range(n - 2, 0, -1):
            v[j, 1:-1] = p[1:-1, j] * v[j + 1, 1:-1] + q[1:-1, j]
        u[1:-1, 1:-1] = v[1:-1, 1:-1].T
    return u, v[:, 1:-1]


@kernel
def fdtd():
    ex, ey, hz, fict = made(1, 20, 24), made(2, 20, 24), made(3, 20, 24), made(4, 6)
    for t in range(6):
        ey[0, :] = fict[t]
        ey[1:, :] -= 0.5 * (hz[1:, :] - hz[:-1, :])
        ex[:, 1:] -= 0.5 * (hz[:, 1:] - hz[:, :-1])
        hz[:-1, :-1] -= 0.7 * (ex[:-1, 1:] - ex[:-1, :-1] + ey[1:, :-1] - ey[:-1, :-1])
    return ex, ey, hz


@kernel
def hdiff():
    field, coeff = made(1, 20, 20, 4), made(2, 16, 16, 4)
    lap = 4.0 * field[1:-1, 1:-1] - (field[2:, 1:-1] + field[:-2, 1:-1] + field[1:-1, 2:] + field[1:-1, :-2])
    res = lap[1:, 1:-1] - lap[:-1, 1:-1]
    flx = np.where((res * (field[2:-1, 2:-2] - field[1:-2, 2:-2])) > 0, 0, res)
    res = lap[1:-1, 1:] - lap[1:-1, :-1]
    fly = np.where((res * (field[2:-2, 2:-1] - field[2:-2, 1:-2])) > 0, 0, res)
    return field[2:-2, 2:-2] - coeff * (flx[1:] - flx[:-1] + fly[:, 1:] - fly[:, :-1])


@kernel
def vadv():
    shape = (5, 5, 12)
    u, w, tens = made(1, *shape), made(2, 6, 5, 12), made(3, *shape)
    c, d = np.ndarray(shape), np.ndarray(shape)
    out = tens.copy()
    for k in range(12):
        gcv = 0.25 * (w[1:, :, k] + w[:-1, :, k])
        bet = 3.0 + gcv
        if k == 0:
            c[..., k], d[..., k] = gcv / bet, u[..., k] / bet
        else:
            c[..., k] = gcv / (bet - gcv * c[..., k - 1])
            d[..., k] = (u[..., k] - gcv * d[..., k - 1]) / (bet - gcv * c[..., k - 1])
    for k in range(11, -1, -1):
        datcol = d[..., k] if k == 11 else d[..., k] - c[..., k] * datcol[:]
        out[..., k] += 0.5 * (datcol - u[..., k])
    return out


@kernel
def deriche():
    img = made(1, 12, 15)
    y1, y2 = np.empty_like(img), np.empty_like(img)
    a1, a2, b1, b2 = 0.2, 0.1, 1.1, -0.3
    for j in range(15):
        y1[:, j] = a1 * img[:, j]
        if j > 0:
            y1[:, j] += a2 * img[:, j - 1] + b1 * y1[:, j - 1]
        if j > 1:
            y1[:, j] += b2 * y1[:, j - 2]
    for j in range(14, -1, -1):
        y2[:, j] = 0
        if j < 14:
            y2[:, j] += a1 * img[:, j + 1] + b1 * y2[:, j + 1]
        if j < 13:
            y2[:, j] += a2 * img[:, j + 2] + b2 * y2[:, j + 2]
    return y1 + y2


@kernel
def cavity_flow():
    n, dt, dx = 21, 0.001, 0.1
    u, v, p, b = (np.zeros((n, n)) for _ in range(4))
    for _ in range(5):
        un, vn, pn = u.copy(), v.copy(), np.empty_like(p)
        ux, vy = (u[1:-1, 2:] - u[1:-1, :-2]) / (2 * dx), (v[2:, 1:-1] - v[:-2, 1:-1]) / (2 * dx)
        b[1:-1, 1:-1] = (ux + vy) / dt - ux**2 - vy**2
        for _ in range(5):
            pn = p.copy()
            p[1:-1, 1:-1] = (pn[1:-1, 2:] + pn[1:-1, :-2] + pn[2:, 1:-1] + pn[:-2, 1:-1]) / 4 - dx**2 / 4 * b[
                1:-1, 1:-1
            ]
            p[:, -1], p[0, :], p[:, 0], p[-1, :] = p[:, -2], p[1, :], p[:, 1], 0
        u[1:-1, 1:-1] = (
            un[1:-1, 1:-1]
            - dt / (2 * dx) * (p[1:-1, 2:] - p[1:-1, :-2])
            + 0.1
            * dt
            / dx**2
            * (un[1:-1, 2:] - 2 * un[1:-1, 1:-1] + un[1:-1, :-2] + un[2:, 1:-1] - 2 * un[1:-1, 1:-1] + un[:-2, 1:-1])
        )
        v[1:-1, 1:-1] = vn[1:-1, 1:-1] - dt / (2 * dx) * (p[2:, 1:-1] - p[:-2, 1:-1])
        u[0, :] = u[:, 0] = u[:, -1] = 0
        u[-1, :] = 1
    return u, v, p


@kernel
def channel_flow():
    u = np.zeros((15, 15))
    step, difference = 0, 1.0
    while difference > 1e-3 and step < 40:
        un = u.copy()
        u[1:-1, 1:-1] = un[1:-1, 1:-1] + 0.1 * (un[1:-1, 2:] + un[2:, 1:-1] - 2 * un[1:-1, 1:-1]) + 0.01
        u[1:-1, -1] = un[1:-1, -1] + 0.1 * (un[1:-1, 0] - un[1:-1, -1])
        u[0, :], u[-1, :] = 0, 0
        difference = (np.sum(u) - np.sum(un)) / np.sum(u)
        step += 1
    return u, step


@kernel
def gray_scott():
    u, v = np.ones((40, 40)), np.zeros((40, 40))
    u[15:25, 15:25], v[15:25, 15:25] = 0.5, 0.25
    inner = slice(1, -1), slice(1, -1)
    for _ in range(20):
        lu = u[:-2, 1:-1] + u[1:-1, :-2] - 4 * u[inner] + u[1:-1, 2:] + u[2:, 1:-1]
        lv = v[:-2, 1:-1] + v[1:-1, :-2] - 4 * v[inner] + v[1:-1, 2:] + v[2:, 1:-1]
        uvv = u[inner] * v[inner] * v[inner]
        u[inner] += 0.16 * lu - uvv + 0.06 * (1 - u[inner])
        v[inner] += 0.08 * lv + uvv - 0.122 * v[inner]
    return u, v


# --- learning ---


@kernel
def softmax():
    x = made(1, 3, 4, 5, 5).astype(np.float32)
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


@kernel
def mlp():
    def relu(x):
        return np.maximum(x, 0)

    x = made(1, 8, 10)
    for k, width in enumerate((20, 15, 5)):
        x = relu(x @ made(k, x.shape[1], width) + made(k + 9, width))
    return np.exp(x - x.max()) / np.exp(x - x.max()).sum(axis=-1)[:, None]


@kernel
def conv2d():
    x, w, b = made(1, 2, 9, 8, 3), made(2, 3, 3, 3, 4), made(3, 4)
    out = np.empty((2, 7, 6, 4))
    for i in range(7):
        for j in range(6):
            out[:, i, j, :] = np.sum(x[:, i : i + 3, j : j + 3, :, None] * w[None], axis=(1, 2, 3))
    return out + b


@kernel
def lenet():
    def conv(x, w):
        k = w.shape[0]
        windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(1, 2))
        return np.tensordot(windows, w, axes=((3, 4, 5), (2, 0, 1)))

    def pool(x):
        n, h, w, c = x.shape
        return x.reshape(n, h // 2, 2, w // 2, 2, c).max(axis=(2, 4))

    x = made(1, 2, 20, 20, 1)
    x = pool(np.maximum(conv(x, made(2, 5, 5, 1, 4)), 0))
    x = pool(np.maximum(conv(x, made(3, 5, 5, 4, 6)) - 5, 0))
    x = x.reshape(2, np.prod(x.shape[1:]))
    return np.maximum(x @ made(4, x.shape[1], 10), 0)


@kernel
def resnet_block():
    def norm(x):
        return (x - np.mean(x, axis=0, keepdims=True)) / np.sqrt(np.std(x, axis=0, keepdims=True) + 1e-5)

    x = made(1, 2, 8, 8, 4)
    padded = np.zeros((2, 10, 10, 4))
    padded[:, 1:-1, 1:-1] = norm(x)
    y = np.zeros_like(x)
    w = made(2, 3, 3, 4, 4)
    for i in range(3):
        for j in range(3):
            y += padded[:, i : i + 8, j : j + 8] @ w[i, j]
    return np.maximum(norm(y) + x, 0)


@kernel
def adam():
    w, m, v = np.zeros(5), np.zeros(5), np.zeros(5)
    x, y = made(1, 50, 5), made(2, 50)
    for t in range(1, 20):
        g = x.T @ (x @ w - y) / len(y)
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        w -= 0.1 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return w


# --- signals, numbers, physics ---


@kernel
def stockham_fft():
    x = (made(1, 64) + 1j * made(2, 64)).reshape(64)
    whole = x.copy()
    n, half = 64, 32
    y = x.copy()
    length, stride = n, 1
    while length > 1:
        m = length // 2
        w = np.exp(-2j * np.pi * np.arange(m) / length)
        a, b = y[: n // 2].reshape(m, stride), y[n // 2 :].reshape(m, stride)
        y = np.stack([a + b, (a - b) * w[:, None]], axis=1).reshape(n)
        length, stride = m, 2 * stride
    return np.allclose(y, np.fft.fft(whole)), np.abs(y), half


@kernel
def crc16():
    data = (made(1, 60) * 256).astype(np.uint8)
    crc = 0xFFFF
    for b in data:
        current = 0xFF & b
        for _ in range(8):
            crc = (crc >> 1) ^ 0x8408 if (crc & 1) ^ (int(current) & 1) else crc >> 1
            current >>= 1
    return int(crc)


@kernel
def mandelbrot():
    xs, ys = np.linspace(-2, 0.5, 30, dtype=np.float32), np.linspace(-1.2, 1.2, 25, dtype=np.float32)
    c = xs + ys[:, None] * 1j
    counts, z = np.zeros(c.shape, dtype=np.int64), np.zeros(c.shape, np.complex64)
    for n in range(20):
        inside = np.less(abs(z), 2.0)
        counts[inside] = n
        z[inside] = z[inside] ** 2 + c[inside]
    counts[counts == 19] = 0
    return counts, z[np.abs(z) < 2]


@kernel
def nbody():
    mass, pos, vel = 20.0 * np.ones((10, 1)) / 10, made(1, 10, 3), made(2, 10, 3)
    vel -= np.mean(mass * vel, axis=0) / np.mean(mass)
    for _ in range(5):
        x = pos[:, 0:1]
        d = pos[None] - pos[:, None]
        inv = np.sum(d * d, axis=2) + 0.01
        inv[inv > 0] = inv[inv > 0] ** (-1.5)
        vel += 0.01 * np.einsum("ijk,ij->ik", d, inv * mass.T)
        pos += vel * 0.01
    return pos, vel, x, 0.5 * np.sum(mass * vel**2)


@kernel
def spmv():
    rows = np.arange(0, 65, 4, dtype=np.uint32)
    cols, vals, x = (made(1, 64) * 16).astype(np.uint32), made(2, 64), made(3, 16)
    y = np.empty(16, vals.dtype)
    for i in range(16):
        part = slice(rows[i], rows[i + 1])
        y[i] = vals[part] @ x[cols[part]]
    return y


@kernel
def contour_integral():
    slab, y = made(1, 6, 6) + 1j * made(2, 6, 6), made(3, 6, 3)
    p0, p1 = np.zeros((6, 3), dtype=np.complex128), np.zeros((6, 3), dtype=np.complex128)
    for k in range(8):
        z = 3 * np.exp(2j * np.pi * k / 8)
        x = np.linalg.solve(z * np.eye(6) - slab, y)
        p0 += x * z
        p1 += x * z**2
    return np.abs(p0), np.abs(p1)


@kernel
def azimint():
    data, radius = made(1, 5000), made(2, 5000) * 10
    top, res = radius.max(), np.zeros(12)
    for i in range(12):
        inside = np.logical_and((top * i / 12 <= radius), (radius < top * (i + 1) / 12))
        res[i] = data[inside].mean()
    counts = np.histogram(radius, 12)[0]
    return res, np.histogram(radius, 12, weights=data)[0] / counts


@kernel
def scattering_self_energies():
    g, d, h = (made(k, 2, 3, 4, 3, 3) + 1j * made(k + 5, 2, 3, 4, 3, 3) for k in range(3))
    index = np.array([[1, 2], [2, 3], [3, 0], [0, 1]])
    sigma = np.zeros_like(g)
    for k in range(2):
        for e in range(3):
            for a in range(4):
                for b in range(2):
                    if e > 0:
                        dh = g[k, e - 1, index[a, b]] @ h[k, e, a]
                        sigma[k, e, a] += dh @ (h[k, e, a] * d[k, 0, b, 0, 0])
    return np.abs(sigma)


@kernel
def nussinov():
    seq = (np.arange(18) + 1) % 4
    n = len(seq)
    table = np.zeros((n, n), np.int32)
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            table[i, j] = max(table[i, j], table[i, j - 1], table[i + 1, j])
            if i < j - 1:
                table[i, j] = max(table[i, j], table[i + 1, j - 1] + int(seq[i] + seq[j] == 3))
            for k in range(i + 1, j):
                table[i, j] = max(table[i, j], table[i, k] + table[k + 1, j])
    return table


@kernel
def go_fast():
    a = made(1, 30, 30)
    trace = 0.0
    for i in range(a.shape[0]):
        trace += np.tanh(a[i, i])
    return a + trace


@kernel
def compute():
    x, y = (made(1, 20, 20) * 100).astype(np.int64), (made(2, 20, 20) * 100).astype(np.int64)
    return np.clip(x, 2, 10) * np.int64(4) + y * np.int64(3) + np.int64(9)


@kernel
def arc_distance():
    t0, p0, t1, p1 = (made(k, 200) for k in range(4))
    h = np.sin((t1 - t0) / 2) ** 2 + np.cos(t0) * np.cos(t1) * np.sin((p1 - p0) / 2) ** 2
    return 2 * np.arctan2(np.sqrt(h), np.sqrt(1 - h))


# --- worlds of agents and points ---


@kernel
def boids():
    pos, vel = made(1, 25, 2) * 100, made(2, 25, 2) - 0.5
    for _ in range(4):
        dx, dy = np.subtract.outer(pos[:, 0], pos[:, 0]), np.subtract.outer(pos[:, 1], pos[:, 1])
        far = np.hypot(dx, dy)
        near, close = (far > 0) & (far < 50), (far > 0) & (far < 25)
        counts = np.maximum(near.sum(axis=1), 1).reshape(-1, 1)
        target = np.dot(near, vel) / counts
        norm = np.sqrt((target * target).sum(axis=1)).reshape(-1, 1)
        np.divide(target, norm, out=target, where=norm != 0)
        steer = np.dot(near, pos) / counts - pos
        apart = np.dstack((dx, dy))
        apart = np.divide(apart, far.reshape(25, 25, 1) ** 2, out=apart, where=far.reshape(25, 25, 1) != 0)
        vel += 0.1 * target + 0.01 * steer + (apart * close[:, :, None]).sum(axis=1)
        pos += vel
        pos += [100, 100]
        pos %= (100, 100)
    return pos, vel


@kernel
def random_walk():
    steps = 2 * np.random.default_rng(3).integers(0, 2, size=(50, 100)) - 1
    walks = np.add.accumulate(steps, axis=1)
    first = (np.abs(walks) >= 10).argmax(axis=1)
    found = np.lib.stride_tricks.sliding_window_view(walks[0], 5)
    return walks[:, -1], first, np.unique(found[np.all(np.diff(found) == 1, axis=1)], axis=0).shape


@kernel
def maze():
    rng = np.random.RandomState(1)
    z = np.ones((21, 21), dtype=bool)
    z[1:-1:2, 1:-1:2] = False
    for y in range(1, 20, 2):
        for x in range(1, 20, 2):
            ways = [(dy, dx) for dy, dx in ((0, 1), (1, 0)) if y + 2 * dy < 20 and x + 2 * dx < 20]
            if ways:
                dy, dx = ways[rng.randint(len(ways))]
                z[y + dy, x + dx] = False
    g = np.zeros(z.shape)
    g[1, 1] = 1
    while g[19, 19] == 0 and g.max() > 0:
        wide = g.copy()
        wide[1:-1, 1:-1] = (
            np.maximum.reduce([g[1:-1, 1:-1], g[:-2, 1:-1], g[2:, 1:-1], g[1:-1, :-2], g[1:-1, 2:]]) * 0.99
        )
        wide[z] = 0
        g = wide
    return z.sum(), np.argwhere(g > 0.5)[:5], g[19, 19]


@kernel
def fractal_dimension():
    z = made(1, 64, 64) < 0.3

    def boxes(z, k):
        s = np.add.reduceat(np.add.reduceat(z, np.arange(0, 64, k), axis=0), np.arange(0, 64, k), axis=1)
        return len(np.where((s > 0) & (s < k * k))[0])

    sizes = 2 ** np.arange(5, 1, -1)
    counts = [boxes(z, size) for size in sizes]
    return -np.polyfit(np.log(sizes), np.log(counts), 1)[0], counts


@kernel
def earthquakes():
    dt = np.dtype([("place", float, 2), ("size", float), ("when", "datetime64[h]")])
    quakes = np.zeros(30, dt)
    quakes["place"], quakes["size"] = made(1, 30, 2) * [360, 180] - [180, 90], made(2, 30) * 9
    quakes["when"] = np.datetime64("2020-01-01") + np.arange(30) * np.timedelta64(36, "h")
    big = quakes[quakes["size"] > 4]
    order = np.argsort(big["size"])[::-1]
    days = (big["when"].max() - big["when"].min()) / np.timedelta64(1, "D")
    return big["place"][order], days, np.histogram(quakes["size"], bins=np.arange(10))[0]


@kernel
def voronoi_by_flooding():
    points = (made(1, 6, 2) * 30).astype(int)
    grid = np.indices((30, 30)).transpose(1, 2, 0)
    nearest = ((grid[:, :, None] - points) ** 2).sum(-1).argmin(-1)
    return np.bincount(nearest.ravel(), minlength=6), nearest[::7, ::7]


@kernel
def poisson_disk():
    rng, kept = np.random.default_rng(5), [np.array([0.5, 0.5])]
    for _ in range(60):
        candidate = rng.random(2)
        if all(np.linalg.norm(candidate - other) > 0.15 for other in kept):
            kept.append(candidate)
    return np.array(kept), len(kept)
