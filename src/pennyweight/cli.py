"""The command line: one verb a function, which parses and hands on. Nothing heavy is imported before a verb runs."""

import io
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pennyweight import __version__
from pennyweight.console import Output
from pennyweight.core.errors import UserError, WorkFailed

if TYPE_CHECKING:
    from pennyweight.verbs.request import Place

app = typer.Typer(
    name="pennyweight",
    help="A budgeted workshop for machine learning: train, race and explain models that fit, with receipts.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells count it (128 + SIGINT): neither done, nor failed, nor wrong."""

Runs = Annotated[Path, typer.Option("--runs", metavar="DIR", help="Where runs are kept.")]
Indexes = Annotated[Path, typer.Option("--indexes", metavar="DIR", help="Where indexes are kept.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Settings = Annotated[list[str], typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the recipe.")]
Data = Annotated[
    str, typer.Option("--data", metavar="PATH", help="A folder, a text file or a Parquet file (default: built in).")
]
Column = Annotated[str, typer.Option("--column", metavar="NAME", help="The column of a Parquet file.")]
StackName = Annotated[
    str, typer.Option("--stack", metavar="STACK", help="Such as cpu/torch/bf16/2t (default: the fastest here).")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the whole configuration and what it buys; do nothing.")]

# typer carries a click of its own since 0.26; before, this was click's. Either way it is the base of these.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]

DEFAULT_RUNS = Path("runs")
DEFAULT_INDEXES = Path("indexes")


def place(runs: Path) -> "Place":
    """Where the command works. The only place where the environment is read."""
    from platformdirs import user_cache_path

    from pennyweight.verbs.request import Place

    data = os.environ.get("PENNYWEIGHT_DATA")
    return Place(runs=runs, cache=user_cache_path("pennyweight"), data=Path(data) if data else None)


@app.callback(invoke_without_command=True)
def _start(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        typer.echo(f"pennyweight {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def tour(
    budget: Annotated[str, typer.Option("--budget", help="Total time, everything included.")] = "10min",
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="Where the page goes.")] = "",
    runs: Runs = DEFAULT_RUNS,
    json: Json = False,
) -> None:
    """The main job: every work on real data under one total budget, ending in one page."""
    from pennyweight.verbs import tour as verb

    verb.run(Output("tour", as_json=json), place(runs), budget=budget, out=out)


@app.command()
def ls(runs: Runs = DEFAULT_RUNS, indexes: Indexes = DEFAULT_INDEXES, json: Json = False) -> None:
    """Recipes, the runs made so far, and indexes."""
    from pennyweight.verbs import ls as verb

    verb.show(Output("ls", as_json=json), runs, indexes)


@app.command()
def weigh(
    stacks: Annotated[
        list[str], typer.Option("--stack", metavar="STACK", help="Such as cpu/numpy/fp64/1t; may be given again.")
    ] = [],  # noqa: B006 - typer copies it
    budget: Annotated[str, typer.Option("--budget", help="Total time, everything included.")] = "55s",
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="Where a page with all numbers goes.")] = "",
    json: Json = False,
) -> None:
    """Measure this machine: calls, bandwidths and rates of its stacks, with their bands."""
    started = time.monotonic()  # loading libraries is part of the total
    from pennyweight.verbs import weigh as verb

    output = Output("weigh", as_json=json)
    verb.run(output, place(DEFAULT_RUNS), stacks=stacks, budget=budget, out=out, started=started)


@app.command()
def trace(
    script: Annotated[str, typer.Argument(help="A Python program (default: an example).")] = "",
    arguments: Annotated[
        list[str], typer.Argument(metavar="[-- ARGS]...", help="What the program is given, after two dashes.")
    ] = [],  # noqa: B006 - typer copies it
    function: Annotated[
        str, typer.Option("--function", metavar="NAME", help="Only what one function does: name or Class.method.")
    ] = "",
    limit: Annotated[str, typer.Option("--limit", help="Stop the program after this time.")] = "60s",
    advice: Annotated[str, typer.Option("--advice", help="Time for trying rewrites; 0s tries none.")] = "20s",
    fake: Annotated[bool, typer.Option("--fake", help="torch with shapes alone: nothing is computed or held.")] = False,
    subclass: Annotated[
        bool, typer.Option("--subclass", help="Give the program true ndarrays, for libraries that insist on them.")
    ] = False,
    runs: Runs = DEFAULT_RUNS,
    json: Json = False,
) -> None:
    """Run an array program and show what each line costs and why."""
    from pennyweight.verbs import trace as verb

    verb.run(
        Output("trace", as_json=json),
        place(runs),
        script=script,
        arguments=arguments,
        function=function,
        limit=limit,
        advice=advice,
        fake=fake,
        subclass=subclass,
    )


