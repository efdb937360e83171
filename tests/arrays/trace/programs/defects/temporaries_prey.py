"""Prey and predators on half a million independent plots of land, stepped through a few seasons."""

import numpy as np

PLOTS, STEPS, DT = 500_000, 25, 0.05
GROWTH, ROOM, HUNT, APPETITE = 1.1, 4.0, 0.8, 0.5
BIRTH, DEATH = 0.35, 0.25


def feed(predators, prey, scratch):
    """One explicit step of the predators, in place."""
    np.multiply(prey, BIRTH, out=scratch)
    scratch -= DEATH
    scratch *= DT
    scratch += 1.0
    predators *= scratch


def graze(prey, predators):
    """One explicit step of the prey, in place: logistic growth less a saturating hunt."""
    prey += DT * prey * (GROWTH * (1 - prey / ROOM) - HUNT * predators / (1 + APPETITE * prey))  # planted: temporaries


rng = np.random.default_rng(131)
prey = rng.random(PLOTS)
prey += 1.0
predators = rng.random(PLOTS)
predators *= 0.5
scratch = np.empty(PLOTS)
for _ in range(STEPS):
    graze(prey, predators)
    feed(predators, prey, scratch)
print(f"prey {prey.mean():.6f} ± {prey.std():.6f} predators {predators.mean():.6f} ± {predators.std():.6f}")
