"""Races and runs made up, with known numbers, and a reader of the pages about them."""

import dataclasses
import json
import math
import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal

from pennyweight.core.files import write_json
from pennyweight.core.race import SIDES, STEP_SECONDS, Interval, RaceResult, Side, SideName, Trial
from pennyweight.core.receipt import Assumptions, Receipt, Result, Spent
from pennyweight.core.run import Run

SPREAD = {0: -0.01, 1: 0.0, 2: 0.01}
SWEPT = {0.0015: 2.31, 0.003: 2.24, 0.006: 2.29}
RATIO = Interval(value=0.9687, low=0.95, high=0.988)
NO_VALUES: tuple[tuple[SideName, int], ...] = ()


def a_receipt(*, value: float = 2.013, seed: int = 0, notes: Sequence[str] = (), **changes: Any) -> Receipt:
    """What fit writes at the end of a run, with known numbers."""
    receipt = Receipt(
        recipe="par/tiny",
        config={"pattern": "par(5)", "fit": {"batch": 8}},
        stack="cpu/torch/bf16/2t",
        machine={
            "processor": "A processor",
            "cores": 2,
            "memory_bytes": 8_000_000_000,
            "system": "Linux x86_64, Python 3.11",
            "accelerator": "",
            "torch": "2.13.0",
            "variables": {"OMP_NUM_THREADS": "2"},
            "fingerprint": "0123456789ab",
            "processes": 1,
        },
        seed=seed,
        data={"name": "built-in text", "sha256": "ab" * 32, "split": "by document, 90/5/5"},
        asked="63.00s",
        spent=Spent(
            train_seconds=63.21 + seed,
            validation_seconds=4.5,
            saving_seconds=0.2,
            calibration_seconds=1.5,
            lost_seconds=0.0,
            steps=411 + seed,
            samples=3288 + 8 * seed,
            peak_bytes=734_000_000,
            joules=None,
        ),
        result=Result(
            metric="bits per byte",
            unit="bits/byte",
            better="lower",
            value=value,
            low=value - 0.03,
            high=value + 0.03,
            interval="95 % bootstrap over 59 documents",
            details={"nats per token": 3.912},
        ),
        baselines={"untrained": 3.702, "byte trigrams": 2.391},
        parameters=1_604_352,
        assumptions=Assumptions(watts=65.0),
        notes=tuple(notes),
    )
    return dataclasses.replace(receipt, **changes)


