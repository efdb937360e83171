"""Races on several stacks: what they say alike, what oppositely, and which part of a speed is the device's."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from pennyweight.core.errors import UserError
from pennyweight.core.files import write_json
from pennyweight.core.race import Interval, RaceResult, Side, Trial
from pennyweight.core.recipe import from_document, to_document
from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.heats import Heats, _traced, gather, heat, least_seconds, load_heat, step_work, turns
from pennyweight.report.heats import holds, names, rows, turn_sentence
from tests.lottery.cards import table, work
from tests.toys import configure

torch = pytest.importorskip("torch")


def ratio(value: float, reach: float = 0.05) -> dict[str, float]:
    return {"value": value, "low": value * (1 - reach), "high": value * (1 + reach)}


def a_race(
    stack: str = "cpu/torch/fp32/1t", *, verdict: str = "idea", training: float = 1.5, **changes: Any
) -> RaceResult:
    made = RaceResult(
        name="par",
        claim="An idea is better than its rival (a paper, 2020).",
        recipe="par/tiny",
        sides={"idea": Side(name="new", settings={}), "rival": Side(name="old", settings={})},
        metric="bits per byte",
        unit="bits",
        better="lower",
        stack=stack,
        stack_seconds={},
        asked="1min",
        trial_budget="10.00s",
        spent_seconds=60.0,
        confidence=0.99,
        seeds=(0, 1, 2),
        data={"name": "text", "sha256": "0" * 64},
        tuned="fit.optimizer.lr",
        chosen={},
        sweep=(),
        trials=(),
        ratio=Interval(value=0.97, low=0.95, high=0.99),
        verdict=verdict,  # type: ignore[arg-type]
        time_to_equal=None,
        equal_quality=None,
        figures={},
        speeds={
            "training": {"unit": "samples/s", "idea": 3.0, "rival": 2.0, "ratio": ratio(training)},
            "decode": {"unit": "tokens/s", "idea": 3.0, "rival": 2.0, "ratio": ratio(1.2)},
        },
        baselines={},
    )
    return dataclasses.replace(made, **changes)


def gathered(*races: RaceResult, seconds: Any = "unknown") -> Heats:
    told = [(Path(f"race-{number}"), race, "A processor") for number, race in enumerate(races)]
    return gather(told, [seconds] * len(told), asked="10min", spent_seconds=599.0)


def test_a_training_speed_is_the_hardwares_part_times_the_softwares() -> None:
    told = heat(Path("r"), a_race(training=1.5), "A processor", {"idea": 0.010, "rival": 0.012})
    assert told.hardware == pytest.approx(1.2)
    assert told.software == pytest.approx(1.25)
    assert told.hardware * told.software == pytest.approx(told.speeds["training"].value, rel=1e-12)


def test_without_limits_the_reason_stands_in_the_place_of_the_parts() -> None:
    told = heat(Path("r"), a_race(), "A processor", "its limits are not known")
    assert (told.hardware, told.software, told.unsplit) == (None, None, "its limits are not known")


def test_verdicts_and_speeds_that_are_opposite_turn_and_undecided_ones_do_not() -> None:
    one, two, three = (
        heat(Path("r"), race, "", "")
        for race in (
            a_race("cpu/torch/fp32/1t", verdict="idea", training=1.5),
            a_race("cpu/torch/bf16/1t", verdict="rival", training=0.8),
            a_race("cpu/torch/fp32/2t", verdict="undecided", training=1.01),
        )
    )
    found = turns([two, one, three])
    assert [(turn.what, turn.stack, turn.elsewhere) for turn in found] == [
        ("verdict", "cpu/torch/fp32/1t", "cpu/torch/bf16/1t"),
        ("training", "cpu/torch/fp32/1t", "cpu/torch/bf16/1t"),
    ]
    assert not turns([one, three])


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (("idea", "idea"), "new (the idea) wins on both stacks."),
        (("rival", "rival"), "old (the rival) wins on both stacks."),
        (("idea", "undecided"), "new (the idea) wins on 1 of 2 stacks; the rest are undecided."),
        (("undecided", "undecided"), "The race is undecided on both stacks."),
        (
            ("idea", "rival"),
            "The verdict depends on the stack: of 2 stacks the idea wins on some, the rival on others.",
        ),
    ],
)
def test_whether_the_verdict_holds_is_said_in_a_sentence(verdicts: tuple[str, str], said: str) -> None:
    stacks = ("cpu/torch/fp32/1t", "cpu/torch/bf16/1t")
    assert holds(gathered(*(a_race(s, verdict=v) for s, v in zip(stacks, verdicts, strict=True)))) == said


def test_heats_stand_beside_one_another_and_come_back_from_json() -> None:
    told = gathered(a_race(), a_race("cpu/torch/bf16/1t", training=0.8), seconds={"idea": 1.0, "rival": 1.0})
    assert from_document(Heats, json.loads(json.dumps(to_document(told)))) == told
    assert names(told) == ["torch fp32 1t", "torch bf16 1t"]
    shown = {row.name: row.cells for row in rows(told)}
    assert shown["verdict"] == [("idea", ""), ("idea", "")]
    assert shown["bits per byte"][0] == ("0.970×", "0.950–0.990")
    assert [text for text, _ in shown["training speed"]] == ["1.50×", "0.800×"]
    assert [text for text, _ in shown["the hardware's part"]] == ["1.00×", "1.00×"]
    assert "decode speed" in shown
    assert turn_sentence(told, told.turns[0]) == "At training, new is faster on torch fp32 1t and old on torch bf16 1t."


def test_machines_are_named_where_there_are_several() -> None:
    races = [(Path("a"), a_race(), "One processor"), (Path("b"), a_race(), "Another")]
    told = gather(races, ["", ""], asked="", spent_seconds=1.0)
    assert names(told) == ["torch fp32 1t, One processor", "torch fp32 1t, Another"]


def test_races_of_two_methods_are_refused_and_other_differences_told() -> None:
    with pytest.raises(UserError, match="races of par and byol"):
        gathered(a_race(), a_race(name="byol"))
    told = gathered(a_race(), a_race("cpu/torch/bf16/1t", trial_budget="20.00s", recipe="par/small"))
    assert told.notes == ("the races differ in their recipe and budget of a trial too",)


def test_a_folder_without_a_result_is_refused_and_the_machine_is_that_of_the_receipts(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no finished race"):
        load_heat(tmp_path)
    write_json(tmp_path / "race.json", to_document(a_race()))
    assert load_heat(tmp_path)[1] == "unknown"
    trial = Trial(side="idea", seed=0, tuned=1.0, run="t", seconds=1.0, value=1.0, curve=(), receipt="receipt.json")
    write_json(tmp_path / "receipt.json", {"machine": {"processor": "P", "accelerator": "NVIDIA H100 80GB HBM3"}})
    for stack, machine in (("cpu/torch/fp32/1t", "P"), ("cuda/torch/bf16", "NVIDIA H100 80GB HBM3")):
        write_json(tmp_path / "race.json", to_document(a_race(stack, trials=(trial,))))
        assert load_heat(tmp_path)[1] == machine


def test_limits_come_from_the_own_tables_else_from_the_catalogue_else_are_unknown() -> None:
    works: Any = {"idea": work(1e9), "rival": work(2e9)}
    here = Stack.parse("cpu/torch/fp32/1t")
    assert least_seconds(works, here, "any", [table("cpu/torch/fp32/1t")]) == {"idea": 0.01, "rival": 0.02}
    there = least_seconds(works, Stack.parse("cuda/torch/bf16"), "NVIDIA H100 80GB HBM3", [])
    assert not isinstance(there, str)
    assert there["rival"] / there["idea"] == pytest.approx(2.0)
    assert (
        least_seconds(works, here, "An unknown processor", [])
        == "the limits of An unknown processor are not known here"
    )


def test_a_training_steps_work_is_counted_from_its_trace(plugins: None, tmp_path: Path) -> None:
    """Two linear layers, 4 to 16 to 1, on 32 samples: forward, and backward for weights and for the second's inputs."""
    config = configure("regression")
    told = _traced("regression", config, Stack.parse("cpu/torch/fp32/1t"), cache=tmp_path)
    products = sum(step.operations for step in told.steps if step.matrix)
    assert products == 2 * 32 * (2 * 4 * 16 + 3 * 16)
    weights = 4 * 16 + 16 + 2 * 16 + 16 + 1
    least = 2 * 3 * 4 * weights + 32 * 5 * 4  # weights and two moments, read and written, and the batch
    assert least <= told.num_bytes < 1.3 * least
    half = _traced("regression", config, Stack.parse("cpu/torch/bf16/1t"), cache=tmp_path)
    assert {step.dtype for step in half.steps if step.matrix} == {"bfloat16"}
    assert sum(step.operations for step in half.steps if step.matrix) == products


def test_both_sides_of_a_planned_race_are_traced(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"plan.json"):
        step_work(tmp_path, Stack.parse("cpu/torch/fp32/1t"), cache=tmp_path)
