"""With the fault "race" both sides would be the same; without it they differ by the seed."""

from pennyweight.core.race import Contest, Side

CONTEST = Contest(
    claim="A higher learning rate is better (a toy's claim).",
    recipe="broken/line",
    idea=Side(name="high", settings={"fit.optimizer.lr": 0.02}),
    rival=Side(name="low", settings={"fit.optimizer.lr": 0.01}),
)
