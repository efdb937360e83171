"""The modules in ``docs/`` that make pages from the code."""

import importlib.util
from pathlib import Path
from types import ModuleType


def page_module(name: str) -> ModuleType:
    """A module of ``docs/``, which is not on the path."""
    path = Path(__file__).parents[1] / "docs" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