@app.command()
def fit(
    recipe: Annotated[str, typer.Argument(help="method/recipe, or a method for its default recipe.")] = "",
    budget: Annotated[
        str, typer.Option("--budget", help="Such as 90s, 10min, 200000samples, 4GB or 500J, joined by commas.")
    ] = "",
    settings: Settings = [],  # noqa: B006 - typer copies it
    data: Data = "",
    column: Column = "",
    stack: StackName = "",
    devices: Annotated[int, typer.Option("--devices", min=1, help="Processes that train together.")] = 1,
    resume: Annotated[str, typer.Option("--resume", metavar="RUN", help="Go on with an interrupted run.")] = "",
    assume: Annotated[
        str, typer.Option("--assume", help="What the machine costs: watts=65,price=0.30,co2=380 (per kWh).")
    ] = "",
    runs: Runs = DEFAULT_RUNS,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Train a recipe inside a budget; the receipt says what it bought."""
    from pennyweight.verbs import fit as verb
    from pennyweight.verbs.request import refuse_with_resume

    output = Output("fit", as_json=json)
    if resume:
        refuse_with_resume(
            recipe=recipe, budget=budget, set=settings, data=data, column=column, stack=stack, assume=assume,
            dry_run=dry_run,
        )  # fmt: skip
        verb.go_on(output, place(runs), resume=resume, devices=devices)
        return
    verb.start(
        output,
        place(runs),
        recipe=recipe or "par/tiny",
        budget=budget,
        settings=settings,
        data=data,
        column=column,
        stack=stack,
        devices=devices,
        assume=assume,
        dry_run=dry_run,
    )


@app.command()
def race(
    name: Annotated[str, typer.Argument(help="A method.")] = "",
    budget: Annotated[str, typer.Option("--budget", help="The total, sweep and measurements included.")] = "",
    equal: Annotated[
        str,
        typer.Option("--equal", metavar="KIND", help="Of what both get the same: time, latency, parameters or flops."),
    ] = "",
    idea: Annotated[str, typer.Option("--idea", metavar="PATTERN", help="Another idea (default: the paper's).")] = "",
    rival: Annotated[str, typer.Option("--rival", metavar="PATTERN", help="Another rival.")] = "",
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Trials a side; a winner needs 3.")] = 3,
    settings: Settings = [],  # noqa: B006 - typer copies it
    data: Data = "",
    column: Column = "",
    stack: StackName = "",
    resume: Annotated[str, typer.Option("--resume", metavar="RACE", help="Finish an interrupted race.")] = "",
    runs: Runs = DEFAULT_RUNS,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """An idea against its rival: same data, seeds, tuning and budget; a verdict with its interval."""
    from pennyweight.verbs import race as verb
    from pennyweight.verbs.request import refuse_with_resume

    output = Output("race", as_json=json)
    if resume:
        refuse_with_resume(
            name=name, budget=budget, equal=equal, idea=idea, rival=rival, set=settings, data=data, column=column,
            stack=stack, dry_run=dry_run,
        )  # fmt: skip
        verb.go_on(output, place(runs), resume=resume)
        return
    verb.start(
        output,
        place(runs),
        name=name or "par",
        budget=budget or "12min",
        equal=equal or "time",
        idea=idea,
        rival=rival,
        seeds=seeds,
        settings=settings,
        data=data,
        column=column,
        stack=stack,
        dry_run=dry_run,
    )


@app.command()
def lottery(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME]...", help="layer, SCRIPT.py::function twice or more, a method, or finished races."
        ),
    ] = [],  # noqa: B006 - typer copies it
    stacks: Annotated[
        list[str], typer.Option("--stack", metavar="STACK", help="Such as cpu/torch/fp32/1t; may be given again.")
    ] = [],  # noqa: B006
    sizes: Annotated[
        list[str],
        typer.Option("--size", metavar="SIZE", help="ROWSxWIDTH, or what inputs(size) takes; again for more."),
    ] = [],  # noqa: B006
    tolerance: Annotated[
        str, typer.Option("--tolerance", help="How far rivals may differ, relative (default: by precision).")
    ] = "",
    budget: Annotated[
        str, typer.Option("--budget", help="Total time, everything included (default: 2min; for races 30min).")
    ] = "",
    runs: Runs = DEFAULT_RUNS,
    json: Json = False,
) -> None:
    """Ideas on every stack at hand: where their order flips, and what of it is the hardware's."""
    started = time.monotonic()
    from pennyweight.verbs import lottery as verb

    code = verb.run(
        Output("lottery", as_json=json),
        place(runs),
        names=names,
        stacks=stacks,
        sizes=sizes,
        tolerance=tolerance,
        budget=budget,
        started=started,
    )
    if code:
        raise typer.Exit(code)


@app.command()
def search(
    recipe: Annotated[str, typer.Argument(help="A recipe of a transformer with a pattern (default: par/tiny).")] = "",
    latency: Annotated[
        list[str],
        typer.Option(
            "--latency",
            metavar="LIMIT",
            help="0.6x of the reference's or 120ms, for training; prefill=0.6x, decode=0.5x; may be given again.",
        ),
    ] = [],  # noqa: B006
    cache: Annotated[str, typer.Option("--cache", metavar="LIMIT", help="Keys and values: 0.4x or 2MB.")] = "",
    parameters: Annotated[str, typer.Option("--parameters", metavar="LIMIT", help="Such as 1x or 1.5M.")] = "",
    menu: Annotated[
        str, typer.Option("--menu", metavar="LETTERS", help="Kinds of block, of a,w,f,f2,f1,i (default: all).")
    ] = "",
    budget: Annotated[str, typer.Option("--budget", help="Total time, everything included (default: 30min).")] = "",
    parent: Annotated[
        str, typer.Option("--parent", metavar="RUN", help="Search from a trained run instead of training one.")
    ] = "",
    from_scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Train candidates from scratch instead of healing them.")
    ] = False,
    settings: Settings = [],  # noqa: B006
    data: Data = "",
    column: Column = "",
    stack: StackName = "",
    resume: Annotated[str, typer.Option("--resume", metavar="SEARCH", help="Finish an interrupted search.")] = "",
    runs: Runs = DEFAULT_RUNS,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """The cheapest pattern of a transformer that keeps its quality, on this machine."""
    started = time.monotonic()
    from pennyweight.verbs import search as verb
    from pennyweight.verbs.request import refuse_with_resume

    output = Output("search", as_json=json)
    if resume:
        refuse_with_resume(
            recipe=recipe, latency=latency, cache=cache, parameters=parameters, menu=menu, budget=budget,
            parent=parent, from_scratch=from_scratch, set=settings, data=data, column=column, stack=stack,
            dry_run=dry_run,
        )  # fmt: skip
        verb.go_on(output, place(runs), resume=resume)
        return
    verb.start(
        output,
        place(runs),
        recipe=recipe,
        latency=latency,
        cache=cache,
        parameters=parameters,
        menu=menu,
        budget=budget,
        parent=parent,
        from_scratch=from_scratch,
        settings=settings,
        data=data,
        column=column,
        stack=stack,
        dry_run=dry_run,
        started=started,
    )


@app.command()
def index(
    folder: Annotated[
        str, typer.Argument(help="A folder of documents (default: what this Python says of itself).")
    ] = "",
    name: Annotated[str, typer.Option("--name", help="The index's name (default: the folder's).")] = "",
    indexes: Indexes = DEFAULT_INDEXES,
    json: Json = False,
) -> None:
    """Make documents searchable: text, Markdown, HTML, reStructuredText and PDF; only what has changed is read."""
    from pennyweight.verbs import index as verb

    verb.run(Output("index", as_json=json), indexes, folder=folder, name=name)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="In your own words.")] = "",
    index: Annotated[str, typer.Option("--index", metavar="NAME", help="Which index (default: the only one).")] = "",
    top: Annotated[int, typer.Option("--top", help="How many passages to show.")] = 3,
    indexes: Indexes = DEFAULT_INDEXES,
    json: Json = False,
) -> None:
    """The passages of your documents that answer a question best, and why each was found."""
    from pennyweight.verbs import ask as verb

    verb.run(Output("ask", as_json=json), indexes, question=question, index=index, top=top)


