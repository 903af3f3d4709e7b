"""Remembers which generation came of which run, so that an unchanged run is not exported again."""

import hashlib
import json
from pathlib import Path

from export.run import STAGE_RECORD, STAGES
from export.settings import PublishSettings
from graph.source import code_version

RECORD_FILE = ".published.json"
CODE = ("export.publish",)
"""The module that decides what a run becomes."""


def hash_run(run: Path, settings: PublishSettings) -> str:
    """Hash everything that decides which generation a finished run becomes.

    What a stage holds follows from its record, which names the stage's own inputs by hash.
    """
    digest = hashlib.sha256()
    for text in (code_version(CODE), str(settings.approximate_from), str(settings.listed)):
        digest.update(text.encode() + b"\0")
    digest.update(json.dumps(settings.metrics, sort_keys=True).encode() + b"\0")
    for path in (run / stage / STAGE_RECORD for stage in STAGES):
        digest.update(path.name.encode() + b"\0")
        if path.is_file():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def find_published(out: Path, inputs: str) -> str | None:
    """Return the name of the generation that these inputs became last, if any."""
    try:
        record = json.loads((out / RECORD_FILE).read_text(encoding="utf-8"))
        name = record["generation"] if record["inputs"] == inputs else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no record or a damaged one: the run is exported again
    return name if isinstance(name, str) else None


def record_published(out: Path, inputs: str, name: str) -> None:
    """Note that these inputs became this generation."""
    partial = out / f"{RECORD_FILE}.partial"
    partial.write_text(json.dumps({"inputs": inputs, "generation": name}) + "\n", encoding="utf-8")
    partial.replace(out / RECORD_FILE)
