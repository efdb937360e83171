"""The search for a rival of the idea's size: by counting, and by a clock that is a formula here."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.core.equality import WITHIN, Size, match_count, match_latency
from pennyweight.core.race import Lineup, Match, Side

IDEA = Side(name="idea", settings={})
RIVAL = Side(name="rival", settings={"width": 128})


def width_of(side: Side) -> int:
    return int(side.settings["width"])


def in_widths(widths: Sequence[int], *, own: int = 128) -> list[Size]:
    return [
        Size(side=RIVAL, scale=own)
        if width == own
        else Size(side=Side(name=f"width {width}", settings={"width": width}), scale=width, change=f"width {width}")
        for width in widths
    ]


@dataclass
class Clock:
    """A step of the idea takes a second, one of the rival what ``seconds`` says of its width, both with noise."""

    seconds: Callable[[int], float]
    noise: float = 0.0
    asked: list[int] = field(default_factory=list)

    def __call__(self, idea: Side, rival: Side) -> tuple[list[float], list[float]]:
        assert idea is IDEA
        self.asked.append(width_of(rival))
        shape = (2, 9)
        drawn = np.random.default_rng(len(self.asked)).lognormal(0, self.noise, shape) if self.noise else np.ones(shape)
        return drawn[0].tolist(), (drawn[1] * self.seconds(width_of(rival))).tolist()


def refuse(side: Side) -> None:
    raise AssertionError("nothing needs to be built")


def match(clock: Clock, widths: Sequence[int], **more: float) -> Match:
    lineup = Lineup(idea=IDEA, rival=RIVAL, configure=refuse, build=refuse, step_seconds=clock)  # type: ignore[arg-type]
    return match_latency(lineup, in_widths(widths), **more)


@given(
    exponent=st.floats(0.6, 2.0),
    wanted=st.floats(40, 480),
    fixed=st.floats(0.0, 0.3),
    step=st.sampled_from([4, 8, 20]),
)
def test_the_nearest_width_is_found_whatever_the_law_of_the_machine(
    exponent: float, wanted: float, fixed: float, step: int
) -> None:
    widths = sorted({*range(step, 513, step), 128})
    clock = Clock(lambda width: fixed + (1 - fixed) * (width / wanted) ** exponent)
    found = match(clock, widths)
    errors = {width: abs(math.log(clock.seconds(width))) for width in widths}
    chosen = width_of(found.rival)
    assert errors[chosen] == min(errors.values()) or errors[chosen] < WITHIN / 3
    assert found.equality.ratio is not None
    assert found.equality.ratio.value == pytest.approx(clock.seconds(chosen))
    assert found.equality.clocked
    assert found.equality.budget == "seconds"
    assert len(clock.asked) <= 9


def test_a_rival_that_is_equal_already_is_left_as_it_is() -> None:
    found = match(Clock(lambda width: 1.004), range(8, 513, 8))
    assert found.rival is RIVAL
    assert found.equality.change == ""


def test_what_is_printed_is_timed_anew_after_the_choice() -> None:
    clock = Clock(lambda width: width / 100, noise=0.02)
    found = match(clock, range(8, 513, 8))
    assert clock.asked[-1] == clock.asked[-2] == width_of(found.rival), "two rounds of their own"
    assert clock.asked.count(width_of(found.rival)) == 3
    assert found.equality.ratio is not None
    assert found.equality.ratio.low < found.equality.ratio.value < found.equality.ratio.high


def test_noise_of_ten_per_cent_leads_near_and_ends() -> None:
    clock = Clock(lambda width: (width / 70) ** 1.2, noise=0.1)
    found = match(clock, range(8, 513, 8))
    assert 56 <= width_of(found.rival) <= 88
    assert len(clock.asked) <= 9


@pytest.mark.parametrize(("seconds", "end"), [(1.5, 8), (0.5, 512)])
def test_an_idea_out_of_reach_ends_at_the_last_width_and_says_how_far_off_it_is(seconds: float, end: int) -> None:
    found = match(Clock(lambda width: seconds), range(8, 513, 8))
    assert found.equality.ratio is not None
    assert found.equality.ratio.value == pytest.approx(seconds)
    assert abs(found.equality.ratio.value - 1) > found.equality.within
    steep = match(Clock(lambda width: seconds * (width / end) ** 0.01), range(8, 513, 8))
    assert width_of(steep.rival) == end


def test_a_count_is_matched_by_ratio_and_needs_no_clock() -> None:
    lineup = Lineup(idea=IDEA, rival=RIVAL, configure=refuse, build=refuse, step_seconds=refuse)  # type: ignore[arg-type]
    counts = {"idea": 100.0, "width 64": 81.0, "rival": 122.0}
    found = match_count(
        lineup, in_widths([64, 128]), lambda side: counts[side.name], kind="parameters", quantity="parameters"
    )
    assert found.rival.name == "rival", "122 / 100 is nearer than 100 / 81, though 81 lies nearer than 122"
    assert found.equality.ratio is not None
    assert found.equality.ratio.value == pytest.approx(1.22)
    assert (found.equality.idea, found.equality.rival, found.equality.budget) == (100.0, 122.0, "samples")
