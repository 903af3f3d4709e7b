"""The command `python -m nearfield`: ask a server from a shell, as tables or as JSON."""
