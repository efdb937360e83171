"""``ls``: what there is: methods and recipes, and the runs made so far. Imports no torch."""

from pathlib import Path
from typing import Any

from pennyweight.console import Output
from pennyweight.core.registry import methods
from pennyweight.core.run import Run, find_runs


def show(output: Output, runs: Path) -> None:
    """Print recipes and runs."""
    recipes = [
        {"recipe": f"{method.name}/{name}", "summary": method.summary(name)}
        for method in methods().values()
        for name in method.recipe_names()
    ]
    found = [_describe(run) for run in find_runs(runs)]
    output.table("", ["recipe", "what it is"], [[r["recipe"], r["summary"]] for r in recipes])
    output.say()
    if found:
        output.table("", ["run", "status", "budget", "result"], [[*map(str, run.values())] for run in found])
    else:
        output.say(f"no runs in {runs}")
    output.done(
        result={"recipes": recipes, "runs": found},
        runs=[runs / run["run"] for run in found],
        next_command="pennyweight report" if found else "pennyweight fit",
    )


def _describe(run: Run) -> dict[str, Any]:
    result = (run.receipt or {}).get("result")
    if (race := run.race) is not None:
        summary = f"verdict: {race['verdict']}"
    elif (search := run.search) is not None:
        found = next(one for one in search["candidates"] if one["name"] == search["found"])
        summary = f"found {found['pattern']}"
    else:
        summary = f"{result['value']:.4g} {result['unit']}" if result else ""
    return {"run": run.name, "status": run.status, "budget": run.document.get("budget", ""), "result": summary}
