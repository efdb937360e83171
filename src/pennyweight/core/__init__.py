"""The engine: budgets, stacks, the training loop, runs and receipts. It knows nothing about any method."""
