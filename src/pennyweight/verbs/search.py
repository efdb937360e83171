"""``search``: which block stands where in a transformer, for the least loss under limits of time, memory and size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from pennyweight.blocks.pattern import Pattern
from pennyweight.console import Output
from pennyweight.core import randomness
from pennyweight.core.budget import Budget
from pennyweight.core.cost import Rate, Use
from pennyweight.core.errors import UserError
from pennyweight.core.fit import Interrupted
from pennyweight.core.recipe import flatten, from_document, to_document
from pennyweight.core.run import Run, find_run
from pennyweight.core.stack import Stack
from pennyweight.lottery.weighing.blocks import block_costs
from pennyweight.lottery.weighing.microbench.steps import Step
from pennyweight.lottery.weighing.models import SECONDS_EACH, step_rates
from pennyweight.methods.par.search.menu import LETTERS, parameter_prices
from pennyweight.methods.par.search.plan import (
    Plan,
    SearchedConfig,
    Wish,
    keep_plan,
    load_plan,
    make_plan,
    total_seconds,
    wished_limits,
)
from pennyweight.methods.par.search.result import SearchResult
from pennyweight.methods.par.search.rivals import field
from pennyweight.methods.par.search.study import Study
from pennyweight.methods.par.text import TextTask
from pennyweight.report.search_words import answer, candidate_of, candidate_rows, prices_sentence
from pennyweight.report.words import number, plain
from pennyweight.verbs.report import write_page
from pennyweight.verbs.request import Place, Request, choose_stack, read_request, read_settings, require_writable

RECIPE, LATENCY, BUDGET = "par/tiny", "0.6x", "30min"
_BRIEF_EACH = 0.4


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Measures the blocks and models of a recipe's size (`pennyweight.methods.par.search.plan.Instruments`).

    Training is timed with the recipe's batch, reading and writing with one sequence, all at the recipe's context.
    """

    vocab_size: int
    width: int
    num_heads: int
    window: int
    context: int
    batch: int
    causal: bool
    cache: Path
    seconds_each: float = SECONDS_EACH

    @classmethod
    def of(cls, task: TextTask, config: SearchedConfig, cache: Path, *, total: float) -> "Scale":
        """For the models of a task."""
        model = task.model.config
        return cls(
            vocab_size=model.vocab_size,
            width=model.width,
            num_heads=model.num_heads,
            window=model.window,
            context=config.context,
            batch=config.fit.micro_batch or config.fit.batch,
            causal=model.causal,
            cache=cache,
            seconds_each=min(SECONDS_EACH, max(_BRIEF_EACH, total / 400)),
        )

    def costs(self, stack: Stack, use: Use) -> Mapping[str, Rate]:
        """Seconds that each kind of block adds to a step, by its letter, and the fixed rest."""
        return block_costs(
            stack,
            width=self.width,
            num_heads=self.num_heads,
            length=self.context,
            batch=self._batch(use),
            use=use,
            window=self.window,
            vocab_size=self.vocab_size,
            causal=self.causal,
            cache=self.cache,
            seconds_each=self.seconds_each,
        )

    def steps(self, stack: Stack, use: Use, patterns: Sequence[str]) -> Mapping[str, Rate]:
        """Seconds of a step of whole models, in turns."""
        steps = {
            pattern: Step(
                pattern=pattern,
                vocab_size=self.vocab_size,
                width=self.width,
                num_heads=self.num_heads,
                window=self.window,
                length=self.context,
                batch=self._batch(use),
                use=use,
                causal=self.causal,
            )
            for pattern in patterns
        }
        return step_rates(stack, steps, seconds_each=self.seconds_each)

    def _batch(self, use: Use) -> int:
        return self.batch if use == "train" else 1


def start(
    output: Output,
    place: Place,
    *,
    recipe: str,
    latency: Sequence[str],
    cache: str,
    parameters: str,
    menu: str,
    budget: str,
    parent: str,
    from_scratch: bool,
    settings: Sequence[str],
    data: str,
    column: str,
    stack: str,
    dry_run: bool,
    started: float,
) -> None:
    """Plan a search and hold it, or print the plan."""
    limits = wished_limits(latency or ([] if cache or parameters else [LATENCY]), cache, parameters)
    asked = Budget.parse(budget or BUDGET)
    total = total_seconds(asked)
    request = _request(recipe, parent, read_settings(settings, data, column, place), place)
    if not dry_run:
        require_writable(place.runs)
    wish = Wish(
        limits=limits,
        letters=tuple(menu.replace(" ", "").split(",")) if menu else LETTERS,
        reference=str(cast(SearchedConfig, request.config).parsed_pattern()),
        parent=str(find_run(parent, place.runs).folder.absolute()) if parent else "",
        heal=not from_scratch,
    )
    wish.menu(Pattern.parse(wish.reference))  # before anything is measured
    chosen, measured = choose_stack(stack, request, place)
    if measured:
        output.aside("a step takes " + ", ".join(f"{t * 1e3:.0f} ms on {s}" for s, t in measured.items()))
    task, config = _task(request, place)
    with output.progress() as meter:
        plan = make_plan(
            task,
            config,
            recipe=request.recipe,
            settings=request.settings,
            wish=wish,
            budget=asked,
            stack=chosen,
            beside=_beside(chosen),
            instruments=Scale.of(task, config, place.cache, total=total),
            report=meter.show,
            started=started,
        )
    if dry_run:
        _show_plan(output, plan, task)
        return
    folder = keep_plan(plan, place.runs)
    _close(output, folder, _hold(output, place, folder, plan, task, config))


