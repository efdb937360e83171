"""What an array program costs and why: one tape record an operation, from NumPy or from torch."""
