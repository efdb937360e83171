"""Settings are read as the types of what they set; everything that does not fit is refused by name."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.core.errors import UserError
from pennyweight.core.optimizer import AdamW
from pennyweight.core.recipe import FitConfig, flatten, from_document, override, parse_settings, to_document
from pennyweight.core.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class Inner:
    depth: int = 2
    labels: tuple[str, ...] = ("a", "b")


@dataclass(frozen=True, kw_only=True)
class Outer:
    count: int = 1
    rate: float = 0.5
    name: str = "x"
    on: bool = False
    shape: Literal["round", "square"] = "round"
    limit: int | None = None
    inner: Inner = Inner()
    fit: FitConfig = FitConfig()


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("count", "7", 7),
        ("count", "-7", -7),
        ("rate", "1e-3", 1e-3),
        ("rate", "2", 2.0),
        ("name", "7", "7"),
        ("name", "", ""),
        ("on", "true", True),
        ("on", "no", False),
        ("shape", "square", "square"),
        ("limit", "3", 3),
        ("inner.depth", "9", 9),
        ("fit.optimizer.lr", "0.25", 0.25),
        ("fit.schedule.shape", "cosine", "cosine"),
        ("fit.budget", "2h", "2h"),
    ],
)
def test_a_text_is_read_as_the_type_of_its_setting(key: str, text: str, value: object) -> None:
    before = Outer()
    after = override(before, {key: text})
    assert flatten(after)[key] == value
    assert type(flatten(after)[key]) is type(value)
    assert {k: v for k, v in flatten(after).items() if k != key} == {
        k: v for k, v in flatten(before).items() if k != key
    }
    assert before == Outer()


def test_values_of_the_right_type_pass_as_they_are() -> None:
    optimizer = AdamW(lr=0.125)
    changed = override(Outer(), {"fit.optimizer": optimizer, "rate": 3, "limit": None, "inner.labels": ("q",)})
    assert (changed.fit.optimizer, changed.rate, changed.limit, changed.inner.labels) == (optimizer, 3.0, None, ("q",))


@pytest.mark.parametrize(
    ("key", "named"),
    [
        ("cuont", "did you mean count"),
        ("fit.optimiser", "did you mean optimizer"),
        ("fit.optimizer.learning", "a setting of fit.optimizer"),
        ("fit.schedule.warm_up", "did you mean warmup"),
        ("zzzzzz", "known: count, fit, inner"),
        ("count.x", "no parts"),
        ("", "unknown setting"),
        ("fit.", "unknown setting"),
        ("fit..lr", "unknown setting"),
        ("__class__", "unknown setting"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_name(key: str, named: str) -> None:
    with pytest.raises(UserError) as caught:
        override(Outer(), {key: "1"})
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("count", "many"),
        ("count", "1.5"),
        ("count", ""),
        ("rate", "fast"),
        ("on", "maybe"),
        ("shape", "oval"),
        ("name", 5),
        ("fit.parallel", "tensor"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_its_key(key: str, value: object) -> None:
    with pytest.raises(UserError, match=key):
        override(Outer(), {key: value})


@pytest.mark.parametrize("key", ["fit", "fit.optimizer", "inner"])
def test_a_part_cannot_be_set_whole_by_a_text(key: str) -> None:
    with pytest.raises(UserError, match="one of its parts"):
        override(Outer(), {key: "5"})


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("fit.batch", "0"),
        ("fit.micro_batch", "-1"),
        ("fit.micro_batch", "5"),
        ("fit.clip", "-1"),
        ("fit.clip", "nan"),
        ("fit.ema", "1"),
        ("fit.ema", "nan"),
        ("fit.validations", "-1"),
        ("fit.checkpoint_seconds", "0"),
        ("fit.checkpoint_seconds", "nan"),
        ("fit.budget", "long"),
        ("fit.optimizer.lr", "0"),
        ("fit.optimizer.lr", "nan"),
        ("fit.optimizer.lr", "inf"),
        ("fit.optimizer.beta1", "1"),
        ("fit.optimizer.eps", "-1"),
        ("fit.optimizer.weight_decay", "nan"),
        ("fit.schedule.warmup", "0.9"),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_key(key: str, text: str) -> None:
    with pytest.raises(UserError, match=f"--set {key}"):
        override(Outer(), {key: text})


@pytest.mark.parametrize("order", [1, -1])
def test_settings_that_fit_together_are_taken_in_any_order(order: int) -> None:
    start = Outer(fit=FitConfig(batch=16, micro_batch=4))
    wanted = {"fit.batch": "6", "fit.micro_batch": "3", "fit.schedule.warmup": "0.01", "fit.schedule.decay": "0.98"}
    changed = override(start, dict(list(wanted.items())[::order]))
    assert (changed.fit.batch, changed.fit.micro_batch) == (6, 3)
    assert changed.fit.schedule == Schedule(warmup=0.01, decay=0.98)


def test_a_part_set_whole_may_have_its_parts_set_too() -> None:
    changed = override(Outer(), {"fit.optimizer.lr": "0.5", "fit.optimizer": AdamW(beta1=0.7)})
    assert changed.fit.optimizer == AdamW(lr=0.5, beta1=0.7)


def test_settings_are_split_at_the_first_equals_sign() -> None:
    assert parse_settings(["a.b = c=d ", "e="]) == {"a.b": "c=d", "e": ""}
    for wrong in ("abc", "=5", " =5", ""):
        with pytest.raises(UserError, match="key=value"):
            parse_settings([wrong])


configs = st.builds(
    Outer,
    count=st.integers(),
    rate=st.floats(allow_nan=False),
    name=st.text(),
    on=st.booleans(),
    shape=st.sampled_from(["round", "square"]),
    limit=st.none() | st.integers(),
    inner=st.builds(Inner, depth=st.integers(), labels=st.lists(st.text()).map(tuple)),
    fit=st.builds(
        FitConfig,
        batch=st.integers(1, 10**6),
        clip=st.floats(0, 1e6),
        seed=st.integers(0, 2**40),
        optimizer=st.builds(AdamW, lr=st.floats(1e-9, 1e3)),
        schedule=st.builds(Schedule, warmup=st.floats(0, 0.5), decay=st.floats(0, 0.5)),
    ),
)


@given(configs)
def test_a_stored_configuration_comes_back_equal(config: Outer) -> None:
    assert from_document(Outer, json.loads(json.dumps(to_document(config)))) == config


def test_a_setting_that_the_document_lacks_takes_its_default() -> None:
    document = to_document(Outer(count=5))
    del document["fit"]["schedule"], document["rate"]
    assert from_document(Outer, document) == Outer(count=5)


def _with(path: str, value: object) -> Mapping[str, Any]:
    document = to_document(Outer())
    part = document
    *parents, last = path.split(".")
    for name in parents:
        part = part[name]
    part[last] = value
    return document


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("count", "many"),
        ("fit.batch", -4),
        ("fit.optimizer.lr", "x"),
        ("fit", 3),
        ("fit.colour", "red"),
        ("unknown", 1),
        ("shape", "oval"),
    ],
)
def test_a_stored_configuration_that_does_not_fit_is_refused(path: str, value: object) -> None:
    with pytest.raises(UserError, match=path.split(".")[0]):
        from_document(Outer, _with(path, value))


def test_flatten_names_all_settings_as_set_takes_them() -> None:
    flat = flatten(Outer())
    assert list(flat)[:7] == ["count", "rate", "name", "on", "shape", "limit", "inner.depth"]
    assert flat["fit.optimizer.beta2"] == AdamW().beta2
    assert not any(dataclasses.is_dataclass(value) for value in flat.values())
    assert override(Outer(count=9), flat) == Outer()
