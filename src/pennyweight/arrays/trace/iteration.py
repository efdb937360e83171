"""``np.nditer`` over traced arrays: what it hands out looks at their memory, and is traced as well.

NumPy's own iterator hands out arrays that nobody has heard of. Each is a part of an operand; here it is taken out of
the operand again, as a view, so that writing into it is seen. Where the iterator works on buffers of its own
(``buffered``, other dtypes) its parts are nobody's, and what they changed is found when the iteration ends.
"""

from collections.abc import Iterator
from time import perf_counter_ns
from typing import Any

import numpy as np

from pennyweight.arrays.trace.recorder import Recorder, digest


class Iteration:
    """An iterator of NumPy (``np.nditer``) whose parts are ducks."""

    def __init__(self, recorder: Recorder, *args: Any, **kwargs: Any) -> None:
        self._recorder = recorder
        ducks: list[Any] = []
        real = [recorder.unwrap(x, ducks)[0] for x in args]
        self._real = np.nditer(*real, **{key: recorder.unwrap(x, ducks)[0] for key, x in kwargs.items()})
        self._operands = [self._duck_of(operand, ducks) for operand in self._real.operands]
        self._hidden = [(duck, digest(duck._a)) for duck in ducks]
        self._parts_are_known = True

    def _duck_of(self, operand: Any, ducks: list[Any]) -> Any:
        """The duck that was given; of an operand that the iterator made, one of its own."""
        given = next((duck for duck in ducks if duck._a is operand), None)
        return given if given is not None else self._recorder.source(operand, "nditer")

    @property  # type: ignore[misc]  # it says what it stands for
    def __class__(self) -> Any:
        # Programs ask isinstance(it, np.nditer).
        return np.nditer

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            parts = next(self._real)
        except StopIteration:
            self._settle()
            raise
        if not isinstance(parts, tuple):
            return self._part(0, parts)
        return tuple(self._part(number, part) for number, part in enumerate(parts))

    def _part(self, number: int, part: Any) -> Any:
        duck = self._operands[number]
        real = getattr(duck, "_a", None)
        first = None if real is None or real.dtype != part.dtype else _index_of(_address(part) - _address(real), real)
        if first is None:
            self._parts_are_known = False
            return self._recorder.source(part.view(), "nditer")
        told = (first, part.shape, part.strides, part.flags.writeable)
        start = perf_counter_ns()
        view = looked_at(real, *told)
        self._recorder.owns(duck)
        return self._recorder.note(looked_at, (duck._v, *told), view, start, perf_counter_ns())

    def _settle(self) -> None:
        """Write down what was changed by way of buffers."""
        hidden, self._hidden = self._hidden, []
        if not self._parts_are_known and hidden:
            ducks, before = [duck for duck, _ in hidden], [held for _, held in hidden]
            now = perf_counter_ns()
            pairs = [(duck._a, duck._v) for duck in ducks]
            self._recorder.handed_over(np.nditer, pairs, {}, None, (now, now), None, ducks, before)

    def __enter__(self) -> "Iteration":
        self._real.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._real.__exit__(*error)
        self._settle()

    def close(self) -> None:
        """End the iteration: what lies in buffers is written back."""
        self._real.close()
        self._settle()

    @property
    def operands(self) -> tuple[Any, ...]:
        """The arrays that are gone through."""
        return tuple(self._operands)

    @property
    def value(self) -> Any:
        """The parts that the iterator is at."""
        parts = self._real.value
        if not isinstance(parts, tuple):
            return self._part(0, parts)
        return tuple(self._part(number, part) for number, part in enumerate(parts))

    def __getitem__(self, index: Any) -> Any:
        parts = self.value
        return parts[index] if isinstance(parts, tuple) else (parts,)[index]

    def __setitem__(self, index: Any, to: Any) -> None:
        self[index][...] = to

    def __len__(self) -> int:
        return len(self._operands)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __setattr__(self, name: str, to: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, to)
        else:
            setattr(self._real, name, to)


def looked_at(
    array: Any, first: tuple[int, ...], shape: tuple[int, ...], strides: tuple[int, ...], writeable: bool
) -> Any:
    """The part of an array that begins at the element ``first`` and has this shape and these strides."""
    start = array[(*first, ...)]
    if not shape and writeable:
        return start
    return np.lib.stride_tricks.as_strided(start, shape, strides, writeable=writeable)


def _address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def _index_of(offset: int, array: Any) -> tuple[int, ...] | None:
    """The index of the element that lies ``offset`` bytes from the first one; None where there is none."""
    axes = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
    index = [0] * array.ndim
    for axis in axes:
        if array.strides[axis] < 0 and array.shape[axis] > 1:
            index[axis] = array.shape[axis] - 1
            offset -= index[axis] * array.strides[axis]
    for axis in axes:
        step = abs(array.strides[axis])
        if step and array.shape[axis] > 1:
            steps = min(offset // step, array.shape[axis] - 1)
            offset -= steps * step
            index[axis] += -steps if array.strides[axis] < 0 else steps
    return tuple(index) if offset == 0 else None
