"""The section of a race says what the race's document says, in its order, and links each number to its source."""

import json
import re
from pathlib import Path

import pytest

from pennyweight.core.errors import UserError
from pennyweight.core.race import SIDES
from pennyweight.report.page import render
from pennyweight.report.race import race_section
from tests.report.made import Reader, a_race, links_by_number


def test_a_race_says_everything_in_its_order(tmp_path: Path) -> None:
    a_race(tmp_path / "race")
    text = render("A race", [race_section(tmp_path / "race")])
    marks = [
        "The paper&#39;s claim",
        "Verdict: the idea wins",
        "wins: 3.1",
        "The idea reaches 2.084",
        "<svg",
        "Both sides",
        "recall: accuracy",
        "The floor",
        "The sweep",
        "The trials",
        "other processes took 23%",
        "Receipts of the idea",
    ]
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)


def test_numbers_of_receipts_link_to_the_receipt_that_holds_them(tmp_path: Path) -> None:
    folder = tmp_path / "race"
    result = a_race(folder)
    text = render("A race", [race_section(folder)])
    known = links_by_number(text)
    for trial in result.trials:
        receipt = json.loads((folder / trial.receipt).read_text())
        href = "#receipt-" + trial.run.removeprefix("trials/")
        means = {f"#receipts-{folder.name}-{side}" for side in SIDES}
        assert known[f"{trial.value:.3f}"] - means == {href}
        assert href in known[f"{receipt['spent']['train_seconds']:.3g}"]
        assert href in known[f"{receipt['spent']['samples']:,}"]
        assert href in known[str(receipt["spent"]["steps"])]
    assert known["1,604,352"] == {"#receipt-" + result.trials[i].run.removeprefix("trials/") for i in (0, 1)}
    group = f"#receipts-{folder.name}-idea"
    assert group in known["2.013"]
    for content, href in Reader(text).cells:
        assert href or not re.match(r"[\d.]+(?!.*×)", content), f"{content} stands without a source"


def test_the_floor_stands_among_the_sides_in_order(tmp_path: Path) -> None:
    for name, better in (("low", "lower"), ("high", "higher")):
        a_race(tmp_path / name, better=better)
        text = render("A race", [race_section(tmp_path / name)])
        floor = text[text.index("The floor") : text.index("What the same held-out")]
        values = [float(found) for found in re.findall(r">([\d.]+)</a></td>", floor)]
        assert values == sorted([2.013, 2.078, 3.702, 3.698, 2.391, 2.702], reverse=better == "higher")


def test_the_sweep_marks_what_was_chosen(tmp_path: Path) -> None:
    a_race(tmp_path / "race", chosen={"idea": 0.003, "rival": 0.0015})
    text = render("A race", [race_section(tmp_path / "race")])
    chosen = [content for content, _ in Reader(text).cells if "chosen" in content]
    assert [content.split()[0] for content in chosen] == ["2.360", "2.240"]


def test_a_folder_without_a_result_says_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="pennyweight race --resume"):
        race_section(tmp_path)