@app.command()
def report(
    names: Annotated[list[str], typer.Argument(metavar="[RUN]...", help="Runs or races (default: the newest).")] = [],  # noqa: B006
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="Where the page goes.")] = "",
    runs: Runs = DEFAULT_RUNS,
    json: Json = False,
) -> None:
    """One self-contained page for runs and races."""
    from pennyweight.verbs import report as verb

    verb.show(Output("report", as_json=json), place(runs), names=names, out=out)


@app.command()
def sample(
    run: Annotated[str, typer.Argument(help="A trained run (default: the newest).")] = "",
    prompt: Annotated[str, typer.Option("--prompt", help="What the text begins with.")] = "",
    tokens: Annotated[int, typer.Option("--tokens", help="How many tokens to write.")] = 200,
    temperature: Annotated[float, typer.Option("--temperature", help="0 takes the likeliest token.")] = 0.8,
    top_k: Annotated[int, typer.Option("--top-k", help="Sample among the k likeliest; 0 among all.")] = 40,
    seed: Annotated[int, typer.Option("--seed")] = 0,
    runs: Runs = DEFAULT_RUNS,
    json: Json = False,
) -> None:
    """Let a trained language model write."""
    from pennyweight.verbs import sample as verb

    verb.write(
        Output("sample", as_json=json),
        place(runs),
        run=run,
        prompt=prompt,
        tokens=tokens,
        temperature=temperature,
        top_k=top_k,
        seed=seed,
    )


