"""Every declared function does what it says on every library that it names, and refuses the others in one line."""

import contextlib
import dataclasses
import functools
import importlib
import inspect
import typing
from collections.abc import Callable, Iterator
from typing import Any

import array_api_strict
import dask
import dask.array
import jax
import numpy as np
import pytest
import torch
from beartype import BeartypeConf, beartype
from jaxtyping import jaxtyped

from pennyweight.arrays import namespace
from pennyweight.arrays.namespace import ABILITIES, LIBRARIES, OTHERS, declared, library
from tests.arrays.examples import EXAMPLES, Example
from tests.pages import page_module

FUNCTIONS = declared()
COLUMNS = [*LIBRARIES, OTHERS]
MAKERS: dict[str, Callable[[np.ndarray], Any]] = {
    "numpy": np.array,
    "torch": lambda x: torch.asarray(np.array(x)),
    "jax": lambda x: jax.numpy.asarray(x),
    "dask": lambda x: dask.array.from_array(x, chunks=tuple(max(1, (n + 1) // 2) for n in x.shape)),
    OTHERS: lambda x: array_api_strict.asarray(np.array(x)),
}
TOLERANCES = {np.float32: {"rtol": 2e-4, "atol": 2e-5}, np.float64: {"rtol": 1e-9, "atol": 1e-11}}


def mapped(make: Callable[[np.ndarray], Any], values: Any) -> Any:
    """The same values with every NumPy array made into something else, tuples of arrays too."""
    if isinstance(values, tuple):
        parts = [mapped(make, value) for value in values]
        return type(values)(*parts) if hasattr(values, "_fields") else tuple(parts)
    return make(values) if isinstance(values, np.ndarray) else values


def arguments(example: Example, to: str, dtype: Any) -> tuple[Any, ...]:
    make = MAKERS[to]
    return mapped(lambda x: make(x.astype(dtype) if x.dtype.kind == "f" else x), example.args)


def leaves(result: Any) -> Iterator[Any]:
    """The arrays and numbers that a result is made of."""
    if dataclasses.is_dataclass(result):
        result = tuple(getattr(result, field.name) for field in dataclasses.fields(result))
    if isinstance(result, tuple):
        for part in result:
            yield from leaves(part)
    else:
        yield result


def on_host(x: Any) -> np.ndarray:
    if isinstance(x, array_api_strict._array_object.Array):
        x = array_api_strict.asarray(x, device=array_api_strict.Device("CPU_DEVICE"))
    return np.asarray(x.detach() if isinstance(x, torch.Tensor) else x)


def reference(name: str, example: Example) -> list[np.ndarray]:
    return [on_host(x) for x in leaves(FUNCTIONS[name].function(*example.args, **example.kwargs))]


def check_equal(name: str, results: Any, expected: list[np.ndarray], dtype: Any) -> None:
    found = list(leaves(results))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert on_host(one).shape == other.shape
        np.testing.assert_allclose(on_host(one), other, **TOLERANCES[dtype], err_msg=name)


def check_types(name: str, results: Any, to: str, dtype: Any) -> None:
    """Arrays of the library that went in, floats of the type that went in; numbers, where the host is declared."""
    capability = FUNCTIONS[name].capability
    for x in leaves(results):
        if capability.host:
            assert isinstance(x, (float, int, np.ndarray)), type(x)
        else:
            assert library(x) == to
            wanted = np.dtype(dtype).name
            kind = str(x.dtype).rpartition(".")[2]
            assert not kind.startswith("float") or kind == wanted


@pytest.fixture(autouse=True)
def _float64_in_jax() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


# Each compiled function runs once.
compiled = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})


def cases(*columns: str) -> list[Any]:
    """Functions and the columns that they have among these."""
    return [
        pytest.param(name, column, id=f"{name}-{column}")
        for name, entry in FUNCTIONS.items()
        for column in columns
        if entry.capability.can(column)
    ]


def test_every_public_function_is_declared_and_has_an_example() -> None:
    public = set()
    for module_name in namespace._MODULES:
        module = importlib.import_module(f"pennyweight.arrays.{module_name}")
        for name, thing in vars(module).items():
            if inspect.isfunction(thing) and not name.startswith("_") and thing.__module__ == module.__name__:
                public.add(f"{module_name}.{name}")
    assert public == set(FUNCTIONS)
    assert set(EXAMPLES) == set(FUNCTIONS), "examples.py and the declarations differ"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "to"), cases("numpy", "torch", OTHERS))
