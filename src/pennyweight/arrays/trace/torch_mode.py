"""The collector for torch: every operation that reaches a device, backward passes included, by way of the dispatcher.

It writes the same entries as the recorder for NumPy, on the same tape, so that a program may use both. Inside of a
fake mode it writes shapes alone: then nothing is computed, nothing is held, and nothing can be replayed.
"""

import weakref
from collections.abc import Mapping
from contextlib import ExitStack
from time import perf_counter_ns
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from pennyweight.arrays.trace.recorder import NOTHING, Recorder, digest
from pennyweight.arrays.trace.tape import Buffer, Value

_RANDOM = torch.Tag.nondeterministic_seeded


class TorchCollector(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes what torch does into a recorder's tape while it is entered."""

    def __init__(self, recorder: Recorder, *, fake: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._recorder = recorder
        self._fake = fake
        self._by_storage: dict[int, Buffer] = {}
        self._known: dict[int, tuple[weakref.ref[Tensor], Value]] = {}
        self._anchors: dict[int, Value] = {}
        recorder.at_end.append(self._remember_the_living)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call the operation and write it down."""
        recorder = self._recorder
        kwargs = kwargs or {}
        if not recorder.open:
            return func(*args, **kwargs)
        told_args, told_kwargs = self._tell(args), self._tell(kwargs) if kwargs else NOTHING
        start = perf_counter_ns()
        out = func(*args, **kwargs)
        stop = perf_counter_ns()
        if func is torch.ops.aten._local_scalar_dense.default:
            held = 0 if self._fake else digest(args[0])
            recorder.write("pull", "item", told_args, NOTHING, None, start, stop, held)
            return out
        told = self._tell_result(out, args, kwargs)
        if _RANDOM in func.tags and not self._fake:
            changed = [(self._value(t), t.detach().clone()) for t in _tensors((args, kwargs)) if _written(func, t, out)]
            kept: tuple[Any, ...] = (_cloned(out), changed, [])
            recorder.write("foreign", func, told_args, told_kwargs, told, start, stop, kept)
        else:
            recorder.write("operation", func, told_args, told_kwargs, told, start, stop)
        return out

    # --- tensors and their values ---

    def _tell(self, tree: Any) -> Any:
        """Arguments with values in the place of tensors; a tensor not seen before came in from outside."""
        if isinstance(tree, Tensor):
            return self._value(tree)
        if isinstance(tree, (tuple, list)):
            return type(tree)([self._tell(part) for part in tree])
        if isinstance(tree, dict):
            return {key: self._tell(part) for key, part in tree.items()}
        return tree

    def _tell_result(self, out: Any, args: Any, kwargs: Any) -> Any:
        given = {id(tensor) for tensor in _tensors((args, kwargs))}

        def tell(tree: Any) -> Any:
            if isinstance(tree, Tensor):
                return self._value(tree) if id(tree) in given else self._new(tree)
            if isinstance(tree, (tuple, list)):
                return tuple(tell(part) for part in tree)
            return None

        return tell(out)

    def _value(self, tensor: Tensor) -> Value:
        known = self._known.get(id(tensor))
        if known is not None and known[0]() is tensor and known[1].shape == tuple(tensor.shape):
            return known[1]
        before = self._anchors.get(_key(tensor))
        value = self._new(tensor)
        write = self._recorder.write
        if before is not None and before.buffer is value.buffer:
            # Another look at memory that is known: autograd makes tensors without asking the dispatcher.
            place = (before, tuple(tensor.shape), tensor.stride(), tensor.storage_offset())
            write("operation", torch.ops.aten.as_strided.default, place, NOTHING, value, 0, 0)
        else:
            write("source", "outside", (), NOTHING, value, 0, 0, None if self._fake else tensor.detach().clone())
        return value

    def _new(self, tensor: Tensor) -> Value:
        size = tensor.element_size()
        strides = tuple(stride * size for stride in tensor.stride()) if tensor.layout == torch.strided else ()
        value = Value(self._recorder.next_number(), tuple(tensor.shape), strides, tensor.dtype, self._buffer(tensor))
        self._known[id(tensor)] = (weakref.ref(tensor), value)
        self._anchors.setdefault(_key(tensor), value)
        return value

    def _buffer(self, tensor: Tensor) -> Buffer | None:
        if tensor.layout != torch.strided:
            return None
        storage = tensor.untyped_storage()
        key = storage._cdata
        buffer = self._by_storage.get(key)
        if buffer is None or buffer() is None:
            buffer = self._by_storage[key] = Buffer(storage, self._recorder.stream.append)
            buffer.nbytes = storage.nbytes()
            self._anchors.pop(key, None)
        return buffer

    def _remember_the_living(self) -> None:
        """At the end of recording: what tensors that are alive hold, to be compared with a replay's."""
        if self._fake:
            return
        newest: dict[int, tuple[Value, Tensor]] = {}
        for reference, value in self._known.values():
            tensor = reference()
            if tensor is not None and value.buffer is not None:
                newest[value.buffer.number] = (value, tensor)
        for value, tensor in newest.values():
            self._recorder.tape.finals.append((value, tensor.detach().clone()))


def watch(recorder: Recorder, context: ExitStack, *, fake: bool = False) -> None:
    """Have torch write to a recorder's tape until ``context`` is closed; ``fake``: shapes alone."""
    if fake:
        from torch._subclasses.fake_tensor import FakeTensorMode

        context.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        recorder.tape.fake = True
    context.enter_context(TorchCollector(recorder, fake=fake))


def _key(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata if tensor.layout == torch.strided else 0


def _tensors(tree: Any) -> list[Tensor]:
    if isinstance(tree, Tensor):
        return [tree]
    if isinstance(tree, (tuple, list)):
        return [tensor for part in tree for tensor in _tensors(part)]
    if isinstance(tree, dict):
        return [tensor for part in tree.values() for tensor in _tensors(part)]
    return []


def _written(func: Any, tensor: Tensor, out: Any) -> bool:
    """Whether a random operation wrote into this argument: ``x.normal_()`` returns it."""
    return any(tensor is result for result in _tensors(out))


def _cloned(tree: Any) -> Any:
    if isinstance(tree, Tensor):
        return tree.detach().clone()
    if isinstance(tree, (tuple, list)):
        return tuple(_cloned(part) for part in tree)
    return tree


# --- what the dispatcher's operations are called, in NumPy's words ---

_NAMES = {
    "sub": "subtract", "rsub": "subtract", "mul": "multiply", "div": "divide", "true_divide": "divide",
    "neg": "negative", "pow": "power", "abs": "absolute", "eq": "equal", "ne": "not_equal", "lt": "less",
    "le": "less_equal", "gt": "greater", "ge": "greater_equal", "cat": "concatenate", "clone": "copy",
    "_to_copy": "astype", "index": "take", "_softmax": "softmax", "_log_softmax": "log_softmax",
    "native_layer_norm": "layer_norm", "native_batch_norm": "batch_norm", "_native_batch_norm_legit": "batch_norm",
    "_unsafe_view": "view", "clamp": "clip", "clamp_min": "maximum", "clamp_max": "minimum",
    "linalg_vector_norm": "linalg.norm", "_linalg_svd": "linalg.svd", "_linalg_eigh": "linalg.eigh",
    "linalg_qr": "linalg.qr", "linalg_inv_ex": "linalg.inv", "linalg_cholesky_ex": "linalg.cholesky",
    "_linalg_solve_ex": "linalg.solve", "_linalg_det": "linalg.det", "linalg_eig": "linalg.eig",
    "linalg_lstsq": "linalg.lstsq", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "atan2": "arctan2",
    "index_select": "take", "gather": "take_along_axis", "threshold_backward": "where", "masked_fill": "where",
    "bitwise_not": "invert", "std": "std", "var": "var", "var_mean": "var", "sgn": "sign", "fill": "fill",
    "_cumsum": "cumsum", "native_dropout": "multiply", "zero": "fill", "resolve_conj": "view", "_conj": "view",
    "_unique2": "unique", "_reshape_alias": "view", "hardtanh": "clip", "_local_scalar_dense": "item",
    "uniform": "random.uniform", "normal": "random.normal", "normal_functional": "random.normal",
    "rand": "random.rand", "randn": "random.randn", "randint": "random.randint", "randperm": "random.permutation",
    "bernoulli": "random.bernoulli", "multinomial": "random.choice", "exponential": "random.exponential",
}  # fmt: skip


def describe(func: Any, ins: list[Value], args: Any, kwargs: Mapping[str, Any]) -> tuple[str, list[Value], Any, Any]:
    """An operation of the dispatcher in the terms of `costs`: name, the inputs that are multiplied, arguments."""
    base = str(func._schema.name).partition("::")[2]
    plain = base[:-1] if base.endswith("_") and not base.endswith("__") else base
    name = _NAMES.get(plain, plain)
    if plain in ("_fft_r2c", "_fft_c2r", "_fft_c2c"):
        told = {"axes": tuple(args[1])}
        if plain == "_fft_c2c":
            return ("fft.fftn" if args[3] else "fft.ifftn"), ins, (), told
        return ("fft.rfftn" if plain == "_fft_r2c" else "fft.irfftn"), ins, (), told
    if plain in ("addmm", "baddbmm"):
        return "matmul", ins[1:], args, kwargs
    if plain == "mean" or plain == "sum":
        return name, ins, (), {}
    return name, ins, args, kwargs
