"""What is concluded on a quiet machine, what less on a busy one, and that nothing is on one that is too busy."""

import json

import pytest

from pennyweight.core.recipe import from_document, to_document
from pennyweight.lottery.holding.board import REFUSED
from pennyweight.lottery.holding.card import Card
from pennyweight.lottery.holding.conclude import conclude, make_card
from tests.lottery.cards import IDEAS, JAX, NUMPY, SIZE, TABLES, TORCH, card, failed, held


def test_a_card_holds_every_conclusion_and_comes_back_from_json_as_it_was() -> None:
    made = card()
    assert made.status == "done"
    assert from_document(Card, json.loads(json.dumps(to_document(made), allow_nan=False))) == made
    results = made.results
    assert results is not None
    assert [board.size for board in results.boards] == [SIZE, "64x512"]
    assert results.index is not None
    assert {(flip.ahead, flip.behind) for flip in results.flips} >= {("dense", "int8"), ("sparse", "dense")}
    assert results.losses
    assert results.surprises
    assert {one.idea for one in results.forecasts} == {"sparse", "int8"}
    assert made.stacks == (NUMPY, TORCH, JAX)


def test_every_loss_multiplies_back() -> None:
    results = card().results
    assert results is not None
    for loss in results.losses:
        assert loss.hardware is not None and loss.software is not None  # noqa: PT018 - for the type checker
        assert loss.hardware * loss.software == pytest.approx(loss.ratio.value, rel=1e-12)


@pytest.mark.parametrize("busy", [0.0, 0.02, 0.1])
def test_on_a_quiet_machine_nothing_is_said_of_the_others(busy: float) -> None:
    assert not [note for note in card(busy=busy).notes if "other processes" in note]


@pytest.mark.parametrize("busy", [0.11, 0.2, 0.25])
def test_under_a_light_load_the_rule_is_told_and_no_verdict_is_turned(busy: float) -> None:
    quiet, loaded = card().results, card(busy=busy)
    (note,) = [note for note in loaded.notes if "other processes" in note]
    assert f"a factor of {1 / (1 - busy):.2f}" in note
    assert quiet is not None
    assert loaded.results is not None
    for calm, wide in zip(quiet.boards, loaded.results.boards, strict=True):
        order = {(place.stack, place.idea): place.rank for place in calm.places}
        for place in wide.places:
            for other in wide.places:
                if place.stack == other.stack and place.rank < other.rank:
                    assert order[place.stack, place.idea] < order[other.stack, other.idea]
        assert calm.index and wide.index  # noqa: PT018 - for the type checker
        assert wide.index.low - 1e-9 <= calm.index.value <= wide.index.high + 1e-9
    flipped = {(flip.size, frozenset((flip.ahead, flip.behind))) for flip in quiet.flips}
    assert {(flip.size, frozenset((flip.ahead, flip.behind))) for flip in loaded.results.flips} <= flipped


@pytest.mark.parametrize("busy", [0.2501, 0.4, 1.0])
def test_on_a_machine_that_is_too_busy_nothing_is_concluded_and_times_are_kept(busy: float) -> None:
    made = card(busy=busy)
    assert (made.status, made.results) == ("refused", None)
    assert made.refusal.startswith(f"refused: other processes took {busy:.0%} of this machine")
    assert "run it again" in made.refusal
    assert any(cell.slices for cell in made.cells)
    assert conclude(held().cells, TABLES, busy=REFUSED, ideas=IDEAS) is not None


def test_a_cell_that_beats_its_limit_is_told() -> None:
    fast = {NUMPY: {"dense": 0.004, "sparse": 0.02}, TORCH: {"dense": 0.02, "sparse": 0.03}, JAX: {"dense": 0.02}}
    made = make_card(held(fast), TABLES, IDEAS, name="", asked="", spent_seconds=1.0, quality="")
    (note,) = made.notes
    assert note.startswith(f"dense at 64x512 on {NUMPY} did 25.0")
    assert "too high by as much" in note


def test_ideas_that_fail_stay_on_the_card_with_their_reasons() -> None:
    made = card(more=[failed(NUMPY, "bf16", size=SIZE)])
    assert [cell.reason for cell in made.cells if cell.idea == "bf16"] == ["for a reason"]


def test_a_lottery_on_one_stack_has_ranks_and_no_index() -> None:
    cells = [cell for cell in held().cells if cell.stack == NUMPY]
    results = conclude(cells, TABLES, busy=0.0, ideas=IDEAS)
    assert results is not None
    assert results.boards[0].places
    assert results.index is None
    assert not results.flips
    assert not results.regrets


def test_without_tables_there_are_ranks_and_no_parts() -> None:
    results = conclude(held().cells, [], busy=0.0, ideas=IDEAS)
    assert results is not None
    assert results.flips
    assert all(loss.hardware is None for loss in results.losses)
    assert not results.forecasts
