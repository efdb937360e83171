"""Methods are found by name without importing torch, and what is missing is said."""

import subprocess
import sys

import pytest

from pennyweight.core import registry
from pennyweight.core.errors import UserError
from tests.toys import ADVERSARIAL, ENCODER_DECODER, REPOSITORY

_LIGHT = ("budget", "schedule", "recipe", "registry", "errors", "files", "run", "receipt", "race", "stack", "machine")


def test_what_a_command_needs_before_it_works_imports_no_torch() -> None:
    code = (
        f"import sys, importlib; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        f"for name in {_LIGHT}: importlib.import_module('pennyweight.core.' + name)\n"
        "from pennyweight.core import registry\n"
        "for method in registry.methods().values(): [method.summary(r) for r in method.recipe_names()]\n"
        "method = registry.register('reversal', 'tests.plugins.reversal')\n"
        "method.recipe('digits'); method.card(); method.contest()\n"
        "sys.exit(', '.join(sorted(m for m in sys.modules if m.split('.')[0] in ('torch', 'jax'))) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("plugins")
def test_a_recipe_is_found_by_its_name_or_by_its_method() -> None:
    assert registry.find_recipe("adversarial") == (ADVERSARIAL, "line")
    assert registry.find_recipe("adversarial/noisy") == (ADVERSARIAL, "noisy")
    assert registry.find_method("reversal") == ENCODER_DECODER
    assert ENCODER_DECODER.recipe_names() == ["digits", "long"]
    assert ADVERSARIAL.recipe_names() == ["line", "noisy"]
    assert ADVERSARIAL.summary("line") == "Points around two centres: seconds on one core."


@pytest.mark.usefixtures("plugins")
@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("adversarail/line", "did you mean adversarial/line?"),
        ("adversarial/lines", "did you mean adversarial/line?"),
        ("reversal/digits/x", "reversal/digits"),
        ("", "known: "),
        ("/digits", "digits"),
    ],
)
def test_an_unknown_recipe_is_refused_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(UserError, match="unknown recipe") as caught:
        registry.find_recipe(name)
    assert hint in str(caught.value)


@pytest.mark.usefixtures("plugins")
def test_an_unknown_method_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match="did you mean reversal"):
        registry.find_method("reversals")


def test_the_toys_are_gone_after_a_test() -> None:
    assert "reversal" not in registry.methods()


def test_the_cards_of_the_toys_are_complete() -> None:
    for toy in (ENCODER_DECODER, ADVERSARIAL):
        assert toy.card().missing() == []
        assert toy.card().head["name"] == toy.name


def test_a_card_says_what_it_lacks() -> None:
    empty = registry.Card(head={}, body="")
    assert empty.missing() == [*registry.CARD_KEYS, *registry.CARD_SECTIONS]
    card = ENCODER_DECODER.card()
    assert registry.Card(head={**card.head, "paper": ""}, body=card.body.replace("## What it is", "")).missing() == [
        "paper",
        "What it is",
    ]
