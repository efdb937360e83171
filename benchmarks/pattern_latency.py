"""Do the prices of blocks foretell whole models? Twenty unseen patterns, on two stacks, in three uses.

    python benchmarks/pattern_latency.py

The models have the size of ``par/tiny``. Patterns are drawn once, evenly over how many blocks of each kind they have.
For each stack and use blocks and models are timed in turns, because a machine that is shared may run a third slower
from one minute to the next, and that would be taken for an error of the prices. Run it on an otherwise idle machine;
results are kept below ``benchmarks/results``.
"""

import itertools
import json
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from pennyweight.blocks.pattern import Pattern
from pennyweight.core.cost import Rate, Use
from pennyweight.core.machine import BusyWatch, this_machine
from pennyweight.core.stack import candidates
from pennyweight.lottery.weighing.blocks import BASE, costs_out_of, model_seconds, steps_for_costs
from pennyweight.lottery.weighing.microbench.steps import Step
from pennyweight.lottery.weighing.models import step_rates
from pennyweight.methods.par.search.choose import divisions
from pennyweight.methods.par.search.menu import LETTERS, Menu

RESULT = Path(__file__).parent / "results" / "pattern_latency.json"
SIZE = {"width": 128, "num_heads": 4, "window": 128, "vocab_size": 2048}
USES: dict[Use, dict[str, int]] = {
    "train": {"length": 512, "batch": 8},
    "prefill": {"length": 512, "batch": 1},
    "decode": {"length": 4096, "batch": 1},
}
NUM_PATTERNS, NUM_BLOCKS = 20, 12


def patterns() -> list[str]:
    """Unseen patterns with all numbers of live blocks, from a few to all."""
    generator = np.random.default_rng(2009_04534)
    menu = Menu(num_blocks=NUM_BLOCKS)
    counts = divisions(menu)
    found = []
    for row in counts[generator.choice(len(counts), NUM_PATTERNS, replace=False)]:
        letters = [letter for letter, number in zip(menu.letters, row, strict=True) for _ in range(number)]
        found.append(str(Pattern.parse("".join(str(letter) for letter in generator.permutation(letters)))))
    return found


def main() -> None:
    rows: list[dict[str, Any]] = []
    chosen = patterns()
    for stack, (use, shape) in itertools.product(candidates(), USES.items()):
        watch = BusyWatch()
        model = Step(pattern=BASE, **SIZE, **shape, use=use)
        pricing = steps_for_costs(model, LETTERS)
        steps = {text: Step(pattern=text, **SIZE, **shape, use=use) for text in chosen}
        rates = step_rates(stack, {**pricing, **steps})
        costs = {**costs_out_of({name: rates[name] for name in pricing}, use), "i": Rate(value=0.0, low=0.0, high=0.0)}
        busy = watch.share()
        for text in chosen:
            rate = rates[text]
            told = model_seconds(Pattern.parse(text), costs)
            rows.append({
                "stack": str(stack), "use": use, **shape, "pattern": text, "busy": busy,
                "measured": rate.value, "foreseen": told.value, "low": told.low, "high": told.high,
            })  # fmt: skip
        own = [abs(row["foreseen"] / row["measured"] - 1) for row in rows[-len(chosen) :]]
        print(f"{stack} {use:8s} median {median(own):.1%}, worst {max(own):.1%}, others took {busy:.0%}", flush=True)
    errors = [abs(row["foreseen"] / row["measured"] - 1) for row in rows]
    print(f"{len(rows)} models: median {median(errors):.1%}, worst {max(errors):.1%}")
    document = {"machine": {**vars(this_machine())}, "rows": rows, "median_error": median(errors), "worst": max(errors)}
    RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
