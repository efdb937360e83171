"""Pennyweight: a budgeted workshop for machine learning."""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_HOME = {
    "Budget": "core.budget",
    "Metric": "core.task",
    "Pattern": "blocks.pattern",
    "Run": "core.run",
    "Stack": "core.stack",
    "Task": "core.task",
    "Turn": "core.task",
    "UserError": "core.errors",
    "WorkFailed": "core.errors",
    "trace": "arrays.trace.context",
}
__all__ = [*_HOME, "__version__"]

if TYPE_CHECKING:
    from pennyweight.arrays.trace.context import trace as trace
    from pennyweight.blocks.pattern import Pattern as Pattern
    from pennyweight.core.budget import Budget as Budget
    from pennyweight.core.errors import UserError as UserError
    from pennyweight.core.errors import WorkFailed as WorkFailed
    from pennyweight.core.run import Run as Run
    from pennyweight.core.stack import Stack as Stack
    from pennyweight.core.task import Metric as Metric
    from pennyweight.core.task import Task as Task
    from pennyweight.core.task import Turn as Turn


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that ``import pennyweight`` costs nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'pennyweight' has no attribute {name!r}")
    return getattr(import_module(f"pennyweight.{_HOME[name]}"), name)
