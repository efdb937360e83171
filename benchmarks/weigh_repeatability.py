"""How far cost tables can be trusted: do two weighings agree, do their bands hold, do predictions and sums come true.

    python benchmarks/weigh_repeatability.py repeat [--runs 3] [--budget 60] [--load 0]
    python benchmarks/weigh_repeatability.py predict
    python benchmarks/weigh_repeatability.py blocks

``repeat`` weighs this machine again and again and compares each pair of runs, number by number; ``--load`` keeps
so many processes busy meanwhile. ``predict`` times operations that no table was made from and compares them with
`predict_seconds`. ``blocks`` compares the steps of whole transformers with the sums of their blocks. Results are
kept below ``benchmarks/results``. Run it on an otherwise idle machine.
"""

import argparse
import itertools
import json
import multiprocessing
import tempfile
import time
import timeit
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pennyweight.blocks.pattern import Pattern
from pennyweight.core.cost import CostTable, Rate
from pennyweight.core.machine import BusyWatch, this_machine
from pennyweight.core.stack import Stack
from pennyweight.lottery.weighing.blocks import FIXED, block_costs, model_seconds
from pennyweight.lottery.weighing.microbench.steps import Step
from pennyweight.lottery.weighing.microbench.timing import Timed
from pennyweight.lottery.weighing.predict import predict_seconds
from pennyweight.lottery.weighing.rounds import Series, estimate, measure
from pennyweight.lottery.weighing.weigh import default_stacks, weigh
from pennyweight.lottery.weighing.worker import Worker

RESULTS = Path(__file__).parent / "results"
CLOSE = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["repeat", "predict", "blocks"])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--load", type=int, default=0)
    parser.add_argument("--stack", action="append", default=[])
    options = parser.parse_args()
    stacks = [Stack.parse(name) for name in options.stack]
    if options.what == "repeat":
        found = repeat(stacks or default_stacks(options.budget), options.runs, options.budget, options.load)
    elif options.what == "predict":
        found = predict(stacks or [Stack.parse("cpu/numpy/fp32/1t"), Stack.parse("cpu/torch/fp32/1t")], options.budget)
    else:
        found = blocks(stacks or [Stack.parse("cpu/torch/fp32"), Stack.parse("cpu/torch/bf16")])
    RESULTS.mkdir(exist_ok=True)
    suffix = f"_load{options.load}" if options.load else ""
    path = RESULTS / f"weigh_{options.what}{suffix}.json"
    path.write_text(json.dumps({"machine": asdict(this_machine()), **found}, indent=1) + "\n")
    print(f"kept in {path}")


# --- do two weighings agree? ---


def spin() -> None:
    while True:
        pass


def repeat(stacks: Sequence[Stack], runs: int, budget: float, load: int) -> dict[str, Any]:
    others = [multiprocessing.get_context("fork").Process(target=spin, daemon=True) for _ in range(load)]
    for other in others:
        other.start()
    weighings, seconds = [], []
    for _ in range(runs):
        started = time.monotonic()
        weighings.append({table.stack: table for table in weigh(stacks, seconds=budget)})
        seconds.append(time.monotonic() - started)
        busy = next(iter(weighings[-1].values())).busy
        print(f"weighed in {seconds[-1]:.1f} s of {budget:g}; others took {busy:.0%}")
    for other in others:
        other.kill()
    pairs = [pair for one, other in itertools.combinations(weighings, 2) for pair in compare(one, other)]
    differences = np.array([abs(np.log(a.value / b.value)) for _, a, b in pairs])
    inside = np.array([a.low <= b.value <= a.high and b.low <= a.value <= b.high for _, a, b in pairs])
    reach = np.array([np.log(rate.high / rate.low) / 2 for _, a, b in pairs for rate in (a, b)])
    summary = {
        "numbers": len(pairs),
        "median_difference": float(np.median(differences)),
        "p90_difference": float(np.quantile(differences, 0.9)),
        "beyond_5_percent": int((differences > CLOSE).sum()),
        "in_each_others_bands": float(inside.mean()),
        "median_half_band": float(np.median(reach)),
        "seconds": seconds,
        "busy": [next(iter(one.values())).busy for one in weighings],
    }
    for name, value in summary.items():
        print(f"{name}: {value}")
    worst = sorted(zip(differences, pairs, inside, strict=True), key=lambda one: -one[0])
    exceptions = [
        {"name": name, "difference": float(d), "values": [a.value, b.value], "inside": bool(within)}
        for d, (name, a, b), within in worst
        if d > CLOSE or not within
    ]
    for one in exceptions[:25]:
        print(f"  {one['name']:48s} {one['difference']:7.1%} {'' if one['inside'] else 'outside of a band'}")
    return {"summary": summary, "exceptions": exceptions}


