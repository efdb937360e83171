"""A generator that moves in every second step against one that moves in every step."""

from pennyweight.core.race import Contest, Side

CONTEST = Contest(
    claim="A critic with two steps to the generator's one guides it better (a toy's claim).",
    recipe="adversarial/line",
    idea=Side(name="two to one", settings={"generator_every": 2}),
    rival=Side(name="one to one", settings={"generator_every": 1}),
    factors=(0.5, 1.0),
)
