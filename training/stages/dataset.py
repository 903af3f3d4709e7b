"""Read, check and order the data set."""

import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from tables.dataset import save_dataset
from tables.folder import read_dataset


def write_dataset(
    folder: Path, data: Path, *, strict: bool, as_of: int | None, seed: int
) -> dict[str, Any]:
    """Write what can be used of the tables in `data`, and the rows that cannot.

    Raises:
        DataError: it cannot be used, or `strict` refuses it.
    """
    dataset = read_dataset(
        data, strict=strict, as_of=as_of, rejected_path=folder / "rejected.parquet", seed=seed
    )
    save_dataset(dataset, folder)
    # Standard output is for what a command was asked for.
    tqdm.write(dataset.problems.summary(), file=sys.stderr)
    if dataset.problems.total:
        told = "problems.json and rejected.parquet of the stage have all of them"
        tqdm.write(told, file=sys.stderr)
    return {"items": len(dataset.items), "interactions": len(dataset.interactions)}
