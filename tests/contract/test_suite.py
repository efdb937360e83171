"""The contract suite itself: shapes to come pass it (encoder-decoder, two optimisers), planted faults do not."""

from pathlib import Path

import pytest

from pennyweight import contract
from pennyweight.contract import CHECKS, Check, Subject
from pennyweight.core.registry import Method
from tests import toys

BROKEN = Method("broken", "tests.plugins.broken")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("method", [toys.ENCODER_DECODER, toys.ADVERSARIAL], ids=lambda method: method.name)
@pytest.mark.usefixtures("plugins")
def test_shapes_to_come_keep_the_contract(
    method: Method, check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(toys.REPOSITORY)  # the second process finds the toys there
    check(Subject(method=method, folder=tmp_path, cache=tmp_path / "cache"))


FAULTS = {
    "data": contract.builds_from_its_default_recipe,
    "uphill": contract.one_step_lowers_the_loss_on_a_fixed_batch,
    "seed": contract.the_same_seed_gives_the_same_numbers,
    "reload": contract.it_saves_and_reloads_bit_equal,
    "state": contract.it_resumes_to_the_same_curve,
    "order": contract.two_processes_equal_one,
    "card": contract.its_card_is_complete,
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.usefixtures("plugins")
def test_a_planted_fault_fails_the_check_that_is_meant_for_it(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(toys.REPOSITORY)
    check = FAULTS[fault]
    if fault != "card":  # the card is incomplete whatever the setting
        check(Subject(method=BROKEN, folder=tmp_path / "sound", cache=tmp_path / "cache"))
    with pytest.raises(AssertionError):
        check(Subject(method=BROKEN, folder=tmp_path / "broken", cache=tmp_path / "cache", settings={"fault": fault}))


@pytest.mark.usefixtures("plugins")
def test_a_loop_that_overruns_its_budget_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pennyweight.core.budget import Pace

    sound = Pace.next

    def late(self: Pace, *, step: int, seconds: float) -> tuple[float, bool]:
        return sound(self, step=step, seconds=max(0.0, seconds - 0.5))

    monkeypatch.setattr(Pace, "next", late)
    with pytest.raises(AssertionError, match="over"):
        contract.it_stops_inside_its_budget(Subject(method=BROKEN, folder=tmp_path, cache=tmp_path / "cache"))
