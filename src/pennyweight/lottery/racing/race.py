"""Run a race: an idea and its rival, same data, same seeds, the same small sweep, the same budget; a verdict.

Two trials at a time share the machine in slices of about a second, so that whatever slows it down hits both
sides. The budget is the total: sweep, evaluation and speed measurements included.
"""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from pennyweight.arrays.statistics import difference_of_means, median, ratio_of_means
from pennyweight.core import randomness
from pennyweight.core.budget import Budget
from pennyweight.core.errors import WorkFailed
from pennyweight.core.files import write_json
from pennyweight.core.fit import Trainer, begin, load_task
from pennyweight.core.machine import BusyWatch
from pennyweight.core.race import SIDES, STEP_SECONDS, Contest, Interval, RaceResult, SideName, Timed, Traits, Trial
from pennyweight.core.recipe import Config, flatten, override
from pennyweight.core.run import MetricsLog, Run, read_document, read_records
from pennyweight.core.stack import Stack
from pennyweight.lottery.racing.plan import CONFIDENCE, VALIDATIONS, Plan, Report, plan_config, plan_sides
from pennyweight.lottery.racing.verdict import as_interval, judge, time_to_equal_quality

_SLICE_SECONDS = 1.0
_REPEATS = 9

_Figures = dict[str, dict[str, float]]
_Probes = dict[str, dict[str, tuple[float, ...]]]


