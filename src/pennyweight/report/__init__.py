"""Pages made from runs and races."""
