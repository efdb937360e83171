"""A lottery held: rivals on every stack, the board of their ranks, and what decides it."""
