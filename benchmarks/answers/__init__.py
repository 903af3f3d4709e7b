"""How long a recommendation takes inside the process."""
