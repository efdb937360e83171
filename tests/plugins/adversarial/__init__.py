"""A generator and a critic with turns and optimisers of their own."""
