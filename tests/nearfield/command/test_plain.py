from datetime import UTC, datetime

import numpy as np

from nearfield import Provenance
from nearfield.command.plain import flat, plain
from nearfield.results import ExplanationPath


def test_results_become_what_json_can_say() -> None:
    path = ExplanationPath("a", "A", "creator", 0, 0.5)

    assert plain({"path": path, "kind": Provenance.TEXT_ONLY, "none": None}) == {
        "path": {
            "history_item_id": "a",
            "history_item_title": "A",
            "relation": "creator",
            "users": 0,
            "weight": 0.5,
        },
        "kind": "text_only",
        "none": None,
    }
    assert plain((np.array([0.5, 1.0], np.float32), "text", True)) == [[0.5, 1.0], "text", True]
    assert plain(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00+00:00"


def test_documents_are_flattened_to_names_with_dots() -> None:
    assert flat({"a": {"b": {"c": 1}, "d": None}, "e": "x"}) == {
        "a.b.c": "1",
        "a.d": "",
        "e": "x",
    }
