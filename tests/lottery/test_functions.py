"""A script's functions run on every library that they can, say why not elsewhere, and are compared fairly."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from array_api_compat import torch as xp_torch

from pennyweight.core.errors import UserError
from pennyweight.core.stack import Stack
from pennyweight.lottery.holding.ideas import script as scripts
from pennyweight.lottery.holding.ideas.examined import examine
from pennyweight.lottery.holding.ideas.functions import SHARES, TOLERANCES, FunctionJob, allowed, compare
from pennyweight.lottery.holding.ideas.runnable import NotAvailable
from pennyweight.lottery.holding.ideas.script import ScriptFailed, execute, rebound, written_in

torch = pytest.importorskip("torch")

SCRIPT = '''
"""Rivals for the softmax of rows."""

import numpy as np
from numpy import exp as exponential
import numpy.linalg as la

OFFSET = np.array([0.5, 0.25, 0.125])


def helper(x):
    return exponential(x)


def plain(x, y):
    """Rows of probabilities.

    More is said here.
    """
    shifted = x - np.max(x, axis=1, keepdims=True) + OFFSET[0]
    powers = helper(shifted)
    return powers / np.sum(powers, axis=1, keepdims=True)


def inside(x, y):
    import numpy as other

    return other.exp(x) / other.sum(other.exp(x), axis=1, keepdims=True)


def by_namespace(x, y):
    from array_api_compat import array_namespace

    xp = array_namespace(x)
    powers = xp.exp(x)
    return powers / xp.sum(powers, axis=1, keepdims=True)


def with_xp(x, y, *, xp):
    powers = xp.exp(x)
    return powers / xp.sum(powers, axis=1, keepdims=True)


def twice(x, y):
    return plain(x, y), np.argmax(x, axis=1)


def normed(x, y):
    return la.norm(x)


def random(x, y):
    return x + np.random.default_rng(0).standard_normal(x.shape)


def pulls(x, y):
    return np.exp(x) if float(np.sum(x)) > -1e9 else x


def leaves(x, y):
    return [1, "two"]


def writes(x, y):
    x += 1
    return x


def off(x, y):
    return plain(x, y) * 1.01


def breaks(x, y):
    raise ValueError("it breaks")


def inputs(size=7):
    x = np.random.default_rng(1).standard_normal((size, 3))
    return x, np.arange(size)
'''

TORCH_SCRIPT = """
import torch
import torch.nn.functional as F


def rows(x, y):
    return F.softmax(x, dim=1)


def by_hand(x, y):
    e = torch.exp(x)
    return e / e.sum(dim=1, keepdim=True)


def inputs():
    import numpy
    return numpy.random.default_rng(1).standard_normal((7, 3)), numpy.arange(7)
