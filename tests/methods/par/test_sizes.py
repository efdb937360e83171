"""A language model comes in sizes, and one of them has the idea's parameters or FLOPs."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pennyweight.core.race import Lineup, Match, Side
from pennyweight.core.recipe import override
from pennyweight.core.task import Task
from pennyweight.methods.par.config import ParConfig, one_gpu, tiny
from pennyweight.methods.par.race import CONTEST
from pennyweight.methods.par.sizes import EQUALISERS, sizes
from pennyweight.methods.par.task import LanguageModel, build

RIVAL = Side(name="interleaved", settings={"pattern": "interleaved"})
COUNTS: dict[str, Callable[[LanguageModel], float]] = {
    "parameters": lambda task: task.num_parameters(),
    "flops": lambda task: task.model.config.flops(1, task.config.context) / task.config.context,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for number in range(30):
        (folder / f"{number}.txt").write_text(" ".join(f"word{(number * k) % 89}" for k in range(300)))
    return folder


@pytest.mark.parametrize("recipe", [tiny, one_gpu])
@pytest.mark.parametrize("fine", [False, True])
def test_sizes_are_in_order_valid_and_one_of_them_is_the_side_as_it_is(
    recipe: Callable[[], ParConfig], fine: bool
) -> None:
    own = recipe()
    found = sizes(RIVAL, own, fine=fine)
    assert [size.scale for size in found] == sorted({size.scale for size in found})
    (unchanged,) = (size for size in found if not size.change)
    assert unchanged.side is RIVAL
    for size in found:
        config = override(own, size.side.settings)  # refuses widths that heads do not divide
        head = config.width / config.num_heads / (own.width / own.num_heads)
        if own.width / 2 <= config.width <= 2 * own.width:
            assert abs(config.num_heads - own.num_heads) <= fine
        assert head <= 2
        assert head >= 1 / 2 or config.num_heads == 1
        if size.change:
            assert f"width {config.width}" in size.side.name
            assert ("heads" in size.side.name) == (config.num_heads != own.num_heads)


def test_a_far_narrower_side_has_fewer_heads_of_about_the_same_width() -> None:
    config = tiny()
    narrow = {size.scale: size.side.settings.get("num_heads", 4) for size in sizes(RIVAL, config)}
    assert narrow[64] == 4
    assert narrow[56] == 2
    assert narrow[32] == 1
    wide = next(size for size in sizes(RIVAL, config) if size.scale == 288)
    assert wide.side.name == "interleaved, width 288, 9 heads"
    assert wide.change == "width 288 and 9 heads instead of 128 and 4"


def matched(kind: str, idea: str, rival: str, settings: dict[str, Any], cache: Path) -> tuple[Match, Lineup]:
    def configure(side: Side) -> ParConfig:
        return override(override(tiny(), settings), side.settings)

    def untimed(idea: Side, rival: Side) -> tuple[list[float], list[float]]:
        raise AssertionError("counting needs no clock")

    def built(side: Side) -> Task:
        return build(configure(side), cache=cache)

    lineup = Lineup(
        idea=Side(name=idea, settings={"pattern": idea}),
        rival=Side(name=rival, settings={"pattern": rival}),
        configure=configure,
        build=built,
        step_seconds=untimed,
    )
    return EQUALISERS[kind](lineup), lineup


@pytest.mark.parametrize("kind", COUNTS)
@pytest.mark.parametrize(
    ("idea", "rival", "width"),
    [("par(5)", "interleaved", 128), ("f*12", "a*12", 64), ("(ai)*6", "(af)*6", 128), ("(wf)*3", "f2*12", 96)],
)
def test_the_rival_has_what_the_idea_has_within_a_step_of_its_widths(
    kind: str, idea: str, rival: str, width: int, corpus: Path, tmp_path: Path
) -> None:
    settings = {"width": width, "context": 256, "data.tokenizer": "bytes", "data.path": str(corpus)}
    match, lineup = matched(kind, idea, rival, settings, tmp_path)
    tasks = [lineup.build(side) for side in (match.idea, match.rival)]
    counts = [COUNTS[kind](task) for task in tasks if isinstance(task, LanguageModel)]
    assert [match.equality.idea, match.equality.rival] == counts, "the closed form is what the built networks have"
    assert match.idea is lineup.idea
    found = int(match.rival.settings.get("width", width))
    for other in (found // 8 * 8, found // 8 * 8 + 8, found - 8, found + 8):  # no size with four heads comes nearer
        if other % 8:
            continue
        task = lineup.build(Side(name="", settings={"pattern": rival, "width": other}))
        assert isinstance(task, LanguageModel)
        assert abs(math.log(counts[1] / counts[0])) <= abs(math.log(COUNTS[kind](task) / counts[0]))


def test_par_and_interleaved_are_made_equal_in_parameters_within_two_hundredths(corpus: Path, tmp_path: Path) -> None:
    settings = {"data.path": str(corpus), "data.tokenizer": "bytes"}
    match, _ = matched("parameters", "par(5)", "interleaved", settings, tmp_path)
    assert match.equality.ratio is not None
    assert abs(match.equality.ratio.value - 1) < 0.02
    assert match.rival.settings["width"] > 128, "as published the rival was the smaller network"


def test_the_race_offers_them() -> None:
    assert set(CONTEST.equalisers) == {"latency", "parameters", "flops"}
    assert CONTEST.differ == "pattern"
