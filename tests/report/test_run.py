"""The section of a run: finished or not, with all that its receipt knows."""

import re
from pathlib import Path

from pennyweight.core.receipt import Assumptions
from pennyweight.report.page import render
from pennyweight.report.run import run_section
from pennyweight.report.sentences import run_sentence
from pennyweight.report.words import plain
from tests.report.made import a_run


def test_an_unfinished_run_says_so_and_how_to_resume_it(tmp_path: Path) -> None:
    run = a_run(tmp_path / "half", finished=False)
    text = render("A run", [run_section(run)])
    assert f"Go on with: pennyweight fit --resume {run.folder}" in text
    # 50 of 126 steps: 39.7 %, 25.0 s, 400 samples
    assert "Not finished: 40 % of 63 s is spent (25 s, 400 samples)." in plain(run_sentence(run))
    with run.locked():
        assert run_sentence(run).startswith("Still running: ")


def test_a_run_that_has_not_made_a_step_can_be_shown(tmp_path: Path) -> None:
    run = a_run(tmp_path / "new", finished=False)
    (run.folder / "metrics.jsonl").unlink()
    text = render("A run", [run_section(run)])
    assert "<svg" not in text
    assert "0 % of 63 s is spent (0 s, 0 samples)" in plain(text)


def test_a_receipt_shows_unknown_where_nothing_is_known(tmp_path: Path) -> None:
    assumed = render("A run", [run_section(a_run(tmp_path / "a"))])
    lines = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", assumed))
    # 65 W for 63.21 s
    assert (lines["energy"], lines["known from"], lines["money"], lines["CO2"]) == (
        "4,109 J",
        "assumed watts",
        "unknown",
        "unknown",
    )
    bare = render("A run", [run_section(a_run(tmp_path / "b", assumptions=Assumptions()))])
    lines = dict(re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", bare))
    assert (lines["energy"], lines["known from"]) == ("unknown", "no counter, no assumption")
    assert lines["sha256"] == "abababababab"
