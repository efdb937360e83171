"""``ls``: what there is: methods and recipes, the runs made so far, and indexes. Imports no torch."""

from pathlib import Path
from typing import Any

from pennyweight.console import Output
from pennyweight.core.registry import methods
from pennyweight.core.run import Run, find_runs, read_document
from pennyweight.methods.qa.index.layout import current, known_indexes


def show(output: Output, runs: Path, indexes: Path) -> None:
    """Print recipes, runs and indexes."""
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
    kept = [_described(indexes, name) for name in known_indexes(indexes)]
    if kept:
        output.say()
        rows = [[one["index"], f"{one['documents']:,}", f"{one['passages']:,}", one["source"]] for one in kept]
        output.table("", ["index", "documents", "passages", "of"], rows)
    output.done(
        result={"recipes": recipes, "runs": found, "indexes": kept},
        runs=[runs / run["run"] for run in found],
        next_command="pennyweight report" if found else "pennyweight fit",
    )


def _described(indexes: Path, name: str) -> dict[str, Any]:
    manifest = read_document(current(indexes / name) / "manifest.json")
    return {"index": name, **{key: manifest[key] for key in ("documents", "passages", "words", "source", "made")}}


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
