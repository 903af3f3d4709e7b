"""From what a caller says to the messages of the contract."""

from collections.abc import Iterator
from contextlib import contextmanager

from google.protobuf.timestamp_pb2 import Timestamp

from nearfield.enums import Grouping, Signal, VectorDtype
from nearfield.errors import ArgumentError
from nearfield.inputs import (
    Event,
    ItemFilter,
    NewItem,
    RecommendQuery,
    SimilarQuery,
    TypeQuota,
    User,
)
from nearfield.v1 import embedding_pb2, recommendation_pb2, types_pb2
from nearfield.vectors import SpaceVector


def embed_item(
    item: str | NewItem, dtype: VectorDtype, request_id: str
) -> embedding_pb2.EmbedItemRequest:
    """Ask for an item's vector."""
    with _writable():
        request = embedding_pb2.EmbedItemRequest(dtype=_dtype(dtype), request_id=request_id)
        if isinstance(item, NewItem):
            request.new_item.CopyFrom(_new_item(item))
        else:
            request.item_id = _id("item", item)
        return request


def embed_user(
    user: str | User, dtype: VectorDtype, request_id: str
) -> embedding_pb2.EmbedUserRequest:
    """Ask for a person's vector."""
    with _writable():
        return embedding_pb2.EmbedUserRequest(
            user=_user(user), dtype=_dtype(dtype), request_id=request_id
        )


def recommend(query: RecommendQuery, request_id: str) -> recommendation_pb2.RecommendRequest:
    """Ask for items for one person."""
    with _writable():
        return recommendation_pb2.RecommendRequest(
            user=_user(query.user),
            k=query.k,
            filter=_filter(query.items),
            drop_seen=query.drop_seen,
            grouping=_grouping(query.grouping),
            explain=query.explained,
            include_titles=query.titled,
            request_id=request_id,
            quotas=map(_quota, query.quotas),
            diversity=query.diversity,
            exploration=query.exploration,
            seed=query.seed,
            page_size=query.page_size,
            page_token=query.page_token,
        )


def find_similar(
    query: SimilarQuery, request_id: str
) -> recommendation_pb2.FindSimilarItemsRequest:
    """Ask for items near an item or a vector."""
    with _writable():
        request = recommendation_pb2.FindSimilarItemsRequest(
            k=query.k,
            filter=_filter(query.items),
            grouping=_grouping(query.grouping),
            include_titles=query.titled,
            request_id=request_id,
            quotas=map(_quota, query.quotas),
            diversity=query.diversity,
            exploration=query.exploration,
            seed=query.seed,
            page_size=query.page_size,
            page_token=query.page_token,
        )
        match query.query:
            case NewItem():
                request.new_item.CopyFrom(_new_item(query.query))
            case SpaceVector():
                request.vector.CopyFrom(_vector(query.query))
            case _:
                request.item_id = _id("query", query.query)
        return request


@contextmanager
def _writable() -> Iterator[None]:
    """Say in our words that a value fits no field: a lone surrogate, a number out of range."""
    try:
        yield
    except ArgumentError:
        raise
    except ValueError as error:
        raise ArgumentError(f"the request cannot be written: {error}") from error


def _id(name: str, value: str) -> str:
    """Refuse what is no str, which protobuf would take for an id left out."""
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected an id as str, or a value of nearfield, got {value!r}")
    return value


def _user(user: str | User) -> types_pb2.UserInput:
    if not isinstance(user, User):
        return types_pb2.UserInput(user_id=_id("user", user))
    message = types_pb2.UserInput(
        user_id=user.user_id, history=[_event(each) for each in user.history]
    )
    if user.country or user.age_bucket or user.gender:
        message.demographics.CopyFrom(
            types_pb2.Demographics(
                country=user.country, age_bucket=user.age_bucket, gender=user.gender
            )
        )
    return message


def _event(event: Event) -> types_pb2.HistoryEvent:
    time = None
    if event.time is not None:
        time = Timestamp()
        time.FromDatetime(event.time)
    return types_pb2.HistoryEvent(
        item_id=event.item_id, signal=_signal(event.signal), weight=event.weight, time=time
    )


def _new_item(item: NewItem) -> types_pb2.NewItem:
    return types_pb2.NewItem(
        item_type=item.item_type,
        title=item.title,
        description=item.description,
        genres=item.genres,
        language=item.language,
        creator=item.creator,
        year=item.year,
        related_item_ids=item.related_item_ids,
    )


def _filter(items: ItemFilter) -> recommendation_pb2.ItemFilter:
    return recommendation_pb2.ItemFilter(
        item_types=items.item_types,
        include_item_ids=items.include,
        exclude_item_ids=items.exclude,
        languages=items.languages,
        genres=items.genres,
        all_genres=items.all_genres,
        creators=items.creators,
        year_from=items.year_from,
        year_to=items.year_to,
    )


def _quota(quota: TypeQuota) -> recommendation_pb2.TypeQuota:
    return recommendation_pb2.TypeQuota(item_type=quota.item_type, min=quota.min, max=quota.max)


def _vector(vector: SpaceVector) -> types_pb2.Vector:
    return types_pb2.Vector(
        data=vector.vector.astype("<f4").tobytes(),
        dtype=types_pb2.VECTOR_DTYPE_FLOAT32,
        dimensions=len(vector.vector),
        space_id=vector.space_id,
    )


def _dtype(dtype: VectorDtype) -> types_pb2.VectorDtype.ValueType:
    return types_pb2.VectorDtype.Value(f"VECTOR_DTYPE_{dtype.name}")


def _signal(signal: Signal) -> types_pb2.Signal.ValueType:
    return types_pb2.Signal.Value(f"SIGNAL_{signal.name}")


def _grouping(grouping: Grouping) -> types_pb2.Grouping.ValueType:
    return types_pb2.Grouping.Value(f"GROUPING_{grouping.name}")
