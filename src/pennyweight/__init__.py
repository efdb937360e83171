"""Pennyweight: a budgeted workshop for machine learning."""

__version__ = "0.1.0"
