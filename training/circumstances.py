"""What an evaluation was made with and what is behind its figures: evaluation.json, ranks.parquet.

Also the lines above its tables.
"""

import dataclasses
import json
import os
import platform
from collections.abc import Sequence

import numpy as np
import polars as pl
import torch

from tables.files import replace_text
from training.evaluate import Evaluation
from training.metrics import UNRANKED
from training.pipeline import Run

FILE = "evaluation.json"
RANKS = "ranks.parquet"


def write_circumstances(run: Run, models: Sequence[str], evaluation: Evaluation) -> None:
    """Write what was held out, from what, and by which seed and settings, beside metrics.json.

    `models` are the names on the command line. `machine` is what figures depend on beside the
    seed (docs/method.md). `dataset` is the hash of the data set's files and
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
        "machine": machine(),
    }
    replace_text(run.folder / FILE, json.dumps(content, indent=1, allow_nan=False) + "\n")


def machine() -> dict[str, str | int]:
    """Tell on what it is computed: with other threads or another torch the last digits differ."""
    return {
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count() or 1,
        "processor": platform.machine(),
        "torch": torch.__version__,
    }


def tell_circumstances(run: Run, evaluation: Evaluation) -> str:
    """Say the most of it in a few lines."""
    unseen = int((~evaluation.candidates.trained[evaluation.cases.target]).sum())
    apart = (
        f" The targets of {unseen:,} cases do not occur in training: they are measured apart, "
        "and are in no slice but those called unseen and all targets."
    )
    return (
        f"Hold-out: {run.split.rule}. Cases: {len(evaluation.cases):,}, of "
        f"{_users(evaluation):,} users.{apart if unseen else ''} Learned from "
        f"{len(run.split.train):,} interactions. Seed: {run.settings.seed}, "
        f"threads: {torch.get_num_threads()}; all settings are in {FILE}, the rank of every target "
        f"in {RANKS}."
    )


def write_ranks(run: Run, evaluation: Evaluation) -> None:
    """Write the rank of every target by every model, beside metrics.json.

    Columns: `user_id`, `item_id` (the target), `seen_in_training` (whether the target is), `scope`
    (see `training.ranking.Scope`), and one per model: 1 is best, null where the target is no
    candidate or barred.
    """
    cases, parts = evaluation.cases, []
    asked = pl.DataFrame(
        {
            "user_id": run.dataset.users["user_id"][cases.user_row],
            "item_id": run.dataset.items["item_id"][cases.target],
            "seen_in_training": evaluation.candidates.trained[cases.target],
        }
    )
    for scope in dict.fromkeys(part.scope for part in evaluation.slices):
        ranks = {name: pl.Series(each[scope].rank) for name, each in evaluation.rankings.items()}
        parts.append(
            asked.with_columns(
                pl.lit(str(scope)).alias("scope"),
                *(pl.when(rank != UNRANKED).then(rank).alias(name) for name, rank in ranks.items()),
            )
        )
    beside = run.folder / f"{RANKS}.partial"
    pl.concat(parts).write_parquet(beside)
    beside.replace(run.folder / RANKS)


def _users(evaluation: Evaluation) -> int:
    return len(np.unique(evaluation.cases.user_row))
