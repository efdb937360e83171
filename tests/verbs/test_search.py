"""The search as a command: what it plans, finishes, prints and leaves behind."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pennyweight.methods.par.search.plan import keep_plan
from pennyweight.verbs import search
from tests.methods.par.test_study import WISH, MadeUp, Place
from tests.verbs.conftest import QUICK, Call

SAMPLES = {"parent": "80samples", "scoring": "40samples", "supernet": "40samples", "candidates": "16samples"}


@pytest.fixture(autouse=True)
def made_up_prices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks cost what a test says: measuring them takes longer than all the rest."""
    monkeypatch.setattr(search.Scale, "costs", lambda self, stack, use: MadeUp().costs(stack, use))
    monkeypatch.setattr(search.Scale, "steps", lambda self, stack, use, texts: MadeUp().steps(stack, use, texts))


def test_a_search_on_trial_shows_prices_limits_rivals_and_times(call: Call, tmp_path: Path, corpus: Path) -> None:
    asked = ["--latency", "0.6x", "--parameters", "1x", "--budget", "20min", "--dry-run"]
    ended = call("search", "par/tiny", *asked, "--data", str(corpus), *QUICK)
    assert ended.code == 0, ended.err
    assert "train latency on cpu/torch/fp32/1t: a 4 ms" in ended.out
    assert "attention costs 4.0 feed-forward blocks" in ended.out
    assert "train latency at most 0.6 of afafaf's; the menu reaches 0.118" in ended.out
    assert "parameters at most 1 of afafaf's" in ended.out
    for word in ("random 1", "PAR, p = 3", "most parameters", "supernet"):
        assert word in ended.out
    assert ended.out.splitlines()[-1] == "next: pennyweight search par/tiny"
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


def test_a_resumed_search_ends_in_a_table_a_page_and_runs(call: Call, tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    place = Place(tmp_path / "text")
    wish = replace(WISH, letters=("a", "f", "i"))
    folder = keep_plan(place.plan(wish, samples=SAMPLES), tmp_path / "runs")
    assert "interrupted" in call("ls").out
    ended = call("search", "--resume", str(folder), "--json")
    assert ended.code == 0, ended.err
    document = json.loads(ended.out)
    found = next(one for one in document["result"]["candidates"] if one["name"] == document["result"]["found"])
    assert document["next"] == f'pennyweight fit par/tiny --set "pattern={found["pattern"]}"'
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert f"Found: {found['pattern']}" in html
    listed = call("ls").out
    assert "finished" in listed
    assert f"found {found['pattern']}" in listed
    again = call("search", "--resume", str(folder))
    assert (again.code, "is finished" in again.err) == (2, True)
    part = folder / found["run"]
    written = call("sample", str(part), "--tokens", "5")
    assert written.code == 0, written.err


def test_a_parent_brings_its_own_size_and_pattern(call: Call, tmp_path: Path, corpus: Path) -> None:
    trained = call("fit", "--set", "pattern=afaf", "--budget", "40samples", "--data", str(corpus), *QUICK)
    assert trained.code == 0, trained.err
    (run,) = (tmp_path / "runs").iterdir()
    ended = call("search", "--parent", run.name, "--budget", "20min", "--dry-run", "--json", "--stack", QUICK[-1])
    assert ended.code == 0, ended.err
    plan = json.loads(ended.out)["result"]["plan"]
    assert plan["wish"]["reference"] == "afaf"
    assert plan["settings"]["width"] == "32"
    assert plan["wish"]["parent"] == str(run)
    assert "parent" not in plan["budgets"]
    refused = call("search", "par/small", "--parent", run.name, "--dry-run")
    assert (refused.code, "expected the parent's own, or none" in refused.err) == (2, True)
