"""Make pages from what the code says of itself: methods from their cards, array functions from their declarations,
devices from the catalogue.
"""

from pathlib import Path

import arrays_page
import catalogue_page

from pennyweight.arrays.namespace import declared
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
    (FOLDER / "arrays.md").write_text(arrays_page.page(declared()), encoding="utf-8")
    (FOLDER / "catalogue.md").write_text(catalogue_page.page(), encoding="utf-8")
