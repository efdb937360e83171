"""Families of operations: what is counted, measured and priced together."""

from typing import Literal, get_args

Family = Literal[
    "elementwise",  # +, -, *, /, sqrt, comparisons, where: bound by memory almost everywhere
    "transcendental",  # exp, log, sin, tanh, power: bound by the vector units
    "reduction",  # sum, max, argmax, mean along axes
    "scan",  # cumsum and its kind
    "contraction",  # matrix products, einsum, convolution
    "linalg",  # factorisations and solutions
    "fft",
    "sort",  # sort, argsort, partition, unique, searchsorted
    "gather",  # reading at computed places
    "scatter",  # writing to computed places
    "copy",  # moving or converting without computing: astype, concatenate, a reshape that copies
    "creation",  # zeros, arange, random numbers
    "view",  # no data is touched
    "other",
]
Kind = Literal["view", "copy", "new", "in place", "number", "source", "pull", "escape"]
"""What became of memory. ``number``: a NumPy scalar; ``pull``: Python took a value; ``escape``: another library did."""

FAMILIES: tuple[Family, ...] = get_args(Family)
