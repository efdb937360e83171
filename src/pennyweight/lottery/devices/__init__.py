"""The catalogue of devices, each figure with its sources."""
