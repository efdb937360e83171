"""Programs that somebody else wrote run under trace as without, are captured, and are judged as a reviewer would."""

import re
from pathlib import Path

import pytest

from tests.arrays.trace.harness import PROGRAMS, both

NOT_CAPTURED = {
    "quantity_types.py": "defines a subclass of ndarray, whose own methods expect to be it: its arrays stay as they are",
}
OTHERWISE = {
    "bits_and_bytes.py": "memoryview(x).obj is the real array, which is not the x that the program holds",
}
_PLANTED = re.compile(r"# planted: (\w+)")


def _programs(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (PROGRAMS / folder).glob("*.py"))


def _planted(program: Path) -> tuple[tuple[str, int], ...]:
    lines = enumerate(program.read_text(encoding="utf-8").splitlines(), 1)
    return tuple(sorted((found.group(1), number) for number, line in lines if (found := _PLANTED.search(line))))


@pytest.mark.parametrize("program", _programs("clean", "capture", "defects"), ids=lambda path: path.stem)
def test_a_program_runs_as_without_trace_and_is_captured(program: Path, tmp_path: Path) -> None:
    judged = program.parent.name in ("clean", "defects")
    plain, traced = both(program, folder=tmp_path, lints=judged)
    assert (traced.code, traced.err) == (plain.returncode, plain.stderr)
    differing = [
        pair for pair in zip(traced.out.splitlines(), plain.stdout.splitlines(), strict=True) if len({*pair}) > 1
    ]
    assert len(differing) == (program.name in OTHERWISE), differing
    assert traced.captured == (program.name not in NOT_CAPTURED), (traced.problems, traced.error)
    if traced.captured:
        assert (traced.worst, traced.problems) == (0.0, ())
    assert traced.compared > 0
    if judged:
        assert traced.findings == _planted(program), traced.sentences


def test_the_collection_is_large_and_hardly_any_of_it_is_an_exception() -> None:
    assert len(_programs("clean")) >= 20
    assert len(_programs("clean", "capture", "defects")) >= 60
    assert len({*NOT_CAPTURED, *OTHERWISE}) <= 0.1 * len(_programs("clean", "capture"))
    assert {*NOT_CAPTURED, *OTHERWISE} <= {path.name for path in _programs("capture")}
    kinds = [kind for path in _programs("defects") for kind, _ in _planted(path)]
    assert len(kinds) == 16
    assert all(kinds.count(kind) == 2 for kind in kinds)
