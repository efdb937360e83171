"""A model's step is its fixed cost and what each of its blocks adds; what was measured once is kept."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pennyweight.blocks.pattern import Pattern
from pennyweight.core.cost import FIXED, Rate
from pennyweight.core.errors import UserError
from pennyweight.core.stack import Stack
from pennyweight.lottery.weighing import blocks, models
from pennyweight.lottery.weighing.blocks import block_costs, model_seconds
from pennyweight.lottery.weighing.microbench.steps import Step, prepared

STACK = Stack.parse("cpu/torch/fp32/1t")
SHAPE = {"width": 32, "num_heads": 2, "length": 16, "batch": 2, "vocab_size": 96}


def rate(value: float) -> Rate:
    return Rate(value=value, low=0.9 * value, high=1.1 * value)


class Machine:
    """Workers that answer with made-up seconds: 2 for a model's rest, 3 for attention, 1 for a feed-forward block."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        patch.setattr(models, "Worker", lambda stack: self)
        patch.setattr(models.BusyWatch, "share", lambda self: 0.0)
        self.stack = STACK

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def call(self, function: str, stack: str, step: Step, seconds: float = 0.0, *, limit: float) -> float:
        pattern = Pattern.parse(step.pattern)
        if function.endswith("begin"):
            self.asked.append(f"{step.pattern} of {step.vocab_size}")
        cost = 3.0 * pattern.count("attention") + 1.0 * pattern.count("feedforward") + 0.5 * pattern.count("window")
        return (cost + 2.0 * step.vocab_size / 64) * 1e-6


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


def costs(tmp_path: Path, *kinds: str, **changes: object) -> dict[str, Rate]:
    return block_costs(STACK, **{**SHAPE, "use": "train", **changes}, kinds=kinds, cache=tmp_path, seconds_each=0.05)  # type: ignore[arg-type]


def test_a_block_costs_what_it_adds_to_a_model_without_any(machine: Machine, tmp_path: Path) -> None:
    found = costs(tmp_path, "a", "f", "w", "i")
    assert found["a"].value == pytest.approx(3e-6)
    assert found["f"].value == pytest.approx(1e-6)
    assert found["w"].value == pytest.approx(0.5e-6)
    assert found["i"] == Rate(value=0.0, low=0.0, high=0.0)
    assert found[FIXED].value == pytest.approx(3e-6), "96 words of 64"
    assert found["a"].low < 3e-6 < found["a"].high


def test_what_was_measured_is_read_back_and_only_the_rest_is_measured(machine: Machine, tmp_path: Path) -> None:
    first = costs(tmp_path, "a", "f")
    assert sorted(machine.asked) == sorted(["(aafa)*2 of 64", "(afff)*2 of 64", "(af)*2 of 96", "(af)*2 of 64"])
    machine.asked.clear()
    assert costs(tmp_path, "f", "a") == first
    assert machine.asked == []
    costs(tmp_path, "a", "w")
    assert sorted(machine.asked) == sorted(["(awfw)*2 of 64", "(af)*2 of 64"])


def test_what_was_measured_on_a_busy_machine_is_not_kept(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models.BusyWatch, "share", lambda self: 0.5)
    costs(tmp_path, "a")
    machine.asked.clear()
    costs(tmp_path, "a")
    assert "(aafa)*2 of 64" in machine.asked
    monkeypatch.setattr(models.BusyWatch, "share", lambda self: 0.0)
    costs(tmp_path, "a")
    machine.asked.clear()
    costs(tmp_path, "a")
    assert machine.asked == []


@pytest.mark.parametrize(
    "change",
    [{"use": "decode"}, {"causal": False}, {"length": 8}, {"batch": 1}, {"width": 64}, {"num_heads": 4}, {"window": 4}],
)
def test_another_shape_or_use_is_measured_anew(machine: Machine, tmp_path: Path, change: dict[str, object]) -> None:
    costs(tmp_path, "a")
    machine.asked.clear()
    costs(tmp_path, "a", **change)
    assert ("(aaf)*2 of 64" if change.get("use") == "decode" else "(aafa)*2 of 64") in machine.asked


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"rate": 3}', '{"rate": {"value": 1}}', '{"rate": {"value": -1, "low": 0, "high": 1}}']
)
def test_a_damaged_file_is_measured_again(machine: Machine, tmp_path: Path, text: str) -> None:
    before = costs(tmp_path, "a")
    for path in (tmp_path / "blocks").iterdir():
        path.write_text(text)
    assert costs(tmp_path, "a") == before
    assert all("rate" in json.loads(path.read_text()) for path in (tmp_path / "blocks").iterdir())


def test_noise_never_makes_a_block_cheaper_than_nothing() -> None:
    found = blocks._less(rate(1.0), rate(1.2), share=4)
    assert (found.low, found.value) == (0.0, 0.0)
    assert found.high == pytest.approx((1.1 - 1.08) / 4)


def test_the_fixed_cost_is_measured_with_the_blocks_of_the_model_it_is_left_of(
    machine: Machine, tmp_path: Path
) -> None:
    """Only windowed blocks are asked for; the base has full attention and feed-forward."""
    found = costs(tmp_path, "w")
    assert found.keys() == {"w", FIXED}
    assert found[FIXED].value == pytest.approx(3e-6)
    assert {"(aafa)*2 of 64", "(afff)*2 of 64"} <= set(machine.asked)