def compare(one: Mapping[str, CostTable], other: Mapping[str, CostTable]) -> list[tuple[str, Rate, Rate]]:
    """The same numbers of two weighings, each measured on the stack that it stands under."""
    found = []
    for stack, table in one.items():
        own = [name for name in table.rates if name in table.statements]
        for kind, names in (("bandwidth", list(table.bandwidth)), ("rates", own)):
            mine, theirs = getattr(table, kind), getattr(other[stack], kind)
            found += [(f"{stack} {kind} {name}", mine[name], theirs[name]) for name in names if name in theirs]
        found.append((f"{stack} call", table.call, other[stack].call))
    return found


# --- do predictions of other operations come true? ---

# Statement, family, and of n elements: operations and bytes. Written for NumPy; torch's spelling beside it.
OTHERS: list[tuple[str, str, str, Callable[[int], float], Callable[[int], float]]] = [
    ("x + 1.5", "x + 1.5", "elementwise", lambda n: n, lambda n: 8 * n),
    ("x - y", "x - y", "elementwise", lambda n: n, lambda n: 12 * n),
    ("x / y", "x / y", "elementwise", lambda n: n, lambda n: 12 * n),
    ("np.sqrt(x)", "torch.sqrt(x)", "elementwise", lambda n: n, lambda n: 8 * n),
    ("np.where(x > y, x, y)", "torch.where(x > y, x, y)", "elementwise", lambda n: 2 * n, lambda n: 16 * n),
    ("np.maximum(x, y)", "torch.maximum(x, y)", "elementwise", lambda n: n, lambda n: 12 * n),
    ("np.log(x)", "torch.log(x)", "transcendental", lambda n: n, lambda n: 8 * n),
    ("np.sin(x)", "torch.sin(x)", "transcendental", lambda n: n, lambda n: 8 * n),
    ("np.tanh(x)", "torch.tanh(x)", "transcendental", lambda n: n, lambda n: 8 * n),
    ("np.power(x, y)", "torch.pow(x, y)", "transcendental", lambda n: n, lambda n: 12 * n),
    ("m.sum(0)", "m.sum(0)", "reduction", lambda n: n, lambda n: 4 * n),
    ("m.mean(1)", "m.mean(1)", "reduction", lambda n: n, lambda n: 4 * n),
    ("x.max()", "x.max()", "reduction", lambda n: n, lambda n: 4 * n),
    ("np.cumsum(m, 1)", "torch.cumsum(m, 1)", "scan", lambda n: n, lambda n: 8 * n),
    ("m @ m", "m @ m", "contraction", lambda n: 2 * n**1.5, lambda n: 12 * n),
    ("m @ m[0]", "m @ m[0]", "contraction", lambda n: 2 * n, lambda n: 4 * n),
    ("np.fft.fft(x)", "torch.fft.fft(x)", "fft", lambda n: 5 * n * np.log2(n), lambda n: 12 * n),
    ("np.argsort(x)", "torch.argsort(x)", "sort", lambda n: n, lambda n: 12 * n),
    ("x[i]", "x[i]", "gather", lambda n: n, lambda n: 16 * n),
    ("w[i] = x", "w[i] = x", "scatter", lambda n: n, lambda n: 16 * n),
    ("np.linalg.cholesky(s)", "torch.linalg.cholesky(s)", "linalg", lambda n: n**1.5 / 3, lambda n: 8 * n),
    ("np.linalg.inv(s)", "torch.linalg.inv(s)", "linalg", lambda n: 2 * n**1.5, lambda n: 8 * n),
    ("m.T.copy()", "m.T.contiguous()", "copy", lambda n: n, lambda n: 8 * n),
    ("np.concatenate([x, y])", "torch.cat([x, y])", "copy", lambda n: 2 * n, lambda n: 16 * n),
]
ROWS = (16, 128, 512, 2048)
_held: dict[tuple[str, int], Timed] = {}


