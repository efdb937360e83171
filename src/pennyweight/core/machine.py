"""The machine under a run: who it is, what it spends (energy, memory) and whether others keep it busy."""

import contextlib
import ctypes
import gc
import hashlib
import os
import platform
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

_POWERCAP = Path("/sys/class/powercap")
_BENDING = (
    *("OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "GOTO_", "BLIS_", "VECLIB_", "NUMEXPR_"),
    *("NPY_", "ATEN_", "TORCH_NUM_", "PYTORCH_", "DNNL_", "ONEDNN_", "XLA_", "ORT_"),
    *("JAX_ENABLE", "JAX_DEFAULT", "JAX_PLATFORM", "CUDA_VISIBLE", "CUDA_LAUNCH", "CUDA_DEVICE", "CUBLAS_"),
    *("NVIDIA_TF32", "MALLOC_", "LD_PRELOAD", "DYLD_INSERT"),
)
"""Beginnings of names; left out are those that hold a path of the user's."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What identifies a machine for the purpose of comparing times; no host name, no user."""

    processor: str
    cores: int
    memory_bytes: int
    system: str
    accelerator: str
    torch: str
    variables: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits, equal for machines and software that should give equal times."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:12]


@cache
def this_machine() -> Machine:
    """Describe the machine that runs this process, with the environment variables that bend its speed."""
    import torch

    return Machine(
        processor=processor_name(),
        cores=usable_cores(),
        memory_bytes=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        accelerator=torch.cuda.get_device_name(0) if torch.cuda.is_available() else "",
        torch=torch.__version__,
        variables=bending_variables(),
    )


def bending_variables() -> dict[str, str]:
    """The environment variables that bend the speed of arithmetic, as they are set."""
    return {k: v for k, v in sorted(os.environ.items()) if k.startswith(_BENDING)}


def usable_cores() -> int:
    """Processors that this process may run on (its affinity mask, not what the machine holds)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor_name() -> str:
    """What the processor calls itself."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


class EnergyCounter:
    """Joules since it was made, from the processor's RAPL counters; None where the machine has none.

    RAPL (Linux powercap) counts the processor packages and not the memory, the disks or the fans. Its
    registers wrap around; a reading at least every few minutes keeps the sum right.
    """

    def __init__(self, root: Path = _POWERCAP) -> None:
        # A zone "psys" counts the whole platform, its packages among it.
        zones = [zone for zone in sorted(root.glob("*-rapl:*")) if _zone_name(zone).startswith("package")]
        self._zones = [zone for zone in zones if _microjoules(zone) is not None]
        self._before = [_microjoules(zone) or 0 for zone in self._zones]
        self._sum = 0

    def joules(self) -> float | None:
        """Joules spent by all processor packages since this counter was made."""
        if not self._zones:
            return None
        for index, zone in enumerate(self._zones):
            now = _microjoules(zone)
            if now is None:
                return None
            spent = now - self._before[index]
            if spent < 0:
                spent += int((zone / "max_energy_range_uj").read_text())
            self._before[index] = now
            self._sum += spent
        return self._sum / 1e6


def _zone_name(zone: Path) -> str:
    try:
        return (zone / "name").read_text().strip()
    except OSError:
        return ""


def _microjoules(zone: Path) -> int | None:
    try:
        return int((zone / "energy_uj").read_text())
    except (OSError, ValueError):
        return None  # absent, or readable by root alone: both mean that this run cannot know


class PeakMemory:
    """Peak bytes since ``reset``: resident memory on a CPU (the kernel's high-water mark), allocated on CUDA.

    On Linux the mark is set back through ``/proc/self/clear_refs``; where that is refused the mark is the
    process's whole life and ``exact`` is False.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._cuda = device.startswith("cuda")
        self.exact = True
        self.reset()

    def reset(self) -> None:
        """Start again from what is resident now, after giving freed memory back to the system."""
        gc.collect()
        if self._cuda:
            import torch

            torch.cuda.reset_peak_memory_stats()
            self.start_bytes = torch.cuda.memory_allocated()
            return
        _trim()
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            self.exact = False
        self.start_bytes = psutil.Process().memory_info().rss

    def peak_bytes(self) -> int:
        """The highest use since ``reset``."""
        if self._cuda:
            import torch

            return torch.cuda.max_memory_allocated()
        try:
            for line in Path("/proc/self/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        except OSError:
            pass
        import resource

        unit = 1 if platform.system() == "Darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

    def step_bytes(self) -> int:
        """The highest use since ``reset``, over what was in use then."""
        return max(0, self.peak_bytes() - self.start_bytes)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # the numbers of glibc's malloc.h


@cache
def keep_memory() -> None:
    """Have the C library (glibc) keep what is freed, up to 32 MiB a piece, for the rest of the process.

    Whether it does by itself hangs on the order of everything before; and memory that the system must hand out anew
    costs more than many an operation: one and the same work took 4 ms in one process and 9 ms in the next.
    """
    try:
        choose = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return  # another C library, with ways of its own
    choose(_MMAP_THRESHOLD, 32 << 20)
    choose(_TRIM_THRESHOLD, 1 << 30)


def _trim() -> None:
    # Where the C library is not glibc, freed memory may stay resident and be counted.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


class BusyWatch:
    """How much of the machine others used while we measured: times taken on a busy machine deserve no trust."""

    LIMIT = 0.10

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._wall = time.monotonic()
        self._others_before = self._others()

    def _others(self) -> float:
        everyone = psutil.cpu_times()
        busy = sum(everyone) - everyone.idle - getattr(everyone, "iowait", 0.0)
        busy -= getattr(everyone, "guest", 0.0) + getattr(everyone, "guest_nice", 0.0)
        own = self._process.cpu_times()
        return busy - sum((own.user, own.system, own.children_user, own.children_system))

    def share(self) -> float:
        """Processor time of other processes since the start, as a part (0 to 1) of all the machine had."""
        wall = time.monotonic() - self._wall
        capacity = max(wall, 1e-9) * (psutil.cpu_count() or 1)
        return min(1.0, max(0.0, (self._others() - self._others_before) / capacity))

    def sentence(self) -> str:
        """A warning for people when the machine was busy, or an empty string."""
        share = self.share()
        if share <= self.LIMIT:
            return ""
        return f"the machine was busy: other processes took {share:.0%} of its processors"
