"""The page of a traced program says what was found, and what stands against believing it."""

from dataclasses import replace
from pathlib import Path

import pytest

from pennyweight.core.files import write_json
from pennyweight.core.recipe import to_document
from pennyweight.lottery.tracing.examine import Box, Examination, Repaired, Said
from pennyweight.report.page import render
from pennyweight.report.pictures import picture
from pennyweight.report.trace import beside_expected, load_examination, trace_section

RECEIPT = Path(__file__).parents[2] / "docs" / "receipts" / "trace"


@pytest.fixture
def found() -> Examination:
    """What the example told when it was traced for the documentation."""
    return load_examination(RECEIPT)


def page(found: Examination, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    write_json(folder / "examination.json", to_document(found))
    return render("A page", [trace_section(folder)])


def test_a_captured_program_is_shown_with_its_lines_memory_and_advice(found: Examination, tmp_path: Path) -> None:
    html = page(found, tmp_path / "trace-palette")
    assert f"the {found.compared} numbers and arrays that left the program came out equal to the bit" in html
    for line in found.lines:
        assert f'<span class="number">{line.line}</span>' in html
    assert "broadcasts to (76800, 16, 3): 14.7 MB new" in html.replace("\u202f", " ").replace("\xa0", " ")
    assert "line 17: distances by a matrix product" in html
    assert "What was alive at the peak" in html
    assert 'id="record-trace-palette"' in html


def test_what_was_not_captured_is_said_first(found: Examination, tmp_path: Path) -> None:
    lost = replace(found, captured=False, problems=("line 9: arrays of class Quantity",))
    html = page(lost, tmp_path / "trace")
    assert "What follows is no proof: line 9: arrays of class Quantity." in html
    assert "came out equal" not in html


def test_an_error_and_the_repairs_that_work_are_told(found: Examination, tmp_path: Path) -> None:
    repaired = Repaired(
        path="a.py", line=8, source="a + b", sentence="axis 0: 100 against 3", repairs=(("b[:, None]", (100, 3)),)
    )
    ended = replace(found, ending="raised", error="ValueError: shapes", error_line=8, repaired=repaired)
    html = page(ended, tmp_path / "trace")
    assert "ended by an error at line 8: ValueError: shapes" in html
    assert "Why line 8 failed" in html
    assert "works, and gives (100, 3)" in html


@pytest.mark.parametrize(
    ("ending", "said"), [("time limit", "stopped at its time limit"), ("exited", "ended itself with exit code 3")]
)
def test_how_a_program_ended_is_told(ending: str, said: str, found: Examination, tmp_path: Path) -> None:
    assert said in page(replace(found, ending=ending, exit_code=3), tmp_path / "trace")


def test_a_program_without_arrays_has_a_page_without_figures(found: Examination, tmp_path: Path) -> None:
    bare = replace(found, operations=0, captured=False, problems=(), lines=(), timeline=(), at_peak=(), advice=())
    html = page(bare, tmp_path / "trace")
    assert "no operation on an array was seen" in html
    assert "<svg" not in html


def test_findings_stand_beside_their_line_and_uncounted_work_is_named(found: Examination, tmp_path: Path) -> None:
    line = found.lines[0]
    said = Said(kind="outer", path=line.path, line=line.line, source=line.source, sentence="(n,) met (n, 1).",
                seconds=1.0, share=0.25)  # fmt: skip
    html = page(replace(found, findings=(said,), uncounted={"linalg.eig": 3}), tmp_path / "trace")
    assert '<span class="remark">outer</span>' in html
    assert "(n,) met (n, 1)." in html
    assert "linalg.eig (3)" in html


def test_hostile_text_stays_text(found: Examination, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    lines = (replace(found.lines[0], source=evil, sentence=evil), *found.lines[1:])
    html = page(replace(found, lines=lines, error=evil, ending="raised", script=f"{evil}.py"), tmp_path / "trace")
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_only_what_takes_more_than_twice_the_expected_is_remarkable(found: Examination) -> None:
    line = found.lines[0]
    assert beside_expected(replace(line, steady=1.0, expected=0.6)) == ""
    assert beside_expected(replace(line, steady=1.0, expected=None)) == ""
    assert beside_expected(replace(line, steady=3.0, expected=1.0)) == "3"


def test_a_picture_shows_the_inputs_the_sign_and_the_result() -> None:
    drawn = picture(
        (Box(shape=(4, 1), role="input"), Box(shape=(3,), role="input"), Box(shape=(4, 3), role="new")), "+"
    )
    assert drawn.count("(4, 1)") >= 1
    assert "(4, 3)" in drawn
    assert "<svg" in drawn
    assert picture((), "") == ""
