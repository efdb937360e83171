"""Cost tables as rows of numbers with their units: the same on a page and in a terminal.

Knows nothing of pages, so that a verb can print without loading templates and drawings.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pennyweight.core.cost import CostTable, Rate
from pennyweight.core.stack import Stack
from pennyweight.lottery.weighing.microbench.benchmarks import DTYPES
from pennyweight.report.words import SPACE, percent

DOUBTFUL = 0.15
"""A band that reaches further than this part of its number is named."""

_FAMILIES = (
    "contraction", "linalg", "fft", "elementwise", "transcendental", "reduction", "scan", "sort", "gather", "scatter",
    "copy",
)  # fmt: skip
_EXTRAS = ("float64", "int8")


@dataclass(frozen=True, kw_only=True)
class Row:
    """What was measured, and the number of each stack in the quantity's unit; None where a stack has none."""

    label: str
    rates: Sequence[Rate | None]


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """Rows in one unit."""

    title: str
    rows: Sequence[Row]


def groups(tables: Sequence[CostTable]) -> list[tuple[str, list[CostTable]]]:
    """The tables by their number of threads (``1 thread``) or their accelerator, so that few stand side by side."""
    found: dict[str, list[CostTable]] = {}
    for table in tables:
        stack = Stack.parse(table.stack)
        name = f"{stack.threads}{SPACE}thread{'' if stack.threads == 1 else 's'}" if stack.threads else stack.device
        found.setdefault(name, []).append(table)
    return list(found.items())


def column(table: CostTable) -> str:
    """The name of a stack within its group."""
    stack = Stack.parse(table.stack)
    return f"{stack.library} {stack.precision}"


def own_dtype(table: CostTable) -> str:
    """The dtype of a stack's precision, under which its own rates stand."""
    return DTYPES[Stack.parse(table.stack).precision]


def quantities(tables: Sequence[CostTable]) -> list[Quantity]:
    """Calls, bandwidths and rates of these stacks; what none of them has is left out."""
    levels = list(dict.fromkeys(level for table in tables for level in (*table.cache_bytes, "memory")))

    def row(label: str, rates: Sequence[Rate | None], scale: float = 1e-9) -> Row:
        return Row(label=label, rates=[_scaled(rate, scale) for rate in rates])

    rates = [row(family, [t.rates.get(f"{family}/{own_dtype(t)}") for t in tables]) for family in _FAMILIES]
    rates[1:1] = [row(f"its {dtype}", [_extra(t, dtype) for t in tables]) for dtype in _EXTRAS]
    found = {
        "calls, µs": [row("8 numbers", [t.call for t in tables], 1e6)],
        "bandwidth, GB/s read and written": [row(level, [t.bandwidth.get(level) for t in tables]) for level in levels],
        "rates in cache, GFLOP/s or billion elements/s": rates,
    }
    return [Quantity(title=title, rows=[one for one in rows if any(one.rates)]) for title, rows in found.items()]


def _extra(table: CostTable, dtype: str) -> Rate | None:
    """Matrix products in another dtype than the stack's own, where they were measured on this very stack."""
    return _own(table).get(f"contraction/{dtype}") if dtype != own_dtype(table) else None


def _scaled(rate: Rate | None, scale: float) -> Rate | None:
    return rate and Rate(value=rate.value * scale, low=rate.low * scale, high=rate.high * scale)


def reach(rate: Rate) -> float:
    """How far a band reaches from its number, on its wider side, as a part of it."""
    return max(rate.high / rate.value, rate.value / rate.low) - 1 if rate.low > 0 else float("inf")


def doubtful(tables: Sequence[CostTable], *, most: int = 4) -> str:
    """The numbers whose bands reach furthest, in a sentence; nothing where all are narrow."""
    found = [
        (reach(rate), f"{name.replace('/', ' ')} on {table.stack}")
        for table in tables
        for name, rate in {"call": table.call, **table.bandwidth, **_own(table)}.items()
        if reach(rate) > DOUBTFUL
    ]
    found.sort(reverse=True)
    named = ", ".join(f"{name} {f'±{percent(by)}' if by < 1 else f'over ±100{SPACE}%'}" for by, name in found[:most])
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return f"bands beyond ±{percent(DOUBTFUL)}: {named}{more}" if found else ""


def _own(table: CostTable) -> Mapping[str, Rate]:
    """The rates that were measured on this very stack, not taken over from its siblings."""
    return {name: rate for name, rate in table.rates.items() if name in table.statements}


def software_lines(tables: Sequence[CostTable]) -> list[str]:
    """What runs below each library, once for each way it was built and set up but for its threads."""
    lines = []
    for table in tables:
        (library, version), *rest = table.software.items()
        parts = [f"{name} {value}" for name, value in rest if name != "threads"]
        lines.append(f"{library} {version}: {', '.join(parts)}" if parts else f"{library} {version}")
    return list(dict.fromkeys(lines))


def variables_line(tables: Sequence[CostTable]) -> str:
    """The environment variables that bend results, as they were given."""
    variables = tables[0].machine["variables"]
    return ", ".join(f"{name}={value}" for name, value in variables.items()) or "none"


def notes(tables: Sequence[CostTable]) -> list[str]:
    """What a reader should know before trusting the numbers, each once."""
    return list(dict.fromkeys(note for table in tables for note in table.notes))