def test_results_agree_with_numpys_and_stay_in_their_library_and_type(name: str, to: str, dtype: Any) -> None:
    example = EXAMPLES[name]()
    given = arguments(example, to, dtype)
    before = [on_host(x).copy() for x in leaves(given) if library(x)]
    results = FUNCTIONS[name].function(*given, **example.kwargs)
    check_types(name, results, to, dtype)
    check_equal(name, results, reference(name, example), dtype)
    for x, kept in zip([x for x in leaves(given) if library(x)], before, strict=True):
        np.testing.assert_array_equal(on_host(x), kept, err_msg=f"{name} changed its input")


@pytest.mark.parametrize(
    ("name", "to"), [case for case in cases(OTHERS) if not FUNCTIONS[case.values[0]].capability.host]
)
def test_nothing_leaves_the_device(name: str, to: str) -> None:
    """`device1` of array_api_strict refuses to become a NumPy array and to meet arrays of another device."""
    device = array_api_strict.Device("device1")
    example = EXAMPLES[name]()
    given = mapped(lambda x: array_api_strict.asarray(np.array(x), device=device), example.args)
    results = FUNCTIONS[name].function(*given, **example.kwargs)
    assert all(x.device == device for x in leaves(results))
    check_equal(name, results, reference(name, example), np.float64)


@contextlib.contextmanager
def nothing_computed() -> Iterator[None]:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("computed before it was asked for")

    with dask.config.set(scheduler=refuse):
        yield


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("name", "to"), cases("dask"))
def test_dask_agrees_and_computes_nothing_before_it_is_asked(name: str, to: str, dtype: Any) -> None:
    example = EXAMPLES[name]()
    capability = FUNCTIONS[name].capability
    given = arguments(example, to, dtype)
    with nothing_computed() if capability.can("lazy") else contextlib.nullcontext():
        results = FUNCTIONS[name].function(*given, **example.kwargs)
    check_types(name, results, to, dtype)
    with dask.config.set(scheduler="synchronous"):
        check_equal(name, results, reference(name, example), dtype)


def projected(results: Any) -> Any:
    """A number that depends on every element of a result, in whatever library."""
    total: Any = 0.0
    for x in leaves(results):
        xp = namespace.namespace(x)
        flat = xp.reshape(x, (-1,))
        total = total + xp.sum(flat * xp.asarray(np.cos(np.arange(flat.shape[0])), dtype=x.dtype))
    return total


def slope(name: str, example: Example, directions: list[Any]) -> float:
    """The derivative along a direction by central differences in NumPy."""
    step = 1e-6

    def value(sign: int) -> float:
        moved = list(example.args)
        for place, direction in zip(example.along, directions, strict=True):
            flat_moved = [x + sign * step * d for x, d in zip(leaves(moved[place]), leaves(direction), strict=True)]
            parts = iter(flat_moved)
            moved[place] = mapped(lambda _x, parts=parts: next(parts), moved[place])
        return float(projected(FUNCTIONS[name].function(*moved, **example.kwargs)))

    return (value(1) - value(-1)) / (2 * step)


