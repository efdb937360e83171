"""A page escapes, links, repeats nothing, and asks nothing of a network."""

import re
from pathlib import Path

import pytest

from pennyweight.core.errors import UserError
from pennyweight.core.files import write_json
from pennyweight.core.race import SIDES, Side
from pennyweight.core.run import Run
from pennyweight.report.page import render, section_of
from pennyweight.report.pieces import text_section
from pennyweight.report.race import race_section
from pennyweight.report.run import run_section
from tests.report.made import Reader, a_race, a_run

HOSTILE = (
    """<script>alert(1)</script>"'&<img src=x onerror=alert(1)>]]>--><svg/onload=alert(1)>{{ 7*7 }}$x_1$ id="a" 日本"""
)


def test_a_race_is_told_from_a_run_by_its_configuration(tmp_path: Path) -> None:
    a_race(tmp_path / "race")
    write_json(tmp_path / "race" / "config.json", {"recipe": "race-par", "kind": "race"})
    assert section_of(Run(tmp_path / "race")).title == "Race: par, equal time"
    assert section_of(a_run(tmp_path / "run")).title == "Run: par/tiny"
    assert section_of(a_run(tmp_path / "par-tiny-20260101T000000Z-c3d4")).title == "Run: par/tiny (c3d4)"


def test_links_of_a_page_lead_somewhere_on_it(tmp_path: Path) -> None:
    for name in ("one", "two <b>"):
        a_race(tmp_path / name)
    runs = [run_section(a_run(tmp_path / "runs" / name)) for name in ("a", "b")]
    sections = [race_section(tmp_path / "one"), *runs, text_section("It wrote", "Seed 0", "Once")]
    reader = Reader(render("All", sections))
    assert len(reader.ids) == len(set(reader.ids))
    targets = {link[1:] for link in reader.links if link.startswith("#")}
    assert targets <= set(reader.ids)
    assert {"receipt-a", "receipt-b"} <= targets


def test_a_section_given_twice_stands_once_and_a_namesake_is_refused(tmp_path: Path) -> None:
    own = run_section(a_run(tmp_path / "a"))
    reader = Reader(render("Twice", [own, own]))
    assert len(reader.ids) == len(set(reader.ids))
    with pytest.raises(UserError, match="rename one of the folders"):
        render("Namesakes", [own, run_section(a_run(tmp_path / "b" / "a", value=2.5))])


def test_two_texts_under_one_title_both_stand() -> None:
    text = render("Texts", [text_section("It wrote", "Run a.", "one"), text_section("It wrote", "b", "two")])
    assert "one</pre>" in text
    assert "two</pre>" in text


def test_hostile_text_stays_text_everywhere(tmp_path: Path) -> None:
    name = HOSTILE.replace("/", "")
    folder = tmp_path / name
    sides = {side: Side(name=f"{side} {HOSTILE}", settings={"pattern": HOSTILE}) for side in SIDES}
    a_race(
        folder,
        name=HOSTILE,
        claim=HOSTILE,
        metric=HOSTILE,
        sides=sides,
        data={"name": HOSTILE, "sha256": HOSTILE, "split": HOSTILE},
        notes=(HOSTILE,),
        baselines={HOSTILE: 2.2},
        tuned=HOSTILE,
    )
    run = a_run(tmp_path / "runs" / name[1:], notes=[HOSTILE], recipe=HOSTILE, baselines={HOSTILE: 2.5}, stack=HOSTILE)
    sections = [race_section(folder), run_section(run), text_section(HOSTILE, HOSTILE, HOSTILE)]
    text = render(HOSTILE, sections, lead=HOSTILE, facts={HOSTILE: HOSTILE})
    reader = Reader(text)
    assert not reader.tags & {"script", "img", "iframe", "object", "embed", "form", "foreignobject"}
    assert "49" not in reader.text.partition("{{")[0][:200]
    assert HOSTILE in reader.text
    assert {link[1:] for link in reader.links if link.startswith("#")} <= set(reader.ids)


def test_a_page_asks_nothing_of_a_network(tmp_path: Path) -> None:
    a_race(tmp_path / "race")
    sections = [race_section(tmp_path / "race"), run_section(a_run(tmp_path / "run"))]
    text = render("All", sections)
    for address in Reader(text).addresses:
        assert address.startswith("#") or address == "data:,"
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in text


def test_a_text_keeps_its_lines(tmp_path: Path) -> None:
    html = text_section("It wrote", "From seed 0.", "one\n  two <eos>").html
    assert "one\n  two &lt;eos&gt;</pre>" in html


def test_the_same_race_gives_the_same_bytes(tmp_path: Path) -> None:
    a_race(tmp_path / "race")
    first, second = (render("A race", [race_section(tmp_path / "race")]) for _ in range(2))
    assert first == second
