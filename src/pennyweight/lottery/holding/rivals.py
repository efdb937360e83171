"""Who takes part in a lottery of array functions: rivals on the stacks of this machine, at sizes, as tickets."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pennyweight.core.errors import UserError, WorkFailed
from pennyweight.core.machine import this_machine, usable_cores
from pennyweight.core.stack import Library, Stack
from pennyweight.lottery.holding.card import Idea
from pennyweight.lottery.holding.hold import Ticket
from pennyweight.lottery.holding.ideas import layer
from pennyweight.lottery.holding.ideas.examined import Examined
from pennyweight.lottery.holding.ideas.functions import SHARES, TOLERANCES, FunctionJob
from pennyweight.lottery.weighing.microbench.benchmarks import DTYPES
from pennyweight.lottery.weighing.worker import CallFailed, Worker, WorkerLost

_NEEDS: Mapping[Library, tuple[str, ...]] = {
    "numpy": ("numpy",),
    "torch": ("torch",),
    "torch.compile": ("torch",),
    "jax": ("jax",),
    "onnxruntime": ("onnxruntime", "onnx", "onnxscript"),
}
_EXTRA = {"jax": "jax", "onnxruntime": "onnx"}
_CELL_SECONDS, _MEASURING_SHARE = 0.5, 0.6
_MANY_SECONDS = 240.0
_EXAMINING = 120.0


@dataclass(frozen=True, kw_only=True)
class Field:
    """All who take part: the ideas, the first of which is the baseline, their tickets, and what equal means here."""

    name: str
    ideas: tuple[Idea, ...]
    tickets: tuple[Ticket, ...]
    quality: str


# --- stacks ---


def default_stacks() -> list[Stack]:
    """What this machine has: NumPy, PyTorch on one core and on all and in bf16, JAX, ONNX Runtime, a CUDA device."""
    cores = usable_cores()
    names = ["cpu/numpy/fp32/1t", "cpu/torch/fp32/1t", f"cpu/torch/fp32/{cores}t", f"cpu/torch/bf16/{cores}t"]
    names += [f"cpu/{library}/fp32/{cores}t" for library in ("jax", "onnxruntime") if not _lacking(library)]
    names += [f"cuda/torch/{precision}" for precision in ("fp32", "bf16") if this_machine().accelerator]
    return list(dict.fromkeys(map(Stack.parse, names)))


def three_stacks() -> list[Stack]:
    """Three libraries on one core each, so that nothing but the software differs; torch's bf16 in the place of JAX."""
    third = "cpu/torch/bf16/1t" if _lacking("jax") else "cpu/jax/fp32/1t"
    return [Stack.parse(name) for name in ("cpu/numpy/fp32/1t", "cpu/torch/fp32/1t", third)]


def _lacking(library: str) -> list[str]:
    needs = next(needed for name, needed in _NEEDS.items() if name == library)
    return [module for module in needs if not importlib.util.find_spec(module)]


def require_here(stack: Stack) -> None:
    """Refuse a stack that this machine has not, and say why."""
    if lacking := _lacking(stack.library):
        extra = _EXTRA.get(stack.library)
        hint = f"pip install 'pennyweight[{extra}]'" if extra else ""
        raise UserError(f"stack {stack}", expected=f"{' and '.join(lacking)} to be installed", hint=hint)
    if stack.device == "cuda" and not this_machine().accelerator:
        raise UserError(f"stack {stack}", expected="a CUDA device", hint="try cpu/torch/bf16")
    if stack.device == "cuda" and stack.library == "onnxruntime":
        raise UserError(f"stack {stack}", expected="onnxruntime on the cpu")
    if stack.threads > usable_cores():
        raise UserError(f"stack {stack}", expected=f"at most {usable_cores()} threads here")
    if stack.library == "onnxruntime" and stack.precision != "fp32":
        raise UserError(f"stack {stack}", expected="onnxruntime in fp32", hint="try cpu/onnxruntime/fp32")


# --- the layer ---


