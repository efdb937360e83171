"""Tests of the array programs."""
