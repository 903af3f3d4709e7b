"""Places for calls that are under way, and which calls need one that is apart."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice

from nearfield.v1 import embedding_pb2, recommendation_pb2
from server.errors import OverloadedError


class Places:
    """A number of places that are taken at once or not at all; for one event loop."""

    def __init__(self, most: int, kind: str) -> None:
        self._most = most
        self._kind = kind
        self._taken = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place for as long as the block lasts.

        Raises:
            OverloadedError: all are taken.
        """
        if self._taken >= self._most:
            raise OverloadedError(self._most, self._kind)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


def asks_for_new_items(request: object, most: int) -> bool:
    """Tell whether a request needs the featurizer.

    Of a batch the first `most` elements are looked at: one that has more will be refused.
    """
    match request:
        case embedding_pb2.EmbedItemRequest() | recommendation_pb2.FindSimilarItemsRequest():
            return request.HasField("new_item")
        case (
            embedding_pb2.BatchEmbedItemsRequest()
            | recommendation_pb2.BatchFindSimilarItemsRequest()
        ):
            return any(each.HasField("new_item") for each in islice(request.requests, most))
    return False


def elements(request: object) -> int:
    """Count what a request asks for: the elements of a batch, else one."""
    return max(1, len(getattr(request, "requests", ())))
