"""Numbers have the digits and units that they should, and speaking of them loads nothing heavy."""

import subprocess
import sys

import pytest

from pennyweight.report.words import amount, duration, number, plain, score, size


@pytest.mark.parametrize(
    ("value", "short", "full"),
    [
        (2.01349, "2.01", "2.013"),
        (0.99996, "1", "1.000"),
        (1604352, "1,604,352", "1,604,352"),
        (0.003, "0.003", "0.003000"),
        (0, "0", "0"),
        (1e-7, "1.00e−07", "1.000e−07"),
        (999.96, "1,000", "1,000"),
        (-3.14159, "−3.14", "−3.142"),
        (100.0, "100", "100.0"),
    ],
)
def test_numbers_have_the_digits_that_they_should(value: float, short: str, full: str) -> None:
    assert number(value) == short
    assert score(value) == full


@pytest.mark.parametrize(
    ("num_bytes", "text"), [(999, "999 B"), (1000, "1 kB"), (786_432, "786 kB"), (999_960, "1 MB"), (4e9, "4 GB")]
)
def test_bytes_take_the_unit_that_fits(num_bytes: float, text: str) -> None:
    assert plain(size(num_bytes)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.25 s"), (63.254, "63.3 s"), (600, "10 min"), (3661, "61 min 1 s"), (9000, "2 h 30 min")],
)
def test_durations_read_as_clocks_do(seconds: float, text: str) -> None:
    assert plain(duration(seconds)) == text


def test_every_limit_of_a_budget_is_said() -> None:
    assert plain(amount("90min, 20000samples, 2GB, 5J")) == "90 min and 20,000 samples and 2 GB and 5 J"


def test_sentences_load_neither_torch_nor_templates_nor_drawings() -> None:
    code = "import sys, pennyweight.report.sentences; print(*{'torch', 'jinja2', 'matplotlib'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
