"""Which block stands where: the pattern that keeps the quality under a budget of latency, memory or parameters."""
