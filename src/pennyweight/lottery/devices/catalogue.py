"""What devices can do at most: dense peak rates, memory, bandwidth, power, each number with its sources and conflicts.

The data are in ``devices.toml``, which explains how it is written; `pennyweight.lottery.devices.sourced` says which of
several readings is believed. ``python -m pennyweight.lottery.devices.catalogue`` lists what the sources disagree about.

Vector rates are those of the ordinary units (SIMD, CUDA cores), matrix rates those of tensor cores, MFMA, MXU or XMX
units, and both count a multiply-add as two operations and no sparsity. The limit computed here is the roofline of
Williams, Waterman and Patterson (Communications of the ACM, 2009): no program is faster, most are slower.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any, Literal, cast, get_args

from pennyweight.core.errors import UserError, did_you_mean
from pennyweight.lottery.devices.sourced import TOLERANCE, TRUST, Figure, Kind, Reading, explanation, quantity, si, year

DeviceKind = Literal["cpu", "gpu", "tpu", "apple", "board"]

DTYPES = ("float64", "float32", "tf32", "bfloat16", "float16", "int8")
"""The number formats that rates are given for, the widest first."""

# Where work goes when a device has no rate of its own for it: formats that hold every value of the narrower one.
_WIDER = {
    "int8": ("float16", "bfloat16", "tf32", "float32", "float64"),
    "float16": ("tf32", "float32", "float64"),
    "bfloat16": ("tf32", "float32", "float64"),
    "tf32": ("float32", "float64"),
    "float32": ("float64",),
    "float64": (),
}

# Unit and plausible range of every figure: a slip of a thousand must not get in.
_FIGURES = {
    "released": ("date", 2000, 2100),
    "memory": ("B", 1e9, 1e12),
    "bandwidth": ("B/s", 1e9, 2e13),
    "cache": ("B", 1e5, 1e9),
    "watts": ("W", 1.0, 2e3),
    "call": ("s", 1e-7, 1e-3),
    "price": ("USD", 10.0, 1e6),
    "dies": ("", 1.0, 16.0),
    "devices": ("", 1.0, 16.0),
}
_RATES = {dtype: ("OP/s" if dtype == "int8" else "FLOP/s", 1e9, 1e17) for dtype in DTYPES}


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where numbers come from. ``maker`` is the vendor whose own word it is, ``follows`` the source that it copies."""

    key: str
    title: str
    kind: Kind
    where: str
    licence: str
    date: str
    maker: str = ""
    follows: str = ""


