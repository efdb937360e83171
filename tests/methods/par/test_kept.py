"""Scores that ship with the program, and what prices make of them."""

from pennyweight.methods.par.search.kept import kept_scores
from pennyweight.methods.par.search.menu import LETTERS, Prices


def prices(attention: float) -> Prices:
    return Prices(quantity="train latency", unit="s", fixed=2.0, blocks={"a": attention, "f": 1.0, "i": 0.0})


def test_every_kind_is_scored_at_every_place() -> None:
    scores = kept_scores()
    named = {f"{letter} at {place}" for place, own in enumerate(scores.own) for letter in LETTERS if letter != own}
    assert scores.added.keys() == scores.errors.keys() == named
    assert all(error >= 0 for error in scores.errors.values())


def test_the_dearer_attention_is_the_fewer_of_it_stay_beside_feedforward() -> None:
    scores = kept_scores()
    found = [scores.cheapest(prices(attention), 0.7) for attention in (0.5, 1.0, 2.0, 4.0)]
    for attention, pattern in zip((0.5, 1.0, 2.0, 4.0), found, strict=True):
        own = prices(attention)
        assert own.of(pattern) <= 0.7 * (own.fixed + 6 * (attention + 1.0)) * (1 + 1e-9)
    shares = [one.count("attention") / max(1, one.count("feedforward")) for one in found]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > shares[-1]


def test_what_costs_as_much_as_the_model_itself_is_the_model_itself() -> None:
    assert kept_scores().cheapest(prices(1.0), 1.0).letters == "afafafafafaf"
