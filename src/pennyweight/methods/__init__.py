"""One folder a work, all alike; a method never imports another."""