@dataclass(frozen=True, kw_only=True)
class Device:
    """A device's limits: rates in operations/s by number format, bytes, bytes/s, watts, seconds, US dollars.

    What is not known is absent (None, or missing from a mapping). All figures are those of the whole package;
    ``devices`` says how many devices software sees in it, each with its share, and ``dies`` how many dies are counted.
    ``cache`` is the last level, ``call`` a kernel's time in a queue of small ones, ``price`` that at release.
    ``accumulate`` is the type that 16-bit matrix products accumulate in, where a source says so.
    ``patterns`` match, as a whole, the names that drivers and operating systems report.
    """

    key: str
    name: str
    kind: DeviceKind
    vendor: str
    patterns: tuple[str, ...] = ()
    note: str = ""
    accumulate: str = ""
    vector: Mapping[str, Figure] = field(default_factory=dict)
    matrix: Mapping[str, Figure] = field(default_factory=dict)
    memory: Figure | None = None
    bandwidth: Figure
    cache: Figure | None = None
    watts: Figure | None = None
    call: Figure | None = None
    price: Figure | None = None
    released: Figure | None = None
    dies: Figure | None = None
    devices: Figure | None = None

    @property
    def year(self) -> int | None:
        """The year of its release."""
        return None if self.released is None else int(self.released.value)

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """Every figure with its name, as ``("matrix.bfloat16", ...)``."""
        for name in _FIGURES:
            if (figure := getattr(self, name)) is not None:
                yield name, figure
        for units in ("vector", "matrix"):
            yield from ((f"{units}.{dtype}", figure) for dtype, figure in getattr(self, units).items())


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """A figure with readings that contradict the one believed.

    ``hints`` says for each source that contradicts it what the difference looks like, or an empty string.
    """

    device: str
    name: str
    figure: Figure
    hints: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The least time that work can take on a device, what bounds it, and what had to be assumed."""

    seconds: float
    compute_seconds: float
    memory_seconds: float
    notes: tuple[str, ...] = ()


# --- asking ---


def devices() -> Mapping[str, Device]:
    """Every device by its key, checked as it is read."""
    return _shipped()[1]


def sources() -> Mapping[str, Source]:
    """Every source by its key."""
    return _shipped()[0]


def find_device(name: str) -> Device:
    """The device with this key or name; case does not matter.

    >>> find_device("H100-SXM").name
    'NVIDIA H100 SXM5 80 GB'
    """
    wanted = name.strip().lower()
    for device in devices().values():
        if wanted in (device.key, device.name.lower()):
            return device
    raise UserError(f"device {name!r}", expected="a device of the catalogue", hint=did_you_mean(wanted, devices()))


def recognise(text: str) -> Device | None:
    """The device that reports itself by this name, or None.

    Names are those of ``torch.cuda.get_device_name()``, of ``jax.Device.device_kind``, of the model name in
    ``/proc/cpuinfo``, of Apple's ``machdep.cpu.brand_string`` and of a board's device tree. A part of a device (MIG)
    is not recognised: its limits are others.

    >>> recognise("NVIDIA H100 80GB HBM3").key
    'h100-sxm'
    """
    reported = " ".join(text.replace("\0", " ").split())
    for device in devices().values():
        if any(re.fullmatch(pattern, reported, re.IGNORECASE) for pattern in device.patterns):
            return device
    return None


def limit(device: Device, *, flops: Mapping[str, float], bytes: float, matrix: bool) -> Limit:  # noqa: A002 - as the roofline calls it
    """The roofline: the longer of computing and moving, as if each ran at its peak beside the other.

    ``flops`` is operations by number format, done one after the other on the same units; ``bytes`` what is read and
    written in memory. ``matrix`` says that they are matrix products, which take the better of the matrix units and the
    vector units. A format without a rate runs in the next wider one that has one, and a note says so.

    Raises UserError for an unknown format and for one that the device has no rate for, not even a wider one.
    """
    if min([bytes, *flops.values()]) < 0:
        raise ValueError(f"operations {dict(flops)} and {bytes} bytes must all be zero or more")
    compute, notes = 0.0, []
    for dtype, amount in flops.items():
        rate, note = _rate(device, dtype, matrix=matrix)
        compute += amount / rate
        notes += [note] if note else []
    moving = bytes / device.bandwidth.value
    return Limit(seconds=max(compute, moving), compute_seconds=compute, memory_seconds=moving, notes=tuple(notes))


def limit_seconds(device: Device, *, flops: Mapping[str, float], bytes: float, matrix: bool) -> float:  # noqa: A002 - the same
    """The least seconds that work can take on a device: `limit` without its parts."""
    return limit(device, flops=flops, bytes=bytes, matrix=matrix).seconds


def _rate(device: Device, dtype: str, *, matrix: bool) -> tuple[float, str]:
    """Operations/s in a number format, and a note when it is the rate of a wider one."""
    if dtype not in _WIDER:
        raise UserError(f"number format {dtype!r}", expected="one of " + ", ".join(DTYPES))
    for candidate in (dtype, *_WIDER[dtype]):
        figures = [device.vector.get(candidate), device.matrix.get(candidate) if matrix else None]
        rates = [figure.value for figure in figures if figure is not None]
        if rates:
            note = "" if candidate == dtype else f"{device.name}: no rate for {dtype}, that of {candidate} is taken"
            return max(rates), note
    what = "matrix or vector" if matrix else "vector"
    raise UserError(
        f"{dtype} on {device.name}",
        expected=f"a format that the catalogue has a {what} rate for",
        hint="it has " + (", ".join(sorted({*device.vector, *(device.matrix if matrix else ())})) or "none"),
    )


def audit(catalogue: Mapping[str, Device] | None = None) -> list[Conflict]:
    """Every figure whose sources contradict the reading believed, device by device."""
    return [
        Conflict(
            device=device.key,
            name=name,
            figure=figure,
            hints={other.source: _hint(device, name, figure.chosen, other) for other in figure.dissent},
        )
        for device in (devices() if catalogue is None else catalogue).values()
        for name, figure in device.figures()
        if figure.conflict
    ]


def _hint(device: Device, name: str, chosen: Reading, other: Reading) -> str:
    """What a dissenting reading looks like: a rate of the device's other units, or a familiar factor."""
    if not name.startswith("matrix."):
        return explanation(chosen.value, other.value)
    for dtype, figure in device.vector.items():
        if abs(other.value / figure.value - 1) < 0.01:
            return f"the vector units' rate for {dtype}"
    hint = explanation(chosen.value, other.value)
    return f"{hint}: sparsity or the accumulate type" if hint == "a factor of two" else hint


# --- reading the file ---


@cache
def _shipped() -> tuple[Mapping[str, Source], Mapping[str, Device]]:
    return read_catalogue(
        resources.files("pennyweight.lottery.devices").joinpath("devices.toml").read_text(encoding="utf-8")
    )


def read_catalogue(text: str) -> tuple[dict[str, Source], dict[str, Device]]:
    """Sources and devices from a text in the form of ``devices.toml``.

    Raises ValueError for what does not fit the schema, with the place: unknown keys, unknown sources, units that are
    not those of the figure, values out of all proportion, a device without a rate.
    """
    document = tomllib.loads(text)
    _refuse_unknown("", document, {"source", "device"})
    known = {key: _source(key, table) for key, table in document["source"].items()}
    for source in known.values():
        if source.follows and (source.follows not in known or known[source.follows].follows):
            raise ValueError(f"source.{source.key}: it follows {source.follows!r}, which is no source of its own")
    return known, {key: _device(key, table, known) for key, table in document["device"].items()}


