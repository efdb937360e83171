"""What tests ask child processes to do."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable

_calls = 0


def count() -> int:
    """How often this process was asked."""
    global _calls
    _calls += 1
    return _calls


def process() -> int:
    return os.getpid()


def variable(name: str) -> str | None:
    return os.environ.get(name)


def loaded(*names: str) -> list[str]:
    return [name for name in names if name in sys.modules]


def cores() -> set[int]:
    return os.sched_getaffinity(0)


def torch_threads() -> int:
    import torch

    return torch.get_num_threads()


def blas_threads() -> list[int]:
    import threadpoolctl

    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]


def raises(message: str) -> None:
    raise KeyError(message)


def crash(last_words: str) -> None:
    print(last_words, flush=True)
    os.kill(os.getpid(), signal.SIGSEGV)


def leave(code: int) -> None:
    raise SystemExit(code)


def hang(seconds: float = 600.0) -> None:
    time.sleep(seconds)


def compute(seconds: float) -> str:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return "done"


def chatter() -> str:
    print("to standard output")
    print("to standard error", file=sys.stderr)
    return "said"


def unpicklable() -> Callable[[], None]:
    return lambda: None


def sized(count: int) -> bytes:
    return bytes(count)


def interrupted_while_computing(seconds: float) -> str:
    threading.Timer(seconds / 2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    return compute(seconds)
