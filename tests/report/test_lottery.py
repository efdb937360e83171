"""The page of a lottery says what its card says, each number leading to the card, in words that hold."""

import dataclasses
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from markupsafe import Markup

from pennyweight.core.files import write_json
from pennyweight.core.race import Interval
from pennyweight.core.recipe import to_document
from pennyweight.core.run import Run
from pennyweight.lottery.holding.card import Card, Idea, Loss
from pennyweight.report.board import loss_parts, rank_board
from pennyweight.report.lottery import load_card, lottery_section
from pennyweight.report.lottery_words import (
    NEVER,
    changes,
    counterfactual,
    elsewhere,
    elsewhere_sentence,
    factor,
    failures,
    flip_sentence,
    index_sentence,
    joined,
    parts_words,
    regret_sentence,
    short,
    shown,
    surprise_sentence,
    told,
    verdict,
)
from pennyweight.report.page import render, section_of
from pennyweight.report.words import plain
from tests.lottery.cards import JAX, NUMPY, SIZE, TORCH, card, failed
from tests.lottery.test_heats import a_race, gathered
from tests.report.made import Reader
from tests.report.test_page import HOSTILE


def kept(made: Card, folder: Path) -> Path:
    folder.mkdir()
    write_json(folder / "lottery.json", to_document(made))
    write_json(folder / "config.json", {"schema": 1, "recipe": "lottery-layer", "kind": "lottery"})
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return kept(card(), tmp_path / "lottery-layer-20261125T120000Z-ab12")


def page(folder: Path) -> str:
    made = lottery_section(folder)
    return render(made.title, [made])


# --- words ---


def test_numbers_are_as_long_as_they_are_known() -> None:
    assert [factor(x) for x in (0.0513, 1.0, 6.913, 17.24, 1439.4)] == ["0.0513×", "1×", "6.91×", "17.2×", "1,439×"]
    assert factor(1439.0, at_least=True) == "over 1,439×"
    assert [short(s) for s in (NUMPY, "cuda/torch/bf16", "cpu/torch.compile/fp32/2t")] == [
        "numpy fp32 1t",
        "cuda torch bf16",
        "torch.compile fp32 2t",
    ]
    assert joined(["a"]) == "a"
    assert joined(["a", "b", "c"]) == "a, b and c"
    assert told(["a", "b", "c"], 2) == ["a", "b", "and 1 more on the page"]
    assert told(["a"], 2) == ["a"]


def test_the_verdict_names_the_fastest_on_each_stack_and_counts_pairs_once_for_all_sizes() -> None:
    said = verdict(card())
    assert said.startswith(f"First at {SIZE}: dense on numpy fp32 1t; int8 on torch fp32 1t; sparse on jax fp32 1t.")
    assert said.endswith("3 pairs of ideas change places between stacks.")
    results = card().results
    assert results is not None
    assert len(results.flips) == 6, "three at each of two sizes"
    assert changes(dataclasses.replace(results, flips=())) == ("No pair of ideas clearly changes places between stacks")
    assert (
        changes(dataclasses.replace(results, flips=results.flips[:1]))
        == "1 pair of ideas changes places between stacks"
    )


def test_a_refused_card_says_how_busy_it_was_and_what_to_do() -> None:
    assert verdict(card(busy=0.4)) == (
        "Refused: other processes took 40% of this machine, and more than 25% leaves no order of speeds to be trusted;"
        " stop them, or wait, and run it again."
    )


def test_a_cell_shows_its_rank_time_and_factor_and_one_without_a_time_its_status() -> None:
    made = card()
    assert made.results is not None
    board = made.results.boards[0]
    first, second = (shown(made, board, SIZE, NUMPY, idea) for idea in ("dense", "sparse"))
    assert (first.rank, plain(first.time)[-2:], first.behind) == ("1", "ms", "")
    assert second.rank == "2"
    assert second.behind.endswith("×")
    assert shown(made, board, SIZE, JAX, "int8")[:3] == ("", "not available", "")
    assert shown(made, None, SIZE, NUMPY, "dense")[0] == ""


def test_reasons_are_told_once_for_all_sizes_and_skipped_cells_are_counted() -> None:
    skipped = [failed(TORCH, idea, "skipped", size="256x2048") for idea in ("dense", "sparse")]
    assert failures(card(more=skipped)) == [
        f"int8 on {JAX}, {SIZE} and 64x512: not available, for a reason",
        "2 cells at 256x2048 were skipped: there was no time left",
    ]


