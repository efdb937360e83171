"""Which parts of an input a score comes from, and how far that may be trusted."""
