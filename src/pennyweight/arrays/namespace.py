"""Which library an array belongs to, and what each function of this package can do with which library.

The functions here are written once against the Python array API standard and run on NumPy, PyTorch, JAX, Dask and
whatever else follows the standard. What a function cannot do is said once, beside it, with the reason; the tests
that hold it to its word and the table in the documentation are made from that.
"""

import functools
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, ParamSpec, Protocol, TypeVar, runtime_checkable

import array_api_compat
import numpy as np
from numpy.typing import NDArray


@runtime_checkable
class Array(Protocol):
    """An array of any library. Operators take and return ``Any``: an array's own library types them better."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the axes."""

    @property
    def ndim(self) -> int:
        """The number of axes."""

    @property
    def dtype(self) -> Any:
        """The type of the elements, in the library's own terms."""

    def __getitem__(self, key: Any, /) -> Any: ...
    def __add__(self, other: Any, /) -> Any: ...
    def __sub__(self, other: Any, /) -> Any: ...
    def __mul__(self, other: Any, /) -> Any: ...
    def __truediv__(self, other: Any, /) -> Any: ...
    def __pow__(self, other: Any, /) -> Any: ...
    def __radd__(self, other: Any, /) -> Any: ...
    def __rsub__(self, other: Any, /) -> Any: ...
    def __rmul__(self, other: Any, /) -> Any: ...
    def __rtruediv__(self, other: Any, /) -> Any: ...
    def __rpow__(self, other: Any, /) -> Any: ...
    def __matmul__(self, other: Any, /) -> Any: ...
    def __neg__(self) -> Any: ...
    def __lt__(self, other: Any, /) -> Any: ...
    def __gt__(self, other: Any, /) -> Any: ...
    def __le__(self, other: Any, /) -> Any: ...
    def __ge__(self, other: Any, /) -> Any: ...


A = TypeVar("A", bound=Array)
"""An array of some library: what goes in as this comes out as this, for mypy and for jaxtyping."""

LIBRARIES = {"numpy": "NumPy", "torch": "PyTorch", "jax": "JAX", "dask": "Dask"}
OTHERS = "others"
"""Any other library that follows the standard, on any of its devices."""
ABILITIES = {"jit": "jax.jit", "gradient": "gradient", "lazy": "lazy on Dask"}
_HOMES = {"numpy": "numpy", "torch": "torch", "jax": "jax", "jaxlib": "jax", "dask": "dask"}
_NEEDS = {"jit": "jax", "lazy": "dask"}


def library(array: object) -> str | None:
    """The library of an array: ``"numpy"``, ``"torch"``, ``"jax"``, ``"dask"`` or ``"others"``; None for other things.

    Looks at the type alone, so that no library is imported to ask.

    >>> import numpy as np
    >>> library(np.ones(3)), library([1.0])
    ('numpy', None)
    """
    if not hasattr(array, "shape"):
        return None
    for kind in type(array).__mro__:
        home = _HOMES.get(kind.__module__.partition(".")[0])
        if home:
            return home
    return OTHERS if hasattr(array, "__array_namespace__") else None


def namespace(*arrays: object) -> ModuleType:
    """The standard's functions for these arrays, all of one library (through array-api-compat).

    Raises TypeError for things that are not arrays and for arrays of two libraries: nothing is converted unasked.
    """
    try:
        xp: ModuleType = array_api_compat.array_namespace(*arrays)
    except TypeError:
        found = sorted({library(a) or type(a).__name__ for a in arrays})
        raise TypeError(
            f"given {' and '.join(found)}: expected arrays of one library; convert them with its asarray"
        ) from None
    return xp


def to_host(array: Array) -> NDArray[Any]:
    """The array as NumPy's, copied from its device where it must be; Dask computes it."""
    if library(array) == "torch":
        array = array.detach().cpu()  # type: ignore[attr-defined]
    return np.asarray(array)


def float64_of(array: Array) -> Any:
    """The library's float64, or None where the array's device has none: JAX unless asked for it, Apple's GPUs."""
    place = array_api_compat.device(array)
    if str(place).startswith("mps"):  # array-api-compat lists it there all the same
        return None
    return namespace(array).__array_namespace_info__().dtypes(device=place, kind="real floating").get("float64")


def stretches(total: int, size: int) -> Iterator[slice]:
    """Slices of ``size`` that cover ``total``, the last one shorter: a slice past the end is not in the standard.

    >>> list(stretches(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))


@dataclass(frozen=True, kw_only=True)
class Capability:
    """What a function can do: everything, less what ``without`` names with the reason.

    ``without`` has keys of LIBRARIES, OTHERS and ABILITIES. ``host`` says that the result is numbers in the host's
    memory.
    """

    without: Mapping[str, str] = field(default_factory=dict)
    host: bool = False

    def __post_init__(self) -> None:
        unknown = set(self.without) - (set(LIBRARIES) | {OTHERS} | set(ABILITIES))
        if unknown or "numpy" in self.without or not all(self.without.values()):
            raise ValueError(f"a function without {dict(self.without)}: expected known columns, each with its reason")

    def can(self, column: str) -> bool:
        """Whether the function runs on this library, or has this ability."""
        return self.reason(column) is None

    def reason(self, column: str) -> str | None:
        """Why not, or None when it can."""
        needed = _NEEDS.get(column)
        return self.without.get(column) or (self.without.get(needed) if needed else None)


NUMBERS = {
    column: "it takes a few numbers on the host: a list or a NumPy array"
    for column in (*LIBRARIES, OTHERS, *ABILITIES)
    if column != "numpy"
}
"""What a function of a few numbers is without."""


@dataclass(frozen=True, kw_only=True)
class Declared:
    """A function with what it can do."""

    name: str
    function: Callable[..., Any]
    capability: Capability

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]


_declared: dict[str, Declared] = {}
_MODULES = ("wavelet", "neighbours", "statistics", "correlation", "distances", "ranking", "augment", "views")


def declared() -> dict[str, Declared]:
    """Every declared function of the package by its name, as ``"wavelet.forward"``."""
    for module in _MODULES:
        importlib.import_module(f"pennyweight.arrays.{module}")
    return dict(_declared)


P = ParamSpec("P")
R = TypeVar("R")


def portable(
    *, without: Mapping[str, str] | None = None, host: bool = False
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Declare what a function can do, and refuse in one line an array of a library that it does not run on.

    The arguments are those of `Capability`.
    """
    capability = Capability(without=without or {}, host=host)

    def declare(function: Callable[P, R]) -> Callable[P, R]:
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"

        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            _refuse_others(name, capability, (*args, *kwargs.values()))
            return function(*args, **kwargs)

        _declared[name] = Declared(name=name, function=checked, capability=capability)
        return checked

    return declare


def _refuse_others(name: str, capability: Capability, values: Iterable[object]) -> None:
    for given in _libraries(values):
        reason = capability.reason(given)
        if reason:
            known = [spelt for key, spelt in LIBRARIES.items() if capability.can(key)]
            raise TypeError(f"{name} on {LIBRARIES.get(given, given)}: expected {' or '.join(known)}; {reason}")


def _libraries(values: Iterable[object]) -> Iterator[str]:
    """The libraries of all arrays among the values; tuples (pyramids of arrays) are looked into, lists are not."""
    for value in values:
        if isinstance(value, tuple):
            yield from _libraries(value)
        elif given := library(value):
            yield given
