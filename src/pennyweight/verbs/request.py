"""What several verbs are asked in the same words: a recipe with settings and data, and a stack."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pennyweight.core.errors import UserError
from pennyweight.core.fit import fastest_stack
from pennyweight.core.machine import usable_cores
from pennyweight.core.recipe import Config, override, parse_settings
from pennyweight.core.registry import Method, find_recipe
from pennyweight.core.run import Run
from pennyweight.core.stack import Stack
from pennyweight.core.task import Task


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a command works: its runs, the machine's cache, and a folder of data named from outside."""

    runs: Path
    cache: Path
    data: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Request:
    """A recipe as asked for: the method, ``method/recipe``, and the configuration with all settings applied."""

    method: Method
    recipe: str
    config: Config
    settings: Mapping[str, str]

    def builder(self, cache: Path) -> Callable[[], Task]:
        """A function that builds the task."""
        return lambda: self.method.build(self.config, cache=cache)


def read_settings(settings: Sequence[str], data: str, column: str, place: Place) -> dict[str, str]:
    """``--set``, ``--data`` and ``--column`` as settings. Data is looked for here, then in ``place.data``."""
    chosen = parse_settings(settings)
    if data:
        path = Path(data).expanduser()
        if not path.exists() and place.data and (place.data / data).exists():
            path = place.data / data
        chosen["data.path"] = str(path.absolute())
    if column:
        chosen["data.column"] = column
    return chosen


def read_request(recipe: str, settings: Mapping[str, str]) -> Request:
    """The recipe with its settings; `UserError` for names and values that do not exist."""
    method, name = find_recipe(recipe)
    config = override(method.recipe(name), settings)
    return Request(method=method, recipe=f"{method.name}/{name}", config=config, settings=settings)


def choose_stack(name: str, request: Request, place: Place, *, devices: int = 1) -> tuple[Stack, Mapping[str, float]]:
    """The stack asked for, or the fastest one here with the seconds of a step on each that was measured."""
    if name:
        stack = Stack.parse(name)
        stack.activate()
        return stack, {}
    threads = max(1, usable_cores() // devices)
    return fastest_stack(request.builder(place.cache), request.config, cache=place.cache, threads=threads)


def require_writable(runs: Path) -> None:
    """Refuse a place for runs that cannot be written, before any work is done for it."""
    try:
        runs.mkdir(parents=True, exist_ok=True)
        probe = runs / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UserError(
            f"runs cannot be written to {runs}: {error.strerror}",
            expected="a directory that can be written",
            hint="choose one with --runs DIR",
        ) from None


@contextmanager
def written_by(run: Run, *, leads: bool) -> Iterator[None]:
    """The run's lock on the leading process; the others write nothing."""
    if not leads:
        yield
        return
    with run.locked():
        yield


def refuse_with_resume(**given: object) -> None:
    """A resumed run goes on as it was asked for: other settings beside ``--resume`` are refused."""
    extra = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if extra:
        raise UserError(
            f"--resume with {', '.join(extra)}",
            expected="--resume alone: a run goes on as it was asked for",
            hint="start a new run to change settings",
        )
