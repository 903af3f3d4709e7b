"""What the server bears, and for how long: `python -m benchmarks.endurance`."""
