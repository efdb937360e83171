"""Fixtures that several folders share."""

import multiprocessing
from collections.abc import Iterator
from multiprocessing.context import ForkServerContext

import pytest

from pennyweight.core import registry


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The toys are registered while the test runs."""
    from tests import toys

    monkeypatch.setattr(registry, "METHODS", dict(registry.METHODS))
    toys.register()
    yield
    monkeypatch.undo()
    registry.methods.cache_clear()


@pytest.fixture(scope="session")
def processes() -> ForkServerContext:
    """Real processes that may be killed, forked from one that has imported torch already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.toys"])
    return context