"""

NUMPY, TORCH, HALF = (Stack.parse(f"cpu/{name}/1t") for name in ("numpy/fp32", "torch/fp32", "torch/bf16"))


@pytest.fixture
def path(tmp_path: Path) -> str:
    file = tmp_path / "softmax.py"
    file.write_text(SCRIPT)
    return str(file)


@pytest.fixture
def of_torch(tmp_path: Path) -> str:
    file = tmp_path / "of_torch.py"
    file.write_text(TORCH_SCRIPT)
    return str(file)


def expected(path: str, size: str = "") -> np.ndarray[Any, Any]:
    x, _ = execute(path).inputs(size)
    powers = np.exp(x)
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def job_of(path: str, name: str, **more: Any) -> FunctionJob:
    return FunctionJob(path=path, name=name, size="", inputs=execute(path).inputs(""), **more)


def run(path: str, name: str, stack: Stack, **more: Any) -> list[np.ndarray[Any, Any]]:
    made = job_of(path, name, **more).make(stack)
    return [np.asarray(one) for one in made.arrays(made.call())]


# --- one function on several libraries ---


@pytest.mark.parametrize("name", ["plain", "inside", "with_xp", "by_namespace"])
@pytest.mark.parametrize("stack", [NUMPY, TORCH], ids=str)
def test_a_function_of_numpy_or_xp_gives_the_same_on_numpy_and_torch(path: str, name: str, stack: Stack) -> None:
    (out,) = run(path, name, stack)
    # In NumPy the float64 of OFFSET makes everything after it float64.
    assert out.dtype == (np.float64 if (name, stack) == ("plain", NUMPY) else np.float32)
    np.testing.assert_allclose(out, expected(path), rtol=1e-5)


def test_in_jax_it_is_compiled_and_where_jit_refuses_it_runs_all_the_same(path: str) -> None:
    pytest.importorskip("jax")
    stack = Stack.parse("cpu/jax/fp32/1t")
    (out,) = run(path, "plain", stack)
    np.testing.assert_allclose(out, expected(path), rtol=1e-5)
    assert job_of(path, "plain").make(stack).statement == "plain with jax.numpy, jit"
    assert "which jit refuses" in job_of(path, "pulls").make(stack).statement


def test_on_onnxruntime_the_torch_version_is_exported(path: str) -> None:
    for needed in ("onnxruntime", "onnxscript"):
        pytest.importorskip(needed)
    stack = Stack.parse("cpu/onnxruntime/fp32/1t")
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        (out,) = run(path, "plain", stack)
    np.testing.assert_allclose(out, expected(path), rtol=1e-5)


def test_several_outputs_and_parts_of_numpy_are_found_in_the_other_library(path: str) -> None:
    probabilities, largest = run(path, "twice", TORCH)
    np.testing.assert_allclose(probabilities, expected(path), rtol=1e-5)
    np.testing.assert_array_equal(largest, expected(path).argmax(axis=1))
    (norm,) = run(path, "normed", TORCH)
    assert norm == pytest.approx(np.linalg.norm(execute(path).inputs("")[0]), rel=1e-5)


def test_inputs_are_in_the_stacks_precision_and_indices_stay_as_they_are(path: str) -> None:
    seen: list[Any] = []
    function = execute(path).function("plain")
    copy = rebound(function, xp_torch, lambda value: value)
    assert copy.__globals__ is not function.__globals__
    made = job_of(path, "with_xp").make(HALF)
    (out,) = made.arrays(made.call())
    assert out.dtype == np.float32, "NumPy has no bfloat16"
    np.testing.assert_allclose(out, expected(path), rtol=3e-2)
    seen += execute(path).inputs("")
    assert seen[1].dtype == np.int64


def test_the_script_itself_keeps_numpy_whatever_ran_before(path: str) -> None:
    run(path, "plain", TORCH)
    script = execute(path)
    assert script.names["np"] is np
    assert isinstance(script.function("plain")(*script.inputs("")), np.ndarray)
    assert isinstance(script.names["OFFSET"], np.ndarray)


def test_what_a_library_lacks_is_told_in_its_words(path: str) -> None:
    made = job_of(path, "random").make(TORCH)
    with pytest.raises(AttributeError, match="random"):
        made.call()


def test_a_result_of_another_library_is_no_result(path: str) -> None:
    made = job_of(path, "leaves").make(NUMPY)
    with pytest.raises(NotAvailable, match="the work left NumPy"):
        made.arrays(made.call())


def test_a_function_of_torch_runs_on_torch_alone(of_torch: str) -> None:
    (out,) = run(of_torch, "rows", TORCH)
    np.testing.assert_allclose(out, expected(of_torch), rtol=1e-5)
    with pytest.raises(NotAvailable, match="written in torch"):
        job_of(of_torch, "by_hand").make(NUMPY)
    assert written_in(execute(of_torch).function("rows")) == "torch"
    assert written_in(execute(of_torch).function("inputs")) == "numpy"


def test_a_helper_that_names_torch_makes_its_caller_torchs(tmp_path: Path) -> None:
    file = tmp_path / "helped.py"
    file.write_text("import torch\n\ndef helper(x):\n    return torch.exp(x)\n\ndef caller(x):\n    return helper(x)\n")
    assert written_in(execute(str(file)).function("caller")) == "torch"


def test_numbers_among_the_inputs_stay_numbers(tmp_path: Path) -> None:
    file = tmp_path / "amounts.py"
    file.write_text(
        "import numpy as np\n\ndef scaled(x, factor):\n    assert isinstance(factor, int)\n    return x * factor\n\n"
        "def inputs():\n    return np.ones(3), 2\n"
    )
    assert run(str(file), "scaled", TORCH)[0].tolist() == [2.0, 2.0, 2.0]


# --- what a script must have ---


def test_a_size_is_read_as_python_writes_it(path: str) -> None:
    assert execute(path).inputs("11")[0].shape == (11, 3)
    assert execute(path).inputs("")[0].shape == (7, 3)


def test_wrong_scripts_are_refused_in_a_line(path: str, of_torch: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean plain"):
        execute(path).function("plian")
    with pytest.raises(UserError, match="takes no size"):
        execute(of_torch).inputs("5")
    bare = tmp_path / "bare.py"
    bare.write_text("def one(x):\n    return x\n")
    with pytest.raises(UserError, match="no function inputs"):
        execute(str(bare)).inputs("")
    odd = tmp_path / "odd.py"
    odd.write_text("def inputs():\n    return {1: 2}, 3\n")
    with pytest.raises(UserError, match=r"a dict from inputs\(\) of .*odd.py: expected NumPy arrays, and numbers"):
        execute(str(odd)).inputs("")


def test_unseeded_inputs_are_made_once_for_all_rivals_and_stacks(tmp_path: Path) -> None:
    file = tmp_path / "unseeded.py"
    file.write_text(
        "import numpy as np\n\ndef one(x):\n    return x * 2\n\ndef two(x):\n    return x + x\n\n"
        "def inputs():\n    return np.random.default_rng().standard_normal(9)\n"
    )
    one, two = examine(str(file), ["one", "two"], "", None)
    np.testing.assert_array_equal(one.outputs[0], two.outputs[0])
    job = FunctionJob(path=str(file), name="two", size="", inputs=one.inputs, reference=one.outputs)
    made = job.make(TORCH)
    assert job.judge(TORCH, made.arrays(made.call()))[1] == ""


def test_what_a_script_raises_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("import numpy as np\n\nx = 1 / 0\n")
    with pytest.raises(ScriptFailed, match=r"broken.py, line 3: ZeroDivisionError: division by zero"):
        execute(str(file))


# --- quality ---


def test_floats_are_compared_by_relative_error_and_others_by_the_share_that_differs() -> None:
    one = np.array([3.0, 4.0])
    assert compare([one], [one], 1e-3, 1e-2) == (0.0, "")
    error, wrong = compare([one * 1.002], [one], 1e-3, 1e-2)
    assert error == pytest.approx(0.002)
    assert "beyond 0.001" in wrong
    labels = np.arange(1000)
    few, many = labels.copy(), labels.copy()
    few[:5], many[:50] = -1, -1
    assert compare([few], [labels], 1e-3, 1e-2) == (0.005, "")
    error, wrong = compare([many], [labels], 1e-3, 1e-2)
    assert error == 0.05
    assert wrong == "5.00% of its elements differ, and 1.00% may"


def test_other_shapes_and_numbers_of_outputs_are_wrong() -> None:
    one = np.ones(3)
    assert "shape" in compare([np.ones(4)], [one], 1e-3, 1e-2)[1]
    assert "2 outputs" in compare([one, one], [one], 1e-3, 1e-2)[1]


def test_the_first_of_several_wrong_outputs_does_not_hide_behind_a_right_one() -> None:
    one = np.ones(3)
    assert compare([one * 2, one], [one, one], 1e-3, 1e-2)[1]
    assert compare([one, one * 2], [one, one], 1e-3, 1e-2)[1]


def test_tolerances_are_the_users_or_those_of_the_precision() -> None:
    assert allowed("bf16", None) == (TOLERANCES["bf16"], SHARES["bf16"]) == (0.03, 0.03)
    assert allowed("fp32", None) == (1e-3, 1e-2)
    assert allowed("fp32", 0.2) == (0.2, 0.2)


def test_a_job_is_judged_against_the_reference(path: str) -> None:
    job = job_of(path, "plain", reference=(expected(path),))
    assert job.judge(NUMPY, run(path, "plain", NUMPY))[1] == ""
    assert "beyond" in job.judge(NUMPY, run(path, "off", NUMPY))[1]
    assert job.judge(HALF, run(path, "off", NUMPY))[1] == "", "in bfloat16 one per cent is within the tolerance"


CHECKED = """
import numpy as np

