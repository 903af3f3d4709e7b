"""The fake's vectors: of items, known and new, and of people."""

from collections.abc import Sequence

import grpc
import numpy as np
from numpy.typing import NDArray

from nearfield.enums import Reason
from nearfield.server_info import Limits
from nearfield.testing.refusals import invalid, refusal
from nearfield.testing.world import FakeItem, FakeWorld
from nearfield.v1 import embedding_pb2, types_pb2


def embed_item(
    world: FakeWorld, limits: Limits, request: embedding_pb2.EmbedItemRequest
) -> embedding_pb2.ItemEmbedding:
    """Answer EmbedItem.

    Raises:
        StatusError: the contract refuses the request.
    """
    match request.WhichOneof("item"):
        case "new_item":
            new = request.new_item
            return embedding_pb2.ItemEmbedding(
                vector=packed(world, new_vector(world, limits, new), request.dtype),
                provenance=new_provenance(new),
                item_type=new.item_type,
                neighbours=len(new.related_item_ids),
                featurizer=world.featurizer,
            )
        case "item_id":
            item = known_item(world, limits, request.item_id)
            return embedding_pb2.ItemEmbedding(
                vector=packed(world, world.vector(item.item_id), request.dtype),
                provenance=types_pb2.PROVENANCE_GRAPH,
                item_id=item.item_id,
                item_type=item.item_type,
                neighbours=1,
            )
    raise invalid("item", "expected item_id or new_item, got neither")


def embed_user(
    world: FakeWorld, limits: Limits, request: embedding_pb2.EmbedUserRequest
) -> embedding_pb2.UserEmbedding:
    """Answer EmbedUser.

    Raises:
        StatusError: the contract refuses the request.
    """
    user = request.user
    if len(user.history) > limits.max_history_events:
        most = limits.max_history_events
        raise invalid("user.history", f"expected at most {most} events, got {len(user.history)}")
    if not user.user_id and not _described(user):
        raise invalid("user", "expected user_id, history or demographics, got none of them")
    if user.user_id not in world.histories and not _described(user):
        raise refusal(
            grpc.StatusCode.NOT_FOUND,
            Reason.USER_UNKNOWN,
            f"the fake has no user {user.user_id!r}",
            {"user_id": user.user_id},
        )
    history = history_of(world, user)
    return embedding_pb2.UserEmbedding(
        vector=packed(world, user_vector(world, user, history), request.dtype),
        provenance=user_provenance(world, user, history),
        user_id=user.user_id,
        history_events=len(history),
        warnings=user_warnings(world, user, history),
    )


def known_item(world: FakeWorld, limits: Limits, item_id: str) -> FakeItem:
    """Find an item.

    Raises:
        StatusError: there is none, or no id.
    """
    if not item_id:
        raise invalid("item_id", "expected an id, got an empty string")
    if len(item_id.encode()) > limits.max_id_bytes:
        raise invalid("item_id", f"expected at most {limits.max_id_bytes} bytes")
    item = world.item(item_id)
    if item is None:
        message = f"the fake has no item {item_id!r}"
        raise refusal(grpc.StatusCode.NOT_FOUND, Reason.ITEM_UNKNOWN, message, {"item_id": item_id})
    return item


def new_vector(world: FakeWorld, limits: Limits, new: types_pb2.NewItem) -> NDArray[np.float32]:
    """Give a new item's vector: of its text, and of the known items that it is related to.

    Raises:
        StatusError: the type is unknown, there is no text, or the fake has no featurizer.
    """
    if new.item_type not in world.item_types:
        expected = ", ".join(world.item_types)
        raise invalid("new_item.item_type", f"expected one of {expected}, got {new.item_type!r}")
    if len(new.description) > limits.max_description_chars:
        most = limits.max_description_chars
        raise invalid("new_item.description", f"expected at most {most} characters")
    text = " ".join([new.title, *new.genres, new.creator, new.description]).strip()
    if not text:
        raise invalid("new_item", "expected text in title, description, genres or creator")
    if not world.featurizer:
        message = "new_item: this server runs without a featurizer"
        raise refusal(grpc.StatusCode.FAILED_PRECONDITION, Reason.FEATURIZER_MISSING, message)
    return world.mean([text, *filter(world.item, new.related_item_ids)])


def new_provenance(new: types_pb2.NewItem) -> types_pb2.Provenance.ValueType:
    """Tell how a new item's vector is made."""
    return (
        types_pb2.PROVENANCE_INDUCTIVE if new.related_item_ids else types_pb2.PROVENANCE_TEXT_ONLY
    )


def history_of(world: FakeWorld, user: types_pb2.UserInput) -> list[str]:
    """Give the known items that a person did not turn away from, stored and given, oldest first."""
    given = [
        event.item_id
        for event in user.history
        if event.signal != types_pb2.SIGNAL_NEGATIVE and world.item(event.item_id)
    ]
    return [*world.histories.get(user.user_id, ()), *given]


def seen_by(world: FakeWorld, user: types_pb2.UserInput) -> set[str]:
    """Give the items that a person chose or turned away from, stored and given."""
    given = {event.item_id for event in user.history if event.signal != types_pb2.SIGNAL_WEAK}
    return {*world.histories.get(user.user_id, ()), *given}


def user_vector(
    world: FakeWorld, user: types_pb2.UserInput, history: Sequence[str]
) -> NDArray[np.float32]:
    """Give a person's vector: the mean of the history, else of the demographics."""
    asked = user.demographics
    return world.mean(history or [f"{asked.country} {asked.age_bucket} {asked.gender}"])


def user_provenance(
    world: FakeWorld, user: types_pb2.UserInput, history: Sequence[str]
) -> types_pb2.Provenance.ValueType:
    """Tell how a person's vector is made."""
    if world.histories.get(user.user_id):
        return types_pb2.PROVENANCE_GRAPH
    return types_pb2.PROVENANCE_INDUCTIVE if history else types_pb2.PROVENANCE_FALLBACK


def user_warnings(
    world: FakeWorld, user: types_pb2.UserInput, history: Sequence[str]
) -> list[types_pb2.Warning]:
    """Note what is odd about a person."""
    warnings: list[types_pb2.Warning] = []
    if user.user_id and user.user_id not in world.histories:
        warnings.append(
            types_pb2.Warning(
                code=types_pb2.WARNING_CODE_UNKNOWN_USER,
                field="user.user_id",
                message="the fake does not know the user",
                values=[user.user_id],
            )
        )
    unknown = [event.item_id for event in user.history if not world.item(event.item_id)]
    if unknown:
        warnings.append(
            types_pb2.Warning(
                code=types_pb2.WARNING_CODE_UNKNOWN_HISTORY_ITEMS,
                field="user.history",
                message="the fake does not know some items",
                values=unknown[:20],
            )
        )
    if not history:
        warnings.append(
            types_pb2.Warning(
                code=types_pb2.WARNING_CODE_NO_HISTORY, field="user", message="no history"
            )
        )
    return warnings


def packed(
    world: FakeWorld, vector: NDArray[np.float32], dtype: types_pb2.VectorDtype.ValueType
) -> types_pb2.Vector:
    """Write a vector as the request wants it."""
    half = dtype == types_pb2.VECTOR_DTYPE_FLOAT16
    return types_pb2.Vector(
        data=vector.astype("<f2" if half else "<f4").tobytes(),
        dtype=dtype or types_pb2.VECTOR_DTYPE_FLOAT32,
        dimensions=len(vector),
        space_id=world.space_id,
    )


def _described(user: types_pb2.UserInput) -> bool:
    return bool(user.history) or user.HasField("demographics")
