"""Places for calls that are under way, and which calls need one that is apart."""

from itertools import islice
from types import TracebackType

from nearfield.v1 import embedding_pb2, recommendation_pb2
from server.errors import OverloadedError


class Place:
    """One of some places, until its block ends."""

    __slots__ = ("_of",)

    def __init__(self, of: "Places") -> None:
        self._of = of

    def move(self, to: "Places") -> None:
        """Take one of other places instead.

        Raises:
            OverloadedError: all of these are taken; this one is kept until the block ends.
        """
        to.one()
        self._of.give_back()
        self._of = to

    def __enter__(self) -> "Place":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._of.give_back()


class Places:
    """A number of places that are taken at once or not at all; for one event loop."""

    def __init__(self, most: int, kind: str) -> None:
        self._most = most
        self._kind = kind
        self._taken = 0

    def one(self) -> Place:
        """Take a place, to be held for as long as a block lasts.

        Raises:
            OverloadedError: all are taken.
        """
        if self.full:
            raise OverloadedError(self._most, self._kind)
        self._taken += 1
        return Place(self)

    @property
    def full(self) -> bool:
        """Whether all are taken."""
        return self._taken >= self._most

    def give_back(self) -> None:
        """Count a place as free."""
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
