"""The built-in corpus: real sources of this Python, without its tests, and a plain error where there are none."""

import sysconfig
from pathlib import Path

import pytest

from pennyweight.core.errors import UserError
from pennyweight.data.builtin import standard_library_documents, standard_library_name


def test_documents_are_the_sources_of_this_python():
    root = Path(sysconfig.get_path("stdlib"))
    documents = standard_library_documents()
    names = [name for name, _ in documents]
    assert names == sorted(set(names))
    assert {"argparse.py", "json/decoder.py"} <= set(names)
    content = dict(documents)
    assert content["json/decoder.py"] == (root / "json" / "decoder.py").read_bytes()


def test_name_carries_the_version():
    import platform

    major, minor, _ = platform.python_version_tuple()
    assert standard_library_name() == f"python-{major}.{minor}-stdlib"


def test_tests_packages_and_compiled_files_are_left_out(tmp_path, monkeypatch):
    for name in ["kept.py", "deep/inner.py", "latest/testing.py"]:
        _write(tmp_path / name)
    for folder in ["test", "lib2to3/tests", "idlelib/idle_test", "site-packages", "dist-packages", ".hidden"]:
        _write(tmp_path / folder / "module.py")
        _write(tmp_path / folder / "inner" / "module.py")
    _write(tmp_path / "__pycache__" / "cached.py")
    _write(tmp_path / "binary.pyc")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert [name for name, _ in standard_library_documents()] == [
        "deep/inner.py",
        "kept.py",
        "latest/testing.py",
    ]


def test_a_python_without_sources_is_said_so(tmp_path, monkeypatch):
    _write(tmp_path / "os.pyc")
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(UserError, match=r"no Python sources.*expected.*give a text of your own"):
        standard_library_documents()


def _write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x = 1\n")
