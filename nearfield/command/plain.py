"""From results to what JSON can say."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import numpy as np


def plain(value: object) -> Any:  # noqa: ANN401  whatever JSON can say
    """Write a result with its fields' own names; enums by name in lower case, times by ISO 8601."""
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    match value:
        case Enum():
            return value.name.lower()
        case np.ndarray():
            return value.tolist()
        case datetime():
            return value.isoformat()
        case Mapping():
            return {str(key): plain(each) for key, each in value.items()}
        case str():
            return value
        case Sequence():
            return [plain(each) for each in value]
    return value


def flat(document: Mapping[str, Any], within: str = "") -> dict[str, str]:
    """Write a document as one level of names with dots."""
    found: dict[str, str] = {}
    for key, value in document.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{within}{key}.")
        else:
            found[within + key] = "" if value is None else str(value)
    return found
