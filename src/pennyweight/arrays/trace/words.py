"""What a line does with arrays, in one sentence, in the words of the NumPy paper's figure 1."""

from collections.abc import Sequence

from pennyweight.arrays.trace.names import sign_of
from pennyweight.arrays.trace.operations import Operation
from pennyweight.arrays.trace.tape import Value

_MOST_PARTS = 4
_PULLED = {
    "bool": "Python asks whether it is true", "float": "Python takes the number", "int": "Python takes the number",
    "item": "Python takes the number", "index": "Python takes it as an index", "repr": "it is printed",
    "str": "it is printed", "format": "it is printed", "tolist": "it becomes a Python list",
    "iterate": "Python iterates over it", "tobytes": "its bytes are taken", "contains": "it is searched",
    "complex": "Python takes the number",
}  # fmt: skip


def size(num_bytes: float) -> str:
    """Bytes in the unit that leaves one to three digits before the point (1 kB is 1,000 bytes)."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if num_bytes >= 0.9995 * scale:
            return f"{num_bytes / scale:.3g} {unit}"
    return f"{num_bytes:.0f} B"


def shape(value: Value) -> str:
    """A shape as Python writes it."""
    return f"({', '.join(map(str, value.shape))}{',' if len(value.shape) == 1 else ''})"


def line_sentence(operations: Sequence[Operation]) -> str:
    """One run of a line: what each of its operations does, the first few of them."""
    told = [text for op in operations if (text := operation_words(op))]
    parts: list[str] = []
    for text in told:
        if parts and parts[-1].partition(" (×")[0] == text:
            count = int(parts[-1].partition(" (×")[2].rstrip(")") or 1) + 1
            parts[-1] = f"{text} (×{count})"
        else:
            parts.append(text)
    more = len(parts) - _MOST_PARTS
    kept = "; ".join(parts[:_MOST_PARTS])
    return f"{kept}; and {more} more" if more > 0 else kept


def operation_words(op: Operation) -> str:
    """One operation in words."""
    ins = [value for value in op.ins if value.shape]
    out = op.outs[0] if op.outs else None
    if op.kind == "source":
        return f"{shape(out)} comes in ({_origin(op.name)})" if out is not None else ""
    if op.kind == "pull":
        return f"{shape(ins[0])}: {_PULLED.get(op.name, op.name)}" if ins else ""
    if op.kind == "escape":
        return f"{shape(ins[0]) if ins else 'an array'} leaves NumPy for {op.name}"
    if op.name == "getitem":
        return _indexed(op, ins, out)
    if op.name == "setitem":
        return (
            f"{size(op.written)} of {shape(op.ins[0])} assigned{' by an index array' if op.family == 'scatter' else ''}"
        )
    if op.kind == "view":
        return f"{op.name}: a view {shape(out)} of the same memory" if out is not None and ins else ""
    if op.kind == "in place" and out is not None:
        return f"{_done(op, ins)} in place, {size(op.written)}"
    if op.family == "reduction" and ins:
        to = f"to {shape(out)}" if out is not None and out.shape else "to one number"
        return f"{op.name} of {shape(ins[0])} {to}"
    if op.family == "creation" and out is not None:
        return f"{op.name} makes {shape(out)}, {size(op.written)}"
    if op.kind == "number":
        return f"{_done(op, ins)} to one number" if ins else ""
    if op.kind == "copy" and out is not None:
        return f"{op.name} copies {size(op.written)}"
    if out is None:
        return op.name
    return f"{_done(op, ins)}{_stretched(op, ins, out)}: {size(op.written)} new"


def _origin(name: str) -> str:
    return "from code that is not traced" if name == "outside" else name


def _indexed(op: Operation, ins: Sequence[Value], out: Value | None) -> str:
    if op.kind == "number" or out is None:
        return "one element taken"
    whole = shape(op.ins[0])
    if op.kind == "view":
        if out.size == op.ins[0].size and len(out.shape) > len(op.ins[0].shape):
            return f"{whole} seen as {shape(out)} (a view)"
        return f"{shape(out)} of {whole} looked at (a view)"
    mask = any(str(value.dtype) in ("bool", "torch.bool") for value in ins[1:])
    return f"{'a mask' if mask else 'an index array'} copies {shape(out)} out of {whole}, {size(op.written)}"


def _done(op: Operation, ins: Sequence[Value]) -> str:
    sign = sign_of(op.name)
    if len(ins) == 2 and sign:
        return f"{shape(ins[0])} {sign} {shape(ins[1])}"
    if len(ins) == 1 and sign:
        return f"{shape(ins[0])} {sign} {'itself' if op.arity == 2 else 'a number'}"
    return f"{op.name} of {' and '.join(shape(value) for value in ins[:3])}" if ins else op.name


def _stretched(op: Operation, ins: Sequence[Value], out: Value) -> str:
    if not op.broadcasts:
        return "" if any(value.shape == out.shape for value in ins) else f" to {shape(out)}"
    return f" broadcasts to {shape(out)}"
