"""The benchmarks in PyTorch, on a CPU or a CUDA device; results go into tensors made before, where ``out`` is taken."""

import re
from typing import Any

import torch
from numpy.typing import NDArray

from pennyweight.lottery.weighing.microbench.dialect import FILLING, Dialect

_ALIGNMENT = 4096


def dialect(device: str) -> Dialect:
    """PyTorch's statements and tensors on a device."""
    pools: dict[int, torch.Tensor] = {}

    def array(values: NDArray[Any], dtype: str) -> torch.Tensor:
        kind = torch.int64 if dtype == "index" else getattr(torch, dtype)
        return torch.from_numpy(values).to(device, kind, copy=True)

    def large(count: int, dtype: str) -> dict[str, torch.Tensor]:
        kind: torch.dtype = getattr(torch, dtype)
        each = -(-count * kind.itemsize // _ALIGNMENT) * _ALIGNMENT
        if each not in pools:
            pools[each] = torch.full((3, each), FILLING, dtype=torch.uint8, device=device)
        return {name: pools[each][at].view(kind)[:count] for at, name in enumerate("xyz")}

    return Dialect(
        statements={
            "stream": "torch.add(x, y, out=z)",
            "elementwise": "torch.mul(x, y, out=z)",
            "transcendental": "torch.exp(x, out=z)",
            "reduction": "torch.sum(x)",
            "scan": "torch.cumsum(x, 0, out=z)",
            "contraction": "torch.matmul(a, b, out=c)",
            "int8": "torch._int_mm(a, b)",
            "linalg": "torch.linalg.solve(s, v)",
            "fft": "torch.fft.rfft(r)",
            "sort": "torch.sort(x)",
            "gather": "torch.index_select(x, 0, i, out=z)",
            "scatter": "z.scatter_(0, i, x)",
            "copy": "z.copy_(x)",
        },
        names={"torch": torch},
        array=array,
        large=large,
        software=lambda: software(device),
        wait=torch.cuda.synchronize if device == "cuda" else None,
    )


def software(device: str) -> dict[str, str]:
    """Versions, and the libraries that PyTorch was built with."""
    found = {"torch": str(torch.__version__)}
    build = torch.__config__.show()
    if device == "cuda":
        found["cuda"] = f"{torch.version.cuda}, on {torch.cuda.get_device_name(0)}"
        return found
    patterns = {
        "MKL": r"oneAPI Math Kernel Library Version (\S+?)-",
        "oneDNN": r"MKL-DNN (v\S+)",
        "OpenMP": r"a\.k\.a\. OpenMP ([\d.]+)",
    }
    parts = [f"{name} {match[1]}" for name, pattern in patterns.items() if (match := re.search(pattern, build))]
    blas = re.search(r"BLAS_INFO=(\w+)", build)
    found["blas"] = blas[1] if blas else "unknown"
    found["kernel"] = torch.backends.cpu.get_cpu_capability()
    found["threads"] = str(torch.get_num_threads())
    found["build"] = ", ".join(parts) or "unknown"
    return found
