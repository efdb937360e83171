"""A decoder that looks at its encoder against one that cannot."""

from pennyweight.core.race import Contest, Side

CONTEST = Contest(
    claim="A decoder that attends to its encoder can reverse a sequence, one that does not cannot (a toy's claim).",
    recipe="reversal/digits",
    idea=Side(name="with cross-attention", settings={"crossed": True}),
    rival=Side(name="without", settings={"crossed": False}),
    factors=(0.5, 1.0),
)
