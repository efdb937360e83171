"""Advice that was tried: another way of computing the same, shown only with its measured time, bytes and error."""
