"""Does the pattern that was found train faster than the interleaved one of no fewer parameters? Five seeds, on books.

    python benchmarks/par_books.py train BOOKS.parquet --runs FOLDER [--seeds 5] [--sides interleaved,found]
    python benchmarks/par_books.py conclude --runs FOLDER

``train`` makes one run a side and seed, in turn, each of a number of samples, and goes on where it was stopped. The
rival gets 1,200 steps; the others as many as fit into 0.70 of its time at the prices that they were chosen by. Being
counted in samples, quality does not depend on what else the machine does. ``conclude`` reads the receipts, times steps,
reading and writing of all sides in turns (run it on an idle machine), probes recall, and compares.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
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
from pennyweight.core.recipe import from_document, override
from pennyweight.core.registry import find_recipe
from pennyweight.core.run import Run, find_runs
from pennyweight.core.stack import Stack
from pennyweight.lottery.weighing.microbench.steps import Step
from pennyweight.lottery.weighing.models import step_rates
from pennyweight.methods.par.config import ParConfig
from pennyweight.methods.par.task import LanguageModel, recall, recall_distances
from pennyweight.methods.par.text import token_nats

RESULT = Path(__file__).parent / "results" / "par_books.json"
STACK = Stack.parse("cpu/torch/bf16/2t")
RECIPE = "par/tiny"
SIDES: dict[str, tuple[tuple[str, ...], int]] = {
    "interleaved": (("interleaved",), 9600),
    "found": (("wff2ff1f2wff2ff1f",), 11200),
    "PAR rule": (("affffffff",), 12800),
    "random": (
        ("iaf1f1f1wf2f2ifiw", "wif1ifff1iwwif1", "wiaf1if1iwif2ff", "f2iff2wiaf2iaf2i", "af1awif1if1f1f2f2f1"),
        11200,
    ),
}
"""Patterns, one for all seeds or one a seed, and samples. The rule is as deep as the latency that the search was given
lets it be. Patterns of chance are the first that `rivals.drawn` gives for seeds 0 to 4 within the limits of the search
and at no less than 0.57 of the reference's step, so that they cost what the found one costs."""
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
    parser.add_argument("--sides", default=",".join(SIDES), help="those to train, parted by commas")
    options = parser.parse_args()
    if options.what == "train":
        train(Path(options.books).absolute(), options.runs, options.seeds, options.sides.split(","))
    else:
        conclude(options.runs)


def train(books: Path, runs: Path, seeds: int, sides: Sequence[str]) -> None:
    cache = user_cache_path("pennyweight")
    method, name = find_recipe(RECIPE)
    for seed in range(seeds):
        for side in sides:
            patterns, samples = SIDES[side]
            settings = {
                "pattern": patterns[seed % len(patterns)],
                "fit.seed": seed,
                "data.path": str(books),
                "data.column": "text",
            }
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
    patterns = sorted({_pattern(run) for own in found.values() for run in own})
    rates = {use: _rates(use, patterns) for use in SHAPES}
    sides = {side: [_told(run, rates) for run in own] for side, own in found.items()}
    compared = {side: _compared(own, sides[RIVAL]) for side, own in sides.items() if side != RIVAL}
    # What chance finds when it may try as often as there are seeds: the one that validates best.
    searched = min(sides.get("random", []), key=lambda one: one["validation"], default=None)
    document: dict[str, Any] = {
        "machine": vars(this_machine()), "sides": sides, "over the rival": compared,
        "best of random": searched and {key: searched[key] for key in ("pattern", "validation", "test")},
    }  # fmt: skip
    if "found" in sides:
        document["found over"] = {
            side: _compared(sides["found"], sides[side]) for side in ("PAR rule", "random") if side in sides
        }
    RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: value for key, value in document.items() if key != "sides"}, indent=1))


def _finished(folder: Path) -> list[Run]:
    return [run for seed in sorted(folder.glob("seed-*")) for run in find_runs(seed) if run.receipt is not None]


