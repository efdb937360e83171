"""The processor as its operating system describes it: how large its caches are, and which cores to take.

A virtual machine may report a cache that it shares with strangers; `usable` asks a measured sweep instead.
"""

import math
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

_SYSTEM = Path("/sys/devices/system/cpu")
_ASSUMED = {"L1": 32 << 10, "L2": 512 << 10, "L3": 8 << 20}
_DARWIN = {
    "L1": ("hw.perflevel0.l1dcachesize", "hw.l1dcachesize"),
    "L2": ("hw.perflevel0.l2cachesize", "hw.l2cachesize"),
    "L3": ("hw.l3cachesize",),
}


def cache_bytes(root: Path = _SYSTEM) -> dict[str, int]:
    """Bytes of the data caches that a core reaches, by level, from the fastest: ``{"L1": 49152, ...}``.

    Read from sysfs, else from sysctl; where neither knows, sizes that nearly every processor has.
    """
    return _from_sysfs(root) or _from_sysctl() or dict(_ASSUMED)


def _from_sysfs(root: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for index in sorted(root.glob(f"cpu{_first_core()}/cache/index*")):
        try:
            kind, level, size = ((index / name).read_text().strip() for name in ("type", "level", "size"))
            if kind != "Instruction":
                found[f"L{int(level)}"] = _bytes(size)
        except (OSError, ValueError):
            continue  # an incomplete entry, as some virtual machines have them
    return {level: size for level, size in sorted(found.items()) if size > 0}


def _first_core() -> int:
    return min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0


def _bytes(text: str) -> int:
    """``48K``, ``2M`` or a plain number."""
    scale = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1:], 1)
    return int(text.rstrip("KMG")) * scale


def _from_sysctl() -> dict[str, int]:
    if platform.system() != "Darwin":
        return {}
    found = {level: next((size for name in names if (size := _sysctl(name))), 0) for level, names in _DARWIN.items()}
    return {level: size for level, size in found.items() if size}


def _sysctl(name: str) -> int:
    done = subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip().isdigit() else 0


def usable(caches: Mapping[str, int], sweep: Sequence[tuple[int, float]]) -> dict[str, int]:
    """The caches with the last level cut down to what a measured sweep shows of it.

    ``sweep`` holds working sets in bytes, rising, with the bytes per second of a stream through them; it
    begins beyond the last but one level and ends in memory. The last level ends at the largest set that is
    faster than the geometric mean of the two ends: other programs make a stream slower, never faster. A sweep
    without a step (under 1.3 times) says nothing, and the level stays as reported.
    """
    if len(caches) < 2 or len(sweep) < 2:
        return dict(caches)
    last = list(caches)[-1]
    within, beyond = max(rate for _, rate in sweep[:3]), sweep[-1][1]
    if within < 1.3 * beyond:
        return dict(caches)
    threshold = math.sqrt(within * beyond)
    return {**caches, last: min(caches[last], max(size for size, rate in sweep if rate >= threshold))}


def cores_in_order(root: Path = _SYSTEM) -> list[int]:
    """The cores that this process may use, one of each physical core before the second of any.

    The core with the lowest number comes last in each turn: it serves most of the machine's interrupts.
    """
    allowed = sorted(os.sched_getaffinity(0), reverse=True)
    turns = {core: _siblings(root, core).index(core) for core in allowed}
    return sorted(allowed, key=lambda core: turns[core])


def _siblings(root: Path, core: int) -> list[int]:
    """The threads of the physical core that ``core`` is a thread of, itself among them."""
    try:
        text = (root / f"cpu{core}/topology/thread_siblings_list").read_text()
        siblings = [int(one) for part in text.split(",") for one in _span(part)]
    except (OSError, ValueError):
        return [core]
    return siblings if core in siblings else [core]


def _span(text: str) -> range:
    first, _, last = text.strip().partition("-")
    return range(int(first), int(last or first) + 1)
