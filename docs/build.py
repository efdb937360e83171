"""Make the method pages from the cards, so that a card is written once."""

from pathlib import Path

from pennyweight.core.registry import methods

FOLDER = Path(__file__).parent


def page(name: str) -> str:
    """A card as a page: its head as a table, then its body."""
    card = methods()[name].card()
    rows = "\n".join(f"| {key} | {value} |" for key, value in card.head.items() if key not in ("name", "title"))
    return f"# {card.head['title']}\n\n| | |\n|---|---|\n{rows}\n\n{card.body.strip()}\n"


if __name__ == "__main__":
    for name in methods():
        (FOLDER / f"{name}.md").write_text(page(name), encoding="utf-8")