def _source(key: str, table: Mapping[str, Any]) -> Source:
    place = f"source.{key}"
    _refuse_unknown(place, table, {"title", "kind", "where", "licence", "date"}, {"maker", "follows"})
    if table["kind"] not in set(TRUST) - {"maker", "derived"}:
        raise ValueError(f"{place}: kind {table['kind']!r}")
    return Source(key=key, **table)


def _device(key: str, table: Mapping[str, Any], known: Mapping[str, Source]) -> Device:
    place = f"device.{key}"
    optional = {"patterns", "note", "accumulate", "vector", "matrix", *_FIGURES} - {"bandwidth"}
    _refuse_unknown(place, table, {"name", "kind", "vendor", "bandwidth"}, optional)
    if table["kind"] not in get_args(DeviceKind):
        raise ValueError(f"{place}: kind {table['kind']!r}, expected one of {', '.join(get_args(DeviceKind))}")
    if not table.get("vector") and not table.get("matrix"):
        raise ValueError(f"{place}: no rate")
    accumulate = table.get("accumulate", {})
    _refuse_unknown(f"{place}.accumulate", accumulate, set(), set(known))

    reader = _Reader(place=place, vendor=table["vendor"], known=known)
    if "dies" in table:
        reader = replace(reader, dies=reader.figure("dies", table["dies"], *_FIGURES["dies"]).value)
    rates: dict[str, dict[str, Figure]] = {}
    for units in ("vector", "matrix"):
        tables = table.get(units, {})
        _refuse_unknown(f"{place}.{units}", tables, set(), set(DTYPES))
        rates[units] = {dtype: reader.figure(f"{units}.{dtype}", tables[dtype], *_RATES[dtype]) for dtype in tables}
    figures: dict[str, Any] = {
        name: reader.figure(name, table[name], *rest) for name, rest in _FIGURES.items() if name in table
    }
    return Device(
        key=key,
        name=table["name"],
        kind=cast(DeviceKind, table["kind"]),
        vendor=table["vendor"],
        patterns=tuple(table.get("patterns", ())),
        note=table.get("note", ""),
        accumulate="; ".join(sorted(set(accumulate.values()))),
        vector=rates["vector"],
        matrix=rates["matrix"],
        **figures,
    )


@dataclass(frozen=True, kw_only=True)
class _Reader:
    """Turns a table of ``source = "text"`` into a figure; knows the device for the errors and the maker's word."""

    place: str
    vendor: str
    known: Mapping[str, Source]
    dies: float | None = None

    def figure(self, name: str, table: Mapping[str, str], unit: str, least: float, most: float) -> Figure:
        readings = []
        for source, text in table.items():
            try:
                readings.append(self._reading(source, text, unit))
                if not least <= readings[-1].value <= most:
                    raise ValueError(f"{text!r} is {readings[-1].value:g}, expected {least:g} to {most:g} {unit}")
            except ValueError as error:
                raise ValueError(f"{self.place}.{name}.{source}: {error}") from None
        # Dates of release are compared as years, and any difference counts.
        return Figure(readings=tuple(readings), unit=unit, tolerance=0.0 if unit == "date" else TOLERANCE)

    def _reading(self, source: str, text: str, unit: str) -> Reading:
        value, cited = (year(text), ()) if unit == "date" else quantity(text, unit, dies=self.dies)
        if (source == "derived") != bool(cited):
            raise ValueError("sources stand in brackets behind the factors of a derived figure and only there")
        for name in cited or (source,):
            if name not in self.known:
                raise ValueError(f"{name!r} is no source")
        if cited:
            return Reading(source=source, kind="derived", text=text, value=value, cited=cited)
        origin = self.known[source]
        kind: Kind = "maker" if origin.maker == self.vendor else origin.kind
        return Reading(source=source, kind=kind, text=text, value=value, follows=origin.follows)


def _refuse_unknown(place: str, table: Mapping[str, Any], required: set[str], optional: set[str] | None = None) -> None:
    where = f"{place}: " if place else ""
    if missing := sorted(required - table.keys()):
        raise ValueError(f"{where}without {', '.join(missing)}")
    if unknown := sorted(table.keys() - required - (optional or set())):
        raise ValueError(f"{where}unknown {', '.join(unknown)}")


def shown(figure: Figure, reading: Reading) -> str:
    """A reading for people: as it stands in its source, or what the product of our own factors gives."""
    return si(reading.value, figure.unit) if reading.source == "derived" else reading.text


def main() -> None:
    """Print what the sources disagree about."""
    conflicts = audit()
    for conflict in conflicts:
        chosen = conflict.figure.chosen
        print(f"{conflict.device} {conflict.name}: {shown(conflict.figure, chosen)} [{chosen.source}]")
        for other in conflict.figure.dissent:
            hint = conflict.hints[other.source]
            print(f"    against {shown(conflict.figure, other)} [{other.source}]" + (f": {hint}" if hint else ""))
    figures = [figure for device in devices().values() for _, figure in device.figures()]
    several = sum(len(figure.readings) > 1 for figure in figures)
    print(
        f"{len(devices())} devices, {len(figures)} figures, {several} of them from more than one source;"
        f" the sources contradict each other on {len(conflicts)}"
    )


if __name__ == "__main__":
    main()
