"""What `python -m tables check` says of a data folder."""

import sys
from pathlib import Path

from tables.checked import check_tables, refuse_nothing_left
from tables.errors import TableError


def report_on(folder: Path, *, strict: bool) -> int:
    """Print the summary of a data folder; 0 if it can be used, else 1 and why on standard error."""
    try:
        tables = check_tables(folder, strict=strict)
        refuse_nothing_left(tables.items.sound, tables.interactions.sound, tables.problems)
    except (TableError, OSError) as error:
        sys.stderr.write(f"tables: {error}\n")
        return 1
    sys.stdout.write(f"{tables.problems.summary()}\n")
    return 0
