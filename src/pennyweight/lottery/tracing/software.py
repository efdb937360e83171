"""The software under an array program: versions, the BLAS and the kernel it chose, and what bends its speed."""

from pennyweight.core.machine import bending_variables
from pennyweight.lottery.weighing.microbench.on_numpy import software


def array_software() -> dict[str, str]:
    """What a page says about the libraries that a traced program ran on."""
    return {**software(), **bending_variables()}