def metrics(*, floor: float, seconds: float = 63.0, num_steps: int = 126) -> list[dict[str, Any]]:
    """The records of a run whose loss falls towards 2 ``floor`` and whose metric falls towards ``floor``."""
    records: list[dict[str, Any]] = []
    for step in range(num_steps + 1):
        part = step / num_steps
        fall = math.exp(-5 * part)
        record = {"step": step, "samples": 8 * step, "seconds": seconds * part, "fraction": part}
        if step:
            wobble = 0.1 * math.sin(step * step)
            records.append({"kind": "step", **record, "lr": 0.003 * (1 - part), "loss": 2 * floor + 3 * fall + wobble})
        if step % (num_steps // 6) == 0:
            records.append({"kind": "validation", **record, "value": floor + 1.7 * fall})
    return records


def a_race(
    folder: Path,
    *,
    idea: float = 2.013,
    rival: float = 2.078,
    diverged: Sequence[tuple[SideName, int]] = NO_VALUES,
    ratio: Interval | None = RATIO,
    verdict: Literal["idea", "rival", "undecided"] = "idea",
    **changes: Any,
) -> RaceResult:
    """A finished race on disk with three seeds a side, as `lottery.race` leaves it."""
    means: dict[SideName, float] = {"idea": idea, "rival": rival}
    trials, sweep = [], []
    for seed, shift in SPREAD.items():
        for side in SIDES:
            name = f"par-tiny-20260101T00000{seed}Z-{side[0]}{seed}aa"
            lost = (side, seed) in diverged
            value = None if lost else means[side] + shift
            records = metrics(floor=means[side] + shift, seconds=63.0 + 0.1 * seed)
            run = folder / "trials" / name
            run.mkdir(parents=True)
            write_json(run / "config.json", {"recipe": "par/tiny", "budget": "63.00s"})
            (run / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
            if value is not None:
                write_json(run / "receipt.json", a_receipt(value=value, seed=seed).to_document())
            curve = tuple((r["seconds"], r["value"]) for r in records if r["kind"] == "validation")
            trials.append(
                Trial(
                    side=side,
                    seed=seed,
                    tuned=0.003,
                    run=f"trials/{name}",
                    seconds=63.21 + seed,
                    value=value,
                    curve=curve[:3] if lost else curve,
                    receipt="" if lost else f"trials/{name}/receipt.json",
                )
            )
    for index, (tuned, value) in enumerate(SWEPT.items()):
        for side in SIDES:
            name = f"par-tiny-20260101T00001{index}Z-{side[0]}5bb"
            write_json(folder / "trials" / name / "config.json", {"recipe": "par/tiny", "budget": "21.08s"})
            found = value + (0.05 if side == "rival" else 0)
            sweep.append(
                Trial(
                    side=side,
                    seed=0,
                    tuned=tuned,
                    run=f"trials/{name}",
                    seconds=21.02,
                    value=found,
                    curve=((0.0, 3.7), (21.02, found)),
                )
            )
    result = RaceResult(
        name="par",
        claim="Replacing 63 % of the attention blocks keeps the perplexity.",
        recipe="par/tiny",
        sides={
            "idea": Side(name="PAR rule, p = 5", settings={"pattern": "par(5)"}),
            "rival": Side(name="interleaved", settings={"pattern": "interleaved"}),
        },
        metric="bits per byte",
        unit="bits/byte",
        better="lower",
        stack="cpu/torch/bf16/2t",
        stack_seconds={"cpu/torch/bf16/2t": 0.3, "cpu/torch/fp32/2t": 0.36},
        asked="600s",
        trial_budget="63.00s",
        spent_seconds=574.3,
        confidence=0.99,
        seeds=tuple(SPREAD),
        data={"name": "built-in text", "sha256": "ab" * 32, "split": "by document, 90/5/5"},
        tuned="fit.optimizer.lr",
        chosen={"idea": 0.003, "rival": 0.003},
        sweep=tuple(sweep),
        trials=tuple(trials),
        ratio=ratio,
        verdict=verdict,
        time_to_equal=None if diverged else Interval(value=0.712, low=0.6, high=0.84),
        equal_quality=None if diverged else 2.0837,
        figures={
            side: {
                "parameters": 1_604_352.0,
                STEP_SECONDS: seconds,
                "bytes of a training step": 412_345_678.0,
                "attention blocks": attention,
                "FLOPs per token": flops,
                "cache bytes at the context": cache,
                **{f"recall at {d}": recall - d / 1200 for d in (64, 128, 256, 496)},
                **{f"recall floor at {d}": 0.004 for d in (64, 128, 256, 496)},
            }
            for side, seconds, attention, flops, cache, recall in (
                ("idea", 0.1537, 3.0, 3_214_336.0, 786_432.0, 0.71),
                ("rival", 0.1766, 6.0, 3_604_480.0, 1_572_864.0, 0.93),
            )
        },
        speeds={
            "prefill": {"unit": "tokens/s", "idea": 21034.0, "rival": 17210.0, "ratio": _ratio(1.222, 1.18, 1.26)},
            "decode": {"unit": "tokens/s", "idea": 412.3, "rival": 356.1, "ratio": _ratio(1.158, 1.11, 1.2)},
            "training": {"unit": "samples/s", "idea": 52.1, "rival": 45.3, "ratio": _ratio(1.15, 1.09, 1.213)},
        },
        baselines={"untrained idea": 3.702, "untrained rival": 3.698, "byte trigrams": 2.391, "xz": 2.702},
        notes=("the machine was busy: other processes took 23% of its processors",),
        probes={
            side: {f"recall at {d}": tuple(r - d / 1200 + s for s in SPREAD.values()) for d in (64, 128, 256, 496)}
            for side, r in (("idea", 0.71), ("rival", 0.93))
        },
        gaps={f"recall at {d}": Interval(value=-0.22, low=-0.252, high=-0.188) for d in (64, 128, 256, 496)},
    )
    result = dataclasses.replace(result, **changes)
    write_json(folder / "race.json", dataclasses.asdict(result))
    return result


def _ratio(value: float, low: float, high: float) -> Interval:
    return Interval(value=value, low=low, high=high)


def a_run(folder: Path, *, finished: bool = True, **changes: Any) -> Run:
    """A run on disk; an unfinished one has made two fifths of its steps."""
    folder.mkdir(parents=True)
    write_json(folder / "config.json", {"schema": 1, "recipe": "par/tiny", "budget": "63.00s", "stack": "cpu"})
    records = metrics(floor=2.013)
    kept = records if finished else [record for record in records if record["fraction"] <= 0.4]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in kept))
    if finished:
        write_json(folder / "receipt.json", a_receipt(**changes).to_document())
    return Run(folder)


class Reader(HTMLParser):
    """Reads a page as a browser would: its links, ids, addresses, elements, and its cells with their links."""

    VOID = frozenset({"meta", "link", "br", "img"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.cells: list[tuple[str, str]] = []
        self._cell: list[str] | None = None
        self._href = ""
        self.open: list[str] = []
        self.feed(text)
        assert self.open == [], "an element is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.tags.add(tag)
        for name, value in attrs:
            assert not name.startswith("on"), f"a script in an attribute: {name}"
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")
            if name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster"):
                self.addresses.append(value or "")
            if name == "href" and self._cell is not None:
                self._href = value or ""
        if tag == "td":
            self._cell, self._href = [], ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
        if tag == "td" and self._cell is not None:
            self.cells.append(("".join(self._cell), self._href))
            self._cell = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell is not None:
            self._cell.append(data)


def links_by_number(text: str) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {}
    for content, href in Reader(text).cells:
        if match := re.match(r"[\d.,]+", content):
            found.setdefault(match[0], set()).add(href)
    return found
