"""The verbs as a user runs them, in an empty folder, with a corpus of her own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pennyweight.core.machine import BusyWatch
from pennyweight.core.stack import Stack
from pennyweight.verbs import tour
from tests.methods.par.fitting import texts_of_colours
from tests.report.test_prices import ROWS
from tests.verbs.conftest import QUICK, Call


def test_fit_then_ls_sample_and_report(call: Call, tmp_path: Path, corpus: Path) -> None:
    fitted = call("fit", "--budget", "2s", "--data", str(corpus), *QUICK)
    assert fitted.code == 0, fitted.err
    assert "buys about" in fitted.err
    assert "next: pennyweight sample" in fitted.out
    (run,) = (tmp_path / "runs").iterdir()
    assert {p.name for p in run.iterdir()} >= {"config.json", "metrics.jsonl", "receipt.json", "model.safetensors"}
    assert not (run / "state").exists()
    listed = call("ls")
    assert run.name in listed.out
    assert "finished" in listed.out
    assert "par/tiny" in listed.out
    written = call("sample", "--prompt", "word1 ", "--tokens", "20")
    assert written.out.startswith("word1 ")
    assert call("sample", "--prompt", "word1 ", "--tokens", "20").out == written.out, "the same seed, the same text"
    page = call("report")
    assert page.code == 0
    html = (run / "report.html").read_text(encoding="utf-8")
    receipt = json.loads((run / "receipt.json").read_text())
    assert f"{receipt['result']['value']:.4g}" in html


def test_a_classifier_is_fitted_on_a_folder_of_folders_and_is_not_asked_to_write(call: Call, tmp_path: Path) -> None:
    data = texts_of_colours(tmp_path / "colours")
    fitted = call("fit", "par/classifier", "--budget", "80samples", "--data", str(data), *QUICK)
    assert fitted.code == 0, fitted.err
    assert "majority class" in fitted.out
    assert "next: pennyweight report" in fitted.out
    (run,) = (tmp_path / "runs").iterdir()
    assert call("report").code == 0
    assert "accuracy" in (run / "report.html").read_text(encoding="utf-8")
    refused = call("sample", run.name)
    assert refused.code == 2
    assert "writes no text" in refused.err


def test_json_is_one_document_and_progress_goes_elsewhere(call: Call, corpus: Path) -> None:
    ended = call("fit", "--budget", "8samples", "--json", "--data", str(corpus), *QUICK)
    document = json.loads(ended.out)
    assert set(document) == {"schema", "command", "status", "runs", "result", "next"}
    assert document["status"] == "done"
    assert document["result"]["spent"]["samples"] == 8
    assert json.loads(call("ls", "--json").out)["result"]["runs"][0]["status"] == "finished"


def test_dry_run_prints_every_setting_and_makes_no_run(call: Call, tmp_path: Path, corpus: Path) -> None:
    ended = call("fit", "--dry-run", "--budget", "30s", "--data", str(corpus), *QUICK)
    assert ended.code == 0
    for setting in ("fit.optimizer.lr", "data.path", "pattern", "parameters", "buys about"):
        assert setting in ended.out
    assert not (tmp_path / "runs").exists()


def test_assumptions_turn_into_energy_money_and_co2(call: Call, tmp_path: Path, corpus: Path) -> None:
    call("fit", "--budget", "40samples", "--assume", "watts=65,price=0.3,co2=400", "--data", str(corpus), *QUICK)
    (run,) = (tmp_path / "runs").iterdir()
    receipt = json.loads((run / "receipt.json").read_text())
    if receipt["spent"]["joules"] is None:
        kwh = 65 * receipt["spent"]["train_seconds"] / 3.6e6
        assert abs(receipt["estimates"]["money"] - 0.3 * kwh) < 1e-12
        assert abs(receipt["estimates"]["co2_grams"] - 400 * kwh) < 1e-9
        assert receipt["estimates"]["joules_from"] == "assumed watts"


def test_data_is_found_in_the_place_that_the_environment_names(
    call: Call, tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PENNYWEIGHT_DATA", str(corpus.parent))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    ended = call("fit", "--budget", "8samples", "--data", "corpus", *QUICK)
    assert ended.code == 0, ended.err


def test_race_by_samples_writes_a_page_whose_numbers_have_receipts(call: Call, tmp_path: Path, corpus: Path) -> None:
    ended = call("race", "par", "--budget", "960samples", "--seeds", "3", "--data", str(corpus), *QUICK)
    assert ended.code == 0, ended.err
    (folder,) = (tmp_path / "runs").iterdir()
    race = json.loads((folder / "race.json").read_text())
    assert race["verdict"] in ("idea", "rival", "undecided")
    assert len(race["trials"]) == 6
    assert len(race["sweep"]) == 6
    for trial in race["trials"]:
        receipt = json.loads((folder / trial["receipt"]).read_text())
        assert receipt["result"]["value"] == trial["value"]
        assert receipt["seed"] == trial["seed"]
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert "63 % of self-attention" in html
    assert "finished" in call("ls").out
    again = call("race", "--resume", str(folder))
    assert again.code == 2


def test_a_race_on_trial_shows_both_sizes_and_how_equal_they_are(call: Call, tmp_path: Path, corpus: Path) -> None:
    asked = ["--equal", "parameters", "--idea", "(ff)*3", "--seeds", "5", "--budget", "4000samples", "--dry-run"]
    ended = call("race", "par", *asked, "--data", str(corpus), *QUICK)
    assert ended.code == 0, ended.err
    assert "idea: (ff)*3" in ended.out
    assert re.search(r"the rival sets pattern = interleaved, width = \d+, num_heads = \d", ended.out)
    told = re.search(
        r"Equal parameters: with width .*, the rival has ([\d,]+) parameters, .* idea's ([\d,]+)", ended.out
    )
    assert told
    (row,) = (line for line in ended.out.splitlines() if line.startswith("parameters "))
    assert row.split()[1:] == [told[2].rstrip("."), told[1]]
    assert "5 seeds a side, 300 samples each" in ended.out
    assert ended.out.splitlines()[-1] == "next: pennyweight race par --equal parameters --idea '(ff)*3'"
    assert not (tmp_path / "runs").exists() or not list((tmp_path / "runs").iterdir())


def test_an_interrupted_race_keeps_its_finished_trials(tmp_path: Path, corpus: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    program = [sys.executable, "-m", "pennyweight"]
    asked = [*program, "race", "par", "--budget", "2400samples", "--data", str(corpus), *QUICK]
    process = subprocess.Popen(asked, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=environment)
    trials: list[Path] = []
    until = time.monotonic() + 60
    while not trials and time.monotonic() < until:
        time.sleep(0.1)
        trials = list((tmp_path / "runs").glob("race-*/trials.jsonl"))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "race --resume" in said
    (folder,) = (tmp_path / "runs").iterdir()
    before = trials[0].read_text().splitlines()
    assert before
    done = subprocess.run(
        [*program, "race", "--resume", str(folder)], cwd=tmp_path, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert trials[0].read_text().splitlines()[: len(before)] == before
    assert (folder / "race.json").exists()


def test_ctrl_c_leaves_a_run_that_can_be_resumed(tmp_path: Path, corpus: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    program = [sys.executable, "-m", "pennyweight"]
    asked = [*program, "fit", "--budget", "20000samples", "--data", str(corpus), *QUICK]
    process = subprocess.Popen(asked, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=environment)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        time.sleep(0.1)
        logs = list((tmp_path / "runs").glob("*/metrics.jsonl"))
        if logs and logs[0].read_text().count("\n") > 5:
            break
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "fit --resume" in said.splitlines()[-1]
    listed = subprocess.run([*program, "ls"], cwd=tmp_path, capture_output=True, text=True, env=environment, check=True)
    assert "interrupted" in listed.stdout


def test_the_tour_ends_inside_its_total_in_one_page(
    call: Call, tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real verb; only what it does is made small, so that 45 seconds are enough for instruments and races."""
    plan = tour.make_plan
    settings = dict(word.split("=", 1) for word in QUICK if "=" in word) | {"data.path": str(corpus)}
    stack = Stack.parse("cpu/torch/fp32/1t")
    monkeypatch.setattr(
        tour, "make_plan", lambda contest, **rest: plan(contest, settings=settings, stack=stack, **rest)
    )
    weigh, lottery, numpy = tour.weigh, tour.layer_lottery, Stack.parse("cpu/numpy/fp32/1t")
    monkeypatch.setattr(tour, "_WITH_INSTRUMENTS", 45.0)
    monkeypatch.setattr(BusyWatch, "share", lambda self: 0.01)  # the other tests are not the others
    monkeypatch.setattr(tour, "weigh", lambda stacks, seconds, report: weigh([numpy], seconds=4.0, report=report))
    monkeypatch.setattr(
        tour,
        "layer_lottery",
        lambda place, seconds, report: lottery(place, seconds=8.0, stacks=[numpy, stack], sizes=["8x64"]),
    )
    monkeypatch.setattr(tour, "price_by_length", lambda place, report: ROWS)
    started = time.monotonic()
    ended = call("tour", "--budget", "45s")
    assert ended.code == 0, ended.err
    assert time.monotonic() - started < 45
    said = ended.out.splitlines()
    assert [line.partition(":")[0] for line in said[:5]] == ["search", "weigh", "trace", "lottery", "par"]
    kinds = {json.loads((one / "config.json").read_text()).get("kind"): one for one in (tmp_path / "runs").iterdir()}
    assert kinds.keys() == {"trace", "lottery", "race"}
    folder = kinds["race"]
    html = (folder / "tour.html").read_text(encoding="utf-8")
    assert "Written by the model" in html
    for told in ("What came out", "Advice that was tried", "GB/s", "hardware", "The price of attention", "Race: par"):
        assert told in html, told
    assert "left out" not in html
    assert len(list((folder / "trials").glob("*/receipt.json"))) == 6


def test_a_short_tour_says_what_it_left_out(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tour, "_race", lambda place, name, seconds, meter: (tour._Stop(
        sections=[], folder=tmp_path, sentence=f"{name}: raced"), None))  # fmt: skip
    monkeypatch.setattr(tour, "to_document", lambda result: {})
    ended = call("tour", "--budget", "40s", "--out", "tour.html")
    assert ended.code == 0, ended.err
    assert "weigh, trace and lottery, for which a tour takes 420s" in (tmp_path / "tour.html").read_text()
