"""What things cost on this machine: micro-benchmarks in rounds, cost tables, predictions from them."""
