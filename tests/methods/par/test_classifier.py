"""The text classifier: what it reads, what it is measured by, that it learns, and what it takes from an encoder."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from pennyweight.core.errors import UserError
from pennyweight.core.fit import load_task
from pennyweight.methods.par.classifier import TextClassifier
from pennyweight.methods.par.text import sums_by
from tests.methods.par.fitting import COLOURS, a_config, build, fitted, texts_of_colours


@pytest.fixture
def task(tmp_path: Path) -> TextClassifier:
    made = build(a_config("par/classifier", **{"data.path": str(texts_of_colours(tmp_path / "text"))}), tmp_path)
    assert isinstance(made, TextClassifier)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made


def test_the_score_is_that_of_texts_read_one_by_one_without_padding(task: TextClassifier) -> None:
    with torch.no_grad():
        told = task.evaluate("test")
    part = task.data.splits["test"]
    right, nats, by_class = [], [], {}
    for text, label in zip(part.texts, part.labels.tolist(), strict=True):
        ids = [task.tokenizer.separator, *task.tokenizer.encode(text.decode()).tolist()][:48]
        with torch.no_grad():
            logits = task.head(task.model.hidden(torch.tensor([ids]))[0].mean(0))
        right.append(logits.argmax().item() == label)
        by_class.setdefault(label, []).append(right[-1])
        nats.append(-F.log_softmax(logits, -1)[label].item())
    assert told.value == pytest.approx(np.mean(right))
    assert told.details["nats per text"] == pytest.approx(np.mean(nats), rel=1e-4)
    assert told.details["mean over classes"] == pytest.approx(np.mean([np.mean(x) for x in by_class.values()]))


def test_a_long_text_is_judged_by_its_beginning(task: TextClassifier) -> None:
    row = task._laid_out([b"x" * 100])[0]
    assert row.tolist() == [task.tokenizer.separator, *[ord("x")] * 47]


def test_floors_are_the_largest_class_and_naive_bayes(tmp_path: Path) -> None:
    root = texts_of_colours(tmp_path / "text", number=120)
    for path in sorted((root / "red").iterdir())[4:]:
        path.unlink()
    for path in (root / "blue").iterdir():
        path.write_text(path.read_text().replace("blue", "red"))  # told apart by figures and counts alone
    task = build(a_config("par/classifier", **{"data.path": str(root)}), tmp_path)
    assert isinstance(task, TextClassifier)
    floors = task.baselines(tmp_path)
    train, test = task.data.splits["train"], task.data.splits["test"]
    largest = max(range(4), key=train.labels.tolist().count)
    assert floors["majority class"] == pytest.approx(test.labels.tolist().count(largest) / len(test.labels))
    right = []
    for text, label in zip(test.texts, test.labels.tolist(), strict=True):
        scores = []
        for number in range(4):
            seen = b"".join(t for t, k in zip(train.texts, train.labels.tolist(), strict=True) if k == number)
            total = len(seen) + task.marks.vocab_size
            scores.append(
                np.log(train.labels.tolist().count(number)) + sum(np.log((seen.count(b) + 1) / total) for b in text)
            )
        right.append(int(np.argmax(scores)) == label)
    assert floors["naive Bayes"] == pytest.approx(np.mean(right), abs=1e-9)


def test_sums_are_by_group() -> None:
    sums, counts = sums_by(np.array([7, 3, 7, 9]), np.array([1.0, 2.0, 3.0, 0.5]))
    assert sums.tolist() == [2.0, 4.0, 0.5]
    assert counts.tolist() == [1, 2, 1]


def test_it_learns_the_colours_and_names_them_without_its_data(tmp_path: Path) -> None:
    config = a_config("par/classifier", **{"data.path": str(texts_of_colours(tmp_path / "text", number=300))})
    run = fitted("par/classifier", config, tmp_path, samples=1600, floors=True)
    assert run.receipt is not None
    assert run.receipt["result"]["low"] > run.receipt["baselines"]["majority class"]
    assert run.receipt["result"]["value"] > 0.9
    loaded = load_task(run, cache=tmp_path / "other")
    assert isinstance(loaded, TextClassifier)
    assert loaded.classify([f"{n} {colour} 5" for n, colour in enumerate(COLOURS)]) == [*COLOURS]
    with pytest.raises(UserError, match="without its texts"):
        loaded.evaluate("test")


def test_an_encoder_brings_its_weights_size_and_tokenizer(tmp_path: Path) -> None:
    text = str(texts_of_colours(tmp_path / "text", number=120))
    settings = {"pattern": "wf1a", "width": 24, "num_heads": 3, "window": 5}
    encoder = a_config(
        "par/encoder",
        **{"data.path": text, **settings, "data.tokenizer": "bpe", "data.vocab_size": 270},
    )
    run = fitted("par/encoder", encoder, tmp_path, samples=160)
    config = a_config("par/classifier", **{"data.path": text, "encoder": str(run.folder)})
    task = build(config, tmp_path)
    assert isinstance(task, TextClassifier)
    assert str(task.model.config.pattern) == "wf1a"
    assert (task.model.config.width, task.model.config.num_heads, task.model.config.window) == (24, 3, 5)
    trained = load_task(run, cache=tmp_path)
    for name, value in trained.model.state_dict().items():
        torch.testing.assert_close(task.model.state_dict()[name], value, rtol=0, atol=0)
    assert task.tokenizer.vocab_size == trained.tokenizer.vocab_size > 257
    assert task.training
    assert all(parameter.requires_grad for parameter in task.parameters())
    tuned = fitted("par/classifier", config, tmp_path, samples=80)
    for path in (*run.folder.iterdir(), *(tmp_path / "cache").rglob("*.json")):
        if path.is_file():
            path.unlink()  # neither the encoder nor the cache is needed to use what came of them
    loaded = load_task(tuned, cache=tmp_path / "cache")
    assert loaded.classify(["7 red 8"])[0] in COLOURS


def test_only_an_encoder_can_be_begun_with(tmp_path: Path) -> None:
    text = str(texts_of_colours(tmp_path / "text"))
    with pytest.raises(UserError, match="is no run"):
        build(a_config("par/classifier", **{"data.path": text, "encoder": str(tmp_path)}), tmp_path)
    run = fitted("par/classifier", a_config("par/classifier", **{"data.path": text}), tmp_path, samples=8)
    with pytest.raises(UserError, match="a run of par/encoder"):
        build(a_config("par/classifier", **{"data.path": text, "encoder": str(run.folder)}), tmp_path)


def test_a_damaged_run_is_named(tmp_path: Path) -> None:
    config = a_config("par/classifier", **{"data.path": str(texts_of_colours(tmp_path / "text"))})
    run = fitted("par/classifier", config, tmp_path, samples=8)
    (run.folder / "classes.json").write_text('{"names": 3}')
    with pytest.raises(UserError, match=r"classes\.json"):
        load_task(run, cache=tmp_path)
    (run.folder / "network.json").write_text('{"pattern": "af"}')
    with pytest.raises(UserError, match=r"network\.json"):
        load_task(run, cache=tmp_path)