def check_slope(name: str, example: Example, gradients: list[Any]) -> None:
    generator = np.random.default_rng(0)
    directions = [mapped(lambda x: generator.normal(size=x.shape), example.args[place]) for place in example.along]
    ours = sum(
        float((on_host(g) * d).sum())
        for gradient, direction in zip(gradients, directions, strict=True)
        for g, d in zip(leaves(gradient), leaves(direction), strict=True)
    )
    theirs = slope(name, example, directions)
    assert abs(theirs) > 1e-9
    assert ours == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "ability"), [case for case in cases("gradient") if FUNCTIONS[case.values[0]].capability.can("torch")]
)
def test_gradients_flow_in_torch(name: str, ability: str) -> None:
    example = EXAMPLES[name]()
    given = list(arguments(example, "torch", np.float64))
    for place in example.along:
        for x in leaves(given[place]):
            x.requires_grad_()
    projected(FUNCTIONS[name].function(*given, **example.kwargs)).backward()
    gradients = [tuple(x.grad for x in leaves(given[place])) for place in example.along]
    check_slope(name, example, gradients)


@pytest.mark.parametrize(("name", "to"), cases("jax"))
def test_jax_agrees_compiled_and_differentiated_where_declared(name: str, to: str) -> None:
    """One compilation gives the result and the gradient; without jit the function runs as it is."""
    example = EXAMPLES[name]()
    function, capability = FUNCTIONS[name].function, FUNCTIONS[name].capability
    given = arguments(example, to, np.float64)
    traced = [place for place, value in enumerate(given) if all(library(x) == "jax" for x in leaves(value))]

    def run(*values: Any) -> Any:
        merged = list(given)
        for place, value in zip(traced, values, strict=True):
            merged[place] = value
        return function(*merged, **example.kwargs)

    values = [given[place] for place in traced]
    if not capability.can("jit"):
        results = run(*values)
    elif not capability.can("gradient"):
        results = compiled(run)(*values)
    else:
        wanted = tuple(traced.index(place) for place in example.along)
        both = compiled(jax.value_and_grad(lambda *v: (projected(run(*v)), run(*v)), argnums=wanted, has_aux=True))
        (_, results), gradients = both(*values)
        check_slope(name, example, list(gradients))
    check_types(name, results, to, np.float64)
    check_equal(name, results, reference(name, example), np.float64)
    if capability.can("jit"):
        narrow = arguments(example, to, np.float32)
        shapes = jax.eval_shape(run, *[narrow[place] for place in traced])
        assert {str(x.dtype) for x in leaves(shapes)} <= {"float32", "int64", "int32"}


@pytest.mark.parametrize(
    ("name", "to"),
    [
        pytest.param(name, column, id=f"{name}-{column}")
        for name, entry in FUNCTIONS.items()
        for column in COLUMNS
        if not entry.capability.can(column)
    ],
)
def test_other_libraries_are_refused_in_one_line_with_the_reason(name: str, to: str) -> None:
    example = EXAMPLES[name]()
    given = mapped(MAKERS[to], tuple(np.asarray(x) if isinstance(x, list) else x for x in example.args))
    reason = FUNCTIONS[name].capability.reason(to)
    with pytest.raises(TypeError) as caught:
        FUNCTIONS[name].function(*given, **example.kwargs)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{name} on ")
    assert str(caught.value).endswith(str(reason))


def test_the_documentation_has_a_row_for_each_function_and_a_reason_for_each_no() -> None:
    page = page_module("arrays_page").page(FUNCTIONS)
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    assert set(rows) == set(FUNCTIONS)
    for name, entry in FUNCTIONS.items():
        lacking = [entry.capability.reason(column) for column in (*COLUMNS, *ABILITIES)]
        assert rows[name].count("| no (") == sum(reason is not None for reason in lacking)
        assert all(f". {reason}\n" in page for reason in lacking if reason)


@pytest.mark.parametrize(("name", "to"), cases("numpy", "torch"))
def test_shapes_and_types_are_those_of_the_signature(name: str, to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    example = EXAMPLES[name]()
    function = FUNCTIONS[name].function
    for place, hint in function.__annotations__.items():
        if hasattr(typing.get_origin(hint) or hint, "_fields"):  # beartype does not read generic named tuples
            monkeypatch.setitem(function.__annotations__, place, Any)
    an_int_will_do = beartype(conf=BeartypeConf(is_pep484_tower=True))
    jaxtyped(typechecker=an_int_will_do)(function)(*arguments(example, to, np.float32), **example.kwargs)