def begin_other(stack: str, number: int, rows: int) -> float:
    """Make one of the others in a child; the seconds of a call."""
    library = Stack.parse(stack).library
    values = np.random.default_rng(0).random((rows, rows), dtype=np.float32) + 0.5
    names: dict[str, Any] = {"np": np, "m": values, "x": values.ravel(), "y": values[::-1].ravel()}
    names["i"] = np.random.default_rng(1).permutation(rows * rows)
    names["w"] = values.ravel().copy()
    names["s"] = (
        values @ values.T / rows + np.eye(rows, dtype=np.float32) if rows < 1000 else np.eye(8, dtype=np.float32)
    )
    if library == "torch":
        import torch

        names = {k: torch.from_numpy(v.copy()) for k, v in names.items() if k != "np"} | {"torch": torch}
    timed = Timed(timeit.Timer(OTHERS[number][library == "torch"], globals=names))
    _held[stack, number * 100_000 + rows] = timed
    return timed.call_seconds


def take_other(stack: str, number: int, rows: int, seconds: float) -> float:
    """A slice of it."""
    return _held[stack, number * 100_000 + rows].low(seconds)


def predict(stacks: Sequence[Stack], budget: float) -> dict[str, Any]:
    tables = {table.stack: table for table in weigh(stacks, seconds=budget)}
    rows: list[dict[str, Any]] = []
    for stack in stacks:
        rows += _others(tables[str(stack)], stack)
    ratios = np.log([row["measured"] / row["predicted"] for row in rows])
    inside = np.mean([row["low"] <= row["measured"] <= row["high"] for row in rows])
    print(f"{len(rows)} operations; median error {np.median(np.abs(ratios)):.0%}, inside the band {inside:.0%}")
    for share in (0.5, 0.8, 0.9, 0.95):
        print(f"  {share:.0%} within {np.exp(np.quantile(np.abs(ratios), share)):.2f} times")
    for family in dict.fromkeys(row["family"] for row in rows):
        own = [abs(np.log(row["measured"] / row["predicted"])) for row in rows if row["family"] == family]
        half, most = np.exp(np.quantile(own, (0.5, 0.9)))
        print(f"  {family:15s} half within {half:.2f} times, 90 % within {most:.2f}")
    for row in sorted(rows, key=lambda row: abs(np.log(row["measured"] / row["predicted"])), reverse=True)[:15]:
        ratio = row["measured"] / row["predicted"]
        print(f"  {row['stack']:18s} {row['statement']:26s} {row['elements']:9,} {ratio:6.2f} times as predicted")
    return {"rows": rows, "inside": float(inside), "median_error": float(np.median(np.abs(ratios)))}


