"""Training a candidate of a search: with the parent's blocks and the parent as its teacher, or from scratch.

What comes out is a run of the searched recipe with another pattern, which is loaded and used without the search.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import nn

from pennyweight.blocks.transformer import Transformer
from pennyweight.core.task import Batch, Evaluation, Losses, Source, Task
from pennyweight.methods.par.text import Split, TextTask


class Healing(Task):
    """A text task that also learns to have the states of a frozen ``teacher``.

    To the task's own loss comes ``weight`` times the squared error of the normalised final states, as a part of their
    variance: the heads came from the teacher's task, so where the states are equal the predictions are. Unlike a
    comparison of predictions (Hinton et al., 1503.02531) it is the same for every head, and a vocabulary costs nothing.
    The weights are those of the task, under its names.
    """

    def __init__(self, student: TextTask, *, teacher: Transformer | None = None, weight: float = 1.0) -> None:
        super().__init__()
        self.metric = student.metric
        for name, module in student.named_children():
            self.add_module(name, module)
        self.weight = weight
        self._student, self._teacher = [student], [teacher]  # in lists: what is trained is the modules above

    @property
    def student(self) -> TextTask:
        """The task that is trained."""
        return self._student[0]

    def source(self, stream: str, *, seed: int) -> Source:
        """The task's own examples."""
        return self.student.source(stream, seed=seed)

    def forward(self, batch: Batch, turn: str = "main") -> Losses:
        """The loss; beside it ``nats``, the task's own, and ``distance``, that of the states from the teacher's."""
        (teacher,) = self._teacher
        if teacher is None:
            return self.student(batch, turn)  # type: ignore[no-any-return]
        tokens = self.student.tokens(batch)
        states = self.student.model.hidden(tokens)
        sums, counts = self.student.nats(states, batch)
        nats = sums.sum() / counts.sum()
        with torch.no_grad():
            told = teacher.hidden(tokens).float()
        distance = (states.float() - told).square().mean() / told.var().clamp_min(1e-12)
        return {"loss": nats + self.weight * distance, "nats": nats, "distance": distance}

    def evaluate(self, split: Split) -> Evaluation:
        """The task's own metric."""
        return self.student.evaluate(split)

    def baselines(self, cache: Path) -> Mapping[str, float]:
        """The task's own floors."""
        return self.student.baselines(cache)

    def data_receipt(self) -> Mapping[str, str]:
        """The task's own data."""
        return self.student.data_receipt()

    def shard_units(self) -> Iterable[nn.Module]:
        """The task's own units."""
        return self.student.shard_units()

    def save_assets(self, folder: Path) -> None:
        """What the task needs beside its weights."""
        self.student.save_assets(folder)
