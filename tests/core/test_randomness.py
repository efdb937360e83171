"""Random states survive JSON, and putting them back repeats what was drawn."""

import json
import random

import numpy as np
import torch

from pennyweight.core import randomness


def _draws() -> list[float]:
    # Odd counts leave a Gaussian kept back inside Python's and NumPy's generators.
    return [
        *(random.gauss(0, 1) for _ in range(3)),
        *np.random.standard_normal(3).tolist(),
        *torch.randn(3).tolist(),
        random.random(),
    ]


def test_a_seed_decides_all_that_is_drawn() -> None:
    randomness.seed_all(3)
    one = _draws()
    randomness.seed_all(3)
    assert _draws() == one
    randomness.seed_all(4)
    assert _draws() != one


def test_a_state_that_went_through_json_repeats_the_draws() -> None:
    randomness.seed_all(0)
    _draws()
    state = json.loads(json.dumps(randomness.capture()))
    one = _draws()
    assert randomness.capture() != state
    randomness.restore(state)
    assert randomness.capture() == state
    assert _draws() == one
