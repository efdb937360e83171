"""``index``: make documents searchable, or bring an index up to date with them."""

import time
from pathlib import Path

from pennyweight.console import Output
from pennyweight.core.errors import UserError
from pennyweight.methods.qa.index.build import Change, update
from pennyweight.methods.qa.index.layout import index_folder
from pennyweight.methods.qa.index.sources import Folder, PythonDocs, Source
from pennyweight.report.words import duration, number

DEFAULT_NAME = "python"
_MOST_REASONS = 8


def run(output: Output, indexes: Path, *, folder: str, name: str) -> None:
    """Index the documents below a folder, or those of this Python where none is named."""
    started = time.monotonic()
    source: Source = Folder(Path(folder).expanduser()) if folder else PythonDocs()
    own = name or (_name(Path(folder)) if folder else DEFAULT_NAME)
    place = index_folder(indexes, own)
    with output.progress() as meter:
        change = update(place, source, report=meter.show)
    seconds = time.monotonic() - started
    _show(output, change)
    output.say(f"index {own}: {place.absolute()}, in {duration(seconds)}")
    output.done(
        result={
            "index": own,
            "folder": str(place.absolute()),
            "source": source.name,
            "seconds": seconds,
            **{key: getattr(change, key) for key in ("added", "changed", "removed", "kept")},
            **{key: getattr(change, key) for key in ("documents", "passages", "words")},
            "skipped": [{"document": one.key, "reason": one.reason} for one in change.skipped],
        },
        next_command=f'pennyweight ask{"" if own == DEFAULT_NAME else f" --index {own}"} "..."',
    )


def _name(folder: Path) -> str:
    """A name made of the folder's own."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in folder.resolve().name)
    if not kept.strip("-"):
        raise UserError(f"folder {folder} gives no name for its index", expected="a name", hint="give one with --name")
    return kept.strip("-")[:64]


def _show(output: Output, change: Change) -> None:
    output.table(
        "",
        ["documents", "new", "changed", "gone", "as they were", "passages", "words"],
        [
            [
                f"{value:,}"
                for value in (
                    change.documents,
                    change.added,
                    change.changed,
                    change.removed,
                    change.kept,
                    change.passages,
                    change.words,
                )
            ]
        ],
    )
    for one in change.skipped[:_MOST_REASONS]:
        output.say(f"left out: {one.key}: {one.reason}")
    if more := change.skipped[_MOST_REASONS:]:
        output.say(f"left out: {number(len(more))} more, all listed in the index's manifest.json")
