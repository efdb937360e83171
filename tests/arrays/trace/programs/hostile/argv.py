"""Looks at its own name, its arguments and whether it is the main program."""

import argparse
import sys
from pathlib import Path

import numpy as np


def main(arguments=None):
    parser = argparse.ArgumentParser(prog=Path(sys.argv[0]).name)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("names", nargs="*")
    given = parser.parse_args(arguments)
    matrix = np.fromfunction(lambda i, j: 1 / (i + j + 1), (given.size, given.size)) * given.scale
    beside = {path.name for path in Path(__file__).parent.iterdir()}
    print(Path(__file__).name, Path(sys.argv[0]).name, len(sys.argv) - 1, given.names)
    print(f"trace {np.trace(matrix):.6f}, beside the script: {'chatty.py' in beside}")
    print(Path(sys.path[0]).resolve() == Path(__file__).resolve().parent, __name__, "__main__" in sys.modules)
    return 0


if __name__ == "__main__":
    sys.exit(main())
