"""Requests from the wire, checked, to plain values."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nearfield.v1 import embedding_pb2, recommendation_pb2, types_pb2
from server.errors import InvalidRequestError, SpaceMismatchError, Violation
from server.fields import FieldReader
from server.findings import Findings
from server.hit_options import page_field
from server.limits import Limits
from server.requests import ItemRequest, Person, RecommendTask, Shape, SimilarRequest
from server.shapes import ShapeReader
from server.wire import STORED_AS, read_numbers

MAX_REQUEST_ID_CHARS = 128
_DTYPES = types_pb2.VectorDtype.values()


class RequestReader:
    """Reads each kind of request, for one server and its generation.

    Every method raises InvalidRequestError with all that is wrong with the request.
    """

    def __init__(
        self,
        limits: Limits,
        item_types: Sequence[str],
        *,
        dimensions: int,
        space_id: str,
        generation: str,
    ) -> None:
        self._limits = limits
        self._fields = FieldReader(limits, item_types)
        self._shapes = ShapeReader(self._fields, generation=generation)
        self._dimensions = dimensions
        self._space_id = space_id

    def embed_item(self, message: embedding_pb2.EmbedItemRequest) -> ItemRequest:
        """Read EmbedItem."""
        findings = Findings()
        findings.enum("dtype", "VectorDtype", message.dtype, _DTYPES)
        item: ItemRequest | None = None
        match message.WhichOneof("item"):
            case "item_id":
                item = message.item_id
                self._fields.check_id(item, "item_id", findings)
            case "new_item":
                item = self._fields.new_item(message.new_item, findings)
            case None:
                findings.add("item", "expected item_id or new_item, got neither")
        findings.settle()
        assert item is not None, "an item that could not be read is a finding"
        return item

    def embed_user(self, message: embedding_pb2.EmbedUserRequest) -> Person:
        """Read EmbedUser."""
        findings = Findings()
        findings.enum("dtype", "VectorDtype", message.dtype, _DTYPES)
        person = self._fields.person(message.user, findings)
        if not person.user_id and not person.described:
            findings.add("user", "expected user_id, history or demographics, got none of them")
        findings.settle()
        return person

    def recommend(self, message: recommendation_pb2.RecommendRequest) -> RecommendTask:
        """Read Recommend.

        Raises:
            PageExpiredError: the page token is of another generation.
        """
        findings = Findings()
        person = self._fields.person(message.user, findings)
        shape = self._shapes.read(message, findings)
        findings.settle()
        drop_seen = message.drop_seen if message.HasField("drop_seen") else True
        return RecommendTask(person, shape, drop_seen=drop_seen, explain=message.explain)

    def similar(self, message: recommendation_pb2.FindSimilarItemsRequest) -> SimilarRequest:
        """Read FindSimilarItems.

        Raises:
            SpaceMismatchError: the request's vector comes from another space.
            PageExpiredError: the page token is of another generation.
        """
        findings = Findings()
        query: ItemRequest | NDArray[np.float32] | None = None
        match message.WhichOneof("query"):
            case "item_id":
                query = message.item_id
                self._fields.check_id(query, "item_id", findings)
            case "new_item":
                query = self._fields.new_item(message.new_item, findings)
            case "vector":
                query = self._vector(message.vector, findings)
            case None:
                findings.add("query", "expected item_id, new_item or vector, got none of them")
        shape = self._shapes.read(message, findings)
        if shape.page is not None and message.HasField("new_item"):
            field = page_field(message)
            findings.add(field, "expected none for a new item: embed it and page by its vector")
        findings.settle()
        assert query is not None, "a query that could not be read is a finding"
        return SimilarRequest(query, shape)

    def is_dtype(self, dtype: int) -> bool:
        """Tell whether vectors can be written as asked."""
        return dtype in _DTYPES

    def check_batch(self, elements: int) -> None:
        """Check how many elements a batch has."""
        findings = Findings()
        most = self._limits.max_batch_elements
        findings.count("requests", elements, most, "elements", least=1)
        findings.settle()

    @property
    def default_k(self) -> int:
        """Hits of a request that does not say how many."""
        return self._limits.default_k

    def k(self, message: recommendation_pb2.RecommendRequest) -> int:
        """Hits that a request asks for in each list."""
        return message.k if message.HasField("k") else self._limits.default_k

    def check_hits(self, shapes: Sequence[Shape], *, besides: int = 0) -> None:
        """Check how many hits the elements of a batch ask for together, and `besides`."""
        asked = sum(map(self._shapes.hits, shapes)) + besides
        most = self._limits.max_hits_per_call
        if asked > most:
            problem = f"expected at most {most} hits in all, got {asked}"
            raise InvalidRequestError((Violation("requests", problem),))

    def _vector(self, message: types_pb2.Vector, findings: Findings) -> NDArray[np.float32] | None:
        if message.space_id and message.space_id != self._space_id:
            raise SpaceMismatchError(message.space_id, self._space_id)
        noted = Findings()
        if not message.space_id:
            noted.add("vector.space_id", "expected the id of the vector's space, got none")
        if message.dtype not in STORED_AS:
            noted.enum("vector.dtype", "VectorDtype", message.dtype, _DTYPES)
        elif len(message.data) != self._dimensions * STORED_AS[message.dtype].itemsize:
            size = self._dimensions * STORED_AS[message.dtype].itemsize
            noted.add("vector.data", f"expected {size} bytes, got {len(message.data)}")
        if message.dimensions != self._dimensions:
            expected = f"expected {self._dimensions}"
            noted.add("vector.dimensions", f"{expected}, got {message.dimensions}")
        vector = None if noted.violations else _unit(read_numbers(message), noted)
        findings.extend(noted.violations)
        return vector


def is_request_id(request_id: str) -> bool:
    """Tell whether a request id can be echoed and logged as it is."""
    return (
        len(request_id) <= MAX_REQUEST_ID_CHARS
        and request_id.isascii()
        and request_id.isprintable()
    )


def check_request_id(request_id: str) -> None:
    """Check the request id of a request.

    Raises:
        InvalidRequestError: too long, or not printable ASCII.
    """
    if not is_request_id(request_id):
        problem = f"expected at most {MAX_REQUEST_ID_CHARS} printable ASCII characters"
        raise InvalidRequestError((Violation("request_id", problem),))


def _unit(vector: NDArray[np.float32], findings: Findings) -> NDArray[np.float32] | None:
    """Scale a vector to unit norm; None where it has no direction."""
    if not np.isfinite(vector).all():
        place = int(np.flatnonzero(~np.isfinite(vector))[0])
        findings.add("vector.data", f"expected finite numbers, number {place} is {vector[place]}")
        return None
    wide = vector.astype(np.float64)  # the norm of large float32 numbers is beyond float32
    norm = np.linalg.norm(wide)
    if norm == 0.0:
        findings.add("vector.data", "expected a direction, got only zeros")
        return None
    scaled: NDArray[np.float32] = (wide / norm).astype(np.float32)
    return scaled
