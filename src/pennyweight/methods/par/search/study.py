"""A search under way in a folder: parent, scores, super-network, candidates, measurements, each kept when it is done.

A stage is a run of its own below the folder, with its budget, checkpoints and receipt, so that a search which was
killed goes on inside the stage where it was.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from pennyweight.blocks.pattern import Pattern
from pennyweight.core import fit as fitting
from pennyweight.core import randomness, registry
from pennyweight.core.budget import Budget
from pennyweight.core.cost import Rate, Use
from pennyweight.core.errors import UserError
from pennyweight.core.files import write_json
from pennyweight.core.machine import BusyWatch
from pennyweight.core.recipe import override
from pennyweight.core.run import Run, find_runs
from pennyweight.core.stack import Stack
from pennyweight.core.task import Task
from pennyweight.methods.par.search.choose import Front
from pennyweight.methods.par.search.distance import attention_distances, even_distance
from pennyweight.methods.par.search.healing import Healing
from pennyweight.methods.par.search.menu import Limit, parameter_prices
from pennyweight.methods.par.search.plan import Instruments, Plan, Report, SearchedConfig
from pennyweight.methods.par.search.result import (
    Architecture,
    Candidate,
    Elsewhere,
    Origin,
    Point,
    Scores,
    SearchResult,
)
from pennyweight.methods.par.search.rivals import field
from pennyweight.methods.par.search.scoring import BlockScoring, increases
from pennyweight.methods.par.search.substitutes import worths
from pennyweight.methods.par.search.supernet import SuperNet, SuperNetConfig
from pennyweight.methods.par.task import LanguageModel, recall, recall_distances
from pennyweight.methods.par.text import TextTask

REFERENCE = "reference"
BY_BLOCKS, BY_SUPERNET = "replace one block", "super-network"
_FRONT_POINTS = 24
_CHECKPOINT_SECONDS = 20.0
_DISTANCE_WINDOWS = 4
_RECALL_DISTANCES = 2


class Study:
    """A planned search in its folder, which nobody else may write meanwhile.

    ``parent`` is the untrained task with its data and the reference's pattern, made from ``config``.
    """

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        parent: TextTask,
        config: SearchedConfig,
        *,
        instruments: Instruments,
        cache: Path,
        report: Report = lambda stage, done: None,
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.folder = folder
        self.plan = plan
        self.parent = parent
        self.config = config
        self.instruments = instruments
        self.cache = cache
        self._report = report
        self._note = note
        self._stack = Stack.parse(plan.stack)
        self._reference = parent.model.config.pattern
        self._menu = plan.wish.menu(self._reference)
        self._limits = plan.limits(self._reference)
        self._device = self._stack.activate()
        self._kept: dict[str, float] = {}
        """Seconds of the stages that were finished before this session."""

    def run(self) -> SearchResult:
        """All stages that are not done yet, then the measurements; writes ``search.json``."""
        started = time.monotonic()
        watch = BusyWatch()
        trained_parent = self._train_parent()
        scoring, scores = self._score()
        front = Front(self._menu, worths(increases(scores.added), self._menu, scoring.substitutes.own))
        supernet, architecture = self._search_architecture(scoring)
        chosen = self._chosen(front, supernet)
        trained = {name: self._train(name, pattern, origin, scoring) for name, (pattern, origin) in chosen.items()}
        rates = self._rates({name: pattern for name, (pattern, _) in chosen.items()})
        candidates = [
            self._candidate(name, pattern, origin, trained[name], rates[name], front)
            for name, (pattern, origin) in chosen.items()
        ]
        found = self._best(candidates)
        prices = [limit.prices for limit in self._limits]
        result = SearchResult(
            recipe=self.plan.recipe,
            settings=self.plan.settings,
            limits=self.plan.wish.limits,
            most={limit.prices.quantity: limit.most for limit in self._limits},
            units={price.quantity: price.unit for price in prices},
            reference=str(self._reference),
            menu=self._menu.letters,
            heal=self.plan.wish.heal,
            metric=self.parent.metric.name,
            unit=self.parent.metric.unit,
            better=self.parent.metric.better,
            stack=self.plan.stack,
            seed=self.config.fit.seed,
            asked=self.plan.asked,
            spent_seconds=self.plan.setup_seconds + sum(self._kept.values()) + time.monotonic() - started,
            data=self.plan.data,
            parent=trained_parent,
            scores=scores,
            architecture=architecture,
            candidates=tuple(candidates),
            found=found.name,
            front=tuple(self._points(front)),
            stacks=tuple(self._elsewhere(stack, front) for stack in self.plan.prices),
            distances=self._distances(trained[found.name]),
            even_distance=even_distance(self.config.context, causal=self.parent.model.config.causal),
            candidate_budget=self.plan.budgets["candidates"],
            notes=tuple(filter(None, [watch.sentence()])),
        )
        write_json(self.folder / "search.json", asdict(result))
        return result

    # --- stages ---

    def _stage(self, name: str, told: str, config: SearchedConfig, make: Callable[[], Task], budget: str) -> Run:
        """The finished run of a stage: kept, gone on with, or begun and trained."""
        runs = self.folder / name
        before = find_runs(runs)
        if before and before[-1].receipt is not None:
            self._kept[name] = seconds_of(before[-1])
            return before[-1]
        settings = {"fit.validations": 1, "fit.checkpoint_seconds": _CHECKPOINT_SECONDS}
        listener = _Told(told, self._report, self._note)
        randomness.seed_all(config.fit.seed)
        task = make()
        if before:
            trainer = fitting.resume(before[-1], cache=self.cache, listener=listener, task=task)
        else:
            trainer = fitting.begin(
                self.plan.recipe,
                override(config, settings),
                runs=runs,
                cache=self.cache,
                budget=Budget.parse(budget),
                stack=self._stack,
                listener=listener,
                task=task,
                part_of=self.folder.name,
            )
        try:
            with trainer.run.locked():
                fitting.fit(trainer, cache=self.cache, floors=False)
        except fitting.Interrupted:
            raise fitting.Interrupted(Run(self.folder), "search") from None
        return trainer.run

    def _train_parent(self) -> str:
        """Train the reference, or take the run that was given; the folder of the run."""
        if given := self.plan.wish.parent:
            run = Run(Path(given))
            name = given
        else:
            run = self._stage("parent", "parent", self.config, lambda: self.parent, self.plan.budgets["parent"])
            name = f"parent/{run.name}"
        fitting.load_weights(self.parent, run)
        return name

    def _score(self) -> tuple[BlockScoring, Scores]:
        """Train the substitutes of every block and measure what each of them costs on validation data."""
        randomness.seed_all(self.config.fit.seed)  # whatever ran before, or was kept from before, in this process
        scoring = BlockScoring(self.parent, self._menu, num_windows=self.plan.num_windows)
        run = self._stage("scoring", "scoring blocks", self.config, lambda: scoring, self.plan.budgets["scoring"])
        fitting.load_weights(scoring, run)
        scoring.to(self._device).eval()
        self._report("measuring blocks", 0.0)
        with torch.no_grad(), self._stack.autocast():
            measured = scoring.measure("validation", self.plan.num_windows)
        return scoring, Scores(
            own=scoring.substitutes.own,
            added={f"{letter} at {place}": one.value for (place, letter), one in measured.items()},
            errors={f"{letter} at {place}": one.error for (place, letter), one in measured.items()},
            num_windows=self.plan.num_windows,
            run=f"scoring/{run.name}",
        )

    def _search_architecture(self, scoring: BlockScoring) -> tuple[SuperNet, Architecture]:
        """Train the super-network, begun with the parent's blocks and their substitutes; what it came to."""
        randomness.seed_all(self.config.fit.seed)
        usual = SuperNetConfig()
        settings = replace(usual, optimizer=replace(usual.optimizer, lr=self.plan.architecture_lr))
        supernet = SuperNet(self.parent, self._menu, self._limits, settings)
        supernet.network.inherit(self.parent.model, scoring.substitutes.find)
        run = self._stage("supernet", "super-network", self.config, lambda: supernet, self.plan.budgets["supernet"])
        fitting.load_weights(supernet, run)
        chances = supernet.architecture.detach().float().softmax(-1)
        details = run.metrics("validation")[-1]
        return supernet, Architecture(
            chances=tuple(tuple(row) for row in chances.tolist()),
            gap=float(details["gap of being made single"]),
            surest=float(chances.amax(-1).min()),
            steps=int((run.receipt or {})["spent"]["steps"]),
            run=f"supernet/{run.name}",
        )

    def _chosen(self, front: Front, supernet: SuperNet) -> dict[str, tuple[Pattern, Origin]]:
        """What the searchers and the rivals propose, and the reference; who propose the same are one."""
        parameters = parameter_prices(self.parent.model.config)
        proposed: list[tuple[str, Pattern, Origin]] = [
            (BY_BLOCKS, front.choose(self._limits).pattern, "searched"),
            (BY_SUPERNET, supernet.choose().pattern, "searched"),
        ]
        rivals = field(self._menu, self._limits, parameters, seed=self.config.fit.seed)
        proposed += [(name, pattern, "rival") for name, pattern in rivals.items()]
        proposed.append((REFERENCE, self._reference, "reference"))
        merged: dict[Pattern, tuple[str, Origin]] = {}
        for name, pattern, origin in proposed:
            known = merged.get(pattern)
            # The reference stays itself: where it is within the limits, whoever found it found nothing cheaper.
            if known is None or origin == "reference":
                merged[pattern] = (name, origin)
            else:
                merged[pattern] = (f"{known[0]}; {name}", known[1])
        return {name: (pattern, origin) for pattern, (name, origin) in merged.items()}

    def _train(self, name: str, pattern: Pattern, origin: Origin, scoring: BlockScoring) -> Run:
        """A candidate's run: healed from the parent, or trained from scratch."""
        config = override(self.config, {"pattern": str(pattern)})
        heal = self.plan.wish.heal
        teacher = self.parent.model if heal and origin != "reference" else None

        def make() -> Task:
            if heal:
                return Healing(self.parent.placed(scoring.substitutes.assemble(pattern)), teacher=teacher)
            method, _ = registry.find_recipe(self.plan.recipe)
            return method.build(config, cache=self.cache)

        told = f"{'healing' if heal else 'training'} {name}"
        return self._stage(f"candidates/{folder_name(name)}", told, config, make, self.plan.budgets["candidates"])

    # --- measurements ---

    def _rates(self, patterns: Mapping[str, Pattern]) -> dict[str, dict[str, Rate]]:
        """Measured seconds of a step of each candidate, by name and limited use."""
        found: dict[str, dict[str, Rate]] = {name: {} for name in patterns}
        for quantity in self.plan.wish.limits:
            use, _, latency = quantity.partition(" ")
            if latency:
                self._report(f"measuring {quantity}", 0.0)
                texts = {name: str(pattern) for name, pattern in patterns.items()}
                rates = self.instruments.steps(self._stack, cast(Use, use), [*texts.values()])
                for name, text in texts.items():
                    found[name][use] = rates[text]
        return found

    def _candidate(
        self, name: str, pattern: Pattern, origin: Origin, run: Run, rates: Mapping[str, Rate], front: Front
    ) -> Candidate:
        receipt, checks = run.receipt, run.metrics("validation")
        assert receipt is not None
        shape = replace(self.parent.model.config, pattern=pattern)
        itemsize = 2 if self._stack.precision == "bf16" else 4
        path = run.folder.relative_to(self.folder)
        return Candidate(
            name=name,
            origin=origin,
            pattern=str(pattern),
            foreseen=-front.worth_of(pattern),
            before=float(checks[0]["value"]),
            after=float(checks[-1]["value"]),
            value=receipt["result"]["value"],
            low=receipt["result"]["low"],
            high=receipt["result"]["high"],
            costs={limit.prices.quantity: limit.prices.of(pattern) for limit in self._limits},
            measured=rates,
            parameters=shape.num_parameters,
            cache_bytes=shape.cache_bytes(1, self.config.context, itemsize),
            recall=self._recall(run),
            run=str(path),
            receipt=str(path / "receipt.json"),
        )

    def _recall(self, run: Run) -> dict[str, float]:
        """Of a language model how well it repeats what it saw, by distance, and the floor."""
        task = fitting.load_task(run, cache=self.cache)
        if not isinstance(task, LanguageModel):
            return {}
        found: dict[str, float] = {}
        with torch.no_grad(), self._stack.autocast():
            for distance in recall_distances(self.config.context)[:_RECALL_DISTANCES]:
                measured = recall(task.model.to(self._device), distance=distance, vocab_size=task.tokenizer.vocab_size)
                found |= {str(distance): measured["accuracy"], f"{distance}, floor": measured["floor"]}
        return found

    def _best(self, candidates: Sequence[Candidate]) -> Candidate:
        """The best on validation of those within the limits; the test split is for reporting alone."""
        better = min if self.parent.metric.better == "lower" else max
        within = [one for one in candidates if all(limit.allows(Pattern.parse(one.pattern)) for limit in self._limits)]
        return better(within, key=lambda one: one.after)

    def _points(self, front: Front) -> Iterator[Point]:
        """The exact choice under the first limit, from the least that the menu costs to what the reference costs."""
        first, *others = self._limits
        whole, least = first.prices.of(self._reference), first.prices.lowest(self._menu)
        for most in np.linspace(least, whole, _FRONT_POINTS):
            try:
                choice = front.choose([Limit(prices=first.prices, most=float(most)), *others])
            except UserError:
                continue  # the others leave nothing that cheap
            yield Point(cost=choice.costs[0], foreseen=-choice.worth, pattern=str(choice.pattern))

    def _elsewhere(self, stack: str, front: Front) -> Elsewhere:
        """What the same scores and limits choose at another stack's prices."""
        prices = self.plan.prices[stack][0]
        try:
            pattern, reason = str(front.choose(self.plan.limits(self._reference, stack)).pattern), ""
        except UserError as error:
            pattern, reason = "", str(error)
        return Elsewhere(stack=stack, pattern=pattern, blocks=prices.blocks, fixed=prices.fixed, reason=reason)

    def _distances(self, found: Run) -> dict[str, dict[str, float]]:
        """How far the attention blocks of the parent and of what was found look back, by place."""
        batch = next(self.parent.held_out("validation", num_samples=_DISTANCE_WINDOWS))
        tokens = self.parent.tokens(batch)
        task = fitting.load_task(found, cache=self.cache)
        assert isinstance(task, TextTask)
        measured = {}
        for name, model in ((REFERENCE, self.parent.model), ("found", task.model)):
            far = attention_distances(model.to(tokens.device), tokens)
            measured[name] = {str(place): tokens_back for place, tokens_back in far.items()}
        return measured


def folder_name(name: str) -> str:
    """A candidate's name as a folder's."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def seconds_of(run: Run) -> float:
    """What a finished run took, all accounts of its receipt together."""
    assert run.receipt is not None
    spent = run.receipt["spent"]
    return float(sum(spent[f"{name}_seconds"] for name in ("train", "validation", "saving", "calibration")))


class _Told:
    """Tells what a stage's trainer does as the progress of the search; a `pennyweight.core.fit.Listener`."""

    def __init__(self, stage: str, report: Report, note: Callable[[str], None]) -> None:
        self._stage = stage
        self._report = report
        self._note = note

    def started(self, trainer: fitting.Trainer) -> None:
        """Say that the stage begins, or where it goes on."""
        self._report(self._stage, trainer.fraction)

    def stepped(self, trainer: fitting.Trainer, record: Mapping[str, Any]) -> None:
        """Say how much of the stage is done."""
        self._report(self._stage, trainer.fraction)

    def validated(self, trainer: fitting.Trainer, record: Mapping[str, Any]) -> None:
        """Nothing: what was measured is in the run."""

    def note(self, text: str) -> None:
        """Hand on what a person should know."""
        self._note(text)
