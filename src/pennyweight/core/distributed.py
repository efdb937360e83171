"""Several processes as one: started by torchrun, on gloo (CPU) or NCCL (CUDA); DDP or FSDP2 in one wrapper."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import Tensor, distributed, nn

from pennyweight.core.stack import Stack
from pennyweight.core.task import Task

T = TypeVar("T")


@dataclass(frozen=True)
class World:
    """This process's place among those that train together."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and talks to people."""
        return self.rank == 0

    def share(self, value: T) -> T:
        """The first process's value, on every process. Must be called by all of them."""
        if self.size == 1:
            return value
        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]

    def share_floats(self, values: Sequence[float], device: torch.device) -> list[float]:
        """Like `share` for numbers, cheap enough for every step."""
        if self.size == 1:
            return list(values)
        packet = torch.tensor(values, dtype=torch.float64, device=device)
        distributed.broadcast(packet, src=0)
        return packet.tolist()

    def mean(self, losses: Mapping[str, Tensor]) -> dict[str, float]:
        """Named scalars averaged over the processes, as numbers."""
        packet = torch.stack([value.detach().double() for value in losses.values()])
        if self.size > 1:
            distributed.all_reduce(packet)
            packet /= self.size
        return dict(zip(losses, packet.tolist(), strict=True))

    def agree(self, fine: bool) -> bool:
        """Whether all processes are fine. Must be called by all of them."""
        if self.size == 1:
            return fine
        answers: list[bool | None] = [None] * self.size
        distributed.all_gather_object(answers, fine)
        return all(answers)

    @contextmanager
    def together(self) -> Iterator[None]:
        """An `OSError` inside is raised on all processes, so that none waits for one that gave up."""
        problem = None
        try:
            yield
        except OSError as error:
            problem = error
        fine = self.agree(problem is None)
        if problem:
            raise problem
        if not fine:
            raise OSError(errno.EIO, "another process could not write")

    def barrier(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            distributed.barrier()


ALONE = World()


def started_by_torchrun() -> bool:
    """Whether torchrun started this process (its variables are the only ones read here)."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def join_world(stack: Stack) -> World:
    """The world that torchrun started this process in, or a world of one."""
    if not started_by_torchrun():
        return ALONE
    if not distributed.is_initialized():
        if stack.device == "cuda":
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        distributed.init_process_group("nccl" if stack.device == "cuda" else "gloo")
    return World(rank=distributed.get_rank(), size=distributed.get_world_size())


def leave_world(*, finished: bool) -> None:
    """End this process's part in a process group, if there is one. The last thing that such a process does.

    Processes that ``finished`` wait for one another and then end at once: torch's threads, still running when the
    interpreter takes its libraries down, now and then abort a process that has done all its work.
    """
    if distributed.is_available() and distributed.is_initialized():
        if finished:
            distributed.barrier()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
        distributed.destroy_process_group()


def launch(arguments: Sequence[str], *, devices: int) -> int:
    """Run ``pennyweight`` with these arguments in as many processes on this machine; their exit code."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={devices}"]
    return subprocess.call([*torchrun, "-m", "pennyweight", *arguments])


def wrap(task: Task, *, parallel: Literal["ddp", "fsdp"], world: World, num_turns: int) -> nn.Module:
    """The task as the module to call: itself alone, else under DDP (copies) or FSDP2 (shards)."""
    if world.size == 1:
        return task
    if parallel == "fsdp":
        from torch.distributed.fsdp import fully_shard

        for unit in task.shard_units():
            fully_shard(unit)
        fully_shard(task)
        return task
    from torch.nn.parallel import DistributedDataParallel

    # A task with several turns touches a part of its parameters in each; DDP must look which.
    return DistributedDataParallel(task, find_unused_parameters=num_turns > 1)


@contextmanager
def gathered(module: nn.Module) -> Iterator[None]:
    """Inside, a task under FSDP may be used without calling it: the weights outside its units are whole.

    They are sharded again at the end. Were they not, the next forward pass would use what they held here.
    """
    if not distributed.is_initialized():  # alone: nothing is sharded, and FSDP is dear to import
        yield
        return
    from torch.distributed.fsdp import FSDPModule

    if not isinstance(module, FSDPModule):
        yield
        return
    module.unshard()
    try:
        yield
    finally:
        module.reshard()


@contextmanager
def accumulating(module: nn.Module, *, more: bool) -> Iterator[None]:
    """Inside, gradients are summed locally and exchanged only when no ``more`` micro-batches follow."""
    if not distributed.is_initialized():
        yield
        return
    from torch.distributed.fsdp import FSDPModule
    from torch.nn.parallel import DistributedDataParallel

    if isinstance(module, DistributedDataParallel) and more:
        with module.no_sync():
            yield
        return
    if isinstance(module, FSDPModule):
        module.set_requires_gradient_sync(not more)
    yield
