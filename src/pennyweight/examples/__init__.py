"""Programs that verbs run when they are given none: real algorithms on real data, written as people write them."""
