"""A command line to be called inside the test's process, with a corpus and quick settings at hand."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pennyweight import cli

QUICK = [
    *("--set", "num_blocks=6", "--set", "width=32", "--set", "num_heads=2", "--set", "context=64"),
    *("--set", "data.tokenizer=bytes", "--set", "fit.batch=4", "--stack", "cpu/torch/fp32/1t"),
]


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Call = Callable[..., Ended]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number in range(30):
        words = " ".join(f"word{(number * k) % 89}" for k in range(400))
        (folder / f"{number}.txt").write_text(words, encoding="utf-8")
    return folder


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PENNYWEIGHT_DATA", raising=False)

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr("sys.argv", ["pennyweight", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        seen = capsys.readouterr()
        return Ended(int(ended.value.code or 0), seen.out, seen.err)

    return run
