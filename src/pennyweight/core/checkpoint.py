"""Exact resume: model, optimisers, averages and random states, written atomically and checked when read.

Tensors go through torch.distributed.checkpoint, so that what two processes saved one can load; numbers and
random states are JSON beside them. A manifest with the SHA-256 of every file is written last: a folder whose
files do not match it is never used.
"""

import errno
import json
import shutil
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from pennyweight.core import randomness
from pennyweight.core.engine import Engine
from pennyweight.core.errors import UserError
from pennyweight.core.files import folder_atomic, sha256_file, write_json

KEPT = 2
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on the disk whose files are all as they were written."""

    folder: Path
    progress: dict[str, Any]


def save(state: Path, engine: Engine, progress: dict[str, Any]) -> None:
    """Write a checkpoint as ``state/step-<number>`` and drop all but the newest two.

    ``progress`` is what the loop needs to go on (``step`` among it). Every process of the world calls this.
    Raises `OSError` when the disk refuses; the checkpoints that were there are then untouched.
    """
    world = engine.world
    with ExitStack() as leaving:
        # The leader's temporary folder, which is put in place when the stack is left without an error.
        folder = state / f"step-{progress['step']:09d}"
        with world.together():
            if world.leads:
                folder = leaving.enter_context(folder_atomic(folder))
        folder = world.share(folder)
        with _quiet():
            from torch.distributed.checkpoint.state_dict_saver import save as save_tensors

            with _own_errors():
                save_tensors(_tensors(engine), checkpoint_id=folder / "tensors", no_dist=world.size == 1)
        with world.together():
            (folder / f"random-{world.rank}.json").write_text(json.dumps(randomness.capture()))
        with world.together():
            if world.leads:
                begun = [name for name, optimizer in engine.optimizers.items() if optimizer.state]
                write_json(folder / "progress.json", {**progress, "world": world.size, "optimizers": begun})
                files = sorted(f for f in folder.rglob("*") if f.is_file())
                write_json(folder / _MANIFEST, {str(f.relative_to(folder)): sha256_file(f) for f in files})
                leaving.close()
                for old in _folders(state)[KEPT:]:
                    shutil.rmtree(old)


def newest(state: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that is whole, and a sentence for each newer one that is not."""
    notes: list[str] = []
    for folder in _folders(state):
        damage = _damage(folder)
        if damage is None:
            return Checkpoint(folder, json.loads((folder / "progress.json").read_text())), notes
        notes.append(f"checkpoint {folder.name} is damaged ({damage}); falling back to the one before")
    return None, notes


def load(checkpoint: Checkpoint, engine: Engine) -> None:
    """Put an engine into the state of a checkpoint, however many processes wrote it."""
    with _quiet():
        from torch.distributed.checkpoint.api import CheckpointException
        from torch.distributed.checkpoint.state_dict import set_model_state_dict, set_optimizer_state_dict
        from torch.distributed.checkpoint.state_dict_loader import load as load_tensors

        tensors = _tensors(engine, begun=checkpoint.progress["optimizers"])
        try:
            load_tensors(tensors, checkpoint_id=checkpoint.folder / "tensors", no_dist=engine.world.size == 1)
        except (CheckpointException, RuntimeError, ValueError, KeyError) as error:
            raise UserError(
                f"checkpoint {checkpoint.folder} does not fit this model ({str(error).splitlines()[0]})",
                expected="the configuration that wrote it",
            ) from error
        set_model_state_dict(engine.module, tensors["task"])
        for name in checkpoint.progress["optimizers"]:
            set_optimizer_state_dict(engine.module, engine.optimizers[name], tensors[f"optimizer.{name}"])
    if engine.ema:
        for name, weight in tensors["ema"].items():
            engine.ema.weights[name].copy_(weight)
    own = checkpoint.folder / f"random-{engine.world.rank}.json"
    if own.is_file():
        randomness.restore(json.loads(own.read_text()))


def full_weights(engine: Engine) -> dict[str, Tensor]:
    """All parameters and buffers on the CPU, gathered from the shards; the averaged ones where there are.

    Every process must call this; only the first is given the tensors.
    """
    with engine.evaluating():
        if engine.world.size == 1:
            state: dict[str, Any] = engine.task.state_dict()
        else:
            from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict

            options = StateDictOptions(full_state_dict=True, cpu_offload=True)
            state = get_model_state_dict(engine.module, options=options)
        return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in state.items()}


def _tensors(engine: Engine, begun: list[str] | None = None) -> dict[str, Any]:
    """The nested dictionary that is saved or loaded. An optimiser without a state yet has no entry: asking
    torch for its state would make one, by a step.
    """
    from torch.distributed.checkpoint.state_dict import get_model_state_dict, get_optimizer_state_dict

    tensors: dict[str, Any] = {"task": get_model_state_dict(engine.module)}
    for name, optimizer in engine.optimizers.items():
        if name in begun if begun is not None else optimizer.state:
            tensors[f"optimizer.{name}"] = get_optimizer_state_dict(engine.module, optimizer)
    if engine.ema:
        tensors["ema"] = engine.ema.weights
    return tensors


def _folders(state: Path) -> list[Path]:
    return sorted((f for f in state.glob("step-*") if f.is_dir()), reverse=True)


def _damage(folder: Path) -> str | None:
    """What is wrong with a checkpoint, naming the file; None when nothing is."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
        for name, digest in manifest.items():
            if sha256_file(folder / name) != digest:
                return f"{folder / name} is not as it was written"
    except FileNotFoundError as error:
        return f"{error.filename} is missing"
    except (OSError, ValueError, AttributeError):
        return f"{folder / _MANIFEST} cannot be read"
    return None


@contextmanager
def _own_errors() -> Iterator[None]:
    """Raises what torch's writer met. torch wraps it in an exception that is not even an `Exception`."""
    from torch.distributed.checkpoint.api import CheckpointException

    try:
        yield
    except CheckpointException as error:
        causes: list[BaseException | None] = [cause for cause, _ in error.failures.values()]
        while causes:
            cause = causes.pop()
            if isinstance(cause, OSError | KeyboardInterrupt):
                raise cause from error
            if cause:
                causes += [cause.__cause__, cause.__context__]
        if "PytorchStreamWriter" in str(error) or "unexpected pos" in str(error):
            raise OSError(errno.EIO, "the disk refused") from error
        raise RuntimeError(str(error)) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """torch announces that it saves in a single process; that is what was asked for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.distributed is disabled")
        yield
