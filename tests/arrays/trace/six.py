"""Six programs written twice, as plain NumPy and as torch, with the operations and bytes that a person counts.

A count names each operation in the order of the program. Arrays are float32 (4 bytes) unless said otherwise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class Program:
    """The program in both libraries, its inputs, and the counts by hand."""

    name: str
    in_numpy: Callable[..., Any]
    in_torch: Callable[..., Any]
    inputs: Callable[[np.random.Generator], tuple[np.ndarray, ...]]
    flops: float
    read: float
    written: float


def _floats(generator: np.random.Generator, *shape: int) -> np.ndarray:
    return generator.standard_normal(shape).astype(np.float32)


# --- k-means: labels and sums, by broadcasting and by a matrix product ---

N, K, D = 4000, 16, 32


def kmeans_broadcast_numpy(x: Any, c: Any) -> Any:
    apart = x[:, None, :] - c[None, :, :]
    distance = (apart * apart).sum(axis=-1)
    label = distance.argmin(axis=1)
    chosen = (label[:, None] == np.arange(K)).astype(np.float32)
    return chosen.T @ x


def kmeans_broadcast_torch(x: Any, c: Any) -> Any:
    apart = x[:, None, :] - c[None, :, :]
    distance = (apart * apart).sum(dim=-1)
    label = distance.argmin(dim=1)
    chosen = (label[:, None] == torch.arange(K)).to(torch.float32)
    return chosen.T @ x


def kmeans_matmul_numpy(x: Any, c: Any) -> Any:
    distance = (x * x).sum(axis=1)[:, None] - 2 * (x @ c.T) + (c * c).sum(axis=1)
    label = distance.argmin(axis=1)
    chosen = (label[:, None] == np.arange(K)).astype(np.float32)
    return chosen.T @ x


def kmeans_matmul_torch(x: Any, c: Any) -> Any:
    distance = (x * x).sum(dim=1)[:, None] - 2 * (x @ c.T) + (c * c).sum(dim=1)
    label = distance.argmin(dim=1)
    chosen = (label[:, None] == torch.arange(K)).to(torch.float32)
    return chosen.T @ x


# label == arange: 8-byte labels and range, 1-byte truths; astype: 1 byte to 4; product: 2 n k d.
_CHOICE_FLOPS = 2 * N * K * D
_CHOICE_READ = 4 * N * K + 8 * N + 8 * K + N * K + 4 * N * K + 4 * N * D
_CHOICE_WRITTEN = 8 * N + N * K + 4 * N * K + 4 * K * D

# --- attention ---

B, H, T, W = 2, 4, 128, 32


def attention_numpy(q: Any, k: Any, v: Any) -> Any:
    scores = q @ k.swapaxes(-1, -2) * 0.125
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = scores / scores.sum(axis=-1, keepdims=True)
    return weights @ v


def attention_torch(q: Any, k: Any, v: Any) -> Any:
    scores = q @ k.transpose(-1, -2) * 0.125
    scores = torch.exp(scores - scores.amax(dim=-1, keepdim=True))
    weights = scores / scores.sum(dim=-1, keepdim=True)
    return weights @ v


_S = B * H * T * T
_QKV = B * H * T * W
_ROWS = B * H * T

# --- convolution by shifts ---

SIDE, TAPS = 124, 5


def convolution_numpy(x: Any, w: Any) -> Any:
    out = np.zeros((SIDE, SIDE), dtype=np.float32)
    for i in range(TAPS):
        for j in range(TAPS):
            out += float(w[i, j]) * x[i : i + SIDE, j : j + SIDE]
    return out


def convolution_torch(x: Any, w: Any) -> Any:
    out = torch.zeros((SIDE, SIDE), dtype=torch.float32)
    for i in range(TAPS):
        for j in range(TAPS):
            out += float(w[i, j]) * x[i : i + SIDE, j : j + SIDE]
    return out


# --- a filter by FFT ---

F = 256


def fft_numpy(x: Any, mask: Any) -> Any:
    return np.fft.irfft2(np.fft.rfft2(x) * mask, s=(F, F))


def fft_torch(x: Any, mask: Any) -> Any:
    return torch.fft.irfft2(torch.fft.rfft2(x) * mask, s=(F, F))


_HALF = F * (F // 2 + 1)

# --- one level of the Haar wavelet, in two dimensions ---

S = 512


def haar_numpy(x: Any) -> Any:
    low, high = (x[:, ::2] + x[:, 1::2]) * 0.5, (x[:, ::2] - x[:, 1::2]) * 0.5
    return np.stack([low[::2] + low[1::2], low[::2] - low[1::2], high[::2] + high[1::2], high[::2] - high[1::2]])


def haar_torch(x: Any) -> Any:
    low, high = (x[:, ::2] + x[:, 1::2]) * 0.5, (x[:, ::2] - x[:, 1::2]) * 0.5
    return torch.stack([low[::2] + low[1::2], low[::2] - low[1::2], high[::2] + high[1::2], high[::2] - high[1::2]])


SIX = [
    Program(
        "k-means by broadcasting",
        kmeans_broadcast_numpy,
        kmeans_broadcast_torch,
        lambda g: (_floats(g, N, D), _floats(g, K, D)),
        flops=3 * N * K * D + _CHOICE_FLOPS,  # subtract, multiply, sum
        read=4 * (N * D + K * D + N * K * D + N * K * D) + _CHOICE_READ,
        written=4 * (N * K * D + N * K * D + N * K) + _CHOICE_WRITTEN,
    ),
    Program(
        "k-means by a matrix product",
        kmeans_matmul_numpy,
        kmeans_matmul_torch,
        lambda g: (_floats(g, N, D), _floats(g, K, D)),
        # x * x, sum, product, * 2, -, c * c, sum, +
        flops=2 * N * D + 2 * N * K * D + 3 * N * K + 2 * K * D + _CHOICE_FLOPS,
        read=4 * (N * D + N * D + N * D + K * D + N * K + N + N * K + K * D + K * D + N * K + K) + _CHOICE_READ,
        written=4 * (N * D + N + N * K + N * K + N * K + K * D + K + N * K) + _CHOICE_WRITTEN,
    ),
    Program(
        "attention",
        attention_numpy,
        attention_torch,
        lambda g: (_floats(g, B, H, T, W), _floats(g, B, H, T, W), _floats(g, B, H, T, W)),
        flops=2 * 2 * _S * W + 5 * _S,  # two products; scale, subtract, exp, sum, divide (a maximum is a comparison)
        read=4 * (2 * _QKV + _S + _S + _S + _ROWS + _S + _S + _S + _ROWS + _S + _QKV),
        written=4 * (_S + _S + _ROWS + _S + _S + _ROWS + _S + _QKV),
    ),
    Program(
        "convolution by shifts",
        convolution_numpy,
        convolution_torch,
        lambda g: (_floats(g, SIDE + TAPS - 1, SIDE + TAPS - 1), _floats(g, TAPS, TAPS)),
        flops=2 * TAPS**2 * SIDE**2,
        read=4 * TAPS**2 * 3 * SIDE**2,
        written=4 * (SIDE**2 + TAPS**2 * 2 * SIDE**2),
    ),
    Program(
        "filter by FFT",
        fft_numpy,
        fft_torch,
        lambda g: (_floats(g, F, F), _floats(g, F, F // 2 + 1)),
        flops=2 * 2.5 * F * F * np.log2(F * F) + 2 * _HALF,
        read=4 * F * F + 8 * _HALF + 4 * _HALF + 8 * _HALF,
        written=8 * _HALF + 8 * _HALF + 4 * F * F,
    ),
    Program(
        "Haar wavelet",
        haar_numpy,
        haar_torch,
        lambda g: (_floats(g, S, S),),
        flops=4 * S * S / 2 + 4 * S * S / 4,
        # two sums and two products of half an image; four sums of quarters; the stack
        read=4 * (2 * S * S + 2 * S * S / 2 + 4 * S * S / 2 + S * S),
        written=4 * (4 * S * S / 2 + 4 * S * S / 4 + S * S),
    ),
]
