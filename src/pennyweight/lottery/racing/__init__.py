"""A method's idea against its rival: the plan, the trials, the verdict."""
