"""Tiny worlds whose right recommendations are known by construction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

FIRST_TIME = 1_700_000_000
STEP_S = 3_600
_COUNTRIES = ("DE", "FR", "IT")
_AGES = ("18-24", "25-34", "35-44")
_GENDERS = ("f", "m")


@dataclass(frozen=True)
class World:
    """A data set in the contract's shape, and what is right in it."""

    items: pl.DataFrame
    users: pl.DataFrame
    interactions: pl.DataFrame
    answers: dict[str, dict[str, frozenset[str]]]
    """Person -> item type -> the items of that type which belong at the top for this person,
    none of which the person has touched."""


def two_communities(
    *,
    people: int = 24,
    items_per_type: int = 12,
    item_types: Sequence[str] = ("book", "film"),
    withheld: int = 2,
    seed: int = 0,
) -> World:
    """Two halves that never meet: each person chooses all of their half's items but a few.

    Of every type a person leaves out `withheld` items of their half, drawn by the seed;
    those are the answers. Titles are drawn from the same words on both sides, so text tells
    nothing about the halves; every creator works in one half, across the types.

    Raises:
        ValueError: a half would hold fewer than two people, or no more items than withheld.
    """
    half = items_per_type // 2
    if people < 4 or half <= withheld or withheld < 1:
        raise ValueError(
            f"two_communities: expected at least 4 people and more than 2 * withheld items per "
            f"type, got {people} people, {items_per_type} items, {withheld} withheld"
        )
    rng = np.random.default_rng(seed)
    chosen: dict[str, dict[str, list[int]]] = {}
    answers: dict[str, dict[str, frozenset[str]]] = {}
    for person in range(people):
        own = np.arange(half) + (person % 2) * half
        left_out = {kind: rng.choice(own, withheld, replace=False) for kind in item_types}
        name = f"u{person:03d}"
        chosen[name] = {kind: np.setdiff1d(own, left_out[kind]).tolist() for kind in item_types}
        answers[name] = {
            kind: frozenset(f"{kind}-{i:03d}" for i in left_out[kind]) for kind in item_types
        }
    creators = [f"creator {i // half} {i % half // 2}" for i in range(2 * half)]
    return _world(item_types, creators, chosen, answers, rng)


def checkerboard(
    *, size: int = 16, item_types: Sequence[str] = ("book", "film"), seed: int = 0
) -> World:
    """Person u chooses every item i of u's own parity, of every type, but not item u itself.

    So the one item of a type that people like u chose and u did not is item u: the answer.
    Each item has its own creator.

    Raises:
        ValueError: `size` is below 6 or odd, so that the parities would differ.
    """
    if size < 6 or size % 2:
        raise ValueError(f"checkerboard: size: expected an even number from 6 on, got {size}")
    rng = np.random.default_rng(seed)
    chosen = {
        f"u{u:03d}": {
            kind: [i for i in range(size) if i % 2 == u % 2 and i != u] for kind in item_types
        }
        for u in range(size)
    }
    answers = {
        f"u{u:03d}": {kind: frozenset({f"{kind}-{u:03d}"}) for kind in item_types}
        for u in range(size)
    }
    return _world(item_types, [f"creator {i}" for i in range(size)], chosen, answers, rng)


def write_world(world: World, folder: Path) -> None:
    """Write a world as a data folder of the contract: three parquet files."""
    folder.mkdir(parents=True, exist_ok=True)
    world.items.write_parquet(folder / "items.parquet")
    world.users.write_parquet(folder / "users.parquet")
    world.interactions.write_parquet(folder / "interactions.parquet")


def _world(
    item_types: Sequence[str],
    creators: Sequence[str],
    chosen: dict[str, dict[str, list[int]]],
    answers: dict[str, dict[str, frozenset[str]]],
    rng: np.random.Generator,
) -> World:
    """Lay a world out as tables; `chosen` is person -> type -> numbers of items."""
    words = ("amber", "brook", "cedar", "delta", "ember", "fjord", "grove", "heath")
    items = pl.DataFrame(
        [
            {
                "item_id": f"{kind}-{number:03d}",
                "item_type": kind,
                "title": " ".join([*rng.choice(words, 3), f"{kind} {number}"]),
                "description": "",
                "language": "en",
                "genres": "|".join(rng.choice(words, 2, replace=False)),
                "creator": creator,
                "year": int(rng.integers(1950, 2020)),
            }
            for kind in item_types
            for number, creator in enumerate(creators)
        ]
    )
    users = pl.DataFrame(
        [
            {
                "user_id": name,
                "country": str(rng.choice(_COUNTRIES)),
                "age_bucket": str(rng.choice(_AGES)),
                "gender": str(rng.choice(_GENDERS)),
            }
            for name in chosen
        ]
    )
    return World(items, users, pl.DataFrame(list(_events(chosen, rng))), answers)


def _events(
    chosen: dict[str, dict[str, list[int]]], rng: np.random.Generator
) -> Iterator[dict[str, object]]:
    """Spread each person's choices over time, in an order of their own."""
    for offset, (name, kinds) in enumerate(chosen.items()):
        touched = [f"{kind}-{number:03d}" for kind, numbers in kinds.items() for number in numbers]
        for step, place in enumerate(rng.permutation(len(touched))):
            yield {
                "user_id": name,
                "item_id": touched[place],
                "timestamp": FIRST_TIME + step * STEP_S + offset,
                "signal": "stream",
                "weight": 1.0,
            }
