"""The server beside its limits: `python -m benchmarks.serving`."""
