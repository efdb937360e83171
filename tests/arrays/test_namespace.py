"""Arrays are told apart by their type, mistakes are told in one line, and a "no" always has a reason."""

import subprocess
import sys
from typing import Any

import array_api_strict
import dask.array
import jax
import numpy as np
import pytest
import torch

from pennyweight.arrays import namespace as module
from pennyweight.arrays.namespace import Array, Capability, library, namespace, portable, stretches, to_host


class Special(np.ndarray):
    pass


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.ones(2), "numpy"),
        (np.float32(1), "numpy"),
        (np.ones(2).view(Special), "numpy"),
        (torch.ones(2), "torch"),
        (torch.nn.Parameter(torch.ones(2)), "torch"),
        (jax.numpy.ones(2), "jax"),
        (dask.array.ones(2), "dask"),
        (array_api_strict.ones(2), "others"),
        ([1.0], None),
        (1.0, None),
        (torch.float32, None),
        (None, None),
    ],
)
def test_an_array_is_known_by_its_type(array: Any, expected: str | None) -> None:
    assert library(array) == expected
    if expected:
        assert isinstance(array, Array) or array.shape == ()
        assert namespace(array).asarray is not None


def test_a_traced_array_is_still_jaxs() -> None:
    seen = []
    jax.make_jaxpr(lambda x: seen.append(library(x)) or x)(jax.numpy.ones(2))
    assert seen == ["jax"]


def test_lists_and_mixed_libraries_are_refused_in_one_line() -> None:
    with pytest.raises(TypeError, match=r"^given list: expected arrays of one library; convert them with its asarray$"):
        namespace([1.0])
    with pytest.raises(TypeError, match=r"^given numpy and torch: expected arrays of one library"):
        namespace(torch.ones(2), np.ones(2))


def test_no_library_is_imported_to_tell_arrays_apart() -> None:
    code = (
        "import sys, numpy\n"
        "from pennyweight.arrays.namespace import declared, library\n"
        "from pennyweight.arrays import wavelet\n"
        "assert len(declared()) > 40 and library(numpy.ones(2)) == 'numpy'\n"
        "wavelet.inverse(wavelet.forward(numpy.ones((4, 4))))\n"
        "print([name for name in ('torch', 'jax', 'dask', 'array_api_strict') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "without", [{"numpy": "no"}, {"cupy": "no"}, {"jit": ""}], ids=["NumPy is always there", "unknown", "no reason"]
)
def test_a_capability_names_what_it_lacks_with_reasons(without: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="expected known columns, each with its reason"):
        Capability(without=without)


def test_without_a_library_its_abilities_are_lacking_for_the_same_reason() -> None:
    capability = Capability(without={"jax": "because", "gradient": "of steps"})
    assert capability.reason("jit") == "because"
    assert capability.reason("gradient") == "of steps"
    assert capability.can("lazy")
    assert not Capability(without={"dask": "because"}).can("lazy")


def test_a_declared_function_refuses_a_library_wherever_it_comes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_declared", {})

    @portable(without={"torch": "it was never tried"})
    def double(x: Any, *, pair: tuple[Any, Any] = (0, 0)) -> Any:
        return 2 * x

    assert double(np.ones(2)).tolist() == [2.0, 2.0]
    message = "^test_namespace.double on PyTorch: expected NumPy or JAX or Dask; it was never tried$"
    for call in (lambda: double(torch.ones(2)), lambda: double(1, pair=(np.ones(2), torch.ones(2)))):
        with pytest.raises(TypeError, match=message):
            call()
    assert list(module._declared) == ["test_namespace.double"]
    assert double.__name__ == "double"


def test_stretches_cover_everything_once() -> None:
    assert [i for s in stretches(10, 4) for i in range(10)[s]] == list(range(10))
    assert list(stretches(0, 4)) == []


@pytest.mark.parametrize(
    "array",
    [np.arange(3.0), torch.arange(3.0).requires_grad_(), jax.numpy.arange(3.0), dask.array.arange(3.0)],
    ids=["numpy", "torch", "jax", "dask"],
)
def test_any_array_comes_to_the_host(array: Any) -> None:
    host = to_host(array)
    assert type(host) is np.ndarray
    assert host.tolist() == [0.0, 1.0, 2.0]
