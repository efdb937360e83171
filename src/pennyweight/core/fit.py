"""The one training loop: it knows budgets, schedules, checkpoints and devices, and nothing about methods.

A `Trainer` is stepped from outside, so that a race can interleave several; `fit` steps one to its end.
Its clock runs only inside training steps: calibration, validation and saving have accounts of their own.
"""

import hashlib
import json
import math
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Literal, NoReturn, Protocol

from pennyweight.core import checkpoint, randomness, registry
from pennyweight.core.budget import Budget, Pace
from pennyweight.core.distributed import ALONE, World
from pennyweight.core.engine import Calibration, Engine
from pennyweight.core.errors import UserError, WorkFailed
from pennyweight.core.files import read_cached, write_atomic, write_json
from pennyweight.core.machine import BusyWatch, EnergyCounter, PeakMemory, this_machine
from pennyweight.core.receipt import Assumptions, Receipt, Result, Spent
from pennyweight.core.recipe import Config, from_document, to_document
from pennyweight.core.run import MetricsLog, Run
from pennyweight.core.stack import Stack, candidates
from pennyweight.core.task import Evaluation, Task


class Interrupted(Exception):
    """The work was asked to stop; the run can be resumed by the verb that made it."""

    def __init__(self, run: Run, verb: str = "fit") -> None:
        super().__init__(f"interrupted; go on with: pennyweight {verb} --resume {run.folder}")
        self.run = run


class Listener(Protocol):
    """Hears what a trainer does; the command line prints it."""

    def started(self, trainer: "Trainer") -> None:
        """The trainer is ready for its first step; ``trainer.calibration`` and ``trainer.pace`` are known."""

    def stepped(self, trainer: "Trainer", record: Mapping[str, Any]) -> None:
        """A training step ended."""

    def validated(self, trainer: "Trainer", record: Mapping[str, Any]) -> None:
        """A validation ended."""

    def note(self, text: str) -> None:
        """Something that a person should know and that does not stop the work."""


@dataclass
class _Accounts:
    """What a trainer must remember besides tensors: saved with every checkpoint."""

    step: int = 0
    samples: int = 0
    seconds: float = 0.0
    fraction: float = 0.0
    lost_seconds: float = 0.0
    validation_seconds: float = 0.0
    saving_seconds: float = 0.0
    joules: float = 0.0
    peak_bytes: int = 0
    next_validation: int = 0


