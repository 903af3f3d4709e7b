"""What an evaluation was made with: evaluation.json, and the line above its tables."""

import dataclasses
import json
from collections.abc import Sequence

import numpy as np

from graph.files import replace_text
from training.evaluate import Evaluation
from training.pipeline import Run

FILE = "evaluation.json"


def write_circumstances(run: Run, models: Sequence[str], evaluation: Evaluation) -> None:
    """Write what was held out, from what, and by which seed and settings, beside metrics.json.

    `models` are the names on the command line. `dataset` is the hash of the data set's files and
    of how they were read: equal hashes mean the same rows.
    """
    content = {
        "data": run.inputs.data.resolve().name,
        "dataset": run.stage_hash("dataset"),
        "as_of": run.inputs.as_of,
        "hold_out": run.split.rule,
        "cases": len(evaluation.cases),
        "users": _users(evaluation),
        "learned_from": len(run.split.train),
        "models": list(models),
        "seed": run.settings.seed,
        "replicates": evaluation.settings.replicates,
        "settings": dataclasses.asdict(run.settings),
    }
    replace_text(run.folder / FILE, json.dumps(content, indent=1, allow_nan=False) + "\n")


def tell_circumstances(run: Run, evaluation: Evaluation) -> str:
    """Say the most of it in a line."""
    return (
        f"Hold-out: {run.split.rule}. Cases: {len(evaluation.cases):,}, of "
        f"{_users(evaluation):,} users. Learned from {len(run.split.train):,} interactions. "
        f"Seed: {run.settings.seed}; all settings are in {FILE}."
    )


def _users(evaluation: Evaluation) -> int:
    return len(np.unique(evaluation.cases.user_row))
