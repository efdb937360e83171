"""A stack is what an idea runs on: hardware, library, precision and threads, as ``cpu/torch/bf16/2t``."""

import re
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, cast

from pennyweight.core.errors import UserError
from pennyweight.core.machine import usable_cores

if TYPE_CHECKING:
    import torch

Library = Literal["numpy", "torch", "torch.compile", "jax", "onnxruntime"]
Precision = Literal["fp64", "fp32", "bf16"]

_NAME = re.compile(r"(cpu|cuda)(?:/(numpy|torch\.compile|torch|jax|onnxruntime))?(?:/(fp64|fp32|bf16))?(?:/(\d+)t)?")


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Device, library, precision, threads. Training runs on torch alone.

    There weights are always kept in fp32 and bf16 means autocast; for array functions the precision is that
    of their floating inputs. ``threads`` is 0 on an accelerator, where the host's threads do not bound the work.
    """

    device: Literal["cpu", "cuda"] = "cpu"
    library: Library = "torch"
    precision: Precision = "fp32"
    threads: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``cpu/torch/bf16/2t``; what is left out takes the machine's default.

        >>> str(Stack.parse("cpu/torch/fp32/1t"))
        'cpu/torch/fp32/1t'
        """
        match = _NAME.fullmatch(text.strip().lower())
        if match is None:
            raise UserError(
                f"stack {text!r}", expected="device/library/precision/threads", hint="try cpu/torch/bf16/2t"
            )
        device = cast(Literal["cpu", "cuda"], match[1])
        library = cast(Library, match[2] or "torch")
        precision = cast(Precision, match[3] or "fp32")
        if (library, precision) == ("numpy", "bf16"):
            raise UserError(f"stack {text!r}", expected="fp32 or fp64 with numpy, which has no bfloat16")
        if (device, library) == ("cuda", "numpy"):
            raise UserError(f"stack {text!r}", expected="numpy on the cpu")
        threads = int(match[4]) if match[4] else (usable_cores() if device == "cpu" else 0)
        if device == "cpu" and threads < 1:
            raise UserError(f"stack {text!r}", expected="at least one thread")
        return cls(device=device, library=library, precision=precision, threads=threads)

    def __str__(self) -> str:
        name = f"{self.device}/{self.library}/{self.precision}"
        return f"{name}/{self.threads}t" if self.threads else name

    def activate(self) -> "torch.device":
        """Make this process train on the stack: set the threads and return the device, or say why it cannot."""
        import torch

        if self.library != "torch" or self.precision == "fp64":
            raise UserError(f"stack {self}", expected="torch in fp32 or bf16 for training", hint="try cpu/torch/bf16")
        if self.device == "cuda":
            if not torch.cuda.is_available():
                raise UserError(f"stack {self}", expected="a CUDA device", hint="try cpu/torch/bf16")
            torch.set_float32_matmul_precision("high" if self.precision == "bf16" else "highest")
        elif self.threads:
            torch.set_num_threads(self.threads)
        return torch.device(self.device)

    def autocast(self) -> "AbstractContextManager[object]":
        """The context in which losses are computed; matrix products run in the stack's precision."""
        import torch

        return torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16")

    def synchronize(self) -> None:
        """Wait until the device has done what was asked of it, so that a clock may be read."""
        if self.device == "cuda":
            import torch

            torch.cuda.synchronize()


def candidates(*, threads: int = 0) -> list[Stack]:
    """The stacks that this machine can train on: a GPU when there is one, else the CPU in fp32 and bf16."""
    import torch

    if torch.cuda.is_available():
        return [Stack(device="cuda", precision="bf16")]
    threads = threads or usable_cores()
    return [Stack(precision="bf16", threads=threads), Stack(precision="fp32", threads=threads)]