def test_the_index_says_what_its_ends_mean() -> None:
    results = card().results
    assert results is not None
    said = index_sentence(results)
    assert "0 when all order the ideas alike" in said
    assert f"at {SIZE}" in said
    assert "unknown" in index_sentence(dataclasses.replace(results, index=None))


def test_flips_regrets_and_surprises_are_sentences() -> None:
    results = card().results
    assert results is not None
    assert re.fullmatch(
        r"(dense|int8) is [\d.,]+× faster than (dense|int8) on \w+ fp32 1t, and (dense|int8) is [\d.,]+× faster than"
        r" (dense|int8) on \w+ fp32 1t",
        flip_sentence(results.flips[0]),
    )
    assert "is not to be had on jax fp32 1t" in regret_sentence(results)
    assert regret_sentence(dataclasses.replace(results, regrets=())) == ""
    fair = tuple(dataclasses.replace(one, factor=1.0) for one in results.regrets)
    assert (
        regret_sentence(dataclasses.replace(results, regrets=fair)) == "What one stack chooses is right on all others."
    )
    slow = next(one for one in results.surprises if one.factor > 1)
    assert " slower than its steps should be: " in surprise_sentence(slow)
    assert " faster than " in surprise_sentence(dataclasses.replace(slow, factor=0.1))


def a_loss(**changes: object) -> Loss:
    made = Loss(
        size=SIZE, stack=NUMPY, idea="a", winner="b", ratio=Interval(value=8.0, low=7.9, high=8.1), at_least=False,
        hardware=0.8, software=10.0, reached=0.078, winner_reached=0.78, needed=0.62,
    )  # fmt: skip
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def test_a_counterfactual_is_the_share_that_would_win_or_never() -> None:
    assert [plain(text) for text in counterfactual(a_loss())] == ["7.8 %", "62 %"]
    assert counterfactual(a_loss(needed=1.01))[1] == NEVER
    assert plain(counterfactual(a_loss(at_least=True))[0]) == "under 7.8 %"
    assert counterfactual(a_loss(needed=None)) == ("", "")
    assert parts_words(a_loss()) == ("0.8×", "10×")
    assert parts_words(a_loss(hardware=None)) == ("", "")


def test_other_devices_are_told_as_ranges_with_the_best_and_the_worst() -> None:
    results = card().results
    assert results is not None
    for one in elsewhere(results):
        assert one.best.hardware <= one.worst.hardware
        assert one.faster + one.slower <= one.total
        said = elsewhere_sentence(one, "dense")
        assert f"of {one.total} devices" in said
        assert re.search(r"[\d.]+–[\d.]+× the time of dense", said)


# --- the page ---


def test_the_card_is_read_back_from_its_folder(folder: Path) -> None:
    found = load_card(folder)
    assert found == dataclasses.replace(card(), measured=found.measured)


def test_a_page_has_the_board_the_flips_the_parts_and_the_document(folder: Path) -> None:
    text = page(folder)
    reader = Reader(text)
    for said in (
        "What a stack decides",
        "Pairs that change places",
        "Why they lose",
        "Surprises",
        "On other devices, beside dense",
        "Equal means this.",
        "dense on numpy fp32 1t",
        "not available, for a reason",
        "counted by hand",
    ):
        assert said in text, said
    targets = {link[1:] for link in reader.links if link.startswith("#")}
    assert targets <= set(reader.ids)
    assert len(reader.ids) == len(set(reader.ids))
    assert not [address for address in reader.addresses if not address.startswith(("#", "data:"))]
    assert "script" not in reader.tags


def test_the_pages_dispatch_shows_it(folder: Path) -> None:
    assert section_of(Run(folder)) == lottery_section(folder)


def test_a_refused_card_shows_times_marked_and_nothing_that_was_concluded(tmp_path: Path) -> None:
    text = page(kept(card(busy=0.4), tmp_path / "lottery-layer"))
    assert "Refused" in text
    assert "not to be compared: the machine was busy" in text
    for gone in ("Pairs that change places", "Why they lose", "lottery index", "Surprises", "<svg"):
        assert gone not in text, gone


