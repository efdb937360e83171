"""What the contract suite asks of a method's default recipe, asked of par's other text tasks; and the searchers."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pennyweight import contract
from pennyweight.blocks.pattern import Pattern
from pennyweight.contract import Check, Subject
from pennyweight.core.registry import METHODS, Method
from pennyweight.core.task import to_tensors
from pennyweight.methods.par.search.menu import Limit, Menu, Prices
from pennyweight.methods.par.search.scoring import BlockScoring
from pennyweight.methods.par.search.supernet import SuperNet
from pennyweight.methods.par.text import TextTask
from tests.methods.par.fitting import SMALL, a_config, build, questions_of_colours, texts_of_colours

RECIPES = ("encoder", "classifier", "reader")
CHECKS = (
    contract.builds_from_its_default_recipe,
    contract.one_step_lowers_the_loss_on_a_fixed_batch,
    contract.the_same_seed_gives_the_same_numbers,
    contract.it_saves_and_reloads_bit_equal,
    contract.it_resumes_to_the_same_curve,
)
MENU = Menu(num_blocks=4, letters=("a", "w", "f", "f1", "i"))
PRICES = Prices(
    quantity="train latency", unit="s", fixed=1.0, blocks={"a": 4.0, "w": 3.0, "f": 2.0, "f1": 1.0, "i": 0.0}
)


@dataclass(frozen=True)
class Other(Method):
    """par with another recipe in the place of its default."""

    chosen: str = ""

    def recipe_names(self) -> list[str]:
        return [self.chosen]


def some_data(recipe: str, folder: Path) -> Path:
    """Data of the kind that a recipe reads."""
    if recipe == "reader":
        return questions_of_colours(folder / "data", number=60)
    return texts_of_colours(folder / "data")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("recipe", RECIPES)
def test_text_tasks_keep_the_contract(recipe: str, check: Check, tmp_path: Path) -> None:
    settings = {**SMALL, "data.path": str(some_data(recipe, tmp_path))}
    check(
        Subject(
            method=Other("par", METHODS["par"], chosen=recipe),
            folder=tmp_path,
            cache=tmp_path / "cache",
            settings=settings,
        )
    )


@pytest.fixture(params=[*RECIPES, "tiny"])
def task(request: pytest.FixtureRequest, tmp_path: Path) -> TextTask:
    """A text task whose blocks do something."""
    torch.manual_seed(0)
    config = a_config(f"par/{request.param}", **{"data.path": str(some_data(request.param, tmp_path))})
    made = build(config, tmp_path)
    assert isinstance(made, TextTask)
    for name, parameter in made.model.named_parameters():
        if name.endswith("out.weight"):
            torch.nn.init.normal_(parameter, std=0.2)
    return made.eval()


def a_batch(task: TextTask, number: int = 8) -> dict[str, torch.Tensor]:
    return to_tensors(task.source("train", seed=0).batch(np.arange(number)), torch.device("cpu"))


def test_the_loss_is_the_sum_over_samples_by_the_number_of_predictions(task: TextTask) -> None:
    batch = a_batch(task)
    nats, counts = task.nats(task.model.hidden(task.tokens(batch)), batch)
    assert nats.shape == counts.shape == (8,)
    assert (counts >= 1).all()
    torch.testing.assert_close(task(batch)["loss"], nats.sum() / counts.sum())
    for row in range(8):
        alone = {name: array[row : row + 1] for name, array in batch.items()}
        expected, _ = task.nats(task.model.hidden(task.tokens(alone)), alone)
        torch.testing.assert_close(nats[row : row + 1], expected, atol=1e-4, rtol=1e-4)


def test_every_sample_has_as_many_predictions_so_that_processes_weigh_alike(task: TextTask) -> None:
    _, counts = task.nats(torch.zeros(8, task.tokens(a_batch(task)).shape[1], 32), a_batch(task))
    assert len(set(counts.tolist())) == 1


def test_its_own_transformer_in_its_place_gives_its_own_score(task: TextTask) -> None:
    with torch.no_grad():
        own = task.evaluate("test")
        assert task.evaluate_states(task.model.hidden, "test") == own
        twin = task.placed(task.model)
        assert twin.evaluate("test") == own
        other = task.evaluate_states(lambda tokens: torch.randn(*tokens.shape, 32), "test")
    assert other.value != own.value
    assert own.low <= own.value <= own.high


def test_training_data_divides_into_parts_without_a_common_document(task: TextTask) -> None:
    first, second = (part.batch(np.arange(24)) for part in task.parts(0.3, seed=0))
    texts = [{row.tobytes() for row in np.asarray(part["tokens"])} for part in (first, second)]
    assert texts[0].isdisjoint(texts[1])


def test_blocks_of_any_text_task_are_scored(task: TextTask) -> None:
    scoring = BlockScoring(task, MENU, num_windows=4).eval()
    with torch.no_grad():
        found = scoring.measure("validation", 4)
        letters = [*scoring.substitutes.own]
        letters[1] = "i"
        whole = scoring.substitutes.assemble(Pattern.parse("".join(letters)))
        more, counts = 0.0, 0.0
        for batch in task.held_out("validation", num_samples=4):
            replaced, number = task.nats(whole.hidden(task.tokens(batch)), batch)
            own, _ = task.nats(task.model.hidden(task.tokens(batch)), batch)
            more += float((replaced - own).sum())
            counts += float(number.sum())
    assert found[1, "i"].value == pytest.approx(more / counts, abs=1e-5)
    loss = scoring(a_batch(task))["loss"]
    loss.backward()
    assert loss.item() > 0
    assert all(p.grad is None for p in task.parameters())


def test_any_text_task_gives_a_super_network(task: TextTask) -> None:
    search = SuperNet(task, MENU, [Limit(prices=PRICES, most=9.0)])
    for turn in ("weights", "architecture"):
        search(a_batch(task), turn)["loss"].backward()
    heads = [p for n, p in search.task.named_parameters() if not n.startswith("model.")]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in heads)
    with torch.no_grad():
        told = search.eval().evaluate("validation")
    assert search.metric == task.metric
    assert told.details[f"mixture, {task.metric.name}"] == pytest.approx(
        told.value - told.details["gap of being made single"]
    )


def test_a_configuration_is_asked_for_by_its_recipe() -> None:
    kinds = {recipe: type(a_config(f"par/{recipe}")).__name__ for recipe in ("tiny", *RECIPES)}
    assert len(set(kinds.values())) == len(kinds)
    tiny = a_config("par/tiny")
    assert replace(tiny, pattern="w*4").parsed_pattern().count("window") == 4  # type: ignore[call-arg]
