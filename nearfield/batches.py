"""A batch of any length as calls that the server takes, with an outcome for each element."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import TypeVar

from google.protobuf.message import Message

from nearfield import errors
from nearfield.asking import ask
from nearfield.batch import Batch
from nearfield.chunks import Bounds, cut
from nearfield.enums import Reason
from nearfield.errors import ArgumentError, BadAnswerError, NearfieldError
from nearfield.kinds import Kind
from nearfield.session import Session
from nearfield.steps import Budget, Steps

E = TypeVar("E")
Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)
R = TypeVar("R")

LOST = (
    errors.ClientClosedError,
    errors.DeadlineExceededError,
    errors.UnavailableError,
    errors.UnauthenticatedError,
    errors.PermissionDeniedError,
    errors.UnimplementedError,
)
"""What a message fails with when the next one would fail alike: the rest is not sent."""


def run(
    kind: Kind[Q, A, R], prepared: Sequence[Q | NearfieldError], session: Session, budget: Budget
) -> Steps[Batch[R]]:
    """Send what could be written, in parts, and put every outcome into its place.

    A part that is refused for its size is halved, down to single elements. A part that fails as a
    whole is the outcome of each of its elements. After an error that the next part would meet too
    (LOST), that error is the outcome of all that is left.
    """
    outcomes: dict[int, R | NearfieldError] = {}
    written: dict[int, Q] = {}
    for place, each in enumerate(prepared):
        if isinstance(each, NearfieldError):
            outcomes[place] = each
        else:
            written[place] = each
    parts = yield from _parts(kind, written, session, budget)
    if isinstance(parts, NearfieldError):
        outcomes |= dict.fromkeys(written, parts)
        parts = deque()
    while parts:
        part = parts.popleft()
        found = yield from _found(kind, [written[place] for place in part], session, budget)
        if not isinstance(found, NearfieldError):
            outcomes |= zip(part, found, strict=True)
        elif len(part) > 1 and _too_much(found, repeatable=kind.rpc.repeatable):
            session.forget_info()
            half = len(part) // 2
            parts.extendleft((part[half:], part[:half]))
        elif isinstance(found, LOST):
            outcomes |= dict.fromkeys(chain(part, *parts), found)
            parts.clear()
        else:
            outcomes |= dict.fromkeys(part, found)
    return Batch(tuple(outcomes[place] for place in range(len(prepared))))


def prepared(elements: Sequence[E], write: Callable[[E], Q]) -> list[Q | NearfieldError]:
    """Write each element's request; one that cannot be written has the error in its place."""
    if isinstance(elements, str):
        raise ArgumentError("a batch: expected a list, got one string")
    written: list[Q | NearfieldError] = []
    for element in elements:
        try:
            written.append(write(element))
        except ArgumentError as error:
            written.append(error)
    return written


def _parts(
    kind: Kind[Q, A, R], written: Mapping[int, Q], session: Session, budget: Budget
) -> Steps[deque[Sequence[int]] | NearfieldError]:
    """Cut the batch by the server's limits; each part is the places of its elements."""
    if not written:
        return deque()
    try:
        info = yield from session.known_info(budget)
    except NearfieldError as error:
        return error
    places = list(written)
    costs = [kind.cost(request, info) for request in written.values()]
    bounds = Bounds.of(info, session.options.connection.max_message_bytes)
    return deque(places[run.start : run.stop] for run in cut(costs, bounds))


def _found(
    kind: Kind[Q, A, R], requests: Sequence[Q], session: Session, budget: Budget
) -> Steps[list[R | NearfieldError] | NearfieldError]:
    """Send one part and read its outcomes, or the error of the whole part."""
    request = kind.join(requests, budget.request_id)
    try:
        answer = yield from ask(kind.rpc, request, session.retries, budget)
    except NearfieldError as error:
        return error
    found = kind.outcomes(answer)
    if len(found) != len(requests):
        return BadAnswerError(f"results: expected {len(requests)}, got {len(found)}")
    return found


def _too_much(error: NearfieldError, *, repeatable: bool) -> bool:
    """Tell whether a smaller message may pass: gRPC, a proxy or the server found it too long.

    It may have been the answer that was too long, of a request that was done.
    """
    match error:
        case errors.ResourceExhaustedError() if repeatable:
            return error.reason in ("", Reason.RESPONSE_TOO_LARGE) and error.retry_delay_s is None
        case errors.InvalidArgumentError():
            return any(each.field == "requests" for each in error.violations)
    return False