def test_a_models_step_is_the_sum_of_its_parts() -> None:
    known = {FIXED: rate(5.0), "a": rate(3.0), "f": rate(1.0), "f2": rate(0.5), "i": rate(0.0)}
    whole = model_seconds(Pattern.parse("(aff2i)*2 f*3"), known)
    assert whole.value == pytest.approx(5 + 2 * (3 + 1 + 0.5) + 3)
    assert (whole.low, whole.high) == (pytest.approx(0.9 * whole.value), pytest.approx(1.1 * whole.value))


@pytest.mark.parametrize("kind", ["af", "x", "f3", "a*2", ""])
def test_a_kind_is_one_letter_of_a_pattern(tmp_path: Path, kind: str) -> None:
    with pytest.raises(UserError):
        costs(tmp_path, kind)


def test_blocks_are_torchs(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="torch, in which the blocks are written"):
        block_costs(Stack.parse("cpu/numpy/fp32/1t"), **SHAPE, use="train", cache=tmp_path)  # type: ignore[arg-type]


def test_the_same_block_under_two_spellings_is_one(machine: Machine, tmp_path: Path) -> None:
    assert costs(tmp_path, "f4")["f"] == costs(tmp_path, "f")["f"]


def test_a_causal_step_keeps_the_name_that_it_had_before_there_were_others(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "this_machine", lambda: SimpleNamespace(fingerprint="here"))
    costs(tmp_path, "a")
    asked = [
        "cpu/torch/fp32/1t",
        {"pattern": "(aafa)*2", "vocab_size": 64, "width": 32, "num_heads": 2, "window": 128, "length": 16, "batch": 2}
        | {"use": "train"},
    ]
    name = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:12]
    assert (tmp_path / "blocks" / f"here-{name}.json").is_file()


def test_what_sees_both_sides_is_not_decoded(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="train or prefill"):
        costs(tmp_path, "a", use="decode", causal=False)


# --- the steps themselves ---


def a_step(use: str, pattern: str = "afwf1i", *, causal: bool = True) -> Step:
    return Step(
        pattern=pattern,
        vocab_size=96,
        width=32,
        num_heads=2,
        window=4,
        length=16,
        batch=2,
        use=use,  # type: ignore[arg-type]
        causal=causal,
    )


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    ("use", "causal"), [("train", True), ("prefill", True), ("decode", True), ("train", False), ("prefill", False)]
)
def test_every_use_can_be_stepped_again_and_again(use: str, causal: bool, precision: str) -> None:
    step = prepared(Stack.parse(f"cpu/torch/{precision}/1t"), a_step(use, causal=causal))
    with torch.set_grad_enabled(use == "train"), Stack.parse(f"cpu/torch/{precision}/1t").autocast():
        for _ in range(3):
            step()


def closure(step: Callable[[], object]) -> dict[str, object]:
    return dict(zip(step.__code__.co_freevars, (cell.cell_contents for cell in step.__closure__ or ()), strict=True))


@pytest.mark.parametrize("causal", [True, False])
def test_training_updates_every_weight_with_gradients_that_are_not_zero(causal: bool) -> None:
    """Zeros would be another machine's arithmetic: blocks begin by adding nothing."""
    step = prepared(STACK, a_step("train", causal=causal))
    model = closure(step)["model"]
    assert isinstance(model, torch.nn.Module)
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    step()
    assert all(not torch.equal(before[name], parameter) for name, parameter in model.named_parameters())


def test_decoding_reads_a_cache_of_the_length_asked_for_each_time() -> None:
    step = prepared(STACK, a_step("decode", "a"))
    cache = closure(step)["cache"]
    with torch.no_grad():
        for _ in range(2):
            step()
            assert cache.length == 17  # type: ignore[attr-defined]
    assert all(entry.keys.abs().sum(1).min() > 0 for entry in cache.entries.values())  # type: ignore[attr-defined]


def test_reading_fills_the_cache_with_the_whole_prompt() -> None:
    step = prepared(STACK, a_step("prefill", "a"))
    cache = closure(step)["cache"]
    with torch.no_grad():
        step()
    assert cache.length == 16  # type: ignore[attr-defined]


@pytest.mark.parametrize("use", ["train", "prefill"])
def test_a_step_that_sees_both_sides_has_padding_but_no_padded_text(use: str) -> None:
    """The mask of the padding is part of what it costs; hidden positions would be less work."""
    held = closure(prepared(STACK, a_step(use, causal=False)))
    model, tokens = held["model"], held["inputs" if use == "train" else "prompt"]
    assert not model.config.causal  # type: ignore[attr-defined]
    assert model.config.padding == 95  # type: ignore[attr-defined]
    assert (tokens != 95).all()  # type: ignore[attr-defined]
    assert tokens.shape == (2, 16)  # type: ignore[attr-defined]


def test_a_real_machine_gives_positive_costs(tmp_path: Path) -> None:
    found = block_costs(STACK, **SHAPE, use="decode", kinds=("a", "f"), cache=tmp_path, seconds_each=0.2)  # type: ignore[arg-type]
    assert found.keys() == {"a", "f", FIXED}
    assert found[FIXED].value > 0
    assert all(0 <= one.value < 1 and one.low <= one.value <= one.high for one in found.values())
