"""A run is a directory: configuration, metrics, receipt, weights, and the state from which it can go on.

``config.json`` what was asked; ``metrics.jsonl`` a line a step or validation; ``receipt.json`` what came of it;
``model.safetensors`` the weights; ``state/`` checkpoints. One process writes a run at a time.
"""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from pennyweight.core.errors import UserError, did_you_mean
from pennyweight.core.files import write_json

SCHEMA = 1
_RESULTS = ("receipt.json", "race.json", "examination.json", "lottery.json", "search.json")
"""What a folder holds when its work is finished: of a run, a race, a traced program, a lottery, a search."""


class Run:
    """A run's directory and the names of what lies in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def create(cls, runs: Path, recipe: str, document: Mapping[str, Any]) -> "Run":
        """A new directory ``<method>-<recipe>-<UTC>-<4 hex>`` below ``runs`` with its ``config.json``."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        folder = runs / f"{recipe.replace('/', '-')}-{stamp}-{secrets.token_hex(2)}"
        try:
            folder.mkdir(parents=True)
            write_json(folder / "config.json", {"schema": SCHEMA, "recipe": recipe, **document})
        except OSError as error:
            raise UserError(
                f"cannot make a run in {runs}: {error.strerror}",
                expected="a directory that can be written",
                hint="choose one with --runs DIR",
            ) from None
        return cls(folder)

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """An existing run."""
        if not (folder / "config.json").is_file():
            raise UserError(f"{folder} is no run", expected="a directory with a config.json", hint="see pennyweight ls")
        return cls(folder)

    @property
    def name(self) -> str:
        """The directory's name."""
        return self.folder.name

    @cached_property
    def document(self) -> dict[str, Any]:
        """What was asked for: recipe, config, budget, stack and data."""
        return read_document(self.folder / "config.json")

    @property
    def recipe(self) -> str:
        """``method/recipe``."""
        return str(self.document["recipe"])

    @property
    def state(self) -> Path:
        """Folder of the checkpoints."""
        return self.folder / "state"

    @property
    def weights(self) -> Path:
        """The weights of the last step (averaged ones where the run averages)."""
        return self.folder / "model.safetensors"

    @property
    def receipt(self) -> dict[str, Any] | None:
        """The receipt, or None while the run is unfinished."""
        path = self.folder / "receipt.json"
        return read_document(path) if path.is_file() else None

    @property
    def race(self) -> dict[str, Any] | None:
        """The result where this folder holds a finished race."""
        path = self.folder / "race.json"
        return read_document(path) if path.is_file() else None

    @property
    def search(self) -> dict[str, Any] | None:
        """The result where this folder holds a finished search."""
        path = self.folder / "search.json"
        return read_document(path) if path.is_file() else None

    @property
    def status(self) -> str:
        """``finished``, ``running`` (some process holds it) or ``interrupted`` (it can be resumed)."""
        if any((self.folder / name).is_file() for name in _RESULTS):
            return "finished"
        try:
            with self.locked():
                return "interrupted"
        except UserError:
            return "running"
        except OSError:
            return "interrupted"  # a folder of somebody else, whom nothing here can ask

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for writing; a second process is refused. The lock dies with its process, even killed."""
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            # Whoever asks for the status holds the lock for an instant; a writer holds it for good.
            for wait in (0.05, 0.1, 0.2, None):
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if wait is not None:
                        time.sleep(wait)
            else:
                raise UserError(
                    f"run {self.name} is being written by another process",
                    expected="one writer of a run at a time",
                    hint="wait for it, or start a new run",
                ) from None
            yield
        finally:
            os.close(descriptor)

    def metrics(self, kind: str = "") -> list[dict[str, Any]]:
        """The records of ``metrics.jsonl``, of one kind (``step``, ``validation``) or all."""
        return [r for r in read_records(self.folder / "metrics.jsonl") if not kind or r["kind"] == kind]


def read_document(path: Path) -> dict[str, Any]:
    """A JSON object from a file; damage is reported with the file's name."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error})", expected="a JSON document") from None
    if not isinstance(document, dict):
        raise UserError(f"{path}", expected="a JSON object")
    return document


def read_records(path: Path) -> list[dict[str, Any]]:
    """JSON lines; a torn last line (the writer was killed) is left out."""
    if not path.is_file():
        return []
    records = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records


class MetricsLog:
    """Appends records to a file of JSON lines, after the last whole one.

    A write that fails is kept and tried again with the next record.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._pending: list[str] = []
        self._good_bytes = path.read_bytes().rfind(b"\n") + 1 if path.exists() else 0

    def append(self, record: Mapping[str, Any]) -> OSError | None:
        """Write a record; returns the error when the disk refused it (the record is not lost)."""
        self._pending.append(json.dumps(record) + "\n")
        raw = "".join(self._pending).encode()
        try:
            # Opened each time: the file may be moved or the disk come back between two records.
            if not self.path.exists():
                self.path.touch()
                self._good_bytes = 0
            with open(self.path, "r+b") as file:
                file.truncate(self._good_bytes)
                file.seek(self._good_bytes)
                file.write(raw)
        except OSError as error:
            return error
        self._good_bytes += len(raw)
        self._pending.clear()
        return None

    def rewind(self, step: int) -> None:
        """Drop the records after a step, and a torn last line: the run goes on from that step."""
        from pennyweight.core.files import write_atomic

        kept = [record for record in read_records(self.path) if record["step"] <= step]
        content = "".join(json.dumps(record) + "\n" for record in kept)
        write_atomic(self.path, content)
        self._good_bytes = len(content.encode())


def find_runs(runs: Path) -> list[Run]:
    """All runs below a directory, the oldest first."""
    if not runs.is_dir():
        return []
    found = [Run(folder.parent) for folder in runs.glob("*/config.json")]
    return sorted(found, key=lambda run: (run.folder / "config.json").stat().st_mtime)


def find_run(name: str, runs: Path) -> Run:
    """A run by its path, its name, or the beginning of its name; "last" is the newest."""
    known = find_runs(runs)
    if name == "last" and known:
        return known[-1]
    for candidate in (Path(name), runs / name):
        if (candidate / "config.json").is_file():
            return Run(candidate)
    matching = [run for run in known if name != "" and run.name.startswith(name)]
    if len(matching) == 1:
        return matching[0]
    if not known:
        raise UserError(f"no run {name!r}", expected=f"a run below {runs}, which holds none", hint="pennyweight fit")
    raise UserError(
        f"no run {name!r}" if not matching else f"run {name!r} is ambiguous",
        expected="the path or name of a run",
        hint=did_you_mean(name, [run.name for run in matching or known][-5:]),
    )
