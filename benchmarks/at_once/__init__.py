"""How many rows a network had better compute at once."""
