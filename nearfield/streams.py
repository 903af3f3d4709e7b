"""Chunks of an endless stream, as steps: sent again for as long as a full server asks to wait."""

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias, TypeVar

from google.protobuf.message import Message

from nearfield import batches, errors, kinds, requests
from nearfield.batch import Batch
from nearfield.checks import above_zero, at_least_one
from nearfield.enums import VectorDtype
from nearfield.errors import ArgumentError, NearfieldError, ResourceExhaustedError
from nearfield.inputs import NewItem, RecommendQuery, SimilarQuery, User
from nearfield.kinds import Kind
from nearfield.results import ItemEmbedding, Recommendations, SimilarItems, UserEmbedding
from nearfield.session import Session
from nearfield.steps import Budget, Pause, Steps

E = TypeVar("E")
Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)
R = TypeVar("R")

SendChunk: TypeAlias = Callable[[Sequence[E]], Steps[Batch[R]]]
"""From a chunk of elements of a stream to the outcome of each."""

ENDING = (
    errors.ClientClosedError,
    errors.UnauthenticatedError,
    errors.PermissionDeniedError,
    errors.UnimplementedError,
)
"""What every later chunk would fail with too: it ends a stream instead of being an outcome."""

LEAST_WAIT_S = 0.05
"""A server that asks for no wait at all gets one, in seconds."""


class Gate:
    """Holds up all chunks of a stream while the server asks one of them to wait."""

    def __init__(self) -> None:
        self._opens = 0.0
        self._lock = threading.Lock()

    def hold(self, seconds: float) -> None:
        """Hold up for a while; drawn out by up to a fifth, as others were told the same."""
        opens = time.monotonic() + seconds * random.uniform(1.0, 1.2)
        with self._lock:
            self._opens = max(self._opens, opens)

    def passed(self) -> Steps[None]:
        """Wait until nobody is held up."""
        while (left_s := self._opens - time.monotonic()) > 0:
            yield Pause(left_s)


class Streams:
    """What can be asked in a stream, for the blocking and the awaiting client alike."""

    def __init__(self, session: Session) -> None:
        self._session = session.without_told_waits()

    def items(
        self, dtype: VectorDtype, timeout_s: float | None, request_id: str
    ) -> SendChunk[str | NewItem, ItemEmbedding]:
        """Ask for items' vectors."""
        return self._sender(
            kinds.ITEMS, lambda item: requests.embed_item(item, dtype, ""), timeout_s, request_id
        )

    def users(
        self, dtype: VectorDtype, timeout_s: float | None, request_id: str
    ) -> SendChunk[str | User, UserEmbedding]:
        """Ask for people's vectors."""
        return self._sender(
            kinds.USERS, lambda user: requests.embed_user(user, dtype, ""), timeout_s, request_id
        )

    def recommendations(
        self, timeout_s: float | None, request_id: str
    ) -> SendChunk[RecommendQuery, Recommendations]:
        """Ask for items for people."""
        return self._sender(
            kinds.RECOMMENDATIONS,
            lambda query: requests.recommend(query, ""),
            timeout_s,
            request_id,
        )

    def similar_items(
        self, timeout_s: float | None, request_id: str
    ) -> SendChunk[SimilarQuery, SimilarItems]:
        """Ask for items near others."""
        return self._sender(
            kinds.SIMILAR_ITEMS,
            lambda query: requests.find_similar(query, ""),
            timeout_s,
            request_id,
        )

    def _sender(
        self,
        kind: Kind[Q, A, R],
        write: Callable[[E], Q],
        timeout_s: float | None,
        request_id: str,
    ) -> SendChunk[E, R]:
        session, gate = self._session, Gate()
        each_s = session.options.timeouts.chunk_s if timeout_s is None else timeout_s
        above_zero("timeout_s", each_s)

        def send(chunk: Sequence[E]) -> Steps[Batch[R]]:
            budget = Budget.each(request_id, each_s)
            prepared = batches.prepared(chunk, write)
            return (yield from _patiently(kind, prepared, session, budget, gate))

        return send


def _patiently(
    kind: Kind[Q, A, R],
    prepared: Sequence[Q | NearfieldError],
    session: Session,
    budget: Budget,
    gate: Gate,
) -> Steps[Batch[R]]:
    """Send a chunk, and what was told to wait once more, until nothing is or patience ends."""
    ends = time.monotonic() + session.options.retry.patience_s
    outcomes: dict[int, R | NearfieldError] = {}
    places = list(range(len(prepared)))
    while True:
        yield from gate.passed()
        batch = yield from batches.run(kind, [prepared[each] for each in places], session, budget)
        outcomes |= zip(places, batch, strict=True)
        told = {each: wait for each in places if (wait := _told_wait(outcomes[each])) is not None}
        wait_s = max((LEAST_WAIT_S, *told.values()))
        if not told or time.monotonic() + wait_s > ends:
            break
        gate.hold(wait_s)
        places = list(told)
    return Batch(tuple(outcomes[each] for each in range(len(prepared))))


def _told_wait(outcome: object) -> float | None:
    """Give how long a full server asks to wait, in seconds; None where it does not."""
    return outcome.retry_delay_s if isinstance(outcome, ResourceExhaustedError) else None


def check_stream(elements: object, in_flight: int, chunk: int) -> None:
    """Refuse what is no stream.

    Raises:
        ArgumentError: one string in place of many, or a bound below 1.
    """
    if isinstance(elements, str):
        raise ArgumentError("a stream: expected something to take elements from, got one string")
    at_least_one("in_flight", in_flight)
    at_least_one("chunk", chunk)
