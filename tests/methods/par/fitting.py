"""Texts small enough to learn something of in seconds, and a fit that is asked for in samples."""

import json
from pathlib import Path

import torch

from pennyweight.core import fit as fitting
from pennyweight.core.budget import Budget
from pennyweight.core.recipe import Config, override
from pennyweight.core.registry import find_recipe
from pennyweight.core.run import Run
from pennyweight.core.stack import Stack

STACK = Stack.parse("cpu/torch/fp32/1t")

SMALL = {
    "pattern": "afaf",
    "width": 32,
    "num_heads": 2,
    "context": 48,
    "data.tokenizer": "bytes",
    "fit.batch": 8,
    "fit.optimizer.lr": 5e-3,
    "fit.validations": 0,
}

COLOURS = ("red", "green", "blue", "amber")


def a_config(recipe: str, **settings: object) -> Config:
    method, name = find_recipe(recipe)
    return override(method.recipe(name), {**SMALL, **settings})


def fitted(recipe: str, config: Config, folder: Path, *, samples: int, floors: bool = False) -> Run:
    """A finished run."""
    trainer = fitting.begin(
        recipe, config, runs=folder / "runs", cache=folder / "cache", budget=Budget(samples=samples), stack=STACK
    )
    with trainer.run.locked():
        fitting.fit(trainer, cache=folder / "cache", floors=floors)
    return trainer.run


def texts_of_colours(folder: Path, *, number: int = 60) -> Path:
    """A folder with a class for each colour; the text says it once in a line of figures."""
    for n in range(number):
        colour = COLOURS[n % len(COLOURS)]
        file = folder / colour / f"{n}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{n * 7919 % 9973} {colour} {n * 104729 % 9967}", encoding="utf-8")
    return folder


def build(config: Config, folder: Path) -> torch.nn.Module:
    method, _ = find_recipe("par")
    return method.build(config, cache=folder / "cache")


def questions_of_colours(folder: Path, *, number: int, unanswered: bool = True) -> Path:
    """A file in SQuAD's format: each passage tells the colour of a box, some of the questions ask where it stands."""
    folder.mkdir(parents=True, exist_ok=True)
    articles = []
    for n in range(number):
        colour = COLOURS[n * 7919 % 11 % len(COLOURS)]
        before = ("It is dry. ", "", "Nobody came today. ")[n % 3]
        passage = f"{before}The box {n} is {colour} now. It was {n * 31 % 97}."
        answers = [{"text": colour, "answer_start": passage.index(colour)}]
        asked = [{"question": f"Which colour has box {n}?", "answers": answers}]
        if unanswered and n % 3 == 0:
            asked.append({"question": f"Where is box {n}?", "answers": [], "is_impossible": True})
        articles.append({"title": f"box {n}", "paragraphs": [{"context": passage, "qas": asked}]})
    path = folder / "questions.json"
    path.write_text(json.dumps({"version": "v2.0", "data": articles}), encoding="utf-8")
    return path