def go_on(output: Output, place: Place, *, resume: str) -> None:
    """Finish a search that was interrupted: its finished stages are kept, the one under way goes on."""
    run = find_run(resume, place.runs)
    if not (run.folder / "plan.json").is_file() or run.document.get("kind") != "search":
        raise UserError(f"{run.name} is no search", expected="the folder of an interrupted search")
    if (run.folder / "search.json").is_file():
        raise UserError(f"search {run.name} is finished", expected="an interrupted one", hint="pennyweight report")
    plan = load_plan(run.folder)
    task, config = _task(read_request(plan.recipe, plan.settings), place)
    if dict(task.data_receipt()) != plan.data:
        raise UserError(
            f"the data of {run.name} has changed since it began",
            expected=f"sha256 {plan.data.get('sha256', '?')[:12]}",
            hint="start a new search",
        )
    _close(output, run.folder, _hold(output, place, run.folder, plan, task, config))


def _hold(
    output: Output, place: Place, folder: Path, plan: Plan, task: TextTask, config: SearchedConfig
) -> SearchResult:
    run = Run(folder)
    with run.locked(), output.progress() as meter:
        study = Study(
            folder,
            plan,
            task,
            config,
            instruments=Scale.of(task, config, place.cache, total=total_seconds(Budget.parse(plan.asked))),
            cache=place.cache,
            report=meter.show,
            note=output.aside,
        )
        try:
            return study.run()
        except KeyboardInterrupt:
            raise Interrupted(run, "search") from None


# --- what is asked ---


def _request(recipe: str, parent: str, settings: dict[str, str], place: Place) -> Request:
    """The recipe, interleaved unless a pattern is set; of a parent its own, with what it was trained with."""
    if not parent:
        asked = recipe or RECIPE
        if not hasattr(read_request(asked, {}).config, "pattern"):
            raise UserError(f"recipe {asked}", expected="one with a pattern", hint="try par/tiny")
        return read_request(asked, {"pattern": "interleaved", **settings})
    run = find_run(parent, place.runs)
    if run.receipt is None or not run.weights.is_file():
        raise UserError(f"parent {parent!r}", expected="a finished run with weights", hint="pennyweight fit")
    if recipe and read_request(recipe, {}).recipe != run.recipe:
        raise UserError(f"recipe {recipe} with a parent of {run.recipe}", expected="the parent's own, or none")
    trained = read_request(run.recipe, {})
    usual, own = flatten(trained.config), flatten(from_document(type(trained.config), run.document["config"]))
    changed = {key: str(value) for key, value in own.items() if value != usual[key]}
    return read_request(run.recipe, {**changed, **settings})


def _task(request: Request, place: Place) -> tuple[TextTask, SearchedConfig]:
    """The untrained task with its data, and its configuration."""
    randomness.seed_all(request.config.fit.seed)
    task = request.builder(place.cache)()
    if not isinstance(task, TextTask):
        raise UserError(f"recipe {request.recipe}", expected="a transformer with a pattern", hint="try par/tiny")
    return task, cast(SearchedConfig, request.config)


def _beside(stack: Stack) -> list[Stack]:
    """The stack on which the choice is looked at too: the other precision of this processor."""
    if stack.device != "cpu":
        return []
    return [replace(stack, precision="fp32" if stack.precision == "bf16" else "bf16")]


# --- what is shown ---


def _show_plan(output: Output, plan: Plan, task: TextTask) -> None:
    reference = task.model.config.pattern
    limits, menu = plan.limits(reference), plan.wish.menu(reference)
    output.say(f"{plan.recipe} on {plan.stack}: {menu.num_blocks} blocks of {', '.join(menu.letters)}")
    for stack in plan.prices:
        output.say(plain(prices_sentence(plan.prices[stack][0], stack)))
    for limit in limits:
        whole = limit.prices.of(reference)
        output.say(
            f"{limit.prices.quantity} at most {number(limit.most / whole)} of {reference}'s; the menu reaches"
            f" {number(limit.prices.lowest(menu) / whole)}"
        )
    rivals = field(menu, limits, parameter_prices(task.model.config), seed=plan.seed)
    output.table("", ["rival within the limits", "pattern"], [[name, str(one)] for name, one in rivals.items()])
    rows = [[name, amount] for name, amount in plan.budgets.items()]
    output.table("", ["stage (candidates: each)", "training time"], rows)
    output.done(
        result={"plan": to_document(plan), "rivals": {name: str(one) for name, one in rivals.items()}},
        next_command=f"pennyweight search {plan.recipe}",
    )


def _close(output: Output, folder: Path, result: SearchResult) -> None:
    """Print a finished search as a table and write its page."""
    header, rows = candidate_rows(result)
    output.table("", header, [[plain(cell) for cell in row] for row in rows])
    for sentence in answer(result):
        output.say(plain(sentence))
    for note in result.notes:
        output.say(f"note: {note}")
    page = write_page([folder], folder / "report.html")
    output.say(f"page: {page}")
    found = candidate_of(result, result.found)
    output.done(
        result=to_document(result) | {"page": str(page)},
        runs=[folder],
        next_command=f'pennyweight fit {result.recipe} --set "pattern={found.pattern}"',
    )
