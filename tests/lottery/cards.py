"""Cells, tables and cards of lotteries, made by hand."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pennyweight.core.cost import CostTable, Rate
from pennyweight.core.machine import this_machine
from pennyweight.lottery.holding.card import Card, Cell, Idea, Work
from pennyweight.lottery.holding.conclude import make_card
from pennyweight.lottery.holding.hold import Held
from pennyweight.lottery.weighing.work import Step

NUMPY, TORCH, JAX = "cpu/numpy/fp32/1t", "cpu/torch/fp32/1t", "cpu/jax/fp32/1t"
SIZE = "256x1024"


def work(flops: float, num_bytes: float = 1.0, *, dtype: str = "float32", matrix: bool = True) -> Work:
    """One product."""
    step = Step(family="contraction", dtype=dtype, operations=flops, num_bytes=num_bytes, matrix=matrix)
    return Work(steps=(step,), num_bytes=num_bytes)


def cell(stack: str, idea: str, seconds: float, *, size: str = SIZE, noise: float = 0.002, **changes: Any) -> Cell:
    """A cell of twelve rounds around a time."""
    generator = np.random.default_rng(zlib.crc32(f"{stack} {idea} {size}".encode()))
    slices = tuple((seconds * (1 + noise * generator.standard_normal(12))).tolist())
    made = Cell(stack=stack, size=size, idea=idea, status="ok", slices=slices, first_seconds=seconds, error=1e-7)
    return replace(made, **changes)


def failed(stack: str, idea: str, status: Any = "not available", *, size: str = SIZE, **changes: Any) -> Cell:
    """A cell without a time."""
    return replace(Cell(stack=stack, size=size, idea=idea, status=status, reason="for a reason"), **changes)


def cells(times: Mapping[str, Mapping[str, float]], *, size: str = SIZE, noise: float = 0.002) -> list[Cell]:
    """Seconds by stack and idea as cells."""
    return [cell(stack, idea, s, size=size, noise=noise) for stack, own in times.items() for idea, s in own.items()]


def table(stack: str, *, contraction: float = 1e11, memory: float = 1e10, **rates: float) -> CostTable:
    """A cost table whose numbers are round."""

    def about(value: float) -> Rate:
        return Rate(value=value, low=0.9 * value, high=1.1 * value)

    named = {"contraction/float32": contraction} | {name.replace("_", "/"): rate for name, rate in rates.items()}
    return CostTable(
        stack=stack,
        machine={},
        fingerprint=this_machine().fingerprint,
        measured="2026-11-25T10:00:00+00:00",
        seconds=10.0,
        busy=0.01,
        software={"numpy": "2.4.6"},
        cache_bytes={"L2": 1 << 20},
        call=about(1e-6),
        bandwidth={"L2": about(10 * memory), "memory": about(memory)},
        rates={name: about(rate) for name, rate in named.items()},
    )


IDEAS = tuple(
    Idea(name=name, what=f"what {name} is", counted="counted by hand") for name in ("dense", "sparse", "int8")
)
LAYERS: Mapping[str, Work] = {
    "dense": work(1e9),
    "sparse": work(1e8, matrix=False),
    "int8": work(1e9, dtype="int8"),
}
TIMES: Mapping[str, Mapping[str, float]] = {
    NUMPY: {"dense": 0.010, "sparse": 0.020, "int8": 1.0},
    TORCH: {"dense": 0.011, "sparse": 0.004, "int8": 0.002},
    JAX: {"dense": 0.010, "sparse": 0.008},
}
TABLES = (table(NUMPY), table(TORCH, contraction_int8=4e11), table(JAX))


def held(times: Mapping[str, Mapping[str, float]] = TIMES, *, busy: float = 0.01, more: Sequence[Cell] = ()) -> Held:
    """A lottery as it was measured, at two sizes."""
    made = [
        replace(one, work=LAYERS[one.idea])
        for size, factor in ((SIZE, 1.0), ("64x512", 0.1))
        for one in cells({s: {i: factor * t for i, t in own.items()} for s, own in times.items()}, size=size)
    ]
    missing = [
        failed(JAX, "int8", size=size, work=LAYERS["int8"]) for size in (SIZE, "64x512") if "int8" not in times[JAX]
    ]
    return Held(cells=(*made, *missing, *more), software={s: {"library": "1.0"} for s in times}, busy=busy)


def card(*, busy: float = 0.01, more: Sequence[Cell] = ()) -> Card:
    """A whole card."""
    return make_card(
        held(busy=busy, more=more),
        TABLES,
        IDEAS,
        name="layer",
        asked="2min",
        spent_seconds=118.0,
        quality="Equal means this.",
    )
