"""Who calls, what they may, how much of it, and that nobody else hears it."""
