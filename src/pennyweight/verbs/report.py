"""``report``: one self-contained page for runs and races."""

from collections.abc import Sequence
from pathlib import Path

from pennyweight.console import Output
from pennyweight.core.errors import WorkFailed
from pennyweight.core.files import write_atomic
from pennyweight.core.run import Run, find_run
from pennyweight.report.page import render, section_of
from pennyweight.verbs.request import Place


def show(output: Output, place: Place, *, names: Sequence[str], out: str) -> None:
    """Write the page of the named runs and races, or of the newest one."""
    folders = [find_run(name, place.runs).folder for name in names or ["last"]]
    page = write_page(folders, Path(out) if out else folders[0] / "report.html")
    output.say(f"page: {page}")
    output.done(result={"page": str(page)}, runs=folders, next_command=f"open {page}")


def write_page(folders: Sequence[Path], path: Path) -> Path:
    """Write one page about several folders; each is a run or a race."""
    sections = [section_of(Run(folder)) for folder in folders]
    title = sections[0].title if len(sections) == 1 else f"{len(sections)} runs"
    try:
        write_atomic(path, render(title, sections))
    except OSError as error:
        raise WorkFailed(f"page {path} cannot be written: {error.strerror}; choose another place with --out") from error
    return path.absolute()
