"""``fit``: train a recipe inside a budget, or go on with a run."""

import sys
from collections.abc import Sequence

from pennyweight.console import FitProgress, Output
from pennyweight.core import distributed
from pennyweight.core import fit as fitting
from pennyweight.core.budget import Budget, Pace
from pennyweight.core.engine import Engine
from pennyweight.core.errors import WorkFailed
from pennyweight.core.receipt import Assumptions, Receipt
from pennyweight.core.recipe import flatten
from pennyweight.core.run import Run, find_run
from pennyweight.core.stack import Stack
from pennyweight.core.task import WritesText
from pennyweight.report.sentences import run_sentence
from pennyweight.report.words import number, plain, size
from pennyweight.verbs.request import (
    Place,
    Request,
    choose_stack,
    read_request,
    read_settings,
    require_writable,
    written_by,
)


def start(
    output: Output,
    place: Place,
    *,
    recipe: str,
    budget: str,
    settings: Sequence[str],
    data: str,
    column: str,
    stack: str,
    devices: int,
    assume: str,
    dry_run: bool,
) -> None:
    """Train in a new run."""
    request = read_request(recipe, read_settings(settings, data, column, place))
    default = Budget.parse(request.config.fit.budget)
    wanted = Budget.parse(budget).or_default(default) if budget else default
    assumptions = Assumptions.parse(assume)
    inside = distributed.started_by_torchrun()
    if not inside and not dry_run:
        require_writable(place.runs)
    chosen, measured = choose_stack(stack, request, place, devices=devices)
    if measured:
        output.aside("a step takes " + ", ".join(f"{t * 1e3:.0f} ms on {s}" for s, t in measured.items()))
    if dry_run:
        _dry_run(output, place, request, wanted, chosen)
        return
    if devices > 1 and not inside:
        _launch([] if stack else ["--stack", str(chosen)], devices)
        return
    world = distributed.join_world(chosen)
    with output.progress() as meter:
        trainer = fitting.begin(
            request.recipe,
            request.config,
            runs=place.runs,
            cache=place.cache,
            budget=wanted,
            stack=chosen,
            world=world,
            listener=FitProgress(output, meter) if world.leads else None,
            assumptions=assumptions,
        )
        with written_by(trainer.run, leads=world.leads):
            receipt = fitting.fit(trainer, cache=place.cache)
    if world.leads:
        _report(output, trainer.run, receipt, writes=isinstance(trainer.task, WritesText))


def go_on(output: Output, place: Place, *, resume: str, devices: int) -> None:
    """Continue an interrupted run as it was asked for."""
    run = find_run(resume, place.runs)
    if devices > 1 and not distributed.started_by_torchrun():
        _launch([], devices)
        return
    world = distributed.join_world(Stack.parse(run.document["stack"]))
    with output.progress() as meter, written_by(run, leads=world.leads):
        listener = FitProgress(output, meter) if world.leads else None
        trainer = fitting.resume(run, cache=place.cache, world=world, listener=listener)
        receipt = fitting.fit(trainer, cache=place.cache)
    if world.leads:
        _report(output, trainer.run, receipt, writes=isinstance(trainer.task, WritesText))


def _launch(extra: Sequence[str], devices: int) -> None:
    code = distributed.launch([*sys.argv[1:], *extra], devices=devices)
    if code:
        raise WorkFailed(f"training on {devices} processes ended with exit code {code}; see above")


def _dry_run(output: Output, place: Place, request: Request, budget: Budget, stack: Stack) -> None:
    task = request.builder(place.cache)()
    calibration = Engine(task, request.config.fit, stack=stack).calibrate(limit_bytes=budget.bytes)
    batch = request.config.fit.batch
    pace = Pace(budget, batch=batch, step_seconds=calibration.step_seconds, joules=lambda: None)
    samples = pace.samples_ahead(step=0, seconds=0.0)
    settings = flatten(request.config)
    output.table("", ["setting", "value"], [[key, str(value)] for key, value in settings.items()])
    output.say()
    output.say(f"{request.recipe} on {stack}: {task.num_parameters():,} parameters")
    output.say(
        f"{budget} buys about {samples:,} samples in {samples // batch:,} steps of"
        f" {calibration.step_seconds * 1e3:.0f} ms; a step adds {plain(size(calibration.step_bytes))} of memory"
    )
    output.done(
        result={
            "recipe": request.recipe,
            "settings": settings,
            "stack": str(stack),
            "budget": str(budget),
            "parameters": task.num_parameters(),
            "samples": samples,
            "step_seconds": calibration.step_seconds,
            "step_bytes": calibration.step_bytes,
            "peak_bytes": calibration.peak_bytes,
        },
        next_command=f"pennyweight fit {request.recipe}",
    )


def _report(output: Output, run: Run, receipt: Receipt, *, writes: bool) -> None:
    result, spent = receipt.result, receipt.spent
    verb = "sample" if writes else "report"
    output.table(
        "",
        [result.metric, result.unit],
        [
            ["this run", f"{result.value:.4f}"],
            *([name, f"{value:.4f}"] for name, value in sorted(receipt.baselines.items(), key=lambda item: item[1])),
        ],
    )
    output.say(plain(run_sentence(run)))
    output.say(
        f"asked {receipt.asked}; spent {spent.train_seconds:.1f} s training ({spent.lost_seconds:.1f} s lost),"
        f" {spent.validation_seconds:.1f} s validating, {spent.samples:,} samples,"
        f" {plain(size(spent.peak_bytes))} at the peak, {_joules(receipt)}"
    )
    output.say(f"receipt: {run.folder / 'receipt.json'}")
    output.done(result=receipt.to_document(), runs=[run.folder], next_command=f"pennyweight {verb} {run.folder}")


def _joules(receipt: Receipt) -> str:
    joules = receipt.to_document()["estimates"]["joules"]
    return "unknown energy" if joules == "unknown" else f"{number(joules, 4)} J"
