"""Wrote `generation_1`, `generation_2` and `generation_3`, each with the code of the day.

A new format gets a folder of its own. Once a release has a format, its folder is never written
again; until then it follows the format.

python -m tests.golden.write_generation FOLDER
"""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from export.generation import FORMAT, Generation, GenerationContents, read, write
from tests.support.generation import CREATED, embed_user, tiny_contents

USERS = ("user-0", "user-1", "user-19")
ITEMS = ("audiobook-00", "podcast-07", "podcast-29")


def contents() -> GenerationContents:
    """Build the tiny generation, in which people only looked at the newest of their items."""
    return tiny_contents(newest_seen=False)


def answers(generation: Generation) -> dict[str, Any]:
    """Ask a generation for a bit of everything that it holds."""
    podcast = generation.manifest.item_types.index("podcast")
    return {
        "name": generation.name,
        "items": {each: _item(generation, each) for each in ITEMS},
        "users": {each: _user(generation, each) for each in USERS},
        "unknown": generation.item_ids.lookup(["audiobook-0", "", "user-0"]).tolist(),
        "podcasts": np.searchsorted(generation.item_type, (podcast, podcast + 1)).tolist(),
    } | _pairs(generation)


def _pairs(generation: Generation) -> dict[str, Any]:
    """Say what the first item speaks for, in formats that know it."""
    if generation.pairs is None:
        return {}
    own = slice(*generation.pairs.indptr[:2].tolist())
    weights = generation.pairs.weights[own].astype(float).round(6).tolist()
    return {"pairs": [generation.pairs.targets[own].tolist(), weights]}


def _item(generation: Generation, item_id: str) -> dict[str, Any]:
    row = int(generation.item_ids.lookup([item_id])[0])
    record = generation.record(row)
    lists = [generation.neighbours(row, slot) for slot in range(generation.manifest.num_slots)]
    return {
        "row": row,
        "title": record.title,
        "genres": list(record.genres),
        "creator": record.creator,
        "year": record.year,
        "neighbours": [[generation.item_ids.id(int(n)) for n in each.rows] for each in lists],
        "people": [each.users.tolist() for each in lists],
        "vector": [round(float(each), 6) for each in generation.item_vectors[row]],
    }


def _user(generation: Generation, user_id: str) -> dict[str, Any]:
    row = int(generation.user_ids.lookup([user_id])[0])
    history = generation.history(row)
    # Format 1 does not tell what was seen.
    told = {"seen": history.seen.tolist()} if generation.manifest.format > 1 else {}
    vector = embed_user(generation, row)
    best = np.argsort(-(generation.item_vectors @ vector), kind="stable")[:5]
    return (
        {
            "row": row,
            "features": generation.user_features[row].tolist(),
            "history": generation.item_ids.ids(history.rows),
            "vector": [round(float(each), 6) for each in vector],
            "nearest": generation.item_ids.ids(best),
        }
        | told
        | _ready(generation, row)
    )


def _ready(generation: Generation, user_row: int) -> dict[str, Any]:
    """Say what is kept ready for a user, in formats that do."""
    if generation.ready is None:
        return {}
    rows = generation.ready.rows[user_row]
    return {"ready": generation.item_ids.ids(rows[rows >= 0])}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    name = f"generation_{FORMAT}"
    shutil.rmtree(folder / name, ignore_errors=True)
    path = write(folder, contents(), created=CREATED)
    path.rename(folder / name)
    opened = read(folder / name, allow_test_featurizer=True)
    text = json.dumps(answers(opened), indent=1, ensure_ascii=False)
    (folder / f"{name}_answers.json").write_text(text + "\n", encoding="utf-8")
