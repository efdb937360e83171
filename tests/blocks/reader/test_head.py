"""The head beside brute force, and what its answers must not depend on."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pennyweight.blocks.reader.head import NEVER, NO, NONE, YES, AnswerHead, Logits, answer_nats, best_spans


def some_logits(seed: int, *, batch: int = 3, time: int = 17, ties: bool = False) -> Logits:
    generator = torch.Generator().manual_seed(seed)
    begins, ends = torch.randn(2, batch, time, generator=generator, dtype=torch.float64) * 3
    if ties:
        begins, ends = begins.round(), ends.round()
    start = torch.randint(0, time, (batch,), generator=generator)
    stop = torch.randint(0, time + 1, (batch,), generator=generator)
    places = torch.arange(time)
    outside = (places < start[:, None]) | (places >= stop[:, None])
    return Logits(
        begins=begins.masked_fill(outside, NEVER),
        ends=ends.masked_fill(outside, NEVER),
        others=torch.randn(batch, 3, generator=generator, dtype=torch.float64),
    )


def every_span(logits: Logits, row: int, longest: int) -> list[tuple[float, int, int]]:
    time = logits.begins.shape[1]
    return [
        (float(logits.begins[row, first] + logits.ends[row, last]), first, last)
        for first in range(time)
        for last in range(first, min(time, first + longest))
    ]


@given(st.integers(0, 10_000), st.integers(1, 20), st.booleans())
def test_the_best_span_is_that_of_brute_force(seed: int, longest: int, ties: bool) -> None:
    logits = some_logits(seed, ties=ties)
    best = best_spans(logits, longest=longest)
    for row in range(3):
        expected = max(every_span(logits, row, longest), key=lambda span: (span[0], -span[1], -span[2]))
        if expected[0] < NEVER / 2:
            assert best.logit[row] < NEVER / 2
            continue
        assert (float(best.logit[row]), int(best.first[row]), int(best.last[row])) == expected
        assert float(best.margin[row]) == pytest.approx(expected[0] - float(logits.others[row, NONE]))


@given(st.integers(0, 10_000), st.integers(1, 20))
def test_all_answers_share_one_softmax(seed: int, longest: int) -> None:
    logits = some_logits(seed)
    total = logits.total(longest)
    for row in range(3):
        values = [value for value, _, _ in every_span(logits, row, longest)] + logits.others[row].tolist()
        assert float(total[row]) == pytest.approx(math.log(sum(math.exp(value) for value in values)))


@given(st.integers(0, 10_000))
def test_the_loss_is_that_of_all_right_answers_together(seed: int) -> None:
    logits = some_logits(seed, batch=4)
    spans = torch.tensor([[[3, 5], [3, 4]], [[2, 2], [-1, -1]], [[0, 16], [-1, -1]], [[-1, -1], [-1, -1]]])
    other = torch.tensor([-1, -1, -1, YES])
    nats = answer_nats(logits, right=spans, other=other, longest=8)
    for row in range(4):
        every = {(first, last): value for value, first, last in every_span(logits, row, 8)}
        total = math.log(sum(map(math.exp, every.values())) + sum(map(math.exp, logits.others[row].tolist())))
        if row == 3:
            right = float(logits.others[row, YES])
        else:
            pairs = [(3, 5), (3, 4)] if row == 0 else [(2, 2)] if row == 1 else [(0, 7)]
            values = [every[pair] for pair in pairs]
            if max(values) < NEVER / 2:
                assert nats[row] > -NEVER / 2
                continue
            right = math.log(sum(map(math.exp, values)))
        assert float(nats[row]) == pytest.approx(total - right)


def test_a_head_learns_spans_yes_no_and_none() -> None:
    torch.manual_seed(0)
    head = AnswerHead(8)
    states = torch.randn(6, 10, 8)
    inside = torch.ones(6, 10, dtype=torch.bool)
    inside[:, :3] = False
    right = torch.tensor([[[4, 6]], [[9, 9]], [[3, 3]], [[-1, -1]], [[-1, -1]], [[-1, -1]]])
    other = torch.tensor([-1, -1, -1, YES, NO, NONE])
    optimizer = torch.optim.Adam(head.parameters(), lr=0.1)
    for _ in range(200):
        loss = answer_nats(head(states, inside), right=right, other=other, longest=5).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.05
    logits = head(states, inside)
    best = best_spans(logits, longest=5)
    assert list(zip(best.first.tolist(), best.last.tolist(), strict=True))[:3] == [(4, 6), (9, 9), (3, 3)]
    assert (best.margin[:3] > 0).all()
    assert logits.others[3:].argmax(1).tolist() == [YES, NO, NONE]
    assert (best.margin[5:] < 0).all()


def test_gradients_are_finite_where_there_is_no_passage() -> None:
    head = AnswerHead(8)
    states = torch.randn(2, 5, 8, requires_grad=True)
    logits = head(states, torch.zeros(2, 5, dtype=torch.bool))
    answer_nats(logits, right=torch.full((2, 1, 2), -1), other=torch.tensor([NONE, NONE]), longest=3).sum().backward()
    assert states.grad is not None
    assert torch.isfinite(states.grad).all()
