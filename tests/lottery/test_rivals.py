"""Stacks that are not here and rivals that are none are refused; fields have the sizes that the time allows."""

from pathlib import Path

import pytest

from pennyweight.core.errors import UserError, WorkFailed
from pennyweight.core.machine import usable_cores
from pennyweight.core.stack import Stack
from pennyweight.lottery.holding import rivals, scales
from pennyweight.lottery.holding.ideas.layer import IDEAS, SIZES
from pennyweight.lottery.holding.rivals import default_stacks, function_field, layer_field, require_here, three_stacks
from pennyweight.lottery.holding.scales import missing_devices, tables_for, telling_stacks
from pennyweight.lottery.weighing.tables import save_tables
from tests.lottery.cards import table

PALETTE = """
import numpy as np

def one(x):
    "The first way."
    return x * 2

def two(x):
    return x + x

def off(x):
    return x * 3

def inputs(size=4):
    return (np.arange(size, dtype=float),)
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "doubles.py"
    file.write_text(PALETTE)
    return str(file)


# --- stacks ---


def test_by_default_every_library_here_takes_part() -> None:
    names = [str(stack) for stack in default_stacks()]
    assert names[:2] == ["cpu/numpy/fp32/1t", "cpu/torch/fp32/1t"]
    assert f"cpu/torch/bf16/{usable_cores()}t" in names
    assert len(names) == len(set(names))
    for name in names:
        require_here(Stack.parse(name))


def test_three_stacks_differ_in_nothing_but_their_software() -> None:
    three = three_stacks()
    assert len(three) == 3
    assert {stack.threads for stack in three} == {1}


def test_without_jax_the_third_stack_is_torchs_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rivals, "_lacking", lambda library: ["jax"] if library == "jax" else [])
    assert str(three_stacks()[2]) == "cpu/torch/bf16/1t"
    assert not [stack for stack in default_stacks() if stack.library == "jax"]
    with pytest.raises(UserError, match=r"jax to be installed; pip install 'pennyweight\[jax\]'"):
        require_here(Stack.parse("cpu/jax/fp32/1t"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (f"cpu/numpy/fp32/{usable_cores() + 1}t", "at most"),
        ("cpu/onnxruntime/bf16/1t", "in fp32"),
        ("cuda/torch/bf16", "a CUDA device"),
    ],
)
def test_a_stack_that_is_not_here_is_refused(name: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Here:
        accelerator = ""

    monkeypatch.setattr(rivals, "this_machine", Here)
    with pytest.raises(UserError, match=said):
        require_here(Stack.parse(name))


# --- fields ---


def test_the_layer_has_seven_ideas_and_more_with_much_time() -> None:
    field = layer_field(["32x64"], num_stacks=3, seconds=60)
    assert [idea.name for idea in field.ideas] == list(IDEAS)
    assert [(ticket.idea, ticket.size) for ticket in field.tickets] == [(idea, "32x64") for idea in IDEAS]
    assert len(layer_field([], num_stacks=3, seconds=300).ideas) == 10


@pytest.mark.parametrize(
    ("seconds", "stacks", "count"), [(10, 6, 1), (60, 3, 3), (75, 3, 3), (120, 6, 3), (60, 6, 1), (1, 1, 1)]
)
def test_there_are_as_many_sizes_as_the_time_allows_and_one_at_least(seconds: float, stacks: int, count: int) -> None:
    field = layer_field([], num_stacks=stacks, seconds=seconds)
    assert list(dict.fromkeys(ticket.size for ticket in field.tickets)) == list(SIZES[:count])


def test_a_size_that_is_none_is_refused() -> None:
    with pytest.raises(UserError, match="ROWSxWIDTH"):
        layer_field(["large"], num_stacks=1, seconds=60)


def test_functions_become_rivals_with_their_sentences_work_and_reference(path: str) -> None:
    field = function_field([f"{path}::one", f"{path}::two"], ["4", "8"], tolerance=None, seconds=60)
    assert field.name == "doubles"
    assert [idea.what for idea in field.ideas] == ["The first way", "a function"]
    assert [(ticket.idea, ticket.size) for ticket in field.tickets] == [(i, s) for s in "48" for i in ("one", "two")]
    for ticket in field.tickets:
        assert ticket.works is not None, field.ideas
        assert sum(step.operations for step in ticket.works["fp32"].steps) == int(ticket.size)
    assert "what one gives in float64" in field.quality


def test_rivals_that_are_none_are_refused(path: str, tmp_path: Path) -> None:
    def refused(*targets: str) -> str:
        with pytest.raises(UserError) as error:
            function_field(targets, [], tolerance=None, seconds=60)
        return str(error.value)

    assert "two rivals or more" in refused(f"{path}::one")
    assert "two rivals or more" in refused(f"{path}::one", f"{path}::one")
    assert "no script nowhere.py" in refused("nowhere.py::one", "nowhere.py::two")
    assert "rivals of one script" in refused(f"{path}::one", "other.py::two")
    assert "the name of a function" in refused(f"{path}::one", f"{path}::")
    assert "did you mean two?" in refused(f"{path}::one", f"{path}::twoo")
    assert "off against one" in refused(f"{path}::one", f"{path}::off")
    broken = tmp_path / "broken.py"
    for wrong in ("def one(:\n", "x = 1\0\n"):
        broken.write_text(wrong)
        assert "a program that compiles" in refused(f"{broken}::one", f"{broken}::two")


def test_a_script_that_raises_has_failed(tmp_path: Path) -> None:
    file = tmp_path / "raises.py"
    file.write_text("import numpy as np\nraise RuntimeError('no luck')\n")
    with pytest.raises(WorkFailed, match=r"raises.py, line 2: RuntimeError: no luck"):
        function_field([f"{file}::one", f"{file}::two"], [], tolerance=None, seconds=60)


def test_a_script_that_kills_its_process_has_failed(tmp_path: Path) -> None:
    file = tmp_path / "dies.py"
    file.write_text("import os\nos._exit(3)\n")
    with pytest.raises(WorkFailed, match="exit code 3"):
        function_field([f"{file}::one", f"{file}::two"], [], tolerance=None, seconds=60)


# --- scales ---


def test_devices_without_a_table_are_missing_and_torch_is_weighed_before_the_others() -> None:
    stacks = [Stack.parse(name) for name in ("cpu/numpy/fp32/1t", "cpu/torch/bf16/2t", "cpu/onnxruntime/fp32/2t")]
    assert missing_devices(stacks, []) == [("cpu", 2), ("cpu", 1)]
    assert missing_devices(stacks, [table("cpu/torch/fp32/2t")]) == [("cpu", 1)]
    assert missing_devices(stacks, [table("cpu/torch/fp32/2t"), table("cpu/jax/fp32/1t")]) == []
    assert missing_devices(stacks, [table("cpu/torch/fp32/2t"), table("cpu/numpy/fp32/1t")]) == [("cpu", 1)]
    assert [str(stack) for stack in telling_stacks([("cpu", 2), ("cpu", 1)])][:4] == [
        "cpu/torch/fp32/2t",
        "cpu/torch/bf16/2t",
        "cpu/torch/fp32/1t",
        "cpu/torch/bf16/1t",
    ]
    assert [str(stack) for stack in telling_stacks([("cuda", 0)])] == ["cuda/torch/fp32", "cuda/torch/bf16"]


def test_kept_tables_are_used_but_for_those_of_a_busy_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    def none(*_: object, **__: object) -> None:
        raise AssertionError("weighed")

    monkeypatch.setattr(scales, "weigh", none)
    stacks = [Stack.parse("cpu/numpy/fp32/1t")]
    save_tables([table("cpu/torch/fp32/1t")], tmp_path)
    found, notes = tables_for(stacks, cache=tmp_path, seconds=60)
    assert [one.stack for one in found] == ["cpu/torch/fp32/1t"]
    assert not notes
    save_tables([dataclasses.replace(table("cpu/torch/fp32/1t"), busy=0.4)], tmp_path)
    found, notes = tables_for(stacks, cache=tmp_path, seconds=3)
    assert not found
    assert notes == ["cpu with 1 thread was not weighed: losses are not split there (pennyweight weigh does it once)"]


def test_a_weighing_is_short_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[list[str], float]] = []

    def weigh(stacks: list[Stack], *, seconds: float, report: object) -> list[object]:
        asked.append(([str(stack) for stack in stacks], seconds))
        return [table(str(stack)) for stack in stacks]

    monkeypatch.setattr(scales, "weigh", weigh)
    stacks = [Stack.parse("cpu/numpy/fp32/1t")]
    found, notes = tables_for(stacks, cache=tmp_path, seconds=60)
    assert asked == [(["cpu/torch/fp32/1t", "cpu/torch/bf16/1t", "cpu/numpy/fp32/1t"], 18.0)]
    assert len(found) == 3
    assert not notes
    again, _ = tables_for(stacks, cache=tmp_path, seconds=600)
    assert {one.stack: one for one in again} == {one.stack: one for one in found}
    assert len(asked) == 1
