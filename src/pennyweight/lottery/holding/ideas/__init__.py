"""Rivals of the lottery: the ideas of one layer in each library's own words, and users' array functions."""
