"""Make the page of the device catalogue from its data, so that no number is typed twice."""

from collections.abc import Iterable, Mapping

from pennyweight.lottery.devices.catalogue import DTYPES, Conflict, Device, audit, devices, shown, sources
from pennyweight.lottery.devices.sourced import Figure, si

_KINDS = {"cpu": "Processors", "gpu": "Graphics processors", "tpu": "TPUs", "apple": "Apple", "board": "Small boards"}

_HEAD = """# The device catalogue
What devices can do at most, each number with what its sources print. {devices} devices, {figures} figures, {several} of
them from more than one source; in {conflicts} figures some source contradicts the number that is believed: those are
marked with an asterisk and listed below.

```console
$ python -m pennyweight.lottery.devices.catalogue
```

prints the contradictions. In `pennyweight.lottery.devices.catalogue`, `find_device` finds a device, `recognise` knows
the names that drivers report, and `limit_seconds` is the roofline.

## How to read it
- Rates are dense: 2:4 sparsity, which doubles the figures on many data sheets, is never counted. A multiply-add is two
  operations. Vector units are CUDA cores and SIMD; matrix units are tensor cores, MFMA, MXU and XMX.
- The figures are those of a whole package. Where software sees several devices in it, a note says so.
- G is 10⁹, in bytes and in rates. Makers print "80 GB" for 80 GiB: a reading is kept as it stands, and where sources
  differ by just that factor they are listed as contradicting each other.
- Processors: cores × clock × operations per cycle, from sourced factors, at the clock that the note names.
- "Accumulates in" is given where a source states it. The call is the time of one kernel in a queue of small ones.
- Prices are list prices where there was one, and otherwise what the press reported.
- What no source gives is left out.

## Which reading is believed
1. If the maker of the device is among the sources, only the maker's own readings are eligible.
2. A source that copies another one is not heard beside it. Of the rest the reading wins that most sources agree with,
   within 5 %.
3. Between equals the better kind of source wins: maker, operator (who runs or measures the device), catalogue, our own
   product of sourced factors, page, table in a program.
4. Then the reading nearest to their median, and then the lower one.

Agreement is not truth: pages and catalogues borrow from each other, and a peak is no promise of what a program reaches.
"""


_SOURCES = """## Sources
Numbers only were taken over, no text. Epoch AI's data are used under CC BY 4.0: Epoch AI, *Data on Machine Learning
Hardware*, epoch.ai/data/machine-learning-hardware."""


def page() -> str:
    """The whole page."""
    conflicts = audit()
    figures = [figure for device in devices().values() for _, figure in device.figures()]
    head = _HEAD.format(
        devices=len(devices()),
        figures=len(figures),
        several=sum(len(figure.readings) > 1 for figure in figures),
        conflicts=len(conflicts),
    )
    kinds = [_kind(title, [d for d in devices().values() if d.kind == kind]) for kind, title in _KINDS.items()]
    return "\n\n".join([head.strip(), *kinds, _disagreements(conflicts), _origins()]) + "\n"


def _kind(title: str, found: list[Device]) -> str:
    rates = _table(
        ("device", *(f"vector {d}" for d in DTYPES if d != "tf32"), *(f"matrix {d}" for d in DTYPES), "accumulates in"),
        (
            (
                device.name,
                *(_value(device.vector.get(dtype)) for dtype in DTYPES if dtype != "tf32"),
                *(_value(device.matrix.get(dtype)) for dtype in DTYPES),
                device.accumulate,
            )
            for device in found
        ),
    )
    names = ("bandwidth", "memory", "cache", "watts", "call", "price")
    rest = _table(
        ("device", "year", "bandwidth", "memory", "last-level cache", "power", "call", "price at release", "note"),
        (
            (device.name, str(device.year or ""), *(_value(getattr(device, name)) for name in names), device.note)
            for device in found
        ),
    )
    return f"## {title}\n\n{rates}\n\n{rest}"


def _value(figure: Figure | None) -> str:
    return "" if figure is None else si(figure.value, figure.unit).replace(" us", " µs") + "*" * figure.conflict


def _disagreements(conflicts: Iterable[Conflict]) -> str:
    rows = (
        (
            f"`{conflict.device}` {conflict.name}",
            f"{shown(conflict.figure, conflict.figure.chosen)} ({conflict.figure.chosen.source})",
            "; ".join(_against(conflict.figure, conflict.hints)),
        )
        for conflict in conflicts
    )
    return "## What the sources disagree about\n\n" + _table(("figure", "believed", "against"), rows)


def _against(figure: Figure, hints: Mapping[str, str]) -> Iterable[str]:
    for reading in figure.dissent:
        hint = hints[reading.source]
        yield f"{shown(figure, reading)} ({reading.source}{': ' + hint if hint else ''})"


def _origins() -> str:
    rows = (
        (f"`{s.key}`", s.title, f"the maker's ({s.maker})" if s.maker else s.kind, s.where, s.licence, s.date)
        for s in sources().values()
    )
    return f"{_SOURCES}\n\n" + _table(("key", "title", "kind", "where", "licence", "date"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table; columns that are empty in every row are left out."""
    rows = list(rows)
    kept = [column for column in range(len(head)) if any(row[column] for row in rows)]
    lines = [[head[column] for column in kept], ["---"] * len(kept)]
    lines += [[row[column].replace("|", "\\|") for column in kept] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
