"""Small benchmarks of a stack: what they run on each library, and how a child process times them."""
