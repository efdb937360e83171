"""Every wrong request gets one clear line on standard error and exit code 2, and leaves nothing behind."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.verbs.conftest import QUICK, Call


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fit", "par/tinny"], "did you mean par/tiny?"),
        (["fit", "pra"], "did you mean par?"),
        (["fit", "--budget", "5 parsecs"], "'parsecs'"),
        (["fit", "--set", "fit.optimizer.lrr=1"], "did you mean lr?"),
        (["fit", "--set", "fit.optimizer.lr=fast"], "valid number"),
        (["fit", "--set", "fit.optimizer.lr"], "key=value"),
        (["fit", "--set", "pattern=(af"], "never closed"),
        (["fit", "--set", "width=100"], "width 100"),
        (["fit", "--stack", "tpu/jax"], "device/library/precision/threads"),
        (["fit", "--data", "nowhere"], "no text at"),
        (["fit", "--data", "empty"], "empty"),
        (["fit", "--data", "binary"], "binary"),
        (["fit", "--data", "binary/0.bin"], "binary"),
        (["fit", "--data", "broken.parquet"], "Parquet"),
        (["fit", "--resume", "nothing"], "no run 'nothing'"),
        (["fit", "--resume", "nothing", "--budget", "3s"], "--resume alone"),
        (["fit", "--assume", "watts=many"], "watts"),
        (["fit", "--devices", "0"], "--devices"),
        (["fit", "--bogus"], "--bogus"),
        (["fitt"], "fitt"),
        (["race", "pra"], "did you mean par?"),
        (["race", "par", "--budget", "1s"], "at least"),
        (["race", "par", "--budget", "4GB"], "seconds or samples"),
        (["race", "--resume", "nothing"], "no run 'nothing'"),
        (["race", "--resume", "nothing", "--equal", "time"], "--resume alone"),
        (["race", "par", "--equal", "joules"], "one of time, latency, parameters, flops"),
        (["race", "par", "--idea", "af("], "--idea: pattern 'af('"),
        (["race", "par", "--rival", "par(5)"], "PAR rule, p = 5 against itself"),
        (["search", "--menu", "q"], "a menu of q"),
        (["search", "--latency", "fast"], "train latency 'fast'"),
        (["search", "--latency", "write=1x"], "as in decode=0.6x"),
        (["search", "--cache", "3 parsecs"], "an amount in B, kB, MB, GB"),
        (["search", "--budget", "100samples"], "a total time"),
        (["search", "--set", "pattern=(af"], "never closed"),
        (["search", "--parent", "nothing"], "no run 'nothing'"),
        (["search", "--resume", "nothing"], "no run 'nothing'"),
        (["search", "--resume", "nothing", "--cache", "1x"], "--resume alone"),
        (["report", "nothing"], "no run 'nothing'"),
        (["report"], "no run"),
        (["sample"], "no trained run"),
        (["sample", "--tokens", "0"], "at least one token"),
        (["trace", "nowhere.py"], "a file of Python"),
        (["trace", "empty"], "a file of Python"),
        (["trace", "--limit", "5 parsecs"], "'parsecs'"),
        (["trace", "--limit", "100samples"], "a time, such as 60s"),
        (["trace", "--advice", "4GB"], "a time, such as 60s"),
        (["trace", "unclosed.py"], "a program that compiles"),
        (["tour", "--budget", "100samples"], "a total time"),
        (["tour", "--budget", "10parsecs"], "parsecs"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_request_is_one_line_and_exit_code_2(
    call: Call, tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "binary").mkdir()
    for number in range(5):
        (tmp_path / "binary" / f"{number}.bin").write_bytes(bytes(range(256)) * 9)
    (tmp_path / "unclosed.py").write_text("x = (1,\n")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and then nothing")
    if arguments[0] == "race" and "--budget" in arguments:
        arguments = [*arguments, *QUICK]
    ended = call(*arguments)
    assert ended.code == 2, ended.err
    assert said in ended.err.splitlines()[-1]
    problems = [line for line in ended.err.splitlines() if line.startswith("pennyweight: ")]
    assert len(problems) == 1
    assert "Traceback" not in ended.err
    assert not ended.out.strip()
    assert not list(tmp_path.glob("runs/*"))


def test_a_refusal_is_a_document_for_programs_too(call: Call) -> None:
    ended = call("fit", "par/tinny", "--json")
    assert ended.code == 2
    document = json.loads(ended.out)
    assert document["status"] == "refused"
    assert "did you mean par/tiny?" in document["result"]["error"]


@pytest.mark.parametrize("verb", ["fit", "race"])
def test_a_place_for_runs_that_cannot_be_written_is_refused(call: Call, tmp_path: Path, verb: str) -> None:
    (tmp_path / "file").write_text("in the way")
    ended = call(verb, "--runs", str(tmp_path / "file" / "runs"))
    assert ended.code == 2
    assert "cannot be written" in ended.err
    assert len(ended.err.splitlines()) == 1


def test_a_damaged_receipt_names_its_file(call: Call, tmp_path: Path, corpus: Path) -> None:
    assert call("fit", "--budget", "8samples", "--data", str(corpus), *QUICK).code == 0
    (run,) = (tmp_path / "runs").iterdir()
    (run / "receipt.json").write_text("{")
    ended = call("report", run.name)
    assert ended.code == 2
    assert "receipt.json" in ended.err


def test_damaged_weights_name_their_file(call: Call, tmp_path: Path, corpus: Path) -> None:
    assert call("fit", "--budget", "8samples", "--data", str(corpus), *QUICK).code == 0
    (run,) = (tmp_path / "runs").iterdir()
    (run / "model.safetensors").write_bytes(b"not weights")
    ended = call("sample", run.name)
    assert ended.code == 2
    assert "model.safetensors" in ended.err


def test_a_full_disk_at_the_end_fails_with_the_way_to_go_on_and_loses_nothing(tmp_path: Path, corpus: Path) -> None:
    """No file may grow beyond 60 kB: the weights do not fit, as on a full disk. Then there is room again."""

    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    program = [sys.executable, "-m", "pennyweight"]
    warm = [*program, "fit", "--budget", "8samples", "--data", str(corpus), "--runs", "warm", *QUICK]
    subprocess.run(warm, cwd=tmp_path, capture_output=True, check=True, env=environment)  # the corpus is prepared
    asked = [*program, "fit", "--budget", "40samples", "--data", str(corpus), *QUICK]
    limited = ["sh", "-c", 'ulimit -S -f 118; exec "$@"', "sh", *asked]  # in blocks of 512 bytes
    failed = subprocess.run(limited, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert failed.returncode == 1, failed.stderr
    assert "--resume" in failed.stderr
    assert "Traceback" not in failed.stderr
    (run,) = (tmp_path / "runs").iterdir()
    assert not (run / "receipt.json").exists()
    resumed = subprocess.run(
        [*program, "fit", "--resume", str(run)],
        cwd=tmp_path, capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert resumed.returncode == 0, resumed.stderr
    assert (run / "model.safetensors").stat().st_size > 60_000
