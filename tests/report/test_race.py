"""The section of a race says what the race's document says, in its order, and links each number to its source."""

import json
import re
import shutil
from pathlib import Path

import pytest

from pennyweight.core.errors import UserError
from pennyweight.core.race import SIDES, Equality, Interval, Side
from pennyweight.report.page import render
from pennyweight.report.race import race_section
from tests.report.made import Reader, a_race, links_by_number

RECEIPTS = Path(__file__).parents[2] / "docs" / "receipts"


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


def test_a_race_says_which_kind_of_equality_it_is_and_how_well_it_was_met(tmp_path: Path) -> None:
    equality = Equality(
        kind="parameters",
        quantity="parameters",
        idea=1_705_600,
        rival=1_699_740,
        ratio=Interval(value=0.9966, low=0.9966, high=0.9966),
        change="width 140 instead of 128",
        budget="samples",
    )
    sides = {
        "idea": Side(name="PAR rule, p = 5", settings={"pattern": "par(5)"}),
        "rival": Side(name="interleaved, width 140", settings={"pattern": "interleaved", "width": 140}),
    }
    a_race(tmp_path / "race", equality=equality, sides=sides, trial_budget="2000samples")
    made = race_section(tmp_path / "race")
    assert made.title == "Race: par, equal parameters"
    text = Reader(render("A race", [made])).text
    assert "with width 140 instead of 128, the rival has 1,699,740 parameters" in text
    assert "Both sides, at equal parameters" in text
    assert "pattern = interleaved, width = 140" in text
    assert "a step of both took, before they were equal," in text


def test_both_sides_show_a_step_and_recall_with_the_seeds_interval(tmp_path: Path) -> None:
    a_race(tmp_path / "race")
    cells = [re.sub(r"\s+", " ", content).strip() for content, _ in Reader(
        render("A race", [race_section(tmp_path / "race")])).cells]  # fmt: skip
    for shown in ("154 ms", "177 ms", "0.657 floor 0.0040", "−22 points −25 points to −19 points"):
        assert shown in cells, shown


@pytest.mark.parametrize("name", ["tour", "tour-2"])
def test_a_race_of_before_there_were_kinds_of_equality_is_still_read(name: str, tmp_path: Path) -> None:
    for kept in (RECEIPTS / name).glob("*.json"):
        place = tmp_path if kept.stem == "race" else tmp_path / "trials" / kept.stem
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(kept, place / ("race.json" if kept.stem == "race" else "receipt.json"))
    made = race_section(tmp_path)
    assert made.title == "Race: par, equal time"
    assert "Equal time: both sides as they are" in made.html
    assert "idea less rival" not in made.html


def test_a_folder_without_a_result_says_how_to_go_on(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="pennyweight race --resume"):
        race_section(tmp_path)
