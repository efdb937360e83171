"""The contract suite over everything registered."""

from pathlib import Path

import pytest

from pennyweight.contract import CHECKS, Check, Subject
from pennyweight.core.registry import METHODS, Method, methods

# Settings that make a default recipe quick enough to be checked in seconds on one core.
QUICK = {
    "par": {
        "num_blocks": 6,
        "width": 32,
        "num_heads": 2,
        "context": 64,
        "data.tokenizer": "bytes",
        "fit.batch": 4,
        "fit.budget": "2s",
    }
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for number in range(40):
        words = " ".join(str(number * k * k + k) for k in range(120))
        (folder / f"{number}.txt").write_text(f"document {number}: {words}\n")
    return folder


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("method", [methods()[name] for name in METHODS], ids=lambda method: method.name)
def test_every_method_keeps_its_contract(method: Method, check: Check, corpus: Path, tmp_path: Path) -> None:
    settings = {**QUICK.get(method.name, {}), "data.path": str(corpus)}
    check(Subject(method=method, folder=tmp_path, cache=tmp_path / "cache", settings=settings))
