"""Well-known kernels are captured, each as a script of its own, and come out as without trace."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.arrays.trace.harness import trace
from tests.arrays.trace.kernels import KERNELS, made

_HEAD = "import numpy as np\n\ndef kernel(function):\n    return function\n\n"


def told(result: Any) -> str:
    """Shapes, types and all numbers of a result to nine digits."""
    parts = result if isinstance(result, tuple) else (result,)
    return "\n".join(
        f"{np.shape(part)} {np.asarray(part).dtype} {[f'{x:.9g}' for x in np.asarray(part).ravel().tolist()]}"
        for part in parts
    )


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.__name__)
def test_a_kernel_is_captured_and_gives_the_same(kernel: Callable[[], Any], tmp_path: Path) -> None:
    script = tmp_path / f"{kernel.__name__}.py"
    body = inspect.getsource(made), inspect.getsource(kernel), inspect.getsource(told)
    source = "\n".join([_HEAD, "from typing import Any", *body, f"print(told({kernel.__name__}()))"])
    script.write_text(source)
    traced = trace(script, folder=str(tmp_path))
    assert traced.code == 0, traced.err
    assert traced.out.rstrip("\n") == told(kernel())
    assert traced.captured, (traced.problems, traced.error)
    assert (traced.worst, traced.err) == (0.0, "")
    assert len(traced.operations) > 3


def test_there_are_many_kernels_of_different_names() -> None:
    assert len({kernel.__name__ for kernel in KERNELS}) == len(KERNELS) >= 50