class Trainer:
    """One run under way. Make it, call `step` until `done`, then `finish`.

    The run's directory must be locked by the caller (`Run.locked`) on the leading process.
    """

    def __init__(
        self,
        task: Task,
        config: Config,
        *,
        run: Run,
        budget: Budget,
        stack: Stack,
        world: World = ALONE,
        listener: Listener | None = None,
        assumptions: Assumptions | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.run = run
        self.config = config
        self.budget = budget
        self.stack = stack
        self.world = world
        self.listener = listener
        self.assumptions = assumptions or Assumptions()
        self.baselines: dict[str, float] = {}
        self.notes: list[str] = []
        self.stop_requested = False
        self.stopped = False
        self._clock = clock
        self._log = MetricsLog(run.folder / "metrics.jsonl")
        self._accounts = _Accounts()
        self._last_saved = 0.0
        self._energy = EnergyCounter()
        self._busy = BusyWatch()
        started = clock()
        self.engine = Engine(task, config.fit, stack=stack, world=world)
        self.calibration: Calibration = self.engine.calibrate(limit_bytes=budget.bytes)
        self._peak = PeakMemory(stack.device)
        self.pace = Pace(
            budget, batch=config.fit.batch, step_seconds=self.calibration.step_seconds, joules=self._joules
        )
        self.calibration_seconds = clock() - started

    @property
    def task(self) -> Task:
        """The task being trained."""
        return self.engine.task

    @property
    def done(self) -> bool:
        """Whether the last step has been made."""
        return self._accounts.fraction >= 1.0

    @property
    def seconds(self) -> float:
        """Training time spent so far."""
        return self._accounts.seconds

    @property
    def samples(self) -> int:
        """Samples trained on so far."""
        return self._accounts.samples

    @property
    def fraction(self) -> float:
        """Part of the budget spent."""
        return self._accounts.fraction

    @property
    def samples_ahead(self) -> int:
        """How many samples the rest of the budget will buy at the present speed."""
        return self.pace.samples_ahead(step=self._accounts.step, seconds=self.seconds)

    @property
    def seconds_ahead(self) -> float:
        """How much training time is left."""
        return self.pace.seconds_ahead(step=self._accounts.step, seconds=self.seconds)

    def measure_untrained(self) -> None:
        """Evaluate the test split before the first step: the floor under every result."""
        self.baselines["untrained"] = self._evaluate("test").value

    def step(self) -> None:
        """One training step, and the validation and checkpoint that fall due after it."""
        if self._accounts.step == 0 and self._accounts.next_validation == 0 and self.config.fit.validations:
            self._validate()
        accounts = self._accounts
        before = self._joules()
        started = self._clock()
        fraction, last = self.pace.next(step=accounts.step, seconds=accounts.seconds)
        fraction, *flags = self.world.share_floats(
            [fraction, float(last), float(self.stop_requested)], self.engine.device
        )
        last, stop = map(bool, flags)
        if stop:
            self.stopped = True
            return
        losses = self.engine.step(accounts.step, samples=accounts.samples, fraction=fraction)
        self.stack.synchronize()
        # One clock for all processes: what follows from it (a checkpoint, say) must be done by all or none.
        (elapsed,) = self.world.share_floats([self._clock() - started], self.engine.device)
        joules = self._joules()
        self.pace.record(elapsed, None if joules is None or before is None else joules - before)
        accounts.step += 1
        accounts.samples += self.config.fit.batch
        accounts.seconds += elapsed
        accounts.fraction = 1.0 if last else min(fraction, 1 - 1e-9)
        accounts.joules = accounts.joules if joules is None else joules
        self._record_step(losses, fraction)
        if not all(math.isfinite(value) for value in losses.values()):
            self._not_finite("the loss")
        validations = self.config.fit.validations
        if validations and (self.done or accounts.fraction * validations >= accounts.next_validation):
            self._validate()
        if not self.done and accounts.seconds - self._last_saved >= self.config.fit.checkpoint_seconds:
            self.save()

    def _not_finite(self, what: str) -> NoReturn:
        raise WorkFailed(
            f"{what} of {self.run.name} is not finite at step {self._accounts.step}; try a lower"
            f" learning rate (--set fit.optimizer.lr={self.config.fit.optimizer.lr / 3:.2g})"
        )

    def _record_step(self, losses: Mapping[str, float], fraction: float) -> None:
        factor = self.config.fit.schedule.factor(fraction)
        record = {
            "kind": "step",
            "step": self._accounts.step,
            "samples": self._accounts.samples,
            "seconds": round(self._accounts.seconds, 6),
            "fraction": fraction,
            "lr": self.config.fit.optimizer.lr * factor,
            **losses,
        }
        self._append(record)
        if self.listener:
            self.listener.stepped(self, record)

    def _append(self, record: Mapping[str, Any]) -> None:
        if self.world.leads and (error := self._log.append(record)):
            self._note(f"metrics cannot be written now ({error.strerror}); kept and tried again")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
            if self.listener:
                self.listener.note(text)

    def _validate(self) -> None:
        started = self._clock()
        evaluation = self._evaluate("validation")
        self._accounts.validation_seconds += self._clock() - started
        record = {
            "kind": "validation",
            "step": self._accounts.step,
            "samples": self._accounts.samples,
            "seconds": round(self._accounts.seconds, 6),
            "fraction": self._accounts.fraction,
            "value": evaluation.value,
            **evaluation.details,
        }
        self._accounts.next_validation += 1
        self._append(record)
        if self.listener:
            self.listener.validated(self, record)

    def _evaluate(self, split: Literal["validation", "test"]) -> Evaluation:
        with self.engine.evaluating():
            return self.task.evaluate(split)

    def _joules(self) -> float | None:
        joules = self._energy.joules()
        return None if joules is None else joules + self._joules_before

    _joules_before = 0.0

    def save(self) -> None:
        """Write a checkpoint. A disk that refuses is reported, and training goes on."""
        started = self._clock()
        accounts = self._accounts
        accounts.peak_bytes = max(accounts.peak_bytes, self._peak.peak_bytes())
        progress = {**asdict(accounts), "baselines": self.baselines, "notes": self.notes}
        try:
            checkpoint.save(self.run.state, self.engine, progress)
        except OSError as error:
            self._note(f"a checkpoint could not be written ({error.strerror}); the one before is kept")
        self._last_saved = accounts.seconds
        accounts.saving_seconds += self._clock() - started

    def go_on(self) -> None:
        """Continue from the newest whole checkpoint, or from the start when there is none.

        Training after that checkpoint is lost and done again; its seconds stay charged to the run.
        """
        for leftover in self.run.state.glob(".step-*.tmp") if self.world.leads else ():
            shutil.rmtree(leftover, ignore_errors=True)
        found, damaged = checkpoint.newest(self.run.state)
        for text in damaged:
            self._note(text)
        steps = self.run.metrics("step")
        (reached,) = self.world.share_floats([steps[-1]["seconds"] if steps else 0.0], self.engine.device)
        if found:
            checkpoint.load(found, self.engine)
            kept = {name: found.progress[name] for name in asdict(self._accounts)}
            self._accounts = _Accounts(**kept)
            self.baselines = dict(found.progress["baselines"])
            self.notes = [
                *found.progress["notes"],
                *(n for n in self.notes if n not in found.progress["notes"]),
            ]
            self._joules_before = self._accounts.joules
        accounts = self._accounts
        lost = max(0.0, reached - accounts.seconds)
        if lost > 0:
            redone = steps[-1]["step"] - accounts.step
            self._note(f"the interruption cost {lost:.2f} s of training ({redone} steps are done again)")
        accounts.lost_seconds += lost
        accounts.seconds += lost
        self.pace.fraction = accounts.fraction
        self._last_saved = accounts.seconds
        if self.world.leads:
            self._log.rewind(accounts.step if found else -1)
        self.world.barrier()

    def finish(self) -> Receipt:
        """Evaluate the test split, write weights and receipt, drop the checkpoints."""
        evaluation = self._evaluate("test")
        if not math.isfinite(evaluation.value):
            self._not_finite(f"the {self.task.metric.name}")
        weights = checkpoint.full_weights(self.engine)
        receipt = self._receipt(evaluation)
        try:
            with self.world.together():
                if self.world.leads:
                    write_weights(self.run.weights, weights)
                    self.task.save_assets(self.run.folder)
                    write_json(self.run.folder / "receipt.json", receipt.to_document())
        except OSError as error:
            self.save()
            raise WorkFailed(
                f"the result of {self.run.name} could not be written ({error.strerror}); make room and go on"
                f" with: pennyweight fit --resume {self.run.folder}"
            ) from error
        if self.world.leads:
            shutil.rmtree(self.run.state, ignore_errors=True)
        self.world.barrier()
        return receipt

    def _receipt(self, evaluation: Evaluation) -> Receipt:
        accounts = self._accounts
        if warning := self._busy.sentence():
            self._note(warning)
        metric = self.task.metric
        return Receipt(
            recipe=self.run.recipe,
            config=to_document(self.config),
            stack=str(self.stack),
            machine={
                **asdict(this_machine()),
                "fingerprint": this_machine().fingerprint,
                "processes": self.world.size,
            },
            seed=self.config.fit.seed,
            data=dict(self.task.data_receipt()),
            asked=str(self.budget),
            spent=Spent(
                train_seconds=accounts.seconds,
                validation_seconds=accounts.validation_seconds,
                saving_seconds=accounts.saving_seconds,
                calibration_seconds=self.calibration_seconds,
                lost_seconds=accounts.lost_seconds,
                steps=accounts.step,
                samples=accounts.samples,
                peak_bytes=max(accounts.peak_bytes, self._peak.peak_bytes()),
                joules=self._joules(),
            ),
            result=Result(
                metric=metric.name,
                unit=metric.unit,
                better=metric.better,
                value=evaluation.value,
                low=evaluation.low,
                high=evaluation.high,
                interval=evaluation.interval,
                details=dict(evaluation.details),
            ),
            baselines=self.baselines,
            parameters=self.task.num_parameters(),
            assumptions=self.assumptions,
            notes=tuple(self.notes),
        )


def write_weights(path: Path, weights: Mapping[str, Any]) -> None:
    """Named tensors as safetensors, atomically."""
    from safetensors.torch import save

    # Through bytes: the library's own writer reports a full disk as an error that is no OSError.
    write_atomic(path, save(dict(weights)))


def load_task(run: Run, *, cache: Path) -> Task:
    """The trained task of a run, ready for use without its data."""
    method, name = registry.find_recipe(run.recipe)
    config = from_document(type(method.recipe(name)), run.document["config"])
    if not run.weights.is_file():
        raise UserError(
            f"run {run.name} has no weights",
            expected="a finished run",
            hint=f"pennyweight fit --resume {run.folder}",
        )
    task = method.build(config, cache=cache, folder=run.folder)
    load_weights(task, run)
    return task.eval()


def load_weights(task: Task, run: Run) -> None:
    """Give a task the weights of a finished run; `UserError` where they are damaged or another task's."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        task.load_state_dict(load_file(run.weights))
    except (SafetensorError, RuntimeError, OSError) as error:
        raise UserError(f"{run.weights} cannot be used ({str(error).splitlines()[0]})") from None


def begin(
    recipe: str,
    config: Config,
    *,
    runs: Path,
    cache: Path,
    budget: Budget,
    stack: Stack,
    world: World = ALONE,
    listener: Listener | None = None,
    assumptions: Assumptions | None = None,
    task: Task | None = None,
    part_of: str = "",
) -> Trainer:
    """A trainer in a new run. The caller locks ``trainer.run``. Nothing is left behind when this fails.

    A run that is ``part_of`` larger work, named here, can be resumed by that work alone.
    """
    method, _ = registry.find_recipe(recipe)
    assumptions = assumptions or Assumptions()
    document = {
        "config": to_document(config),
        "budget": str(budget),
        "stack": str(stack),
        "assumptions": asdict(assumptions),
        **({"part_of": part_of} if part_of else {}),
    }
    run = Run(world.share(Run.create(runs, recipe, document).folder if world.leads else Path()))
    try:
        randomness.seed_all(config.fit.seed)
        task = task or method.build(config, cache=cache)
        trainer = Trainer(
            task,
            config,
            run=run,
            budget=budget,
            stack=stack,
            world=world,
            listener=listener,
            assumptions=assumptions,
        )
        if world.leads:
            write_json(run.folder / "config.json", {**run.document, "data": dict(task.data_receipt())})
        return trainer
    except BaseException:
        if world.leads:
            shutil.rmtree(run.folder, ignore_errors=True)
        raise


def resume(
    run: Run, *, cache: Path, world: World = ALONE, listener: Listener | None = None, task: Task | None = None
) -> Trainer:
    """A trainer that goes on with an interrupted run, as it was asked for.

    A run that is part of larger work needs the ``task`` that only that work can build.
    """
    if run.receipt is not None:
        raise UserError(f"run {run.name} is finished", expected="an interrupted run", hint="start a new one")
    document = run.document
    if task is None and (whole := document.get("part_of")):
        raise UserError(f"run {run.name} is a part of {whole}", expected=f"{whole} to be resumed as a whole")
    method, name = registry.find_recipe(run.recipe)
    config = from_document(type(method.recipe(name)), document["config"])
    if task is None:
        randomness.seed_all(config.fit.seed)
        task = method.build(config, cache=cache)
    data = dict(task.data_receipt())
    if document.get("data", data) != data:
        raise UserError(
            f"the data of {run.name} has changed since it began",
            expected=f"sha256 {document['data'].get('sha256', '?')[:12]}, found {data.get('sha256', '?')[:12]}",
            hint="start a new run",
        )
    trainer = Trainer(
        task,
        config,
        run=run,
        budget=Budget.parse(document["budget"]),
        stack=Stack.parse(document["stack"]),
        world=world,
        listener=listener,
        assumptions=Assumptions(**document.get("assumptions", {})),
    )
    trainer.go_on()
    return trainer


def fit(trainer: Trainer, *, cache: Path, floors: bool = True) -> Receipt:
    """Step a trainer to the end of its budget. Ctrl-C ends it after the running step (`Interrupted`).

    With ``floors`` the untrained network and the task's own baselines are measured too.
    """
    if floors and not trainer.baselines and trainer.samples == 0:
        trainer.measure_untrained()
        if trainer.world.leads:
            trainer.baselines |= trainer.task.baselines(cache)
    if trainer.listener:
        trainer.listener.started(trainer)
    with _stopping(trainer):
        while not trainer.done:
            trainer.step()
            if trainer.stopped:
                trainer.save()
                raise Interrupted(trainer.run)
    return trainer.finish()


@contextmanager
def _stopping(trainer: Trainer) -> Iterator[None]:
    """SIGINT and SIGTERM ask the trainer to stop after its step; a second one stops at once."""

    def ask(number: int, frame: FrameType | None) -> None:
        if trainer.stop_requested:
            signal.default_int_handler(number, frame)
        trainer.stop_requested = True

    try:
        before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:  # not the main thread: whoever runs us there handles signals
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def fastest_stack(
    build: Callable[[], Task], config: Config, *, cache: Path, threads: int = 0
) -> tuple[Stack, dict[str, float]]:
    """The stack on which a step of this configuration is fastest here, and the seconds of a step on each.

    Measured once for a machine and a configuration, then read from the cache, so that the same request
    always gets the same stack.
    """
    choices = candidates(threads=threads)
    if len(choices) == 1:
        return choices[0], {}
    document = to_document(config)
    document["fit"] = {name: document["fit"][name] for name in ("batch", "micro_batch")}
    asked = hashlib.sha256(json.dumps([type(config).__name__, document, threads]).encode()).hexdigest()[:12]
    path = cache / "stacks" / f"{this_machine().fingerprint}-{asked}.json"
    seconds = read_cached(path)
    if seconds is None:
        task = build()
        seconds = {str(s): Engine(task, config.fit, stack=s).calibrate().step_seconds for s in choices}
        write_json(path, seconds)
    return Stack.parse(min(seconds, key=lambda name: seconds[name])), seconds