def _others(table: CostTable, stack: Stack) -> list[dict[str, Any]]:
    here = Path(__file__).stem
    with Worker(stack) as worker:
        series = {}
        for number, rows in itertools.product(range(len(OTHERS)), ROWS):
            if OTHERS[number][2] == "linalg" and rows > 1000:
                continue  # seconds each
            call = worker.call(f"{here}:begin_other", str(stack), number, rows, limit=60)

            def take(seconds: float, number: int = number, rows: int = rows) -> float:
                low: float = worker.call(f"{here}:take_other", str(stack), number, rows, seconds, limit=60)
                return low

            series[number, rows] = Series(take=take, call_seconds=call)
        measure(list(series.values()), seconds=25.0)
    found = []
    for (number, rows), one in series.items():
        _, _, family, operations, num_bytes = OTHERS[number]
        count = rows * rows
        rate = predict_seconds(table, family, "float32", operations=operations(count), num_bytes=num_bytes(count))  # type: ignore[arg-type]
        found.append({
            "stack": str(stack), "statement": OTHERS[number][stack.library == "torch"], "family": family,
            "elements": count,
            "measured": estimate(one.slices).value, "predicted": rate.value, "low": rate.low, "high": rate.high,
        })  # fmt: skip
    return found


# --- do the costs of blocks add up to models? ---

SHAPES = [
    {"width": 128, "num_heads": 4, "length": 256, "batch": 4},
    {"width": 256, "num_heads": 4, "length": 512, "batch": 2},
]
ATTEMPTS = 3
PATTERNS = ["(af)*4", "(afff)*2 f*2", "(wf)*4", "(af1)*3 (wf2)*2", "f*6", "(aif)*3"]


def blocks(stacks: Sequence[Stack]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for stack, shape, use in itertools.product(stacks, SHAPES, ("train", "prefill", "decode")):
        for _ in range(ATTEMPTS):  # both sides need the same machine: a busy one is asked again
            watch = BusyWatch()
            with tempfile.TemporaryDirectory() as cache:
                costs = block_costs(stack, **shape, use=use, cache=Path(cache))  # type: ignore[arg-type]
            whole = _whole(stack, shape, use)
            busy = watch.share()
            if busy <= BusyWatch.LIMIT:
                break
        for pattern, rate in whole.items():
            told = model_seconds(Pattern.parse(pattern), costs)
            rows.append({
                "stack": str(stack), "use": use, **shape, "pattern": pattern, "fixed": costs[FIXED].value, "busy": busy,
                "measured": rate.value, "predicted": told.value, "low": told.low, "high": told.high,
            })  # fmt: skip
            mark = "BUSY " if busy > BusyWatch.LIMIT else ""
            print(f"{mark}{stack} {use:8s} {shape['width']:4d} {pattern:18s} {rate.value * 1e3:8.2f} ms,"
                  f" sum {told.value * 1e3:8.2f} ms: {told.value / rate.value - 1:+.1%}")  # fmt: skip
    rows = [row for row in rows if row["busy"] <= BusyWatch.LIMIT] or rows
    errors = np.abs([row["predicted"] / row["measured"] - 1 for row in rows])
    print(f"{len(rows)} models: median error {np.median(errors):.1%}, worst {errors.max():.1%}")
    inside = np.mean([row["low"] <= row["measured"] <= row["high"] for row in rows])
    print(f"inside their bands: {inside:.0%}; within 15 %: {np.mean(errors < 0.15):.0%}")
    return {"rows": rows, "median_error": float(np.median(errors)), "worst": float(errors.max())}


def _whole(stack: Stack, shape: Mapping[str, int], use: str) -> dict[str, Rate]:
    child = "pennyweight.lottery.weighing.microbench.steps"
    with Worker(stack) as worker:
        series = {}
        for pattern in PATTERNS:
            step = Step(pattern=pattern, vocab_size=2048, window=128, use=use, **shape)  # type: ignore[arg-type]
            call = worker.call(f"{child}:begin", str(stack), step, limit=300)

            def take(seconds: float, step: Step = step) -> float:
                low: float = worker.call(f"{child}:take", str(stack), step, seconds, limit=300)
                return low

            series[pattern] = Series(take=take, call_seconds=call)
        measure(list(series.values()), seconds=sum(max(1.5, 6 * one.call_seconds) for one in series.values()))
    return {pattern: estimate(one.slices) for pattern, one in series.items()}


if __name__ == "__main__":
    main()
