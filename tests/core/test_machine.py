"""Energy, memory and business of the machine are what the kernel's counters say."""

import time
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from pennyweight.core.machine import BusyWatch, EnergyCounter, PeakMemory, bending_variables, this_machine, usable_cores

MB = 1_000_000


def _zone(root: Path, name: str, kind: str, microjoules: int, wrap: int = 1_000_000) -> Path:
    zone = root / name
    zone.mkdir(parents=True)
    (zone / "name").write_text(kind + "\n")
    (zone / "energy_uj").write_text(f"{microjoules}\n")
    (zone / "max_energy_range_uj").write_text(f"{wrap}\n")
    return zone


def test_energy_is_the_sum_over_processor_packages(tmp_path: Path) -> None:
    zones = [_zone(tmp_path, f"intel-rapl:{n}", f"package-{n}", 500 * n) for n in range(2)]
    _zone(tmp_path, "intel-rapl:0:0", "core", 0)
    counter = EnergyCounter(tmp_path)
    assert counter.joules() == 0
    (zones[0] / "energy_uj").write_text("200000")
    (zones[1] / "energy_uj").write_text("300500")
    (tmp_path / "intel-rapl:0:0" / "energy_uj").write_text("900000")
    assert counter.joules() == 0.5
    assert counter.joules() == 0.5


def test_the_whole_platforms_counter_is_not_added_to_its_packages(tmp_path: Path) -> None:
    package, platform = _zone(tmp_path, "intel-rapl:0", "package-0", 0), _zone(tmp_path, "intel-rapl:1", "psys", 0)
    memory_mapped = _zone(tmp_path, "intel-rapl-mmio:0", "package-0", 0)
    counter = EnergyCounter(tmp_path)
    for zone in (package, platform, memory_mapped):
        (zone / "energy_uj").write_text("250000")
    assert counter.joules() == 0.25


def test_a_register_that_wraps_around_goes_on_counting(tmp_path: Path) -> None:
    zone = _zone(tmp_path, "intel-rapl:0", "package-0", 900_000)
    counter = EnergyCounter(tmp_path)
    for reading, expected in ((990_000, 0.09), (10_000, 0.11), (999_999, 1.099999), (0, 1.1)):
        (zone / "energy_uj").write_text(str(reading))
        assert counter.joules() == pytest.approx(expected)


def test_a_machine_without_a_readable_counter_has_none(tmp_path: Path) -> None:
    assert EnergyCounter(tmp_path / "absent").joules() is None
    zone = _zone(tmp_path, "intel-rapl:0", "package-0", 5)
    (zone / "energy_uj").write_text("not a number")
    assert EnergyCounter(tmp_path).joules() is None


def test_a_counter_that_disappears_says_so(tmp_path: Path) -> None:
    zone = _zone(tmp_path, "intel-rapl:0", "package-0", 5)
    counter = EnergyCounter(tmp_path)
    (zone / "energy_uj").unlink()
    assert counter.joules() is None


def test_peak_memory_sees_an_allocation_and_forgets_it() -> None:
    peak = PeakMemory()
    if not peak.exact:
        pytest.skip("this kernel does not let a process set its high-water mark back")
    block = bytearray(300 * MB)
    block[::4096] = b"x" * len(block[::4096])
    del block
    assert 290 * MB <= peak.step_bytes() <= 330 * MB
    assert peak.peak_bytes() >= 300 * MB
    peak.reset()
    assert peak.step_bytes() <= 20 * MB


def _burn(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_other_processes_that_burn_are_seen(processes: ForkServerContext) -> None:
    # Forked by the fork server: a process of somebody else as far as this one's accounts go.
    other = processes.Process(target=_burn, args=(20.0,), daemon=True)
    other.start()
    time.sleep(0.3)
    watch = BusyWatch()
    time.sleep(1.0)
    share = watch.share()
    sentence = watch.sentence()
    other.kill()
    other.join()
    assert share > 0.7 / (psutil.cpu_count() or 1)
    assert "busy" in sentence


def test_our_own_work_and_that_of_reaped_children_is_not_called_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripted accounts: on a real machine the other tests would be the others."""
    whole = SimpleNamespace(user=100.0, system=20.0, idle=500.0, iowait=5.0)
    own = SimpleNamespace(user=10.0, system=1.0, children_user=2.0, children_system=0.5)

    class Accounts:
        def __iter__(self) -> Iterator[float]:
            return iter(vars(whole).values())

        def __getattr__(self, name: str) -> float:
            return float(getattr(whole, name))

    monkeypatch.setattr(psutil, "cpu_times", Accounts)
    monkeypatch.setattr(psutil.Process, "cpu_times", lambda self: own)
    watch = BusyWatch()
    monkeypatch.setattr(watch, "_wall", watch._wall - 10.0)
    whole.user += 9.0
    own.user += 6.0
    own.children_user += 3.0
    assert watch.share() == 0.0
    whole.user += 5.0
    cores = psutil.cpu_count() or 1
    assert watch.share() == pytest.approx(5.0 / (10.0 * cores), rel=0.05)


def test_a_share_is_a_part_even_where_the_accounts_disagree(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = BusyWatch()
    monkeypatch.setattr(watch, "_others", lambda: watch._others_before - 50.0)
    assert watch.share() == 0.0
    assert watch.sentence() == ""
    monkeypatch.setattr(watch, "_others", lambda: watch._others_before + 1e9)
    assert watch.share() == 1.0
    assert "100%" in watch.sentence()


def test_a_machine_is_told_by_its_hardware_and_nothing_private() -> None:
    machine = this_machine()
    assert machine.cores == usable_cores() >= 1
    assert machine.memory_bytes > 100 * MB
    assert len(machine.fingerprint) == 12
    import getpass
    import platform

    assert platform.node() not in repr(machine)
    assert f"/{getpass.getuser()}" not in repr(machine)


def test_variables_that_bend_speed_are_told_and_paths_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    bent = {"OPENBLAS_CORETYPE": "Haswell", "XLA_FLAGS": "--xla_dump_to=x", "NPY_DISABLE_CPU_FEATURES": "AVX2"}
    for name, value in {**bent, "TORCH_HOME": "/home/somebody", "CUDA_HOME": "/opt/cuda", "EDITOR": "vi"}.items():
        monkeypatch.setenv(name, value)
    told = bending_variables()
    assert told.items() >= bent.items()
    assert not {"TORCH_HOME", "CUDA_HOME", "EDITOR"} & told.keys()
