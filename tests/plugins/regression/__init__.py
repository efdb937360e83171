"""Regression with dropout and batch normalisation."""
