"""Races and what they say: ideas against rivals, measured fairly."""
