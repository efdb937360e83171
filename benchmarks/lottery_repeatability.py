"""Do two lotteries of the same ideas say the same, on a quiet machine and beside other programs?

The layer's seven ideas on three stacks, held again and again: twice quietly, then beside programs that take a part of
the machine. Every pair of ideas on every stack at every size is compared with the first lottery: the same order, a tie
where the other has an order, or the opposite order. Kept in ``benchmarks/results/lottery_repeatability.json``.
Run it on an otherwise idle machine: ``python benchmarks/lottery_repeatability.py``.
"""

import argparse
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

from pennyweight.arrays.statistics import median
from pennyweight.core.machine import this_machine, usable_cores

STACKS = ["cpu/numpy/fp32/1t", "cpu/torch/fp32/1t", "cpu/jax/fp32/1t"]
LOADS = [0.0, 0.0, 0.15, 1.0]
_BEAT = 0.02


def busy(part: float) -> None:
    """Take a part of one core for ever, a hundredth of a second at a time."""
    while True:
        until = time.perf_counter() + part * _BEAT
        while time.perf_counter() < until:
            pass
        time.sleep((1 - part) * _BEAT)


@contextmanager
def others(part: float) -> Iterator[None]:
    """Other programs that want a part of the machine, on every core."""
    number = usable_cores() if part else 0
    running = [multiprocessing.Process(target=busy, args=(part,), daemon=True) for _ in range(number)]
    for process in running:
        process.start()
    try:
        yield
    finally:
        for process in running:
            process.terminate()
            process.join()


def lottery(budget: str, cache: str) -> dict[str, Any]:
    """A card as a document."""
    stacks = [word for stack in STACKS for word in ("--stack", stack)]
    command = [sys.executable, "-m", "pennyweight", "lottery", *stacks, "--budget", budget, "--runs", cache, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return dict(json.loads(done.stdout)["result"])


def places(card: dict[str, Any]) -> dict[tuple[str, str], dict[str, dict[str, Any]]]:
    """Rank and time of each idea, by size and stack."""
    found: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
    for board in card["results"]["boards"]:
        for place in board["places"]:
            found.setdefault((board["size"], place["stack"]), {})[place["idea"]] = place
    return found


def compared(first: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """How the orders of pairs agree, and how far ratios of times are apart."""
    orders: Counter[str] = Counter()
    apart = []
    theirs = places(other)
    for key, mine in places(first).items():
        for a, b in combinations([idea for idea in mine if idea in theirs.get(key, {})], 2):
            one, two = ([ranks[idea]["rank"] for idea in (a, b)] for ranks in (mine, theirs[key]))
            signs = [(rank[0] > rank[1]) - (rank[0] < rank[1]) for rank in (one, two)]
            orders["the same" if signs[0] == signs[1] else "opposite" if 0 not in signs else "a tie in one"] += 1
            ratios = [ranks[a]["time"]["value"] / ranks[b]["time"]["value"] for ranks in (mine, theirs[key])]
            apart.append(max(ratios) / min(ratios) - 1)
    return {"pairs": dict(orders), "ratios_apart": median(apart)._asdict(), "ratios_apart_most": max(apart)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--budget", default="75s")
    given = parser.parse_args()
    cards = []
    rows = []
    with tempfile.TemporaryDirectory() as cache:
        for part in LOADS:
            with others(part):
                card = lottery(given.budget, cache)
            cards.append(card)
            row = {"load": part, "busy": card["busy"], "status": card["status"], "spent": card["spent_seconds"]}
            if card["status"] == "done":
                row |= {"index": card["results"]["index"], "flips": len(card["results"]["flips"])}
                row |= compared(cards[0], card) if len(cards) > 1 else {}
            rows.append(row)
            print(json.dumps(row))
    document = {"machine": asdict(this_machine()), "stacks": STACKS, "budget": given.budget, "rows": rows}
    path = Path(__file__).parent / "results" / "lottery_repeatability.json"
    path.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