def main() -> None:
    """Run a command and exit: 0 done, 1 the work failed, 2 the request was wrong, 130 interrupted."""
    if "OMP_WAIT_POLICY" not in os.environ:
        # Threads that spin long while they wait make a step several times slower as soon as another program
        # wants a core (docs/decisions.md). Must be set before torch is imported; receipts print it.
        os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without × or — still gets the rest of the line
    code = 1
    try:
        code = app(standalone_mode=False) or 0
        if code == INTERRUPTED:  # what typer makes of Ctrl-C, without a word
            code = _complain("interrupted", INTERRUPTED)
    except UserError as error:
        code = _complain(error, 2)
    except typer.Exit as error:
        code = error.exit_code
    except UsageError as error:
        code = _complain(_one_line(error), 2)
    except WorkFailed as error:
        code = _complain(error, 1)
    except (KeyboardInterrupt, typer.Abort):
        code = _complain("interrupted", INTERRUPTED)
    except OSError as error:
        if error.errno is None:
            raise
        code = _complain(f"{error.filename or 'the system'}: {error.strerror}", 1)
    except Exception as error:
        from pennyweight.core.fit import Interrupted

        if not isinstance(error, Interrupted):
            raise
        code = _complain(error, INTERRUPTED)
    finally:
        if "torch.distributed" in sys.modules:
            from pennyweight.core.distributed import leave_world

            leave_world(finished=code == 0)
    raise SystemExit(code)


def _one_line(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "pennyweight"
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    return f"{' '.join(message.split()).rstrip('.')}; see {command} --help"


def _complain(problem: object, code: int) -> int:
    """One line for people; with ``--json`` a document for programs too."""
    typer.echo(f"pennyweight: {problem}", err=True)
    if "--json" in sys.argv[1:]:
        status = {1: "failed", 2: "refused"}.get(code, "interrupted")
        Output(next((a for a in sys.argv[1:] if not a.startswith("-")), ""), as_json=True).done(
            result={"error": str(problem)}, status=status
        )
    return code
