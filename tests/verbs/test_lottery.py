"""``lottery`` prints, keeps and shows what it measured, and refuses in a line what it cannot hold."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pennyweight.core.budget import Budget
from pennyweight.core.errors import UserError
from pennyweight.core.files import write_json
from pennyweight.core.machine import BusyWatch
from pennyweight.core.recipe import from_document, to_document
from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.card import Card
from pennyweight.lottery.holding.ideas.layer import IDEAS
from pennyweight.lottery.weighing.tables import save_tables
from pennyweight.report.lottery import load_card
from pennyweight.verbs import lottery_races
from pennyweight.verbs.lottery import layer_lottery
from pennyweight.verbs.lottery_races import race_stacks
from pennyweight.verbs.request import Place
from tests.lottery.cards import NUMPY, table
from tests.lottery.test_heats import a_race
from tests.verbs.conftest import Call, Ended

NUMPY64 = "cpu/numpy/fp64/1t"
STACKS = ["--stack", NUMPY, "--stack", NUMPY64]
SCRIPT = """
import numpy as np

def by_loop(x, y):
    "Row by row."
    return np.stack([row @ y for row in x])

def at_once(x, y):
    return x @ y

def off(x, y):
    return 1.1 * (x @ y)

def inputs(size=60):
    generator = np.random.default_rng(0)
    return generator.standard_normal((size, 50)), generator.standard_normal((50, 4))
"""


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other tests are not the others."""
    monkeypatch.setattr(BusyWatch, "share", lambda self: 0.01)


@pytest.fixture
def weighed(tmp_path: Path) -> None:
    """Tables of this machine are kept already, so that nothing is weighed."""
    tables = [table(stack, contraction_int8=4e11, fft_float32=1e9) for stack in (NUMPY, "cpu/torch/fp32/1t")]
    save_tables([*tables, table(NUMPY64, contraction_float64=5e10)], tmp_path / "cache" / "pennyweight")


@pytest.fixture
def script(tmp_path: Path) -> str:
    (tmp_path / "products.py").write_text(SCRIPT)
    return "products.py"


@pytest.fixture
def ended(call: Call, script: str, quiet: None, weighed: None) -> Ended:
    rivals = [f"{script}::at_once", f"{script}::by_loop"]
    return call("lottery", *rivals, *STACKS, "--size", "60", "--size", "20", "--budget", "12s")


def test_a_lottery_of_functions_is_printed_kept_and_shown(ended: Ended, call: Call, tmp_path: Path) -> None:
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert any(line.startswith("First at 60: ") for line in lines)
    assert "60: rank, time of a call, times the fastest" in lines
    assert "20: rank, time of a call, times the fastest" in lines
    assert any(line.startswith("by_loop ") and "2. " in line and "×" in line for line in lines)
    assert any(line.startswith("The lottery index is 0") for line in lines)
    assert any("loss = hardware x software" in line for line in lines)
    assert re.search(r"spent \d+(\.\d+)? s of 12s", ended.out)
    assert lines[-1] == "next: pennyweight trace products.py"
    (folder,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"lottery-products-\d{8}T\d{6}Z-[0-9a-f]{4}", folder.name)
    assert json.loads((folder / "config.json").read_text())["kind"] == "lottery"
    card = load_card(folder)
    assert [idea.what for idea in card.ideas] == ["a function", "Row by row"]
    assert all(cell.status == "ok" for cell in card.cells)
    assert card.results is not None
    assert {loss.idea for loss in card.results.losses} == {"by_loop"}
    for loss in card.results.losses:
        assert loss.hardware is not None and loss.software is not None  # noqa: PT018 - for the type checker
        assert loss.hardware * loss.software == pytest.approx(loss.ratio.value, rel=1e-12)
    assert card.spent_seconds < 12.5
    assert f"page: {folder / 'report.html'}" in lines
    page = (folder / "report.html").read_text()
    assert "What a stack decides" in page
    again = call("report", folder.name, "--out", "again.html")
    assert again.code == 0, again.err
    assert (tmp_path / "again.html").read_text() == page