def one(x):
    return np.argsort(x)

def other(x):
    return np.argsort(-x)[::-1]

def wrong(x):
    return np.arange(len(x))

def inputs():
    return np.array([3.0, 1.0, 2.0, 1.0])

def check(output, inputs):
    (x,) = inputs
    assert (np.diff(x[output]) >= 0).all(), "not in order"
"""


def test_the_scripts_own_check_comes_before_the_comparison(tmp_path: Path) -> None:
    """Two right answers that differ pass it; the reason of a wrong one is told."""
    file = tmp_path / "checked.py"
    file.write_text(CHECKED)
    found = examine(str(file), ["one", "other"], "", None)
    assert not np.array_equal(found[0].outputs[0], found[1].outputs[0])
    with pytest.raises(UserError, match=r"wrong against its check: .*not in order"):
        examine(str(file), ["one", "wrong"], "", None)


# --- looked at once ---


def test_rivals_are_examined_in_float64_and_their_work_is_counted(path: str) -> None:
    plain, with_xp = examine(path, ["plain", "with_xp"], "", None)
    assert plain.what == "Rows of probabilities"
    assert plain.outputs[0].dtype == np.float64
    np.testing.assert_allclose(plain.outputs[0], expected(path), rtol=1e-14)
    assert plain.works is not None, plain.counted
    exponentials = [step for step in plain.works["fp32"].steps if step.family == "transcendental"]
    assert [step.operations for step in exponentials] == [21.0]
    assert {step.dtype for step in exponentials} == {"float32"}, "though NumPy did it in float64"
    assert {step.dtype for step in plain.works["bf16"].steps if step.family == "transcendental"} == {"bfloat16"}
    assert plain.works["fp32"].num_bytes == 21 * 4 + 7 * 8 + 21 * 4
    assert plain.works["bf16"].num_bytes == 21 * 2 + 7 * 8 + 21 * 2
    assert with_xp.works is not None, with_xp.counted


def test_functions_of_torch_are_counted_too(of_torch: str) -> None:
    found = examine(of_torch, ["by_hand", "rows"], "", None)
    assert {one.written_in for one in found} == {"torch"}
    assert found[0].works is not None, found[0].counted
    assert sum(s.operations for s in found[0].works["fp32"].steps if s.family == "transcendental") == 21.0


def test_rivals_that_do_not_agree_are_refused_and_a_tolerance_lets_them_pass(path: str) -> None:
    with pytest.raises(UserError, match=r"off against plain: its error of 0.01 is beyond 0.001: expected rivals"):
        examine(path, ["plain", "off"], "", None)
    assert len(examine(path, ["plain", "off"], "", 0.05)) == 2


def test_a_function_that_writes_into_its_inputs_is_refused(path: str) -> None:
    with pytest.raises(UserError, match=r"writes writes into its inputs \(number 1\)"):
        examine(path, ["plain", "writes"], "", None)


def test_what_a_rival_raises_is_told_with_its_line(path: str) -> None:
    with pytest.raises(ScriptFailed, match=r"softmax.py::breaks raised ValueError: it breaks \(line \d+\)"):
        examine(path, ["plain", "breaks"], "", None)


def test_a_function_that_cannot_be_followed_is_raced_without_parts(path: str) -> None:
    (_, random) = examine(path, ["random", "random"], "", None)
    assert random.works is None or random.counted.startswith("counted")
    assert scripts.said(ValueError("a\nb")) == "ValueError: a"
