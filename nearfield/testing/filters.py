"""The fake's filters: which items a request lets through, and what it asks for that nothing has."""

from collections.abc import Iterable

from nearfield.testing.refusals import invalid
from nearfield.testing.world import FakeItem, FakeWorld
from nearfield.v1 import recommendation_pb2, types_pb2

MAX_YEAR = 9999


def allowed(world: FakeWorld, asked: recommendation_pb2.ItemFilter) -> list[FakeItem]:
    """Give the items that pass, in the order of the catalogue.

    Raises:
        StatusError: the contract refuses the filter.
    """
    for unknown in set(asked.item_types).difference(world.item_types):
        expected = ", ".join(world.item_types)
        raise invalid("filter.item_types", f"expected one of {expected}, got {unknown!r}")
    if (
        asked.HasField("year_to")
        and asked.HasField("year_from")
        and asked.year_to < asked.year_from
    ):
        expected = f"expected {asked.year_from} to {MAX_YEAR}"
        raise invalid("filter.year_to", f"{expected}, got {asked.year_to}")
    return [item for item in world.items if _passes(item, asked)]


def unknown_values(
    world: FakeWorld, asked: recommendation_pb2.ItemFilter
) -> list[types_pb2.Warning]:
    """Warn of values that no item has."""
    genres = _folded(genre for item in world.items for genre in item.genres)
    there = {
        "languages": _folded(item.language for item in world.items),
        "genres": genres,
        "all_genres": genres,
        "creators": _folded(item.creator for item in world.items),
    }
    warnings = []
    for field, values in there.items():
        unknown = [each for each in getattr(asked, field) if _fold(each) not in values]
        if unknown:
            warnings.append(
                types_pb2.Warning(
                    code=types_pb2.WARNING_CODE_UNKNOWN_CATEGORY,
                    field=f"filter.{field}",
                    message="no item of the fake has it",
                    values=unknown[:20],
                )
            )
    return warnings


def _passes(item: FakeItem, asked: recommendation_pb2.ItemFilter) -> bool:
    genres = _folded(item.genres)
    return (
        (not asked.item_types or item.item_type in asked.item_types)
        and (not asked.include_item_ids or item.item_id in asked.include_item_ids)
        and item.item_id not in asked.exclude_item_ids
        and (not asked.languages or _fold(item.language) in _folded(asked.languages))
        and (not asked.genres or bool(genres & _folded(asked.genres)))
        and _folded(asked.all_genres) <= genres
        and (not asked.creators or _fold(item.creator) in _folded(asked.creators))
        and _of_years(item, asked)
    )


def _of_years(item: FakeItem, asked: recommendation_pb2.ItemFilter) -> bool:
    if not (asked.HasField("year_from") or asked.HasField("year_to")):
        return True
    first = asked.year_from if asked.HasField("year_from") else -MAX_YEAR
    last = asked.year_to if asked.HasField("year_to") else MAX_YEAR
    return item.year is not None and first <= item.year <= last


def _folded(values: Iterable[str]) -> set[str]:
    return {_fold(value) for value in values} - {""}


def _fold(value: str) -> str:
    return " ".join(value.lower().split())