def layer_field(sizes: Sequence[str], *, num_stacks: int, seconds: float) -> Field:
    """The essay's ideas for one layer. With four minutes or more, three more degrees of sparsity take part.

    Without sizes, as many of the three built-in ones as leave half a second to measure each cell.
    """
    names = {**layer.IDEAS, **(layer.MORE if seconds >= _MANY_SECONDS else {})}
    if not sizes:
        cells = num_stacks * len(names)
        room = int(_MEASURING_SHARE * seconds / (_CELL_SECONDS * cells))
        sizes = layer.SIZES[: max(1, room)]
    shapes = {size: layer.Layer.parse(size) for size in dict.fromkeys(sizes)}
    tickets = tuple(
        Ticket(
            idea=idea,
            size=size,
            job=layer.LayerJob(idea=idea, size=size),
            works={precision: layer.work(shape, idea, precision) for precision in DTYPES},
        )
        for size, shape in shapes.items()
        for idea in names
    )
    return Field(name=layer.NAME, ideas=layer.ideas(names), tickets=tickets, quality=layer.quality())


# --- functions of a script ---


def function_field(targets: Sequence[str], sizes: Sequence[str], *, tolerance: float | None, seconds: float) -> Field:
    """The functions named ``SCRIPT.py::name``, examined once at each size: reference, agreement, work."""
    path, names = _parsed(targets)
    tickets: list[Ticket] = []
    found: list[Examined] = []
    for size in list(dict.fromkeys(sizes)) or [""]:
        found = _examined(path, names, size, tolerance, limit=max(_EXAMINING, seconds / 2))
        tickets += [_ticket(path, one, found[0], size, tolerance) for one in found]
    ideas = tuple(Idea(name=one.name, what=one.what or "a function", counted=one.counted) for one in found)
    return Field(name=Path(path).stem, ideas=ideas, tickets=tuple(tickets), quality=_quality(found, tolerance))


def _parsed(targets: Sequence[str]) -> tuple[str, list[str]]:
    """The one script, and the functions of it."""
    pairs = [target.partition("::")[::2] for target in targets]
    paths = list(dict.fromkeys(path for path, _ in pairs))
    names = list(dict.fromkeys(name for _, name in pairs))
    if len(paths) > 1:
        raise UserError(f"functions of {len(paths)} scripts", expected="rivals of one script, which makes their inputs")
    if not Path(paths[0]).is_file():
        raise UserError(f"no script {paths[0]}", expected="a Python file, as in SCRIPT.py::name")
    if not all(name.isidentifier() for name in names):
        raise UserError(f"{targets[0]!r}", expected="SCRIPT.py::name, the name of a function of the script")
    if len(names) < 2:
        raise UserError(f"{names[0]} alone", expected="two rivals or more", hint=f"add {paths[0]}::ANOTHER")
    return paths[0], names


def _examined(path: str, names: Sequence[str], size: str, tolerance: float | None, *, limit: float) -> list[Examined]:
    """`examined.examine` in a process of its own: the script is not ours."""
    try:
        compile(Path(path).read_bytes(), path, "exec")
    except (SyntaxError, ValueError) as error:  # a file with a null byte is a ValueError
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise UserError(f"{path}{line}: {error.args[0]}", expected="a program that compiles") from None
    with Worker(Stack.parse("cpu/numpy/fp64/1t")) as worker:
        try:
            found: list[Examined] = worker.call(
                "pennyweight.lottery.holding.ideas.examined:examine", path, names, size, tolerance, limit=limit
            )
        except CallFailed as error:
            if error.kind == "UserError":
                raise UserError(error.message) from None
            if error.kind == "ScriptFailed":
                raise WorkFailed(error.message) from None
            raise
        except WorkerLost as lost:
            raise WorkFailed(f"{path} could not be examined: {lost}") from None
    return found


def _ticket(path: str, one: Examined, baseline: Examined, size: str, tolerance: float | None) -> Ticket:
    job = FunctionJob(
        path=path, name=one.name, size=size, inputs=one.inputs, reference=baseline.outputs, tolerance=tolerance
    )
    return Ticket(idea=one.name, size=size or "inputs()", job=job, works=one.works)


def _quality(found: Sequence[Examined], tolerance: float | None) -> str:
    """What "equal" means here, in a sentence for the card."""
    errors = f"{TOLERANCES['fp32']:g} ({TOLERANCES['bf16']:g} in bf16)" if tolerance is None else f"{tolerance:g}"
    shares = f"{SHARES['fp32']:.0%} ({SHARES['bf16']:.0%} in bf16)" if tolerance is None else f"{tolerance:.2%}"
    return (
        f"On the same inputs each must give what {found[0].name} gives in float64, to a relative error of {errors}; of"
        f" outputs that are no floating numbers {shares} may differ. A check(output, inputs) of the script comes before"
        " that."
    )
