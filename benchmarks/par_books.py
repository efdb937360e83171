"""Does the pattern that was found train faster than the interleaved one of no fewer parameters? Five seeds, on books.

    python benchmarks/par_books.py train BOOKS.parquet --runs FOLDER [--seeds 5]
    python benchmarks/par_books.py conclude --runs FOLDER

``train`` makes one run a side and seed, in turn, each of a number of samples, and goes on where it was stopped. The
rival gets 1,200 steps; the others as many as fit into 0.70 of its time at the prices that they were chosen by. Being
counted in samples, quality does not depend on what else the machine does. ``conclude`` reads the receipts, times steps,
reading and writing of all sides in turns (run it on an idle machine), probes recall, and compares.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from platformdirs import user_cache_path

from pennyweight.arrays.statistics import difference_of_means, ratio_of_means
from pennyweight.core import fit as fitting
from pennyweight.core.budget import Budget
from pennyweight.core.cost import Rate, Use
from pennyweight.core.machine import this_machine
from pennyweight.core.recipe import override
from pennyweight.core.registry import find_recipe
from pennyweight.core.run import Run, find_runs
from pennyweight.core.stack import Stack
from pennyweight.lottery.weighing.microbench.steps import Step
from pennyweight.lottery.weighing.models import step_rates
from pennyweight.methods.par.config import ParConfig
from pennyweight.methods.par.task import LanguageModel, recall, recall_distances

RESULT = Path(__file__).parent / "results" / "par_books.json"
STACK = Stack.parse("cpu/torch/bf16/2t")
RECIPE = "par/tiny"
SIDES: dict[str, tuple[str, int]] = {
    "interleaved": ("interleaved", 9600),
    "found": ("wff2ff1f2wff2ff1f", 11200),
    "PAR rule": ("affffffff", 12800),
}
"""Pattern and samples. The rule is as deep as the latency that the search was given lets it be."""
RIVAL = "interleaved"
SHAPES: dict[Use, dict[str, int]] = {
    "train": {"length": 512, "batch": 8},
    "prefill": {"length": 4096, "batch": 1},
    "decode": {"length": 4096, "batch": 1},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["train", "conclude"])
    parser.add_argument("books", nargs="?", default="")
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    if options.what == "train":
        train(Path(options.books).absolute(), options.runs, options.seeds)
    else:
        conclude(options.runs)


def train(books: Path, runs: Path, seeds: int) -> None:
    cache = user_cache_path("pennyweight")
    method, name = find_recipe(RECIPE)
    for seed in range(seeds):
        for side, (pattern, samples) in SIDES.items():
            settings = {"pattern": pattern, "fit.seed": seed, "data.path": str(books), "data.column": "text"}
            folder = runs / side.replace(" ", "-") / f"seed-{seed}"
            before = find_runs(folder)
            if before and before[-1].receipt is not None:
                continue
            if before:
                trainer = fitting.resume(before[-1], cache=cache)
            else:
                config = override(method.recipe(name), settings)
                budget = Budget(samples=samples)
                trainer = fitting.begin(RECIPE, config, runs=folder, cache=cache, budget=budget, stack=STACK)
            with trainer.run.locked():
                receipt = fitting.fit(trainer, cache=cache)
            print(f"{side}, seed {seed}: {receipt.result.value:.4f}", flush=True)


def conclude(runs: Path) -> None:
    found = {side: _finished(runs / side.replace(" ", "-")) for side in SIDES}
    found = {side: own for side, own in found.items() if own}
    rates = {use: _rates(use, [*found]) for use in SHAPES}
    scores = {side: [run.receipt["result"]["value"] for run in own] for side, own in found.items()}  # type: ignore[index]
    checks = {side: [run.metrics("validation")[-1]["value"] for run in own] for side, own in found.items()}
    recalls = {side: [_recall(run) for run in own] for side, own in found.items()}
    sides: dict[str, Any] = {}
    for side, own in found.items():
        config = ParConfig(**{**_size(), "pattern": SIDES[side][0]})
        task = fitting.load_task(own[0], cache=user_cache_path("pennyweight"))
        assert isinstance(task, LanguageModel)
        steps = own[0].receipt["spent"]["steps"]  # type: ignore[index]
        sides[side] = {
            "pattern": str(config.parsed_pattern()),
            "seeds": len(own),
            "steps": steps,
            "parameters": task.num_parameters(),
            "cache bytes at 4,096": task.model.config.cache_bytes(1, 4096, 2),
            "training seconds": steps * rates["train"][side].value,
            "step": {use: asdict(rates[use][side]) for use in SHAPES},
            "test": scores[side],
            "validation": checks[side],
            "recall": recalls[side],
        }
    compared = {side: _compared(sides[side], sides[RIVAL]) for side in sides if side != RIVAL}
    RESULT.write_text(
        json.dumps({"machine": vars(this_machine()), "sides": sides, "over the rival": compared}, indent=1) + "\n",
        encoding="utf-8",
    )
    print(json.dumps(compared, indent=1))


def _finished(folder: Path) -> list[Run]:
    return [run for seed in sorted(folder.glob("seed-*")) for run in find_runs(seed) if run.receipt is not None]


def _size() -> dict[str, Any]:
    return {"num_blocks": 12, "width": 128, "num_heads": 4, "window": 128, "context": 512}


def _rates(use: Use, sides: list[str]) -> dict[str, Rate]:
    steps = {}
    for side in sides:
        config = ParConfig(**{**_size(), "pattern": SIDES[side][0]})
        steps[side] = Step(
            pattern=str(config.parsed_pattern()), vocab_size=2048, width=config.width, num_heads=config.num_heads,
            window=config.window, use=use, **SHAPES[use],
        )  # fmt: skip
    return step_rates(STACK, steps, seconds_each=6.0)


@torch.no_grad()
def _recall(run: Run) -> dict[str, float]:
    STACK.activate()
    task = fitting.load_task(run, cache=user_cache_path("pennyweight"))
    assert isinstance(task, LanguageModel)
    return {
        str(distance): recall(task.model, distance=distance, vocab_size=task.tokenizer.vocab_size)["accuracy"]
        for distance in recall_distances(task.config.context)
    }


def _compared(side: Mapping[str, Any], rival: Mapping[str, Any]) -> dict[str, Any]:
    told = {
        "training time": side["training seconds"] / rival["training seconds"],
        "parameters": side["parameters"] / rival["parameters"],
        "cache": side["cache bytes at 4,096"] / rival["cache bytes at 4,096"],
        **{f"{use} step": side["step"][use]["value"] / rival["step"][use]["value"] for use in SHAPES},
    }
    for split in ("test", "validation"):
        if min(len(side[split]), len(rival[split])) > 1:
            estimate = ratio_of_means(side[split], rival[split], confidence=0.99)
            told[split] = [estimate.value, estimate.low, estimate.high]
    for distance in rival["recall"][0]:
        a, b = ([one[distance] for one in own["recall"]] for own in (side, rival))
        if min(len(a), len(b)) > 1:
            estimate = difference_of_means(a, b, confidence=0.99)
            told[f"recall at {distance}, points"] = [100 * v for v in (estimate.value, estimate.low, estimate.high)]
        else:
            told[f"recall at {distance}, points"] = 100 * (fmean(a) - fmean(b))
    return told


if __name__ == "__main__":
    main()
