"""How the program talks: results for people or one JSON document on standard output, progress on standard error."""

import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

if TYPE_CHECKING:
    from pennyweight.core.fit import Trainer

SCHEMA = 1


class Output:
    """One command's output: tables and sentences, or with ``json`` nothing but the closing document."""

    def __init__(self, command: str, *, as_json: bool) -> None:
        self.command = command
        self.as_json = as_json
        self._people = Console(highlight=False, soft_wrap=True, quiet=as_json)
        self._aside = Console(stderr=True, highlight=False, soft_wrap=True)

    def say(self, text: str = "") -> None:
        """A line of the result."""
        self._people.print(text, markup=False)

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows under a header; every column but the first is aligned to the right when it holds numbers."""
        table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
        for index, name in enumerate(header):
            numeric = index > 0 and all(_is_number(row[index]) for row in rows)
            table.add_column(name, justify="right" if numeric else "left", overflow="fold")
        for row in rows:
            table.add_row(*(_plain(cell) for cell in row))
        self._people.print(table)

    def aside(self, text: str) -> None:
        """Something that is not the result: a warning, where a file lies, what happens next."""
        self._aside.print(text, markup=False)

    def progress(self) -> "Meter":
        """A progress bar on standard error; on a pipe, a line now and then."""
        return Meter(self._aside)

    def done(self, *, result: Any, runs: Sequence[Path] = (), next_command: str = "", status: str = "done") -> None:
        """Close the command: the document for programs, or the next command for people."""
        if self.as_json:
            document = {
                "schema": SCHEMA,
                "command": self.command,
                "status": status,
                "runs": [str(run) for run in runs],
                "result": result,
                "next": next_command,
            }
            sys.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n")
        elif next_command:
            self.say(f"next: {next_command}")


def _plain(cell: str) -> str:
    from rich.markup import escape

    return escape(cell)


def _is_number(cell: str) -> bool:
    return (
        cell in ("", "unknown", "diverged")
        or re.fullmatch(r"[-+−]?[\d.,]+(e[-+−]?\d+)?( ?([kMG]?B|[mµn]?s))?", cell) is not None
    )


class Meter:
    """Where the work stands, as a fraction, with an estimate of the time left."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = console.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[detail]}"),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._stage = ""
        self._said = 0.0

    def __enter__(self) -> "Meter":
        if self._live:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._bar.stop()

    def show(self, stage: str, fraction: float, detail: str = "") -> None:
        """The stage, how much of it is done (0 to 1), and a detail such as the loss."""
        if self._live:
            if stage != self._stage or self._task is None:
                if self._task is not None:
                    self._bar.remove_task(self._task)
                self._task = self._bar.add_task(stage, total=1.0, detail="")
            self._bar.update(self._task, completed=fraction, detail=detail)
        elif stage != self._stage or time.monotonic() - self._said > 20:
            self._said = time.monotonic()
            self._console.print(f"{stage}: {fraction:.0%} {detail}".rstrip(), markup=False)
        self._stage = stage


class FitProgress:
    """Shows a trainer's steps on a meter; a `pennyweight.core.fit.Listener` by its methods."""

    def __init__(self, output: Output, meter: Meter) -> None:
        self._output = output
        self._meter = meter
        self._validation = ""

    def started(self, trainer: "Trainer") -> None:
        """Say what the budget will buy."""
        calibration = trainer.calibration
        self._output.aside(
            f"{trainer.run.name}: {trainer.task.num_parameters():,} parameters on {trainer.stack};"
            f" {trainer.budget} buys about {trainer.samples_ahead:,} samples"
            f" ({calibration.step_seconds * 1e3:.0f} ms a step of {trainer.config.fit.batch})"
        )

    def stepped(self, trainer: "Trainer", record: Mapping[str, Any]) -> None:
        """Move the bar."""
        loss = next((v for k, v in record.items() if k == "loss" or k.endswith(".loss")), None)
        detail = f"loss {loss:.3f}" if loss is not None else ""
        self._meter.show("training", trainer.fraction, f"{detail}{self._validation}")

    def validated(self, trainer: "Trainer", record: Mapping[str, Any]) -> None:
        """Keep the newest validation in sight."""
        self._validation = f", {trainer.task.metric.name} {record['value']:.3f}"

    def note(self, text: str) -> None:
        """Print it above the bar."""
        self._output.aside(text)
