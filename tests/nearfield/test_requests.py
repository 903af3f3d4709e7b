from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from typing import cast

import pytest

from nearfield import (
    ArgumentError,
    Event,
    ItemFilter,
    NewItem,
    RecommendQuery,
    SimilarQuery,
    TypeQuota,
    User,
    VectorDtype,
    requests,
)
from nearfield.v1 import recommendation_pb2, types_pb2


def names(kind: type) -> set[str]:
    return {each.name for each in fields(kind)}


def test_no_field_of_a_request_is_left_out() -> None:
    recommend = set(recommendation_pb2.RecommendRequest.DESCRIPTOR.fields_by_name)
    similar = set(recommendation_pb2.FindSimilarItemsRequest.DESCRIPTOR.fields_by_name)
    options = set(recommendation_pb2.HitOptions.DESCRIPTOR.fields_by_name)
    assert options <= recommend & similar  # in the older form, which older servers read too
    recommend, similar = recommend - {"hit_options"}, similar - {"hit_options"}
    ours = {"filter": "items", "explain": "explained", "include_titles": "titled"}

    filters = set(recommendation_pb2.ItemFilter.DESCRIPTOR.fields_by_name)
    ours |= {"include_item_ids": "include", "exclude_item_ids": "exclude"}

    assert names(ItemFilter) == {ours.get(each, each) for each in filters}
    assert names(TypeQuota) == set(recommendation_pb2.TypeQuota.DESCRIPTOR.fields_by_name)
    assert names(NewItem) == set(types_pb2.NewItem.DESCRIPTOR.fields_by_name)
    assert names(Event) == set(types_pb2.HistoryEvent.DESCRIPTOR.fields_by_name)
    assert names(User) == {"user_id", "history"} | set(
        types_pb2.Demographics.DESCRIPTOR.fields_by_name
    )
    assert names(RecommendQuery) == {ours.get(each, each) for each in recommend - {"request_id"}}
    assert names(SimilarQuery) == {"query"} | {
        ours.get(each, each) for each in similar - {"request_id", "item_id", "new_item", "vector"}
    }


def test_k_that_is_not_given_is_not_sent() -> None:
    assert not requests.recommend(RecommendQuery("u"), "").HasField("k")
    assert requests.recommend(RecommendQuery("u", k=0), "").k == 0
    assert requests.recommend(RecommendQuery("u", k=0), "").HasField("k")


def test_every_field_of_a_request_is_written() -> None:
    """What is not given is not there on the wire, and what is given is there as it is."""
    arranged: dict[str, object] = {
        "diversity": 0.5,
        "exploration": 2.0,
        "seed": 0,
        "page_size": 3,
        "page_token": "t",
    }
    items = ItemFilter(["a"], ["b"], ["c"], ["d"], ["e"], ["f"], ["g"], 0, 1)
    quotas = [TypeQuota("a", 1), TypeQuota("b", max=0)]
    for message in (
        requests.recommend(RecommendQuery("u", items=items, quotas=quotas, **arranged), ""),  # type: ignore[arg-type]  # the names and values belong together
        requests.find_similar(SimilarQuery("i", items=items, quotas=quotas, **arranged), ""),  # type: ignore[arg-type]  # as above
    ):
        assert {name: getattr(message, name) for name in arranged} == arranged
        assert message.HasField("seed")
        assert [(each.item_type, each.min, each.HasField("max")) for each in message.quotas] == [
            ("a", 1, False),
            ("b", 0, True),
        ]
        assert len(message.filter.ListFields()) == len(names(ItemFilter))
    plain = requests.recommend(RecommendQuery("u"), "")
    assert not plain.HasField("seed")
    assert not plain.filter.HasField("year_from")


def test_seen_items_are_dropped_unless_said_otherwise() -> None:
    assert requests.recommend(RecommendQuery("u"), "").drop_seen
    kept = requests.recommend(RecommendQuery("u", drop_seen=False), "")
    assert kept.HasField("drop_seen")
    assert not kept.drop_seen


def test_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ArgumentError, match="time: expected a datetime with a time zone"):
        Event("a", time=datetime(2026, 1, 1))  # noqa: DTZ001  the very thing that is refused


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("item_types", lambda: ItemFilter(item_types="film")),
        ("include", lambda: ItemFilter(include="film")),
        ("exclude", lambda: ItemFilter(exclude="film")),
        ("languages", lambda: ItemFilter(languages="en")),
        ("genres", lambda: ItemFilter(genres="crime")),
        ("all_genres", lambda: ItemFilter(all_genres="crime")),
        ("creators", lambda: ItemFilter(creators="somebody")),
    ],
)
def test_one_string_is_not_a_list_of_strings(name: str, make: Callable[[], ItemFilter]) -> None:
    with pytest.raises(ArgumentError, match=f"{name}: expected a list"):
        make()


def test_id_that_is_none_is_not_somebody_unknown() -> None:
    nobody = cast("str", None)
    for write in (
        lambda: requests.recommend(RecommendQuery(nobody), ""),
        lambda: requests.embed_user(nobody, VectorDtype.FLOAT32, ""),
        lambda: requests.embed_item(nobody, VectorDtype.FLOAT32, ""),
        lambda: requests.find_similar(SimilarQuery(nobody), ""),
    ):
        with pytest.raises(TypeError, match="expected an id"):
            write()


@pytest.mark.parametrize("k", [2**31, -(2**31) - 1])
def test_number_that_fits_no_field_is_refused(k: int) -> None:
    with pytest.raises(ArgumentError, match="cannot be written"):
        requests.recommend(RecommendQuery("u", k=k), "")
