"""What whoever publishes may choose, where nobody does; here, so that `--help` loads no index."""

APPROXIMATE_FROM = 20_000
"""Rows from which the approximate index is built: below, exact search takes under a
millisecond for a query, and nothing has to be built, saved or missed (ADR 0004)."""

LISTED = 128
"""Items kept ready for each user: 1 kB, and longer than most answers."""
