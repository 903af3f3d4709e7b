"""Time and memory of each stage of building a generation."""
