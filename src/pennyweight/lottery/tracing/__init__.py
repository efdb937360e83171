"""A traced program run, looked at and put into words; rewrites that were tried."""