def test_a_card_without_tables_or_flips_has_no_empty_parts(tmp_path: Path) -> None:
    made = card()
    assert made.results is not None
    bare = dataclasses.replace(
        made.results,
        flips=(),
        surprises=(),
        forecasts=(),
        losses=tuple(dataclasses.replace(one, hardware=None, software=None) for one in made.results.losses),
    )
    text = page(kept(dataclasses.replace(made, results=bare), tmp_path / "lottery-layer"))
    for gone in ("Pairs that change places", "Surprises", "On other devices"):
        assert gone not in text, gone
    assert "Why they lose" in text


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    made = card()
    broken = [failed(s, HOSTILE, "failed", size=z, reason=HOSTILE) for s in made.stacks for z in made.sizes]
    evil = dataclasses.replace(
        made,
        name=HOSTILE,
        quality=HOSTILE,
        notes=(HOSTILE,),
        ideas=(*made.ideas, Idea(name=HOSTILE, what=HOSTILE)),
        cells=(*made.cells, *broken),
    )  # fmt: skip
    text = page(kept(evil, tmp_path / "lottery-layer"))
    assert "<script>alert" not in text
    assert "<img src=x" not in text


def test_races_on_several_stacks_have_a_page_too(tmp_path: Path) -> None:
    made = gathered(a_race(), a_race("cpu/torch/bf16/1t", verdict="rival"), seconds={"idea": 1.0, "rival": 1.2})
    folder = tmp_path / "lottery-par"
    folder.mkdir()
    write_json(folder / "lottery.json", to_document(made))
    text = page(folder)
    for said in (
        "The verdict depends on the stack",
        "the hardware&#39;s part",
        "1.20×",
        "torch bf16 1t",
        "new wins on",
    ):
        assert said in text, said
    assert json.loads((folder / "lottery.json").read_text())["heats"]


# --- figures ---


def check_figure(text: Markup, width: int) -> str:
    root = ElementTree.fromstring(text)
    assert root.get("role") == "img"
    assert root.get("viewBox", "").split()[:3] == ["0", "0", str(width)]
    colours = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", text))
    assert colours <= {"none", "currentColor", *(f"var(--{name})" for name in ("idea", "rival", "muted", "line"))}
    assert len(text) < 60_000
    return root.get("aria-label", "")


@pytest.mark.parametrize("width", [358, 760])
def test_the_board_says_who_stands_where_on_each_stack(width: int) -> None:
    made = card()
    assert made.results is not None
    drawn = rank_board(made, made.results.boards[0], width=width, key="a")
    assert drawn is not None
    assert drawn == rank_board(made, made.results.boards[0], width=width, key="a")
    label = check_figure(drawn, width)
    assert "on numpy fp32 1t 1. dense, 2. sparse, 3. int8" in label
    assert "on jax fp32 1t 1. sparse, 2. dense" in label
    words = ["".join(element.itertext()) for element in ElementTree.fromstring(drawn).iter("text")]
    assert "not ranked" in words
    assert words.count("int8") >= 2, "beside the first stack, and below the last, where it has no rank"


@pytest.mark.parametrize("width", [358, 760])
def test_the_bars_end_where_both_parts_do(width: int) -> None:
    made = card()
    assert made.results is not None
    own = [loss for loss in made.results.losses if loss.size == SIZE]
    drawn = loss_parts(own, width=width, key="a")
    assert drawn is not None
    label = check_figure(drawn, width)
    for loss in own:
        assert f"{loss.idea} on {short(loss.stack)} {factor(loss.ratio.value)} behind {loss.winner}" in label


def test_a_bar_goes_from_1_by_the_hardwares_part_and_from_there_to_the_ratio() -> None:
    from matplotlib.figure import Figure

    from pennyweight.report.board import _bar

    axes = Figure().add_subplot()
    _bar(axes, 3, a_loss(), 100.0, narrow=True)
    hardware, software, dot = (line.get_xdata() for line in axes.lines)
    assert list(hardware) == [1, 0.8]
    assert list(software) == [0.8, 8.0]
    assert list(dot) == [8.0]


def test_without_places_or_parts_nothing_is_drawn() -> None:
    made = card()
    assert made.results is not None
    assert rank_board(made, dataclasses.replace(made.results.boards[0], places=())) is None
    assert loss_parts([]) is None
    assert loss_parts([a_loss(hardware=None)]) is None
    assert loss_parts([a_loss()]) is not None


def test_one_stack_is_drawn_as_one_column() -> None:
    made = card()
    assert made.results is not None
    board = dataclasses.replace(
        made.results.boards[0], places=tuple(p for p in made.results.boards[0].places if p.stack == NUMPY)
    )
    assert rank_board(dataclasses.replace(made, stacks=(NUMPY,)), board, width=760) is not None