def _pattern(run: Run) -> str:
    written = run.document["config"]["pattern"]
    return str(ParConfig(**{**_size(), "pattern": written}).parsed_pattern())


def _size() -> dict[str, Any]:
    return {"num_blocks": 12, "width": 128, "num_heads": 4, "window": 128, "context": 512}


def _rates(use: Use, patterns: list[str]) -> dict[str, Rate]:
    steps = {
        pattern: Step(
            pattern=pattern, vocab_size=2048, width=128, num_heads=4, window=128, use=use, **SHAPES[use]
        )
        for pattern in patterns
    }  # fmt: skip
    return step_rates(STACK, steps, seconds_each=6.0)


def _told(run: Run, rates: Mapping[Use, Mapping[str, Rate]]) -> dict[str, Any]:
    """What one run cost and what came of it."""
    STACK.activate()
    method, name = find_recipe(RECIPE)
    config = from_document(type(method.recipe(name)), run.document["config"])
    task = method.build(config, cache=user_cache_path("pennyweight"))
    assert isinstance(task, LanguageModel)
    assert run.receipt is not None
    fitting.load_weights(task, run)
    pattern, steps = _pattern(run), run.receipt["spent"]["steps"]
    return {
        "pattern": pattern,
        "seed": run.receipt["seed"],
        "steps": steps,
        "parameters": task.num_parameters(),
        "cache bytes at 4,096": task.model.config.cache_bytes(1, 4096, 2),
        "training seconds": steps * rates["train"][pattern].value,
        "step": {use: asdict(rates[use][pattern]) for use in SHAPES},
        "test": run.receipt["result"]["value"],
        "validation": run.metrics("validation")[-1]["value"],
        "recall": {
            str(distance): recall(task.model, distance=distance, vocab_size=task.tokenizer.vocab_size)["accuracy"]
            for distance in recall_distances(task.config.context)
        },
        "nats by tokens read": _nats_by_tokens_read(task),
    }


@torch.no_grad()
def _nats_by_tokens_read(task: LanguageModel) -> dict[str, float]:
    """The loss on the last 64 tokens of validation windows, by how many tokens up to their end are read."""
    context, judged = task.config.context, 64
    tokens = torch.cat([batch["tokens"][(batch["targets"] >= 0).all(1)] for batch in task.held_out("validation")])
    nats = {}
    for read in (64, 128, 256, context):
        part = tokens[:, context - read :]
        logits = [task.model(rows[:, :-1])[:, -judged:] for rows in torch.split(part, 32)]
        nats[str(read)] = float(token_nats(torch.cat(logits), part[:, -judged:]).mean())
    return nats


def _compared(own: list[dict[str, Any]], rival: list[dict[str, Any]]) -> dict[str, Any]:
    """Ratios of means; of what was trained on several seeds, value and 99 % interval."""
    told: dict[str, Any] = {
        key: _mean(own, key) / _mean(rival, key) for key in ("training seconds", "parameters", "cache bytes at 4,096")
    }
    for use in SHAPES:
        ours, theirs = (fmean(one["step"][use]["value"] for one in side) for side in (own, rival))
        told[f"{use} step"] = ours / theirs
    several = min(len(own), len(rival)) > 1
    for split in ("test", "validation"):
        if several:
            estimate = ratio_of_means([x[split] for x in own], [x[split] for x in rival], confidence=0.99)
            told[split] = [estimate.value, estimate.low, estimate.high]
        else:
            told[split] = _mean(own, split) / _mean(rival, split)
    for distance in rival[0]["recall"]:
        a, b = ([one["recall"][distance] for one in side] for side in (own, rival))
        if several:
            estimate = difference_of_means(a, b, confidence=0.99)
            told[f"recall at {distance}, points"] = [100 * v for v in (estimate.value, estimate.low, estimate.high)]
        else:
            told[f"recall at {distance}, points"] = 100 * (fmean(a) - fmean(b))
    return told


def _mean(side: list[dict[str, Any]], key: str) -> float:
    return fmean(one[key] for one in side)


if __name__ == "__main__":
    main()
