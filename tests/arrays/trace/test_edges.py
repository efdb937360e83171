"""Whatever a program does, under trace it does the same: what it prints, how it ends, what its tracebacks show."""

from pathlib import Path

import pytest

from tests.arrays.trace.edges import EDGES, LOOSE
from tests.arrays.trace.harness import both, trace


def _written(folder: Path, source: str | bytes, name: str = "program.py") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(source if isinstance(source, bytes) else source.encode())
    return path


@pytest.mark.parametrize("name", [*EDGES, *LOOSE])
def test_a_program_with_something_odd_in_it_does_the_same(name: str, tmp_path: Path) -> None:
    program = _written(tmp_path, {**EDGES, **LOOSE}[name])
    plain, traced = both(program, folder=tmp_path, strict=False)
    assert traced.out == plain.stdout
    assert traced.err == plain.stderr
    assert traced.code == plain.returncode
    assert traced.captured == (name in EDGES), (traced.problems, traced.error)


def test_the_programs_end_well_unless_their_names_say_otherwise(tmp_path: Path) -> None:
    for name in ("numbers that stay numbers", "classes", "operators with strangers", "scipy"):
        traced = trace(_written(tmp_path, EDGES[name]), folder=str(tmp_path), strict=False)
        assert traced.ending == "done", (name, traced.err)


def test_a_relative_path_and_a_link_are_found_as_python_finds_them(tmp_path: Path) -> None:
    _written(tmp_path / "real", "import sys, helper; print(__file__, sys.argv, helper.twice(3))", "main.py")
    _written(tmp_path / "real", "import numpy as np\ndef twice(x):\n    return np.asarray(x) * 2\n", "helper.py")
    (tmp_path / "link.py").symlink_to(tmp_path / "real" / "main.py")
    for script in ("link.py", "./real/main.py", "real/../link.py"):
        plain, traced = both(script, "a b", folder=tmp_path)
        assert plain.returncode == 0, plain.stderr
        assert (traced.out, traced.err, traced.captured) == (plain.stdout, plain.stderr, True)


def test_a_source_in_another_encoding_is_read_by_its_coding_line(tmp_path: Path) -> None:
    source = "# -*- coding: latin-1 -*-\nimport numpy as np\nprint(ascii('größe'), np.ones(2).sum())\n"
    program = _written(tmp_path, source.encode("latin-1"))
    plain, traced = both(program, folder=tmp_path)
    assert (traced.out, traced.code, traced.captured) == (plain.stdout, 0, True)


@pytest.mark.parametrize("source", [b"x = (1\n", b"x = 'gr\xf6sse'\n", b"return 3\n", b"x = 1\0\n"])
def test_a_source_that_does_not_compile_is_told_as_python_tells_it(source: bytes, tmp_path: Path) -> None:
    program = _written(tmp_path, source)
    plain, traced = both(program, folder=tmp_path)
    assert (traced.ending, traced.code, plain.returncode) == ("syntax", 1, 1)
    assert traced.err.splitlines()[-1].partition(":")[0] == plain.stderr.splitlines()[-1].partition(":")[0]
    assert "pennyweight" not in traced.err
    assert "Traceback" not in traced.err


def test_modules_of_the_program_are_followed_wherever_they_lie(tmp_path: Path) -> None:
    _written(
        tmp_path, "import sys\nfrom pkg import sub\nfrom pkg.sub.deep import made\nprint(made(3), sub.scale(made(2)))"
    )
    _written(tmp_path, "", "pkg/__init__.py")
    _written(tmp_path, "import numpy as np\ndef scale(x):\n    return x * np.ones(2)\n", "pkg/sub/__init__.py")
    _written(
        tmp_path,
        "from . import scale\nimport numpy as np\ndef made(n):\n    return scale(np.zeros(2) + n)\n",
        "pkg/sub/deep.py",
    )
    plain, traced = both(tmp_path / "program.py", folder=tmp_path)
    assert (traced.out, traced.err, traced.captured) == (plain.stdout, plain.stderr, True)
    assert [op[0] for op in traced.operations].count("multiply") == 3


def test_an_error_in_a_module_that_is_imported_is_shown_without_our_frames(tmp_path: Path) -> None:
    _written(tmp_path, "import helper\n")
    _written(tmp_path, "import numpy as np\ndef f():\n    return np.ones(2) + np.ones(3)\nf()\n", "helper.py")
    plain, traced = both(tmp_path / "program.py", folder=tmp_path)
    assert traced.err == plain.stderr
    assert (traced.error_line, traced.ending) == (3, "raised")


def test_a_module_of_the_user_named_as_one_of_pythons_own_is_taken_where_python_takes_it(tmp_path: Path) -> None:
    _written(
        tmp_path,
        "import statistics, time\nprint(statistics.__file__.endswith('program.py'), hasattr(time, 'sleep'), statistics.mean)",
    )
    _written(tmp_path, "import numpy as np\nmean = np.ones(2) * 3\n", "statistics.py")
    _written(tmp_path, "raise RuntimeError('time is built in')\n", "time.py")
    plain, traced = both(tmp_path / "program.py", folder=tmp_path)
    assert plain.returncode == 0
    assert (traced.out, traced.err, traced.captured) == (plain.stdout, plain.stderr, True)
