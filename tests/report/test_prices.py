"""The section about the price of attention."""

from pennyweight.core.cost import Rate
from pennyweight.methods.par.search.kept import kept_scores
from pennyweight.report.prices import Priced, price_sentence, prices_section


def row(stack: str, length: int, attention: float, feedforward: float, pattern: str) -> Priced:
    def rate(value: float) -> Rate:
        return Rate(value=value, low=0.9 * value, high=1.1 * value)

    return Priced(
        stack=stack,
        length=length,
        attention=rate(attention),
        feedforward=rate(feedforward),
        fixed=rate(0.01),
        pattern=pattern,
    )


ROWS = [
    row("cpu/torch/bf16/2t", 128, 2e-3, 1e-3, "affi"),
    row("cpu/torch/bf16/2t", 2048, 5e-3, 1e-3, "afff"),
    row("cpu/torch/fp32/2t", 128, 1.9e-3, 2e-3, "aaii"),
    row("cpu/torch/fp32/2t", 2048, 4e-3, 2e-3, "aafi"),
]


def test_the_sentence_names_both_ends_with_what_follows() -> None:
    sentence = price_sentence(ROWS)
    assert "0.95 feed-forward blocks on cpu/torch/fp32/2t at 128 tokens" in sentence
    assert "5.0 on cpu/torch/bf16/2t at 2,048" in sentence
    assert sentence.endswith("the first leads to aaii, the second to afff")


def test_the_section_has_every_price_and_says_where_scores_come_from() -> None:
    html = prices_section(ROWS, kept_scores(), 0.7, anchor="prices").html
    for one in ROWS:
        assert one.pattern in html
    assert html.count("<svg") == 2
    assert kept_scores().data in html
    assert "70" in html
