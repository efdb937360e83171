"""Linear algebra end to end with scipy.linalg in the middle: factorisations, failures, einsum, PCA, power iteration."""

import numpy as np
import scipy.linalg as sla
from numpy.linalg import LinAlgError, cond, det, eig, eigh, inv, norm, qr, solve, svd

rng = np.random.default_rng(2)
a = rng.normal(size=(30, 30))
spd = a @ a.T + 30 * np.eye(30)
b = rng.normal(size=30)

x = solve(a, b)
print(
    np.allclose(a @ x, b),
    norm(b - a @ x) < 1e-9,
    np.allclose(inv(a) @ b, x),
    np.linalg.matrix_rank(a),
    np.sign(det(a)),
    np.linalg.slogdet(spd)[1].round(6),
    cond(np.diag([1, 10])),
)
lower = np.linalg.cholesky(spd)
lu, pivots = sla.lu_factor(a)
p, l_part, u_part = sla.lu(a)
print(
    np.allclose(lower @ lower.T, spd),
    np.allclose(sla.lu_solve((lu, pivots), b), x),
    np.allclose(p @ l_part @ u_part, a),
    np.allclose(sla.cho_solve((lower, True), b), solve(spd, b)),
    np.prod(np.diag(u_part)).round(3) != 0,
)
q, r = qr(a[:, :5])
u, s, vt = svd(a, full_matrices=False)
print(
    np.allclose(q.T @ q, np.eye(5)),
    np.allclose(np.triu(r), r),
    np.allclose((u * s) @ vt, a),
    s[:2].round(4),
    svd(a, compute_uv=False)[-1].round(5),
    np.allclose(np.linalg.pinv(a), inv(a)),
)
values, vectors = eigh(spd)
w, _ = eig(a)
print(
    (np.diff(values) >= 0).all(),
    np.allclose(spd @ vectors, vectors * values),
    w.dtype,
    np.isclose(w.sum(), np.trace(a)),
    w[np.abs(w).argmax()].imag == 0,
    np.linalg.eigvals([[2, 0], [0, 3]]),
)

for broken in (np.zeros((2, 2)), np.array([[1.0, 2.0], [2.0, 1.0]]), np.ones((2, 3))):
    for method in (inv, np.linalg.cholesky):
        try:
            method(broken)
        except LinAlgError as error:
            print(method.__name__, "-", error)

rows = rng.normal(size=(500, 8)) @ np.diag([5, 3, 1, 1, 0.5, 0.1, 0.1, 0.01])
centred = rows - rows.mean(axis=0)
_, spread, axes = np.linalg.svd(centred, full_matrices=False)
share = spread**2 / np.sum(spread**2)
scores = centred @ axes[:2].T
print(
    "explained",
    share[:3].round(5),
    np.allclose(np.cov(scores.T), np.diag(spread[:2] ** 2 / 499)),
    np.argmax(np.cumsum(share) > 0.95) + 1,
)
v = np.ones(8)
covariance = np.cov(centred, rowvar=False)
while True:
    new = covariance @ v
    new /= norm(new)
    if np.abs(new - v).max() < 1e-12:
        break
    v = new
print("power", np.isclose(v @ covariance @ v, spread[0] ** 2 / 499), np.isclose(abs(v @ axes[0]), 1))

t = rng.random((4, 5, 6))
m1, m2 = rng.random((6, 3)), rng.random((5, 2))
three = np.einsum("ijk,kl,jm->ilm", t, m1, m2, optimize=True)
path, _ = np.einsum_path("ijk,kl,jm->ilm", t, m1, m2, optimize="greedy")
print(
    np.allclose(three, np.tensordot(t @ m1, m2, axes=(1, 0))),
    three.shape,
    path,
    np.einsum("ii", spd) == spd.trace(),
    np.einsum("i,j->ij", b, b).shape,
    np.einsum("...ij->...ji", t).shape,
)
print(
    np.einsum(t, [0, 1, 2], [1]).shape,
    np.linalg.multi_dot([a[:2], a, a[:, :3]]).shape,
    np.linalg.matrix_power(np.array([[1, 1], [1, 0]]), 30)[0, 1],
    np.kron([1, 10], [1, 2]),
    np.linalg.tensorsolve(np.eye(6).reshape(2, 3, 6), np.ones((2, 3))).shape,
)
batch = rng.random((10, 3, 3)) + 3 * np.eye(3)
print(
    np.linalg.inv(batch).shape,
    np.allclose(batch @ np.linalg.inv(batch), np.eye(3)),
    np.linalg.det(batch)[:2].round(4),
    np.linalg.solve(batch, np.ones((10, 3, 1)))[0].ravel().round(4),
    norm(batch, axis=(1, 2))[:2].round(3),
    norm(b, 1).round(4),
    norm(a, "fro").round(4),
    norm(b, np.inf).round(4),
)
coefficients, residual, rank, _ = np.linalg.lstsq(
    np.vander(np.linspace(0, 1, 20), 3), np.linspace(0, 1, 20) ** 2 + 1, rcond=None
)
print(
    coefficients.round(6),
    rank,
    residual.max() < 1e-20,
    sla.toeplitz([1, 2, 3])[2],
    sla.block_diag([1], [[2, 3]]).shape,
    sla.hankel([1, 2, 3])[1],
    sla.circulant([1, 2, 3])[0],
)
skew = a - a.T
print(
    np.allclose(sla.expm(skew / 10) @ sla.expm(-skew / 10), np.eye(30)),
    np.allclose(sla.sqrtm(spd) @ sla.sqrtm(spd), spd),
    sla.null_space(np.ones((1, 3))).shape,
    round(sla.norm(sla.solve_triangular(lower, b, lower=True)), 5),
)
gram = (a[:5] + 1j * a[5:10]).conj() @ (a[:5] + 1j * a[5:10]).T
print(
    np.allclose(gram, gram.conj().T),
    eigh(gram)[0].dtype,
    gram.imag.diagonal().round(12).any(),
    np.abs(gram).argmax() // 5,
    np.linalg.norm(gram - gram.T) > 1,
)
