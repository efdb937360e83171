"""The house's own rules: imports run one way, help is quick, the README's commands work."""

import ast
import os
import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import pennyweight

ROOT = Path(pennyweight.__file__).parent
# Each room may import from those after it and from itself; data and blocks stand side by side.
FLOORS = (
    ("cli", "__main__", "verbs", "web", "contract"),
    ("report", "console"),
    ("lottery",),
    ("methods",),
    ("explain",),
    ("blocks", "data"),
    ("core",),
    ("arrays", "examples"),
)
HEIGHT = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}


def _imports(path: Path) -> set[str]:
    """Modules of ours that a file imports, relative to the package."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("pennyweight"):
            names = [node.module] if node.module != "pennyweight" else [f"pennyweight.{a.name}" for a in node.names]
            # `from pennyweight.core import registry` names a module too.
            found |= {n.removeprefix("pennyweight.") for n in names}
        elif isinstance(node, ast.Import):
            found |= {a.name.removeprefix("pennyweight.") for a in node.names if a.name.startswith("pennyweight.")}
    return {name for name in found if name != "__version__"}


def wrong_way(room: str, method: str, imported: str) -> bool:
    """Whether a module in ``room`` (of ``method``, when the room is methods) may not import ``imported``."""
    target = imported.split(".")[0]
    if target == room:
        return room == "methods" and len(imported.split(".")) > 1 and imported.split(".")[1] != method
    return HEIGHT[target] <= HEIGHT[room]


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts == ("__init__",):
        return
    method = parts[1] if parts[0] == "methods" and len(parts) > 2 else ""
    if HEIGHT[parts[0]] == 0:
        return
    wrong = sorted(name for name in _imports(path) if wrong_way(parts[0], method, name))
    assert not wrong, f"{path.relative_to(ROOT)} imports {wrong}"


def test_the_direction_rule_would_catch_a_wrong_import() -> None:
    assert wrong_way("core", "", "blocks.pattern")
    assert wrong_way("blocks", "", "data.text")
    assert wrong_way("data", "", "blocks.pattern")
    assert wrong_way("methods", "par", "methods.qa.task")
    assert not wrong_way("methods", "par", "methods.par.config")
    assert not wrong_way("lottery", "", "core.race")


@pytest.mark.parametrize("arguments", [["--help"], ["ls"]], ids=["help", "ls"])
def test_help_and_ls_load_no_torch_and_take_under_half_a_second_of_processor(
    arguments: list[str], tmp_path: Path
) -> None:
    code = (
        "import sys; sys.argv = ['pennyweight', *sys.argv[1:]]\n"
        "from pennyweight.cli import main\n"
        "try: main()\n"
        "finally: print('torch' in sys.modules, file=sys.stderr)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stderr.strip().endswith("False"), "torch was imported"
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert seconds < 0.5, f"{seconds:.2f} CPU-seconds"


def test_the_public_names_are_exactly_these() -> None:
    assert sorted(pennyweight.__all__) == sorted(
        [
            "Budget",
            "Metric",
            "Pattern",
            "Run",
            "Stack",
            "Task",
            "Turn",
            "UserError",
            "WorkFailed",
            "trace",
            "__version__",
        ]
    )
    for name in pennyweight.__all__:
        assert getattr(pennyweight, name) is not None


REPOSITORY = Path(__file__).parents[2]


def _documented_commands() -> list[str]:
    """The lines of console blocks in the README that begin with a dollar sign and run the program."""
    blocks = re.findall(r"```console\n(.*?)```", (REPOSITORY / "README.md").read_text(encoding="utf-8"), re.S)
    lines = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [line for line in lines if line.startswith("pennyweight ")]


def test_the_readme_shows_commands() -> None:
    assert len(_documented_commands()) >= 5


def test_the_readme_commands_run(tmp_path: Path) -> None:
    """One after the other in one folder, budgets cut short, each must succeed."""
    corpus = tmp_path / "notes"
    corpus.mkdir()
    for number in range(30):
        words = " ".join(f"word{(number * k) % 97}" for k in range(900))
        (corpus / f"{number}.txt").write_text(words, encoding="utf-8")
    quick = "--set num_blocks=6 --set width=32 --set num_heads=2 --set context=64 --set data.tokenizer=bytes"
    numpy = ["--stack", "cpu/numpy/fp32/1t"]
    small = {
        "weigh": [*numpy, "--budget", "12s"],
        "lottery": [*numpy, "--stack", "cpu/numpy/fp64/1t", "--size", "8x64", "--budget", "8s"],
        "trace": ["--advice", "1s"],
        "race": ["--dry-run"],
        "search": ["--menu", "a,f,i", "--dry-run", "--budget", "3min"],
    }
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for command in _documented_commands():
        words = shlex.split(command, comments=True)
        words = [re.sub(r"^\d+(min|s|h)$", "4s" if words[1] == "fit" else "25s", word) for word in words]
        if words[1] == "tour":
            continue  # run on a small network in tests/verbs/test_flow.py
        if words[1] in ("fit", "race", "search") and "--resume" not in words:
            words += [*quick.split(), "--stack", "cpu/torch/fp32/1t"]
            if "--data" not in words:
                words += ["--data", "notes"]
        words += small.get(words[1], [])
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=tmp_path, capture_output=True, text=True, check=False, env=environment
        )
        refused = words[1] == "lottery" and "Refused: other processes" in done.stdout  # the other tests are those
        assert done.returncode == 0 or refused, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
