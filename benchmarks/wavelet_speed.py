"""Speed of the lifted wavelets against a strided convolution and PyWavelets, forward and inverse of one level.

16 x 3 x 256 x 256 float32. The sides take turns in one process, in both orders; ratios of each turn's times are printed
with their interval, beside what each side loses on the way (the largest error of a round trip, borders included). The
convolution is the usual form: four separable 6 x 6 bior2.2 filters by channel, on reflection-padded input, and its
transpose. One process for each number of threads. Kept in ``benchmarks/results/wavelet_speed.json``. Run it on an
otherwise idle machine with ``env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE python benchmarks/wavelet_speed.py``.
"""

import argparse
import functools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pywt
import torch
from torch.nn import functional as F

from pennyweight.arrays import wavelet
from pennyweight.arrays.statistics import median
from pennyweight.core.machine import BusyWatch, this_machine

SHAPE = (16, 3, 256, 256)
MARGIN = 4  # of padding: what the convolution and its transpose need to give the image back
LIMITS = {"convolution": 0.35, "PyWavelets": 0.60}


def convolution(images: torch.Tensor) -> Callable[[], torch.Tensor]:
    filters = pywt.Wavelet("bior2.2")

    def bank(low: list[float], high: list[float]) -> torch.Tensor:
        lines = [torch.tensor(line, dtype=torch.float32) for line in (low, high)]
        return torch.stack([torch.outer(a, b) for a in lines for b in lines])[:, None].repeat(3, 1, 1, 1)

    analysis, synthesis = bank(filters.dec_lo[::-1], filters.dec_hi[::-1]), bank(filters.rec_lo, filters.rec_hi)

    def run() -> torch.Tensor:
        bands = F.conv2d(F.pad(images, (MARGIN,) * 4, mode="reflect"), analysis, stride=2, groups=3)
        whole = F.conv_transpose2d(bands, synthesis, stride=2, groups=3)
        return whole[..., MARGIN : MARGIN + SHAPE[2], MARGIN : MARGIN + SHAPE[3]]

    return run


def pywavelets(images: np.ndarray) -> Callable[[], np.ndarray]:
    return lambda: pywt.idwt2(pywt.dwt2(images, "bior2.2"), "bior2.2")


def lifted(images: Any, **how: Any) -> Callable[[], Any]:
    return lambda: wavelet.inverse(wavelet.forward(images, **how), **how)


def compiled(images: jax.Array) -> Callable[[], Any]:
    forward, inverse = jax.jit(wavelet.forward), jax.jit(wavelet.inverse)
    return lambda: jax.block_until_ready(inverse(forward(images)))


def sides(images: np.ndarray) -> dict[str, Callable[[], Any]]:
    tensor = torch.from_numpy(images)
    return {
        "5/3, torch": lifted(tensor),
        "convolution": convolution(tensor),
        "PyWavelets": pywavelets(images),
        "5/3, NumPy": lifted(images),
        "5/3, JAX (jit)": compiled(jax.numpy.asarray(images)),
        "haar, torch": lifted(tensor, wavelet="haar"),
        "9/7, torch": lifted(tensor, wavelet="9/7"),
        "5/3 orthonormal, torch": lifted(tensor, scale="orthonormal"),
    }


def measure(threads: int, repeats: int) -> dict[str, Any]:
    torch.set_num_threads(threads)
    images = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    runs = sides(images)
    errors = {name: float(np.abs(np.asarray(run()) - images).max()) for name, run in runs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    watch = BusyWatch()
    for number in range(repeats + 2):
        for name in list(runs)[:: 1 if number % 2 else -1]:
            started = time.perf_counter()
            runs[name]()
            seconds[name].append(time.perf_counter() - started)
    kept = {name: values[2:] for name, values in seconds.items()}
    rows = {}
    for name, values in kept.items():
        against = {
            rival: median([a / b for a, b in zip(values, kept[rival], strict=True)])._asdict() for rival in LIMITS
        }
        rows[name] = {"ms": median(values).value * 1e3, "error": errors[name], "ratios": against}
    return {"threads": threads, "repeats": repeats, "others_share": watch.share(), "rows": rows}


def show(result: dict[str, Any]) -> None:
    print(f"{result['threads']} thread(s), medians of {result['repeats']}, others' share {result['others_share']:.0%}")
    print(f"  {'forward and inverse':24} {'ms':>7} {'error':>9}  {'/ convolution':>21} {'/ PyWavelets':>21}")
    for name, row in result["rows"].items():
        ratios = "".join(f" {r['value']:6.3f} ({r['low']:.3f}..{r['high']:.3f})" for r in row["ratios"].values())
        print(f"  {name:24} {row['ms']:7.2f} {row['error']:9.1e}  {ratios}")
    ours = result["rows"]["5/3, torch"]["ratios"]
    for rival, limit in LIMITS.items():
        print(f"  5/3 against {rival}: {ours[rival]['value']:.3f}, asked for at most {limit}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=25)
    parser.add_argument("--threads", type=int, help="measure with this many, print JSON and keep nothing")
    given = parser.parse_args()
    if given.threads:
        print(json.dumps(measure(given.threads, given.repeats)))
        return
    results = []
    for threads in (1, 2):
        # JAX takes the cores that the process has when it starts.
        cores = set(sorted(os.sched_getaffinity(0))[-threads:])
        done = subprocess.run(
            [sys.executable, __file__, "--threads", str(threads), "--repeats", str(given.repeats)],
            env={**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            preexec_fn=functools.partial(os.sched_setaffinity, 0, cores),
        )
        results.append(json.loads(done.stdout))
        show(results[-1])
    document = {"machine": asdict(this_machine()), "shape": SHAPE, "results": results}
    path = Path(__file__).parent / "results" / "wavelet_speed.json"
    path.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
