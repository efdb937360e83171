"""Conjugate gradients for Poisson's equation with the five-point operator applied without a matrix."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Where the solver stopped."""

    solution: np.ndarray
    iterations: int
    residual: float


def apply_laplacian(u, out):
    np.multiply(u, 4.0, out=out)
    out[1:] -= u[:-1]
    out[:-1] -= u[1:]
    out[:, 1:] -= u[:, :-1]
    out[:, :-1] -= u[:, 1:]
    return out


def solve(operator, b, tolerance, limit):
    x = np.zeros_like(b)
    r = b.copy()
    p = r.copy()
    ap = np.empty_like(b)
    scratch = np.empty_like(b)
    rr = np.vdot(r, r)
    goal = tolerance**2 * rr
    iterations = 0
    while iterations < limit:
        iterations += 1
        operator(p, ap)
        alpha = rr / np.vdot(p, ap)
        np.multiply(p, alpha, out=scratch)
        x += scratch
        np.multiply(ap, alpha, out=scratch)
        r -= scratch
        rr, previous = np.vdot(r, r), rr
        if rr <= goal:
            break
        p *= rr / previous
        p += r
    return Outcome(solution=x, iterations=iterations, residual=float(np.sqrt(rr)))


rng = np.random.default_rng(3)
source = rng.standard_normal((200, 200))
outcome = solve(apply_laplacian, source, 1e-6, 600)
back = apply_laplacian(outcome.solution, np.empty_like(source))
print(f"iterations {outcome.iterations} residual {outcome.residual:.2e}")
print(f"norm {np.linalg.norm(outcome.solution):.5f} agrees {np.allclose(back, source, atol=1e-3)}")
