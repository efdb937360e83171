"""A finished race as its folder holds it, and the links from its numbers to the documents that they come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pennyweight.core.errors import UserError
from pennyweight.core.race import SIDES, Interval, RaceResult, SideName
from pennyweight.core.recipe import from_document
from pennyweight.core.run import read_document
from pennyweight.report.pieces import receipt_link, slug


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A race's folder, read once: its result, and the receipt of each trial that has one, by the trial's run."""

    folder: Path
    result: RaceResult
    receipts: Mapping[str, Mapping[str, Any]]

    @property
    def names(self) -> dict[str, str]:
        """What people call each side."""
        return {side: self.result.sides[side].name for side in SIDES}

    @property
    def anchor(self) -> str:
        """The id of the race's section, and a part of the ids inside of it."""
        return slug(self.folder.name)

    @property
    def record(self) -> str:
        """Link to the race's own document."""
        return f"#record-{self.anchor}"

    def group(self, name: str) -> str:
        """Link to a group of receipts: of a side, or of the sweep."""
        return f"#receipts-{self.anchor}-{name}"

    def first(self, side: SideName) -> str:
        """Link to the trial whose model was measured."""
        found = (receipt_link(t.run) for t in self.result.trials if t.side == side and t.receipt)
        return next(found, self.record)


def load_race(folder: Path) -> RaceResult:
    """The result of a finished race from its folder; `UserError` where it has none yet."""
    if not (folder / "race.json").is_file():
        raise UserError(
            f"{folder} is no finished race",
            expected="a folder with a race.json",
            hint=f"go on with: pennyweight race --resume {folder}",
        )
    return from_document(RaceResult, read_document(folder / "race.json"))


def load_evidence(folder: Path) -> Evidence:
    """A finished race and the receipts of its trials; `UserError` where it has no result yet."""
    result = load_race(folder)
    receipts = {trial.run: read_document(folder / trial.receipt) for trial in result.trials if trial.receipt}
    return Evidence(folder=folder, result=result, receipts=receipts)


def speed_ratio(speed: Mapping[str, Any]) -> Interval:
    """Idea over rival of one of a result's speeds, which the document holds as a plain mapping."""
    return Interval(**{key: speed["ratio"][key] for key in ("value", "low", "high")})