def test_for_programs_there_is_one_document_with_the_whole_card(
    call: Call, script: str, quiet: None, weighed: None
) -> None:
    told = call("lottery", f"{script}::at_once", f"{script}::by_loop", *STACKS[:2], "--budget", "4s", "--json")
    assert told.code == 0, told.err
    document = json.loads(told.out)
    assert (document["command"], document["status"]) == ("lottery", "done")
    page = document["result"].pop("page")
    assert Path(page).is_file()
    assert from_document(Card, document["result"]).stacks == (NUMPY,)
    assert [Path(run).name for run in document["runs"]] == [Path(page).parent.name]


def test_on_a_busy_machine_times_are_shown_and_nothing_is_concluded(
    call: Call, script: str, weighed: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(BusyWatch, "share", lambda self: 0.4)
    asked = ("lottery", f"{script}::at_once", f"{script}::by_loop", *STACKS, "--budget", "4s")
    told = call(*asked)
    assert told.code == 1
    assert "Refused: other processes took 40% of this machine" in told.out
    assert "inputs(): time of a call" in told.out
    for gone in ("flip: ", "lottery index", "why they lose", "surprise", " 1. "):
        assert gone not in told.out, gone
    assert told.out.splitlines()[-1] == f"next: pennyweight {' '.join(asked)}"
    (folder,) = (tmp_path / "runs").iterdir()
    assert load_card(folder).results is None


def test_under_a_light_load_the_rule_is_told_and_verdicts_are_no_others(
    call: Call, script: str, weighed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BusyWatch, "share", lambda self: 0.2)
    told = call("lottery", f"{script}::at_once", f"{script}::by_loop", *STACKS, "--budget", "4s")
    assert told.code == 0, told.err
    assert (
        "note: other processes took 20% of this machine: every time is taken as known to a factor of 1.25" in told.out
    )
    assert "by_loop on" not in told.out.partition("why they lose")[0]


def test_the_layers_seven_ideas_are_held_for_the_tour(
    tmp_path: Path, quiet: None, weighed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pennyweight.core.stack import Stack

    place = Place(runs=tmp_path / "runs", cache=tmp_path / "cache" / "pennyweight")
    stages: list[str] = []
    folder = layer_lottery(
        place,
        seconds=12.0,
        stacks=[Stack.parse(NUMPY), Stack.parse("cpu/torch/fp32/1t")],
        sizes=["8x64"],
        report=lambda stage, done: stages.append(stage),
    )
    card = load_card(folder)
    assert [idea.name for idea in card.ideas] == list(IDEAS)
    assert {cell.status for cell in card.cells} == {"ok", "not available"}
    assert [cell.idea for cell in card.cells if cell.status != "ok"] == ["bf16"]
    assert card.results is not None
    assert card.results.index is not None
    assert card.results.losses
    assert (folder / "report.html").is_file()
    assert "measuring" in stages
    assert "not accuracies of networks" in card.quality


# --- what is refused ---


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lyer"], "did you mean layer?"),
        (["pra"], "did you mean par?"),
        (["products.py"], "SCRIPT.py::name for each rival"),
        (["products.py::at_once"], "two rivals or more"),
        (["products.py::at_once", "products.py::by_loops"], "did you mean by_loop?"),
        (["products.py::at_once", "products.py::off"], "off against at_once: its error of 0.1 is beyond 0.001"),
        (["products.py::at_once", "layer"], "SCRIPT.py::name"),
        (["nowhere.py::a", "nowhere.py::b"], "no script nowhere.py"),
        (["bare.py::a", "bare.py::b"], "no function inputs in bare.py"),
        (["products.py::at_once", "products.py::by_loop", "--stack", "cuda/torch/bf16"], "a CUDA device"),
        (["products.py::at_once", "products.py::by_loop", "--stack", "tpu/jax"], "device/library/precision/threads"),
        (["products.py::at_once", "products.py::by_loop", "--tolerance", "much"], "a relative error"),
        (["layer", "--tolerance", "0.1"], "whose ideas have their own"),
        (["layer", "--size", "large"], "ROWSxWIDTH"),
        (["layer", "--budget", "5 parsecs"], "parsecs"),
        (["layer", "--budget", "100samples"], "a total time"),
        (["layer", "--budget", "1s", *STACKS], "more time"),
        (["par", "--size", "4"], "with a lottery of races"),
        (["par", "--stack", "cpu/torch/fp32/1t"], "two stacks or more"),
        (["empty"], "no finished race"),
        (["race-one"], "races on two stacks or more"),
        (["race-one", "race-one", "--budget", "3s"], "--budget with a lottery of finished races"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_request_is_one_line_and_exit_code_2(
    call: Call,
    script: str,
    weighed: None,
    tmp_path: Path,
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Bare:
        accelerator = ""

    monkeypatch.setattr("pennyweight.lottery.holding.rivals.this_machine", Bare)
    (tmp_path / "bare.py").write_text("def a(x):\n    return x\n\ndef b(x):\n    return x\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "race-one").mkdir()
    write_json(tmp_path / "race-one" / "race.json", to_document(a_race()))
    told = call("lottery", *arguments)
    assert told.code == 2, told.err
    assert said in told.err.splitlines()[-1]
    assert len([line for line in told.err.splitlines() if line.startswith("pennyweight: ")]) == 1
    assert "Traceback" not in told.err
    assert not told.out.strip()
    assert not list(tmp_path.glob("runs/*"))


def test_a_script_that_raises_is_one_line_and_exit_code_1(call: Call, tmp_path: Path) -> None:
    (tmp_path / "raises.py").write_text("import numpy as np\n\ndef a(x):\n    return x\n\nnp.zeros(3)[9]\n")
    told = call("lottery", "raises.py::a", "raises.py::b")
    assert told.code == 1
    assert told.err.splitlines()[-1].startswith("pennyweight: raises.py, line 6: IndexError: ")
    assert "Traceback" not in told.err


def test_ctrl_c_ends_with_130_and_leaves_neither_runs_nor_processes(tmp_path: Path, weighed: None) -> None:
    command = [sys.executable, "-m", "pennyweight", "lottery", *STACKS, "--size", "32x64", "--budget", "60s"]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as holding:
        children: list[psutil.Process] = []
        end = time.monotonic() + 60
        while len(children) < 2 and time.monotonic() < end:
            time.sleep(0.05)
            children = psutil.Process(holding.pid).children()
        time.sleep(0.5)
        holding.send_signal(signal.SIGINT)
        out, err = holding.communicate(timeout=60)
    assert holding.returncode == 130, err
    assert err.splitlines()[-1] == "pennyweight: interrupted"
    assert not out
    assert len(children) == 2
    assert not any(child.is_running() for child in children)
    assert not list(tmp_path.glob("runs/*"))


# --- races ---


def test_finished_races_are_set_beside_one_another_and_nothing_is_trained(call: Call, tmp_path: Path) -> None:
    for name, stack, verdict in (("one", "cpu/torch/fp32/1t", "idea"), ("two", "cpu/torch/bf16/1t", "rival")):
        (tmp_path / name).mkdir()
        write_json(tmp_path / name / "race.json", to_document(a_race(stack, verdict=verdict)))
    told = call("lottery", "one", "two")
    assert told.code == 0, told.err
    assert "The verdict depends on the stack" in told.out
    assert "new wins on torch fp32 1t, old on torch bf16 1t." in told.out
    assert "no training step could be traced here" in told.out
    assert told.out.splitlines()[-1] == "next: pennyweight report one"
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("lottery-par-")
    assert "The verdict depends on the stack" in (folder / "report.html").read_text()


def test_races_are_run_on_every_stack_that_can_train() -> None:
    names = [str(stack) for stack in race_stacks()]
    assert names[-1] == "cpu/torch/fp32/1t"
    assert len(names) >= 2


def test_no_race_is_run_before_all_are_known_to_fit(
    call: Call, weighed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned: list[str] = []

    def plan(contest: object, *, stack: Stack, budget: Budget, **rest: object) -> object:
        planned.append(f"{stack} {budget}")
        if len(planned) == 2:
            raise UserError(f"race budget {budget}", expected="at least 290s here")
        return object()

    monkeypatch.setattr(lottery_races, "make_plan", plan)
    monkeypatch.setattr(lottery_races, "tables_for", lambda stacks, **rest: ([], []))
    told = call("lottery", "par", "--budget", "8min", "--stack", "cpu/torch/fp32/1t", "--stack", "cpu/torch/bf16/1t")
    assert told.code == 2
    assert re.search(r"cpu/torch/bf16/1t's share of 480s, race budget \d+s: expected at least 290s", told.err)
    assert [one.rpartition(" ")[0] for one in planned] == ["cpu/torch/fp32/1t", "cpu/torch/bf16/1t"]
    assert len({one.rpartition(" ")[2] for one in planned}) == 1
    assert not list(tmp_path.glob("runs/*"))
