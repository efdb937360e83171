"""Each rewrite gives the program's own numbers where it applies, and is not proposed, or refused, where it does not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pennyweight.arrays.trace.replay import Replay
from pennyweight.lottery.tracing.advice import trial
from pennyweight.lottery.tracing.advice.proposals import REWRITES
from pennyweight.lottery.tracing.advice.trial import Advice, Proposal, try_all, try_one
from tests.lottery.advice.programs import BAD, GOOD, Tried, line_of, tried


@pytest.fixture
def always_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the clock every rewrite takes half the time, so that its numbers alone decide."""
    monkeypatch.setattr(trial, "_in_turns", lambda before, after, reset: [(2e-3, 1e-3)] * 9)
    monkeypatch.setattr(trial, "_peak", lambda way, reset: 1 << 22)


def _try_each(found: Tried, proposals: list[Proposal]) -> list[tuple[Proposal, Advice | None]]:
    """Try proposals on the arrays of the program, and see that they leave those as they are."""
    results = []

    def visit(index: int, entry: Any, arrays: Any) -> None:
        for proposal in proposals:
            if proposal.at == index:
                before = {number: np.array(array) for number, array in arrays.items()}
                results.append((proposal, try_one(proposal, arrays)))
                for number, array in before.items():
                    np.testing.assert_array_equal(
                        arrays[number], array, err_msg=f"{proposal.rewrite} wrote into an array"
                    )

    Replay(found.look.tape.raw).play(visit)
    return results


@pytest.mark.usefixtures("always_faster")
@pytest.mark.parametrize("name", GOOD)
def test_a_rewrite_gives_the_numbers_of_the_program(name: str, tmp_path: Path) -> None:
    source, most = GOOD[name]
    rewrite = name.partition(":")[0]
    found = tried(source, tmp_path)
    proposals = found.named(rewrite)
    assert proposals, ([p.rewrite for p in found.proposals], found.findings)
    results = _try_each(found, proposals)
    advice = [advice for _, advice in results if advice is not None]
    assert advice, "its numbers were refused"
    assert max(one.error for one in advice) <= most
    if "# here" in source:
        assert {one.where.line for one in advice} == {line_of(source)}
    for one in advice:
        assert (one.time.value, one.seconds_before, one.seconds_after) == (0.5, 2e-3, 1e-3)
        assert one.runs >= 1
        assert one.advice


@pytest.mark.usefixtures("always_faster")
@pytest.mark.parametrize("name", BAD)
def test_a_rewrite_leaves_alone_what_it_does_not_fit(name: str, tmp_path: Path) -> None:
    found = tried(BAD[name], tmp_path)
    advice = [(p, advice) for p, advice in _try_each(found, found.named(name.partition(":")[0])) if advice is not None]
    assert not advice, advice


@pytest.mark.usefixtures("always_faster")
@pytest.mark.parametrize("name", [name for name in GOOD if not name.startswith("look instead")][::4])
def test_whatever_is_advised_for_a_program_is_right(name: str, tmp_path: Path) -> None:
    """Other rewrites than the one that the program was written for may apply too."""
    found = tried(GOOD[name][0], tmp_path)
    for proposal, advice in _try_each(found, found.proposals):
        assert advice is None or advice.error <= (1e-3 if proposal.narrows else 1e-9)


def test_every_rewrite_has_programs_of_both_sorts() -> None:
    def rewrites(names: Any) -> set[str]:
        return {name.partition(":")[0] for name in names}

    assert rewrites(GOOD) == rewrites(BAD)
    assert len(rewrites(GOOD)) == len(REWRITES)


def test_at_most_one_rewrite_is_kept_for_a_line_and_the_greatest_saving_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = tried(
        "x = rng.random(400_000)\nfor _ in range(4):\n    y = x ** 3 + 1\n    z = np.fft.fft(x)\n    w = x * 2 + x / 3 - 1",
        tmp_path,
    )
    monkeypatch.setattr(trial, "_peak", lambda way, reset: 0)
    ratios = iter([(1.0, 0.5), (1.0, 0.25), (4.0, 1.0), (1.0, 0.7), (1.0, 0.8), (1.0, 0.6), *[(1.0, 0.5)] * 20])
    monkeypatch.setattr(trial, "_in_turns", lambda before, after, reset: [next(ratios)] * 9)
    advice = try_all(found.look, found.proposals, seconds=60)
    lines = [one.where.line for one in advice]
    assert len(lines) == len(set(lines)) >= 2
    saved = [(one.seconds_before - one.seconds_after) * one.runs for one in advice]
    assert saved == sorted(saved, reverse=True)


def test_no_time_means_no_advice(tmp_path: Path) -> None:
    found = tried(GOOD["multiply instead of a power: 3"][0], tmp_path)
    assert try_all(found.look, found.proposals, seconds=0) == []
    assert try_all(found.look, [], seconds=10) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "multiply instead of a power: 3", "einsum along a path: three", "transform real numbers as real: a row",
        "select instead of sorting: the least", "solve instead of inverting: a vector", "once before the loop: a product",
        "look instead of copying: to be safe", "the order in memory: a column", "stay in single precision: an array",
        "distances by a matrix product: rows and rows", "block by block: a formula", "compute in place: a formula",
        "room from the start: rows", "all at once: a function of each", "all at once: a weighted count",
    ],
)  # fmt: skip
def test_by_the_clock_too_a_rewrite_is_faster_or_smaller(name: str, tmp_path: Path) -> None:
    found = tried(GOOD[name][0], tmp_path)
    advice = try_all(found.look, found.named(name.partition(":")[0]), seconds=60)
    assert advice
    assert all(one.time.high < 0.9 or one.bytes_after < 0.7 * one.bytes_before for one in advice)
