"""A receipt has fixed keys, and estimates only from a counter or from stated assumptions."""

import json
from dataclasses import replace
from typing import Any

import pytest

from pennyweight.core.errors import UserError
from pennyweight.core.receipt import Assumptions, Receipt, Result, Spent

SPENT = Spent(
    train_seconds=100.0,
    validation_seconds=3.0,
    saving_seconds=1.0,
    calibration_seconds=2.0,
    lost_seconds=0.0,
    steps=10,
    samples=160,
    peak_bytes=10**9,
    joules=None,
)
RECEIPT = Receipt(
    recipe="par/tiny",
    config={"fit": {"batch": 16}},
    stack="cpu/torch/fp32/1t",
    machine={"cores": 2},
    seed=0,
    data={"name": "x", "sha256": "0" * 64, "split": "y"},
    asked="100s",
    spent=SPENT,
    result=Result(metric="error", unit="", better="lower", value=1.0, low=0.5, high=1.5, interval="95 %"),
    baselines={"untrained": 2.0},
    parameters=1000,
    notes=("one",),
)


def _estimates(**changes: Any) -> dict[str, Any]:
    estimates = replace(RECEIPT, **changes).to_document()["estimates"]
    assert isinstance(estimates, dict)
    return estimates


def test_the_keys_of_a_receipt_are_frozen() -> None:
    document = RECEIPT.to_document()
    assert list(document) == [
        *("schema", "recipe", "config", "stack", "machine", "seed", "data", "asked", "spent", "result"),
        *("baselines", "parameters", "assumptions", "notes", "estimates"),
    ]
    assert list(document["spent"]) == [
        *("train_seconds", "validation_seconds", "saving_seconds", "calibration_seconds", "lost_seconds"),
        *("steps", "samples", "peak_bytes", "joules"),
    ]
    assert list(document["result"]) == ["metric", "unit", "better", "value", "low", "high", "interval", "details"]
    assert list(document["assumptions"]) == ["watts", "price", "co2"]
    assert list(document["estimates"]) == ["joules", "joules_from", "money", "co2_grams"]
    assert document["schema"] == 1
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_what_nobody_measured_or_stated_is_unknown() -> None:
    assert _estimates() == {
        "joules": "unknown",
        "joules_from": "no counter, no assumption",
        "money": "unknown",
        "co2_grams": "unknown",
    }
    assert _estimates(assumptions=Assumptions(price=0.3, co2=400))["money"] == "unknown"


def test_stated_watts_give_energy_money_and_co2() -> None:
    estimates = _estimates(assumptions=Assumptions(watts=72, price=0.5, co2=400))
    assert estimates["joules"] == 7200
    assert estimates["joules_from"] == "assumed watts"
    assert estimates["money"] == pytest.approx(0.001)
    assert estimates["co2_grams"] == pytest.approx(0.8)


def test_a_counter_beats_an_assumption() -> None:
    estimates = _estimates(spent=replace(SPENT, joules=3.6e6), assumptions=Assumptions(watts=72, price=0.5, co2=400))
    assert estimates == {"joules": 3.6e6, "joules_from": "counter", "money": 0.5, "co2_grams": 400}
    assert _estimates(spent=replace(SPENT, joules=0.0))["joules"] == 0.0


def test_assumptions_are_read_as_people_write_them() -> None:
    assert Assumptions.parse("watts=65, price=0.30,co2=380") == Assumptions(watts=65, price=0.3, co2=380)
    assert Assumptions.parse("") == Assumptions()
    assert Assumptions.parse("watts=0") == Assumptions(watts=0)


@pytest.mark.parametrize("text", ["watts", "watts=", "watts=x", "watts=-1", "watts=nan", "watts=inf", "volts=5", "65"])
def test_an_assumption_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="PER_KWH"):
        Assumptions.parse(text)
