"""Findings are where a reviewer would put them, and nowhere else."""

import re
from pathlib import Path

import pytest

from pennyweight.arrays.trace.lints import LINTS
from tests.arrays.trace.harness import trace
from tests.arrays.trace.lint_cases import MEANT, PLANTED

_MARK = re.compile(r"# planted: (\w+)")


def _marked(source: str) -> tuple[tuple[str, int], ...]:
    lines = enumerate(source.splitlines(), 1)
    return tuple(sorted((found.group(1), number) for number, line in lines if (found := _MARK.search(line))))


@pytest.mark.parametrize("name", [*PLANTED, *MEANT])
def test_what_is_planted_is_found_and_what_is_meant_is_not(name: str, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    source = "import numpy as np\n" + {**PLANTED, **MEANT}[name]
    script.write_text(source)
    traced = trace(script, folder=str(tmp_path), lints=True, timing=0.1)
    assert traced.code == 0, traced.err
    assert traced.captured, traced.problems
    assert traced.findings == _marked(source), traced.sentences


def test_every_kind_has_cases_of_both_sorts() -> None:
    kinds = [kind for source in PLANTED.values() for kind, _ in _marked(source)]
    assert {*kinds} == {lint.__name__ for lint in LINTS}
    assert all(kinds.count(kind) >= 2 for kind in kinds)
    assert not [name for name, source in MEANT.items() if _marked(source)]
    assert len(MEANT) >= 25
