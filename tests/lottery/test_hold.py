"""Cells are measured in turns within the time; what one stack cannot do, or dies of, costs that cell and no other."""

import time

import pytest

from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.card import Cell
from pennyweight.lottery.holding.hold import Held, Ticket, _in_order, hold
from pennyweight.lottery.holding.ideas.layer import Layer, LayerJob, work
from pennyweight.lottery.weighing.worker import Worker, WorkerLost
from tests.lottery.odd_jobs import OddJob

SEEN: list[tuple[str, float]] = []
ONE, OTHER = Stack.parse("cpu/numpy/fp32/1t"), Stack.parse("cpu/numpy/fp64/1t")


def odd(what: str, only: str = "") -> Ticket:
    return Ticket(idea=what, size="", job=OddJob(what, only), works=None)


@pytest.fixture(scope="module")
def held() -> tuple[Held, float]:
    """Everything that may happen, on two stacks, in four seconds."""
    started = time.monotonic()
    everywhere = [odd("works"), odd("not available"), odd("raises"), odd("is wrong")]

    def hear(stage: str, done: float) -> None:
        SEEN.append((stage, done))

    made = hold([*everywhere, odd("crashes", str(ONE)), odd("hangs", str(ONE))], [ONE, OTHER], seconds=4.0, report=hear)
    return made, time.monotonic() - started


def found(held: Held, idea: str, stack: Stack = ONE) -> Cell:
    return next(cell for cell in held.cells if (cell.idea, cell.stack) == (idea, str(stack)))


def test_the_whole_takes_the_time_it_is_given(held: tuple[Held, float]) -> None:
    assert 3.5 < held[1] < 4.8


def test_a_rival_that_works_is_timed_in_rounds_apart_from_its_first_call(held: tuple[Held, float]) -> None:
    for stack in (ONE, OTHER):
        cell = found(held[0], "works", stack)
        assert cell.status == "ok"
        assert len(cell.slices) >= 4
        assert all(0 < seconds < 0.01 for seconds in cell.slices)
        assert cell.first_seconds is not None
        assert cell.first_seconds > 0
        assert cell.statement == "works()"
        assert cell.error == 0.0


def test_what_a_stack_lacks_is_told_by_the_rival(held: tuple[Held, float]) -> None:
    assert found(held[0], "not available").status == "not available"
    assert found(held[0], "not available").reason == "it lacks something"


def test_what_a_library_raises_is_told_in_its_own_words_in_one_line(held: tuple[Held, float]) -> None:
    assert found(held[0], "raises").status == "failed"
    assert found(held[0], "raises").reason == "ZeroDivisionError: by zero"


def test_a_wrong_result_is_not_timed(held: tuple[Held, float]) -> None:
    cell = found(held[0], "is wrong")
    assert (cell.status, cell.reason, cell.error, cell.slices) == ("wrong", "it is wrong", 0.5, ())


def test_a_crash_loses_its_cell_and_the_stack_goes_on(held: tuple[Held, float]) -> None:
    cell = found(held[0], "crashes")
    assert cell.status == "lost"
    assert "SIGSEGV" in cell.reason
    assert found(held[0], "crashes", OTHER).status == "ok"
    assert found(held[0], "works").slices, "it was prepared before the crash, and again after it"


def test_a_call_that_takes_too_long_is_stopped_with_a_lower_bound(held: tuple[Held, float]) -> None:
    cell = found(held[0], "hangs")
    assert (cell.status, cell.bound, cell.reason) == ("too slow", 0.5, "> 0.5 s a call")
    assert found(held[0], "hangs", OTHER).status == "ok"


def test_software_and_the_others_share_are_told(held: tuple[Held, float]) -> None:
    assert held[0].software[str(ONE)]["numpy"]
    assert 0 <= held[0].busy <= 1
    assert held[0].notes == ()


def test_a_stack_that_does_not_start_loses_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(stack: Stack) -> Worker:
        if stack == OTHER:
            raise WorkerLost("the process of this stack ended during start")
        return Worker(stack)

    monkeypatch.setattr("pennyweight.lottery.holding.hold.Worker", start)
    made = hold([odd("works")], [OTHER, ONE], seconds=1.0)
    assert found(made, "works").status == "ok"
    assert found(made, "works", OTHER).status == "lost"
    assert made.notes == (f"{OTHER} could not be started: the process of this stack ended during start",)


def test_tickets_at_the_end_are_skipped_when_there_is_no_time_left() -> None:
    tickets = [Ticket(idea="hangs", size=size, job=OddJob("hangs"), works=None) for size in ("a", "b", "c", "d")]
    made = hold(tickets, [ONE], seconds=1.2)
    statuses = [cell.status for cell in made.cells]
    assert statuses[0] == "too slow"
    assert statuses[-1] == "skipped"
    assert statuses == sorted(statuses, key=["too slow", "skipped"].index)


def test_work_is_that_of_the_stacks_precision() -> None:
    layer = Layer.parse("8x32")
    works = {precision: work(layer, "dense", precision) for precision in ("fp32", "fp64", "bf16")}
    ticket = Ticket(idea="dense", size="8x32", job=LayerJob(idea="dense", size="8x32"), works=works)
    made = hold([ticket], [ONE, OTHER], seconds=1.0)
    assert found(made, "dense").work == works["fp32"]
    assert found(made, "dense", OTHER).work == works["fp64"]


def test_all_stacks_at_a_first_size_come_before_a_second() -> None:
    tickets = [Ticket(idea=idea, size=size, job=OddJob("works"), works=None) for size in "ab" for idea in ("x", "y")]
    ordered = [(ticket.size, stack, ticket.idea) for stack, ticket in _in_order(tickets, [ONE, OTHER])]
    assert ordered == [(size, stack, idea) for size in "ab" for stack in (ONE, OTHER) for idea in ("x", "y")]


def test_progress_is_told(held: tuple[Held, float]) -> None:
    assert list(dict.fromkeys(stage for stage, _ in SEEN)) == ["starting", "first calls", "measuring"]
    assert all(0 <= done <= 1 for _, done in SEEN)
