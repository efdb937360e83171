"""Filters and forecasts: Kalman on one series, exponential smoothing, AR by least squares, Viterbi, dynamic warping."""

import numpy
import numpy as np
import numpy.linalg as la

rs = numpy.random.RandomState(20)


def arma(n, phi, theta, burn=100):
    noise = rs.normal(size=n + burn)
    x = numpy.zeros(n + burn)
    for t in range(2, n + burn):
        x[t] = phi[0] * x[t - 1] + phi[1] * x[t - 2] + noise[t] + theta * noise[t - 1]
    return x[burn:]


def fit_ar(x, order):
    lags = np.column_stack([x[order - k - 1 : -k - 1] for k in range(order)])
    coefficients, *_ = la.lstsq(lags, x[order:], rcond=None)
    return coefficients, (x[order:] - lags @ coefficients).var()


series = arma(1500, (0.6, -0.3), 0.2)
scores = {}
for order in range(1, 7):
    coefficients, variance = fit_ar(series, order)
    scores[order] = len(series) * np.log(variance) + 2 * order
best = min(scores, key=scores.get)
print("order", best, fit_ar(series, 2)[0].round(4), {k: round(float(v), 2) for k, v in scores.items()})
centred = series - series.mean()
acf = np.array([(centred[: len(centred) - k] * centred[k:]).sum() for k in range(10)]) / (centred**2).sum()
spectrum = np.abs(np.fft.fft(centred, 4096)) ** 2
print(np.allclose(acf, np.fft.ifft(spectrum).real[:10] / np.fft.ifft(spectrum).real[0]), acf[:4].round(4))

# a local linear trend, filtered and smoothed with 2 x 2 matrices
F, H, Q, R = np.array([[1, 1], [0, 1.0]]), np.array([[1.0, 0]]), np.diag([0.1, 0.01]), np.array([[4.0]])
level = np.cumsum(np.cumsum(rs.normal(0, 0.1, 150)) + rs.normal(0, 0.3, 150))
seen = level + rs.normal(0, 2, 150)
seen[60:70] = np.nan
x, P = np.zeros((2, 1)), 100 * np.eye(2)
filtered, history = [], []
log_likelihood = 0.0
for z in seen:
    x, P = F @ x, F @ P @ F.T + Q
    prior = x, P
    if not np.isnan(z):
        S = H @ P @ H.T + R
        K = P @ H.T @ la.inv(S)
        innovation = z - H @ x
        x = x + K @ innovation
        P = (np.eye(2) - K @ H) @ P
        log_likelihood -= 0.5 * (np.log(2 * np.pi * la.det(S)) + innovation.T @ la.inv(S) @ innovation).item()
    filtered.append(x[0, 0])
    history.append((x, P, *prior))
smooth = [history[-1][0]]
for (x, P, _, _), (_, _, x_next, P_next) in zip(history[-2::-1], history[:0:-1], strict=True):
    smooth.append(x + P @ F.T @ la.inv(P_next) @ (smooth[-1] - x_next))
smooth = np.array(smooth[::-1])[:, 0, 0]
print(
    f"{log_likelihood:.3f}",
    [float(np.sqrt(np.nanmean((est - level) ** 2)).round(4)) for est in (seen, np.array(filtered), smooth)],
)

alpha = 0.3
ema = np.empty_like(level)
ema[0] = level[0]
for t in range(1, len(level)):
    ema[t] = alpha * level[t] + (1 - alpha) * ema[t - 1]
weights = alpha * (1 - alpha) ** np.arange(60)[::-1]
print(
    np.isclose(ema[-1], weights @ level[-60:], atol=1e-3),
    np.convolve(level, np.ones(5) / 5, "valid")[:3].round(3),
    np.lib.stride_tricks.sliding_window_view(level, 5).max(axis=1)[:3].round(3),
)

A, B = np.array([[0.95, 0.05], [0.1, 0.9]]), np.array([[1 / 6] * 6, [0.1] * 5 + [0.5]])
hidden = np.zeros(300, int)
for t in range(1, 300):
    hidden[t] = rs.choice(2, p=A[hidden[t - 1]])
rolls = np.array([rs.choice(6, p=B[h]) for h in hidden])
v = np.log([0.5, 0.5]) + np.log(B[:, rolls[0]])
pointers = []
for roll in rolls[1:]:
    candidates = v[:, None] + np.log(A)
    pointers.append(candidates.argmax(axis=0))
    v = candidates.max(axis=0) + np.log(B[:, roll])
path = [int(v.argmax())]
for pointer in pointers[::-1]:
    path.insert(0, int(pointer[path[0]]))
print(
    "viterbi",
    (np.array(path) == hidden).mean().round(4),
    v.max().round(4),
    np.diff(np.flatnonzero(np.diff(path))).tolist()[:5],
)


def warp(a, b):
    """Dynamic time warping cost, cell by cell."""
    cost = np.full((len(a) + 1, len(b) + 1), np.inf)
    cost[0, 0] = 0
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            cost[i, j] = abs(a[i - 1] - b[j - 1]) + min(cost[i - 1, j], cost[i, j - 1], cost[i - 1, j - 1])
    return cost[-1, -1]


wave = np.sin(np.linspace(0, 6, 50))
print(
    f"{warp(wave, np.sin(np.linspace(0, 6, 60) ** 1.1)):.4f} {warp(wave, wave):.1f}",
    f"{warp(wave, np.cos(np.linspace(0, 6, 50))):.4f}",
)
changes = np.concatenate([rs.normal(0, 1, 80), rs.normal(2, 1, 70), rs.normal(-1, 1, 50)])
cusum = np.abs(np.cumsum(changes - changes.mean())) / (changes.std() * np.sqrt(len(changes)))
cost_of = lambda i, j: ((changes[i:j] - changes[i:j].mean()) ** 2).sum()  # noqa: E731
two = min(
    ((i, j) for i in range(10, 180, 5) for j in range(i + 10, 195, 5)),
    key=lambda ij: cost_of(0, ij[0]) + cost_of(*ij) + cost_of(ij[1], 200),
)
print("breaks", two, cusum.argmax(), cusum.max().round(4), changes[slice(*two)].mean().round(3))
