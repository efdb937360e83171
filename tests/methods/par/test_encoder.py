"""The masked-language model: what it predicts, what it is measured by, and that it learns."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pennyweight.core.errors import UserError
from pennyweight.core.fit import load_task
from pennyweight.methods.par.encoder import MaskedLanguageModel
from tests.methods.par.fitting import a_config, build, fitted, texts_of_colours


@pytest.fixture
def task(tmp_path: Path) -> MaskedLanguageModel:
    made = build(a_config("par/encoder", **{"data.path": str(texts_of_colours(tmp_path / "text"))}), tmp_path)
    assert isinstance(made, MaskedLanguageModel)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made


def test_the_score_is_that_of_a_loop_over_the_hidden_tokens(task: MaskedLanguageModel) -> None:
    with torch.no_grad():
        told = task.evaluate("test")
    examples = task.examples("test")
    bits, restored = [], []
    for tokens, places, targets in zip(*(examples[n] for n in ("tokens", "places", "targets")), strict=True):
        with torch.no_grad():
            logits = task.model(torch.from_numpy(tokens)[None])[0]
        for place, target in zip(places.tolist(), targets.tolist(), strict=True):
            if target >= 0:
                bits.append(-F.log_softmax(logits[place], -1)[target].item() / math.log(2))
                restored.append(logits[place].argmax().item() == target)
    assert told.value == pytest.approx(np.mean(bits), rel=1e-4)
    assert told.details["restored"] == pytest.approx(np.mean(restored))
    assert told.details["masked tokens"] == len(bits)


def test_the_floor_is_the_frequency_of_tokens_in_training(task: MaskedLanguageModel, tmp_path: Path) -> None:
    counts = dict.fromkeys(range(257), 1)
    for token in task.corpus.splits["train"].tokens.tolist():
        counts[token] += 1
    total = sum(counts.values())
    targets = [t for t in task.examples("test")["targets"].ravel().tolist() if t >= 0]
    expected = np.mean([-math.log2(counts[target] / total) for target in targets])
    assert task.baselines(tmp_path)["token frequencies"] == pytest.approx(expected)


def test_predictions_see_both_sides(task: MaskedLanguageModel) -> None:
    tokens = torch.from_numpy(task.examples("test")["tokens"][:1])
    changed = tokens.clone()
    changed[0, -1] = (changed[0, -1] + 1) % 200
    assert (task.model(tokens)[0, 0] != task.model(changed)[0, 0]).any()


def test_it_learns_more_than_frequencies_and_is_read_back_without_its_text(tmp_path: Path) -> None:
    config = a_config(
        "par/encoder", **{"data.path": str(texts_of_colours(tmp_path / "text", number=300)), "fit.batch": 16}
    )
    run = fitted("par/encoder", config, tmp_path, samples=4800, floors=True)
    assert run.receipt is not None
    floors = run.receipt["baselines"]
    assert run.receipt["result"]["value"] < 0.8 * min(floors["token frequencies"], floors["untrained"])
    loaded = load_task(run, cache=tmp_path / "other")
    assert isinstance(loaded, MaskedLanguageModel)
    ids = loaded.tokenizer.encode("17 gre#n 23").astype(np.int64)
    ids[6] = loaded.marks.mask
    with torch.no_grad():
        guessed = loaded.model(torch.from_numpy(ids)[None])[0, 6].argmax().item()
    assert loaded.tokenizer.decode([guessed]) == "e"
    with pytest.raises(UserError, match="without its text"):
        loaded.evaluate("test")
