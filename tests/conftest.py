"""Fixtures that several folders share."""

import multiprocessing
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext

import pytest
from hypothesis import settings

# The same examples every time, and no clock: a busy machine must not fail a test of arithmetic.
settings.register_profile("tests", deadline=None, derandomize=True)
settings.load_profile("tests")


@pytest.fixture
def plugins() -> Iterator[None]:
    """The toys are registered while the test runs."""
    from tests import toys

    with toys.registered():
        yield


@pytest.fixture(scope="session")
def processes() -> ForkServerContext:
    """Real processes that may be killed, forked from one that has imported torch already."""
    context = multiprocessing.get_context("forkserver")
    # What torch imports only when it is used takes a second in every process.
    late = ["torch._dynamo", "torch.distributed.fsdp", "torch.distributed.checkpoint.state_dict"]
    context.set_forkserver_preload(["tests.toys", "tests.plugins.adversarial.task", *late])
    return context
