"""Attributions beside models whose true attributions are known."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.explain.faithfulness import SHARES, faithfulness
from pennyweight.explain.gradients import gradient_times_input, integrated_gradients
from pennyweight.explain.occlusion import counterfactual, leave_one_out


def a_bag(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Embeddings, a baseline and directions: the score of a bag of words is the sum of products."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in ((3, 7, 5), (5,), (5,)))


@given(st.integers(0, 1000))
def test_a_bag_of_words_is_explained_exactly_by_all_that_claim_to_be_complete(seed: int) -> None:
    embeddings, baseline, direction = a_bag(seed)

    def score(x: torch.Tensor) -> torch.Tensor:
        return (x @ direction).sum(1)

    known = ((embeddings - baseline) @ direction).numpy()
    for steps in (1, 4, 16):
        found, gap = integrated_gradients(score, embeddings, baseline, steps=steps)
        np.testing.assert_allclose(found.numpy(), known, atol=1e-6)
        np.testing.assert_allclose(gap.numpy(), 0, atol=1e-6)
    np.testing.assert_allclose(gradient_times_input(score, embeddings, baseline).numpy(), known, atol=1e-6)

    def erased(masks: np.ndarray) -> np.ndarray:
        rows = torch.where(torch.from_numpy(masks)[..., None], baseline, embeddings[:1])
        return score(rows).numpy()

    np.testing.assert_allclose(leave_one_out(erased, 7), known[0], atol=1e-6)


def test_the_gap_of_integrated_gradients_is_what_is_missing_and_shrinks() -> None:
    embeddings, baseline, direction = a_bag(1)

    def score(x: torch.Tensor) -> torch.Tensor:
        return torch.tanh((x @ direction).sum(1)) + (x**2).sum((1, 2)) * 0.1

    gaps = []
    for steps in (2, 8, 32):
        found, gap = integrated_gradients(score, embeddings, baseline, steps=steps)
        above = score(embeddings) - score(baseline.expand_as(embeddings))
        np.testing.assert_allclose((found.sum(1) - above).numpy(), gap.numpy(), atol=1e-9)
        gaps.append(float(gap.abs().max()))
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 1e-3


def a_rule(weights: np.ndarray, threshold: float):
    def erased(masks: np.ndarray) -> np.ndarray:
        return (~masks @ weights) - threshold

    return erased


@given(st.lists(st.integers(0, 9), min_size=1, max_size=9), st.integers(1, 20))
def test_a_counterfactual_turns_the_score_and_needs_all_its_units(weights: list[int], threshold: int) -> None:
    values = np.array(weights, float)
    erased = a_rule(values, threshold)
    order = np.argsort(-values, kind="stable").tolist()
    found = counterfactual(erased, order, len(values))
    if values.sum() < threshold:
        assert found is not None
        assert found.units == ()
        return
    assert found is not None, "without everything the score is below the threshold"

    def without(units: tuple[int, ...]) -> float:
        mask = np.zeros((1, len(values)), bool)
        mask[0, list(units)] = True
        return float(erased(mask)[0])

    assert without(found.units) == found.score < 0
    for unit in found.units:
        assert without(tuple(other for other in found.units if other != unit)) >= 0
    fewest = next(
        size
        for size in range(len(values) + 1)
        for units in combinations(range(len(values)), size)
        if without(units) < 0
    )
    assert len(found.units) == fewest, "for a sum the greedy order is the best"


def test_what_cannot_be_turned_is_said() -> None:
    assert counterfactual(a_rule(np.ones(5), -1.0), range(5), 5) is None
    assert counterfactual(a_rule(np.ones(5), 1.0), range(5), 5, most=2) is None


def test_a_true_attribution_is_faithful_a_reversed_one_is_worse_than_chance() -> None:
    generator = np.random.default_rng(0)
    weights = generator.exponential(1.0, 40)
    erased = a_rule(weights, 0.0)
    true, reverse = faithfulness(erased, weights), faithfulness(erased, -weights)
    assert true.comprehensiveness > 1.5 * true.random_comprehensiveness
    assert true.sufficiency < true.random_sufficiency
    assert reverse.comprehensiveness < 0.5 * reverse.random_comprehensiveness
    assert reverse.random_comprehensiveness == true.random_comprehensiveness, "beside the same chance"
    order = np.argsort(-weights)
    for share, falls, keeps in zip(SHARES, true.falls, true.keeps, strict=True):
        first = order[: max(1, round(share * 40))]
        assert falls == pytest.approx(weights[first].sum())
        assert keeps == pytest.approx(weights.sum() - weights[first].sum())
    with pytest.raises(ValueError, match="two or more"):
        faithfulness(erased, weights[:1])
