"""What a sentence says is what the numbers say, on a page and in a terminal."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from pennyweight.console import Output
from pennyweight.core.race import STEP_SECONDS, Equality, Interval
from pennyweight.report.page import render
from pennyweight.report.race import race_section
from pennyweight.report.sentences import (
    equality_sentence,
    pace_sentence,
    recall_sentence,
    run_sentence,
    time_sentence,
    verdict_sentence,
)
from pennyweight.report.words import plain
from pennyweight.verbs import fit, race
from tests.report.made import Reader, a_race, a_receipt, a_run

# --- races ---


def test_an_idea_that_lowers_a_metric_wins_in_words(tmp_path: Path) -> None:
    result = a_race(tmp_path / "race")
    # 1 - 0.9687 = 3.13 %, 1 - 0.988 = 1.2 %, 1 - 0.95 = 5.0 %
    assert plain(verdict_sentence(result)) == (
        "Here the idea (PAR rule, p = 5) wins: 3.1 % fewer bits per byte than interleaved, 2.013 against 2.078,"
        " after 63 s of training each (99 % interval 1.2 % to 5.0 %)."
    )


def test_a_rival_that_lowers_a_metric_wins_by_the_inverse_ratio(tmp_path: Path) -> None:
    ratio = Interval(value=1.25, low=1.0526315789, high=1.6)
    result = a_race(tmp_path / "race", idea=2.5, rival=2.0, ratio=ratio, verdict="rival")
    # 1 - 1/1.25 = 20 %, 1 - 1/1.0526 = 5.0 %, 1 - 1/1.6 = 37.5 %
    assert plain(verdict_sentence(result)) == (
        "Here the rival (interleaved) wins: 20 % fewer bits per byte than PAR rule, p = 5, 2.000 against 2.500,"
        " after 63 s of training each (99 % interval 5.0 % to 38 %)."
    )


def test_higher_is_better_where_the_metric_says_so(tmp_path: Path) -> None:
    changes = {"metric": "accuracy", "better": "higher"}
    ratio = Interval(value=1.031, low=1.012, high=1.05)
    won = a_race(tmp_path / "a", idea=0.812, rival=0.788, ratio=ratio, verdict="idea", **changes)
    assert "the idea (PAR rule, p = 5) wins: 3.1 % higher accuracy than interleaved, 0.8120 against 0.7880" in plain(
        verdict_sentence(won)
    )
    lower = Interval(value=0.8, low=0.5, high=0.95238095)
    lost = a_race(tmp_path / "b", idea=0.6, rival=0.75, ratio=lower, verdict="rival", **changes)
    # 1/0.8 - 1 = 25 %, 1/0.952 - 1 = 5.0 %, 1/0.5 - 1 = 100 %
    assert "the rival (interleaved) wins: 25 % higher accuracy than PAR rule, p = 5" in plain(verdict_sentence(lost))
    assert "(99 % interval 5.0 % to 100 %)" in plain(verdict_sentence(lost))


def test_undecided_names_both_ends_of_the_interval(tmp_path: Path) -> None:
    ratio = Interval(value=0.994, low=0.979, high=1.009)
    result = a_race(tmp_path / "race", ratio=ratio, verdict="undecided", trial_budget="20000samples")
    assert plain(verdict_sentence(result)) == (
        "Undecided: after 20,000 samples of training each, the idea (PAR rule, p = 5) has 0.60 % fewer bits per byte"
        " than the rival (interleaved), 2.013 against 2.078, but the 99 % interval reaches from 2.1 % lower to"
        " 0.90 % higher."
    )


def test_absurd_intervals_of_two_seeds_are_cut_short(tmp_path: Path) -> None:
    wide = Interval(value=0.9, low=8.6e-10, high=5.5e8)
    result = a_race(tmp_path / "race", ratio=wide, time_to_equal=wide, verdict="undecided")
    assert "reaches from over 99 % lower to over 900 % higher." in plain(verdict_sentence(result))
    assert "(99 % interval <0.01× to >100×)" in plain(time_sentence(result))


def test_too_few_seeds_are_said_to_be_the_reason(tmp_path: Path) -> None:
    clear = a_race(tmp_path / "two", verdict="undecided", seeds=(0, 1))
    assert "but 2 seeds are too few to name a winner" in verdict_sentence(clear)
    boundless = Interval(value=0.97, low=0.0, high=1e9)
    one = a_race(tmp_path / "one", ratio=boundless, verdict="undecided", time_to_equal=boundless)
    assert verdict_sentence(one).endswith("but one seed tells nothing of the spread.")
    assert time_sentence(one).endswith("the rival's training time (one seed, no interval).")


@pytest.mark.parametrize(
    ("diverged", "verdict", "sentence"),
    [
        (
            [("rival", 1)],
            "idea",
            "Here the idea (PAR rule, p = 5) wins: 1 of the 3 trials of the rival (interleaved) diverged and none of"
            " its own. There is no ratio to give.",
        ),
        (
            [("idea", 0), ("idea", 1), ("idea", 2)],
            "rival",
            "Here the rival (interleaved) wins: 3 of the 3 trials of the idea (PAR rule, p = 5) diverged and none of"
            " its own. There is no ratio to give.",
        ),
        (
            [("idea", 0), ("rival", 1), ("rival", 2)],
            "undecided",
            "Undecided: trials diverged on both sides, 1 of 3 of the idea (PAR rule, p = 5) and 2 of 3 of the rival"
            " (interleaved). There is no ratio to give.",
        ),
    ],
)
def test_divergence_decides_without_a_ratio(tmp_path: Path, diverged: Any, verdict: Any, sentence: str) -> None:
    folder = tmp_path / "race"
    result = a_race(folder, diverged=diverged, ratio=None, verdict=verdict, figures={}, speeds={})
    assert verdict_sentence(result) == sentence
    assert time_sentence(result) == "Time to equal quality is not known: a trial diverged."
    text = render("A race", [race_section(folder)])
    assert sum(content == "diverged" for content, _ in Reader(text).cells) == 2 * len(diverged)


def test_time_to_equal_quality_is_said_with_its_meaning(tmp_path: Path) -> None:
    result = a_race(tmp_path / "race")
    assert plain(time_sentence(result)) == (
        "The idea reaches 2.084 bits per byte, the validation quality that both reach, in 0.712× the rival's training"
        " time (99 % interval 0.600× to 0.840×): 29 % less time."
    )
    slower = dataclasses.replace(result, time_to_equal=Interval(value=1.5, low=1.25, high=1.75))
    assert plain(time_sentence(slower)).endswith("(99 % interval 1.25× to 1.75×): 50 % more time.")
    same = dataclasses.replace(result, time_to_equal=Interval(value=0.9, low=0.8, high=1.1))
    assert time_sentence(same).endswith("; equal time is inside the interval.")


def test_sides_as_they_are_get_equal_time_or_equal_samples() -> None:
    said = [plain(equality_sentence(Equality(), budget)) for budget in ("63.00s", "2000samples")]
    assert said == [
        "Equal time: both sides as they are, 63 s of training each.",
        "Equal samples: both sides as they are, 2,000 samples of training each.",
    ]


def test_equal_counts_are_said_with_both_counts_and_what_was_done_for_them() -> None:
    equality = Equality(
        kind="parameters",
        quantity="parameters",
        idea=1_705_600,
        rival=1_699_740,
        ratio=Interval(value=0.996564, low=0.996564, high=0.996564),
        change="width 140 and 5 heads instead of 128 and 4",
        budget="samples",
    )
    assert plain(equality_sentence(equality, "2000samples")) == (
        "Equal parameters: with width 140 and 5 heads instead of 128 and 4, the rival has 1,699,740 parameters,"
        " 0.34 % less than the idea's 1,705,600. Each side gets 2,000 samples of training."
    )
    met = dataclasses.replace(equality, change="", rival=1_705_600, ratio=Interval(value=1.0, low=1.0, high=1.0))
    assert "as it is, the rival has 1,705,600 parameters, as much as the idea's 1,705,600." in plain(
        equality_sentence(met, "2000samples")
    )


def test_equal_latency_is_said_with_its_interval_and_how_far_off_it_is(tmp_path: Path) -> None:
    equality = Equality(
        kind="latency",
        quantity=STEP_SECONDS,
        idea=0.0701,
        rival=0.0712,
        ratio=Interval(value=1.021, low=1.012, high=1.034),
        within=0.03,
        change="width 96 instead of 128",
        clocked=True,
    )
    met = (
        "Equal latency: with width 96 instead of 128, a training step of the rival takes 1.02× the idea's 70.1 ms"
        " (timed in turn before the race, 95 % interval 1.01× to 1.03×)"
    )
    assert plain(equality_sentence(equality, "63.00s")) == f"{met}. Each side gets 63 s of training."
    missed = dataclasses.replace(equality, ratio=Interval(value=0.951, low=0.94, high=0.96))
    assert "That is more than 3.0 % off; no size that was timed came nearer. Each" in plain(
        equality_sentence(missed, "63.00s")
    )
    result = a_race(tmp_path / "race", equality=equality)
    # 0.1766 / 0.1537 = 1.149
    assert plain(pace_sentence(result)) == (
        "In the trials themselves a step of the rival took 177 ms, 15 % more than the idea's 154 ms."
    )
    assert pace_sentence(dataclasses.replace(result, equality=Equality())) == ""


def test_recall_is_said_where_the_sides_differ_most_or_to_be_at_its_floor(tmp_path: Path) -> None:
    result = a_race(tmp_path / "race")
    gaps = {**result.gaps, "recall at 256": Interval(value=-0.25, low=-0.31, high=-0.19)}
    # 0.71 - 256/1200 = 0.497, 0.93 - 256/1200 = 0.717
    assert plain(recall_sentence(dataclasses.replace(result, gaps=gaps))) == (
        "Recall differs most at 256 tokens: 50 % of the idea, 72 % of the rival, −25 points"
        " (99 % interval −31 points to −19 points)."
    )
    close = {"recall at 64": Interval(value=0.004, low=-0.02, high=0.028)}
    assert "; no difference is inside the interval." in recall_sentence(dataclasses.replace(result, gaps=close))
    low = {side: {"recall at 64": 0.009, "recall floor at 64": 0.004} for side in ("idea", "rival")}
    floor = recall_sentence(dataclasses.replace(result, gaps=close, figures=low))
    assert floor.startswith("Recall is within a point of its floor on both sides")
    assert recall_sentence(dataclasses.replace(result, gaps={})) == "", "one seed, or a race before there were gaps"


# --- runs ---


def test_a_run_says_what_it_reached_and_whether_it_clears_its_floor(tmp_path: Path) -> None:
    better = a_run(tmp_path / "a")
    # 2.013 / 2.391 = 0.842
    assert plain(run_sentence(better)) == (
        "2.013 bits per byte on the test split (95 % bootstrap over 59 documents: 1.983 to 2.043) after 63.2 s of"
        " training. It clears its best floor: 16 % lower than byte trigrams (2.391)."
    )
    level = a_run(tmp_path / "level", value=2.37)
    assert run_sentence(level).endswith("Its best floor, byte trigrams (2.391), lies inside of that interval.")
    worse = a_run(tmp_path / "b", value=2.869)
    assert plain(run_sentence(worse)).endswith(
        "It does not clear its best floor: 20 % higher than byte trigrams (2.391)."
    )


# --- in a terminal ---


def test_a_finished_race_is_closed_with_the_sentences_of_its_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "race"
    result = a_race(folder)
    (folder / "config.json").write_text('{"recipe": "race-par", "kind": "race"}')
    race._close(Output("race", as_json=False), folder, result)
    lines = capsys.readouterr().out.splitlines()
    assert plain(verdict_sentence(result)) in lines
    assert plain(time_sentence(result)) in lines
    (row,) = (line for line in lines if line.startswith("bytes of a training step"))
    assert row.endswith("412 MB")


def test_a_finished_fit_is_closed_with_the_sentence_of_its_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = a_run(tmp_path / "run")
    fit._report(Output("fit", as_json=False), run, a_receipt(), writes=True)
    said = capsys.readouterr().out
    assert plain(run_sentence(run)) in said.splitlines()
    assert "734 MB at the peak, 4,109 J" in said
