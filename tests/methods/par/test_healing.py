"""A candidate that begins with what it inherits and learns from its parent."""

from pathlib import Path

import pytest
import torch

from pennyweight.blocks.pattern import Pattern
from pennyweight.core.budget import Budget
from pennyweight.core.fit import Trainer, fit, load_weights
from pennyweight.core.run import Run
from pennyweight.core.stack import Stack
from pennyweight.methods.par.search.healing import Healing
from pennyweight.methods.par.search.menu import Menu
from pennyweight.methods.par.search.substitutes import Substitutes
from pennyweight.methods.par.task import LanguageModel
from tests.methods.par.test_scoring import parent  # noqa: F401 - a fixture

TOKENS = torch.randint(200, (4, 24), generator=torch.Generator().manual_seed(0))


def a_candidate(parent: LanguageModel, pattern: str) -> LanguageModel:  # noqa: F811
    substitutes = Substitutes(parent, Menu(num_blocks=4, letters=("a", "f", "i")))
    return parent.placed(substitutes.assemble(Pattern.parse(pattern)))


def test_a_copy_of_the_teacher_is_at_no_distance(parent: LanguageModel) -> None:  # noqa: F811
    task = Healing(a_candidate(parent, "afaf"), teacher=parent.model)
    losses = task({"tokens": TOKENS})
    assert losses["distance"].item() == pytest.approx(0.0, abs=1e-9)
    assert losses["loss"].item() == pytest.approx(losses["nats"].item())
    assert losses["nats"].item() == pytest.approx(parent({"tokens": TOKENS})["loss"].item(), rel=1e-5)


def test_its_weights_are_those_of_the_task_by_name(parent: LanguageModel) -> None:  # noqa: F811
    student = a_candidate(parent, "aiif")
    task = Healing(student, teacher=parent.model)
    assert task.state_dict().keys() == student.state_dict().keys()
    assert task.num_parameters() == student.num_parameters()
    assert not any(parameter is mine for parameter in parent.model.parameters() for mine in task.parameters())


def test_healing_brings_states_and_loss_nearer_and_leaves_the_teacher(
    parent: LanguageModel,  # noqa: F811
    tmp_path: Path,
) -> None:
    before = {name: value.clone() for name, value in parent.model.state_dict().items()}
    task = Healing(a_candidate(parent, "aiif"), teacher=parent.model)
    unhealed = task({"tokens": TOKENS})
    run = Run.create(tmp_path, "healing", {"kind": "run"})
    with run.locked():
        stack = Stack.parse("cpu/torch/fp32/1t")
        trainer = Trainer(task, parent.config, run=run, budget=Budget(samples=320), stack=stack)
        fit(trainer, cache=tmp_path, floors=False)
    distances = [record["distance"] for record in run.metrics("step")]
    assert sum(distances[-5:]) < 0.8 * sum(distances[:5])
    checks = [record["value"] for record in run.metrics("validation")]
    assert checks[-1] < checks[0]
    assert unhealed["distance"].item() > 0
    for name, value in parent.model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    again = a_candidate(parent, "aiif")
    load_weights(again, run)
    with torch.no_grad():
        assert again.evaluate("validation").value == pytest.approx(checks[-1], rel=1e-5)


def test_without_a_teacher_it_is_the_task(parent: LanguageModel) -> None:  # noqa: F811
    student = a_candidate(parent, "afff")
    task = Healing(student)
    assert task({"tokens": TOKENS})["loss"].item() == student({"tokens": TOKENS})["loss"].item()
