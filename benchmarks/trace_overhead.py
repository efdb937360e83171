"""What tracing costs for each operation: small programs of one kind of operation, run plainly and traced, in turns.

The arrays are small, so that what is left of a traced operation's time after the plain one's is the recorder's. The
program measures itself, in loops of 2,000; the median of its loops is one reading, and each turn is a process of its
own for each side. Kept in ``benchmarks/results/trace_overhead.json``. Run it on an otherwise idle machine.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from pennyweight.arrays.statistics import median
from pennyweight.core.machine import BusyWatch, this_machine

LIMIT_US = 5.0
KINDS = {
    "operator": "x * y",
    "operator with a number": "x + 1.5",
    "ufunc": "np.add(x, y)",
    "in place": "x.__iadd__(y)",
    "element read": "x[3]",
    "slice": "x[2:6]",
    "element assigned": "x.__setitem__(3, 1.0)",
    "method": "x.sum()",
    "function": "np.concatenate((x, y))",
    "function with keywords": "np.sum(m, axis=0, keepdims=True)",
    "creation": "np.zeros(8)",
    "matrix product": "m @ m",
}
_LOOPS, _ROUNDS, _WARM = 9, 2000, 2
PROGRAM = """
import json, sys
from time import perf_counter_ns
import numpy as np

x, y, m = np.ones(8), np.ones(8), np.eye(4)

def loop():
    start = perf_counter_ns()
    for _ in range({rounds}):
        {statement}
    return (perf_counter_ns() - start) / {rounds} / 1000

times = [loop() for _ in range({loops})][{warm}:]
print(json.dumps(sorted(times)[len(times) // 2]))
"""
TRACED = """
import sys
from pennyweight.arrays.trace.session import run_script

session = run_script(sys.argv[1], [])
assert len(session.tape.entries) >= {entries}, len(session.tape.entries)
"""


def reading(statement: str, folder: Path, *, traced: bool) -> float:
    """Microseconds of one operation, loop and all."""
    program = folder / "program.py"
    program.write_text(PROGRAM.format(statement=statement, rounds=_ROUNDS, loops=_LOOPS, warm=_WARM))
    way = ["-c", TRACED.format(entries=_LOOPS * _ROUNDS), str(program)] if traced else [str(program)]
    done = subprocess.run([sys.executable, *way], stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def measure(repeats: int) -> dict[str, dict[str, object]]:
    rows: dict[str, dict[str, object]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind, statement in KINDS.items():
            pairs = []
            for number in range(repeats):
                order = (False, True) if number % 2 else (True, False)
                taken = {traced: reading(statement, Path(folder), traced=traced) for traced in order}
                pairs.append((taken[False], taken[True]))
            added = median([traced - plain for plain, traced in pairs])
            rows[kind] = {
                "statement": statement,
                "plain_us": median([plain for plain, _ in pairs]).value,
                "added_us": added._asdict(),
            }
            interval = f"({added.low:.2f}..{added.high:.2f})"
            print(f"  {kind:24} {rows[kind]['plain_us']:7.2f} us, traced +{added.value:.2f} {interval}")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    watch = BusyWatch()
    rows = measure(parser.parse_args().repeats)
    document = {"machine": asdict(this_machine()), "limit_us": LIMIT_US, "others_share": watch.share(), "rows": rows}
    path = Path(__file__).parent / "results" / "trace_overhead.json"
    path.write_text(json.dumps(document, indent=1) + "\n")
    print(f"others took {document['others_share']:.0%} of the machine; asked for: at most {LIMIT_US:g} us")


if __name__ == "__main__":
    main()
