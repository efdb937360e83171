"""The section of one run: its result, what it spent, its floors, its curves, its receipt."""

from collections.abc import Mapping
from typing import Any

from pennyweight.core.run import Run
from pennyweight.report import figures
from pennyweight.report.pieces import (
    Banner,
    Cell,
    Group,
    Notes,
    Piece,
    Records,
    Section,
    Table,
    Tile,
    Tiles,
    drawing,
    receipt_link,
    section,
    slug,
    titled,
)
from pennyweight.report.receipt import receipt_record
from pennyweight.report.sentences import best_floor, run_sentence
from pennyweight.report.words import amount, change, duration, number, score, size


def run_section(run: Run) -> Section:
    """One run: what was asked, spent and reached, the floors, the curves, notes, receipt."""
    receipt, link = run.receipt, receipt_link(run.name)
    pieces: list[Piece] = []
    if receipt is None:
        pieces.append(Banner(label=f"Run, {run.status}", sentence=run_sentence(run)))
    else:
        pieces.append(Banner(label="Result", sentence=run_sentence(run), tone="idea"))
        pieces.append(_run_tiles(receipt, link))
        pieces += _run_floors(receipt, link)
    metric = receipt["result"]["metric"] if receipt else "metric"
    records = run.metrics()
    pieces += drawing(
        lambda width: figures.run_curves(records, metric=metric, width=width, key=run.name),
        "Above: the training loss of each step, thin, and its running mean over a fortieth of the run. Below: the"
        " validation split and the learning rate. The axes leave out the first descent.",
    )
    if receipt and receipt["notes"]:
        pieces.append(Notes(items=receipt["notes"]))
    if receipt:
        own = receipt_record(receipt, name=run.name, title="receipt.json")
        pieces.append(Records(title="Receipt", anchor=f"receipts-{slug(run.name)}", records=[own]))
    return section(titled(f"Run: {run.recipe}", run.folder), run.name, pieces)


def _run_tiles(receipt: Mapping[str, Any], link: str) -> Tiles:
    result, spent = receipt["result"], receipt["spent"]
    interval = f"{score(result['low'])}–{score(result['high'])}"
    tiles = [Tile(label=result["metric"], value=Cell(score(result["value"]), link, "idea", interval))]
    if floor := best_floor(receipt["baselines"], result["better"]):
        tiles.append(Tile(label="best floor", value=Cell(score(floor[1]), link, "", floor[0])))
    asked = f"asked {amount(receipt['asked'])}"
    tiles += [
        Tile(label="trained for", value=Cell(duration(spent["train_seconds"]), link, "", asked)),
        Tile(label="samples", value=Cell(number(spent["samples"]), link, "", f"{number(spent['steps'])} steps")),
        Tile(label="peak memory", value=Cell(size(spent["peak_bytes"]), link, "", f"on {receipt['stack']}")),
        Tile(label="parameters", value=Cell(number(receipt["parameters"]), link)),
    ]
    return Tiles(tiles=tiles)


def _run_floors(receipt: Mapping[str, Any], link: str) -> list[Piece]:
    result = receipt["result"]
    if not receipt["baselines"]:
        return []
    own = result["value"]
    rows = [(Cell("this run", "", "idea"), own), *((Cell(n), v) for n, v in receipt["baselines"].items())]
    rows.sort(key=lambda row: row[1] if result["better"] == "lower" else -row[1])
    shown = [(label, Cell(score(v), link), Cell(change(own / v) if v and own != v else "")) for label, v in rows]
    columns = [Cell("best first"), Cell(f"{result['metric']}, test split"), Cell("this run against it")]
    return [Table(caption="Against the floor", columns=columns, groups=[Group(rows=shown)])]