class Race:
    """A race under way in a folder: ``plan.json``, ``trials.jsonl``, a run for every trial, then ``race.json``."""

    def __init__(
        self,
        folder: Path,
        contest: Contest,
        plan: Plan,
        *,
        cache: Path,
        report: Report | None = None,
        confidence: float = CONFIDENCE,
    ) -> None:
        self.folder = folder
        self.contest = contest
        self.plan = plan
        self.cache = cache
        self.confidence = confidence
        self.sides = plan_sides(plan, contest)
        self._report = report or (lambda stage, done: None)
        self._stack = Stack.parse(plan.stack)

    def config(self, side: SideName) -> Config:
        """The configuration of a side before tuning: recipe, then the user's settings, then the side's."""
        return plan_config(self.plan, self.contest, side)

    def run(self) -> RaceResult:
        """All trials that are not done yet, then the measurements and the verdict."""
        started = time.monotonic()
        watch = BusyWatch()
        done = {(t["stage"], t["side"], t["seed"], t["tuned"]): _trial(t) for t in self._records()}
        sweep = self._sweep(done)
        chosen = {side: self._choose(side, sweep) for side in SIDES}
        trials = self._finals(done, {side: chosen[side] for side in SIDES})
        self._report("measuring speed and memory", 0.0)
        figures, speeds, probes = self._measure(trials)
        notes = self._edge_notes(chosen)
        if warning := watch.sentence():
            notes.append(warning + "; both sides took turns in slices of a second, so it hit both")
        result = self._result(sweep, chosen, trials, figures, speeds, probes, notes, time.monotonic() - started)
        write_json(self.folder / "race.json", asdict(result))
        return result

    def _records(self) -> list[dict[str, Any]]:
        return read_records(self.folder / "trials.jsonl")

    # --- trials ---

    def _tuned_values(self, side: SideName) -> list[float]:
        base = float(flatten(self.config(side))[self.contest.tuned])
        return [base * factor for factor in self.contest.factors]

    def _sweep(self, done: Mapping[tuple[Any, ...], Trial]) -> tuple[Trial, ...]:
        if len(self.contest.factors) < 2:
            return ()
        values = {side: self._tuned_values(side) for side in SIDES}
        finished = []
        for index in range(len(self.contest.factors)):
            stage = f"sweep {index + 1} of {len(self.contest.factors)}"
            wanted = [(side, self.plan.seeds[0], values[side][index]) for side in SIDES]
            finished += self._pair("sweep", stage, wanted, self.plan.sweep_budget, done)
        return tuple(finished)

    def _choose(self, side: SideName, sweep: Sequence[Trial]) -> float:
        own = [trial for trial in sweep if trial.side == side]
        if not own:
            return self._tuned_values(side)[0]
        scored = [(trial.value, trial.tuned) for trial in own if trial.value is not None]
        if not scored:
            raise WorkFailed(f"every trial of the {side} diverged in the sweep; try --set {self.contest.tuned}=LOWER")
        return (min if self.plan.metric.better == "lower" else max)(scored)[1]

    def _finals(self, done: Mapping[tuple[Any, ...], Trial], chosen: Mapping[SideName, float]) -> tuple[Trial, ...]:
        finished = []
        for index, seed in enumerate(self.plan.seeds):
            stage = f"seed {index + 1} of {len(self.plan.seeds)}"
            wanted = [(side, seed, chosen[side]) for side in SIDES]
            finished += self._pair("final", stage, wanted, self.plan.trial_budget, done)
        return tuple(finished)

    def _pair(
        self,
        kind: Literal["sweep", "final"],
        stage: str,
        wanted: Sequence[tuple[SideName, int, float]],
        budget: str,
        done: Mapping[tuple[Any, ...], Trial],
    ) -> list[Trial]:
        """Both sides of one comparison, in slices; a side that was finished before an interruption is kept."""
        kept = {w: done[(kind, *w)] for w in wanted if (kind, *w) in done}
        with ExitStack() as locks:
            lanes = {w: self._lane(kind, w, budget, locks) for w in wanted if w not in kept}
            while open_lanes := [lane for lane in lanes.values() if not lane.over]:
                min(open_lanes, key=lambda lane: lane.trainer.fraction).run_slice()
                self._report(stage, min(lane.trainer.fraction for lane in lanes.values()))
            for w, lane in lanes.items():
                kept[w] = self._close(kind, w, lane)
        return [kept[w] for w in wanted]

    def _lane(self, kind: str, wanted: tuple[SideName, int, float], budget: str, locks: ExitStack) -> "_Lane":
        side, seed, tuned = wanted
        config = override(
            self.config(side),
            {
                self.contest.tuned: tuned,
                "fit.seed": seed + self.sides[side].seed_offset,
                "fit.validations": VALIDATIONS if kind == "final" else 1,
                "fit.checkpoint_seconds": 1e9,
            },
        )
        trainer = begin(
            self.plan.recipe,
            config,
            runs=self.folder / "trials",
            cache=self.cache,
            budget=Budget.parse(budget),
            stack=self._stack,
        )
        locks.enter_context(trainer.run.locked())
        return _Lane(trainer)

    def _close(self, kind: Literal["sweep", "final"], wanted: tuple[SideName, int, float], lane: "_Lane") -> Trial:
        side, seed, tuned = wanted
        trainer = lane.trainer
        validated = [(float(r["seconds"]), float(r["value"])) for r in trainer.run.metrics("validation")]
        curve = tuple(point for point in validated if math.isfinite(point[1]))
        diverged = lane.failed or len(curve) < len(validated)
        receipt = ""
        value = None
        if kind == "sweep" and not diverged:
            value = curve[-1][1]
        elif not diverged:
            trainer.baselines = dict(self.plan.baselines)
            value = trainer.finish().result.value
            receipt = f"trials/{trainer.run.name}/receipt.json"
        trial = Trial(
            side=side,
            seed=seed,
            tuned=tuned,
            run=f"trials/{trainer.run.name}",
            seconds=trainer.seconds,
            value=value,
            curve=curve,
            receipt=receipt,
        )
        if error := MetricsLog(self.folder / "trials.jsonl").append({"stage": kind, **asdict(trial)}):
            raise error
        return trial

    # --- measurements ---

    def _measure(self, trials: Sequence[Trial]) -> tuple[_Figures, dict[str, dict[str, Any]], _Probes]:
        """Plain figures and probes of each side that has a trained model, and speeds timed on both in turn."""
        import torch

        self._stack.activate()
        figures: _Figures = {}
        probes: _Probes = {}
        timed: dict[SideName, Mapping[str, Timed]] = {}
        with torch.no_grad(), self._stack.autocast():
            for side in SIDES:
                trained = [trial for trial in trials if trial.side == side and trial.receipt]
                if not trained:
                    continue
                figures[side], traits, probes[side] = self._examine(side, trained)
                timed[side] = traits.timed
            if len(timed) < len(SIDES):
                return figures, {}, probes
            speeds = {name: self._speed(timed["idea"][name], timed["rival"][name]) for name in timed["idea"]}
        samples = {side: self._rates(trials, side, "samples") for side in SIDES}
        speeds["training"] = {
            "unit": "samples/s",
            **{side: sum(samples[side]) / len(samples[side]) for side in SIDES},
            "ratio": as_interval(ratio_of_means(samples["idea"], samples["rival"], confidence=self.confidence)),
        }
        return figures, speeds, probes

    def _examine(
        self, side: SideName, trained: Sequence[Trial]
    ) -> tuple[dict[str, float], Traits, dict[str, tuple[float, ...]]]:
        """Traits of the first trained model of a side, and the probe's scores of all of them with their means."""
        found: dict[str, list[float]] = {}
        traits: Traits | None = None
        size = 0
        for index, trial in enumerate(trained):
            self._report(f"measuring the {side}", index / len(trained))
            task = load_task(Run(self.folder / trial.run), cache=self.cache).to(self._stack.device)
            if traits is None:
                traits, size = self.contest.traits(task, self._stack), task.num_parameters()
            for name, value in self.contest.probe(task, self._stack).items():
                found.setdefault(name, []).append(value)
        assert traits is not None
        steps = self._rates(trained, side, "steps")
        figures = {
            "parameters": float(size),
            STEP_SECONDS: len(steps) / sum(steps),
            "bytes of a training step": float(self.plan.step_bytes[side]),
            **traits.figures,
            **{name: sum(values) / len(values) for name, values in found.items()},
        }
        return figures, traits, {name: tuple(values) for name, values in found.items()}

    def _rates(self, trials: Sequence[Trial], side: SideName, unit: Literal["samples", "steps"]) -> list[float]:
        """Samples or steps a second of training in each trained trial of a side."""
        found = []
        for trial in trials:
            if trial.side == side and trial.receipt:
                spent = read_document(self.folder / trial.receipt)["spent"]
                found.append(spent[unit] / spent["train_seconds"])
        return found

    def _speed(self, idea: Timed, rival: Timed) -> dict[str, Any]:
        """Medians of interleaved repeats, and the median of the pairwise ratios of speeds."""
        seconds: dict[str, list[float]] = {"idea": [], "rival": []}
        for repeat in range(_REPEATS + 1):
            for side, timed in (("idea", idea), ("rival", rival))[:: 1 if repeat % 2 else -1]:
                self._stack.synchronize()
                started = time.perf_counter()
                timed.work()
                self._stack.synchronize()
                seconds[side].append(time.perf_counter() - started)
        kept = {side: values[1:] for side, values in seconds.items()}
        ratios = [(idea.amount / a) / (rival.amount / b) for a, b in zip(kept["idea"], kept["rival"], strict=True)]
        return {
            "unit": f"{idea.unit}/s",
            "idea": idea.amount / median(kept["idea"]).value,
            "rival": rival.amount / median(kept["rival"]).value,
            "ratio": as_interval(median(ratios)),
        }

    # --- what it says ---

    def _edge_notes(self, chosen: Mapping[SideName, float]) -> list[str]:
        notes = []
        for side in SIDES:
            values = self._tuned_values(side)
            if len(values) > 1 and chosen[side] in (min(values), max(values)):
                notes.append(
                    f"the best {self.contest.tuned} of the {side} ({chosen[side]:.3g}) is at the edge of the sweep;"
                    " a wider one might find better"
                )
        return notes

    def _result(
        self,
        sweep: tuple[Trial, ...],
        chosen: Mapping[SideName, float],
        trials: tuple[Trial, ...],
        figures: Mapping[str, Mapping[str, float]],
        speeds: Mapping[str, Mapping[str, Any]],
        probes: _Probes,
        notes: Sequence[str],
        seconds: float,
    ) -> RaceResult:
        metric = self.plan.metric
        values = {side: [trial.value for trial in trials if trial.side == side] for side in SIDES}
        ratio, verdict = judge(values["idea"], values["rival"], better=metric.better, confidence=self.confidence)
        if len(self.plan.seeds) < 3 and verdict != "undecided":
            verdict = "undecided"
            notes = [*notes, "fewer than three seeds: no winner is named"]
        equal, quality = time_to_equal_quality(trials, better=metric.better, confidence=self.confidence)
        return RaceResult(
            name=self.plan.name,
            claim=self.contest.claim,
            recipe=self.plan.recipe,
            sides={side: self.sides[side] for side in SIDES},
            metric=metric.name,
            unit=metric.unit,
            better=metric.better,
            stack=self.plan.stack,
            stack_seconds=self.plan.stack_seconds,
            asked=self.plan.asked,
            trial_budget=self.plan.trial_budget,
            spent_seconds=self.plan.setup_seconds + seconds,
            confidence=self.confidence,
            seeds=self.plan.seeds,
            data=self.plan.data,
            tuned=self.contest.tuned,
            chosen={side: chosen[side] for side in SIDES},
            sweep=sweep,
            trials=trials,
            ratio=ratio,
            verdict=verdict,
            time_to_equal=equal,
            equal_quality=quality,
            figures=figures,
            speeds=speeds,
            baselines=self.plan.baselines,
            notes=tuple(notes),
            equality=self.plan.equality,
            probes=probes,
            gaps=self._gaps(probes),
        )

    def _gaps(self, probes: _Probes) -> dict[str, Interval]:
        """Idea less rival of each score of the probe; one seed tells nothing of the spread and has none."""
        if len(probes) < len(SIDES):
            return {}
        found = {}
        for name, idea in probes["idea"].items():
            rival = probes["rival"].get(name, ())
            if min(len(idea), len(rival)) > 1:
                gap = difference_of_means(idea, rival, confidence=self.confidence)
                found[name] = Interval(value=gap.value, low=gap.low, high=gap.high)
        return found


class _Lane:
    """A trainer with random states of its own, so that taking turns changes nothing that it draws."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.failed = False
        self._random = randomness.capture()

    @property
    def over(self) -> bool:
        return self.failed or self.trainer.done

    def run_slice(self) -> None:
        randomness.restore(self._random)
        until = self.trainer.seconds + _SLICE_SECONDS
        try:
            while not self.trainer.done and self.trainer.seconds < until:
                self.trainer.step()
        except WorkFailed:
            self.failed = True  # the loss is not finite: a result, the worst there is
        self._random = randomness.capture()


def _trial(record: Mapping[str, Any]) -> Trial:
    known = {key: value for key, value in record.items() if key != "stage"}
    return Trial(**{**known, "curve": tuple((s, v) for s, v in record["curve"])})
