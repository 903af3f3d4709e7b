"""Ways to serve that were chosen between, side by side."""
