"""What the fields of a request cost, and what diversity trades."""
