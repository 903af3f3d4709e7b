"""metrics.json of an evaluation -> what a generation says about the model it serves.

python -m export.metrics FILE     (only says whether it can be published, before long work)
"""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from export.errors import MetricsError
from export.generation.manifest import Metric

SERVED_MODEL = "nearfield"
"""The model in metrics.json that a generation serves."""

_TEXTS = ("model", "slice", "metric")
_NUMBERS = ("value", "users")
_ENDS = ("low", "high")  # of the interval; null where there is none


def read_metrics(path: Path) -> tuple[Metric, ...]:
    """Take the served model's lines of what `python -m training evaluate` wrote.

    The file does not tell which data and settings it was measured with: that they are those
    of the run is for whoever publishes to see to.

    Raises:
        MetricsError: no such file, not a list of measurements, or none of the served model.
    """
    try:
        lines = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MetricsError(path, "no such file") from None
    except (ValueError, RecursionError) as error:
        raise MetricsError(path, f"not readable as JSON: {error}") from error
    if not isinstance(lines, list):
        raise MetricsError(path, f"expected a list of measurements, got {str(lines)[:80]!r}")
    for line in lines:
        if not _is_measurement(line):
            raise MetricsError(
                path,
                f"expected {', '.join((*_TEXTS, *_NUMBERS, *_ENDS))} of a measurement, "
                f"got {str(line)[:200]!r}",
            )
    served = tuple(line for line in lines if line["model"] == SERVED_MODEL)
    if not served:
        models = sorted({line["model"] for line in lines})
        raise MetricsError(path, f"expected measurements of {SERVED_MODEL!r}, got {models}")
    return served


def main(arguments: Sequence[str] | None = None) -> int:
    """Check one file; 0 when it can be published, 1 with a message when not."""
    (path,) = sys.argv[1:] if arguments is None else arguments
    try:
        read_metrics(Path(path))
    except (MetricsError, OSError) as error:
        sys.stderr.write(f"export: {error}; evaluate anew, or move the file away\n")
        return 1
    return 0


def _is_measurement(line: object) -> bool:
    if not isinstance(line, dict) or set(line) != {*_TEXTS, *_NUMBERS, *_ENDS}:
        return False
    return (
        all(isinstance(line[name], str) for name in _TEXTS)
        and all(_is_number(line[name]) for name in _NUMBERS)
        and all(line[name] is None or _is_number(line[name]) for name in _ENDS)
    )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and type(value) is not bool and math.isfinite(value)


if __name__ == "__main__":
    sys.exit(main())
