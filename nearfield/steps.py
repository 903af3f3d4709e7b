"""An operation as steps that touch no network: what to send, how long to pause, what to return.

An operation is a generator. It yields a Call or a Pause, is sent the answer, or has the call's
error thrown into it, and returns its result. Client performs the steps by blocking, AsyncClient by
awaiting; everything else exists once, in the generators.
"""

import random
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar
from uuid import uuid4

import grpc
from google.protobuf.message import Message

from nearfield.errors import ArgumentError, ResourceExhaustedError, Status, StatusError, error_of
from nearfield.options import Retry
from nearfield.rpcs import Rpc

A = TypeVar("A", bound=Message)
T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """Send a request and wait for the answer."""

    rpc: Rpc[Message]
    request: Message
    timeout_s: float
    request_id: str


@dataclass(frozen=True)
class Pause:
    """Do nothing for a while."""

    seconds: float


Steps: TypeAlias = Generator[Call | Pause, Message | None, T]
"""An operation that ends with a T."""


@dataclass(frozen=True)
class Budget:
    """How long an operation may take, and the id it goes by."""

    request_id: str
    """The caller's id for it, else made up, so that errors have one even where no server spoke."""
    each_s: float
    """Time of each call, in seconds, where the whole is not bounded."""
    until: float | None
    """When the whole must be over, in seconds of the monotonic clock; None for never."""

    @classmethod
    def whole(cls, request_id: str, timeout_s: float) -> "Budget":
        """Bound the whole operation.

        Raises:
            ArgumentError: no time is given at all.
        """
        if not 0 < timeout_s < float("inf"):
            raise ArgumentError(f"timeout_s: expected a finite number above 0, got {timeout_s}")
        return cls(request_id or uuid4().hex, timeout_s, time.monotonic() + timeout_s)

    @classmethod
    def each(cls, request_id: str, each_s: float) -> "Budget":
        """Bound each call of the operation."""
        return cls(request_id or uuid4().hex, each_s, None)

    def deadline(self, usual_s: float | None = None) -> float:
        """Give the moment at which the next call must be over, by the monotonic clock."""
        deadline = time.monotonic() + (usual_s or self.each_s)
        return deadline if self.until is None else min(deadline, self.until)


def ask(
    rpc: Rpc[A], request: Message, retry: Retry, budget: Budget, usual_s: float | None = None
) -> Steps[A]:
    """Make one call; where a full server says how long to wait, wait and try again.

    UNAVAILABLE is not handled here: gRPC tries again below (see nearfield.channel).

    Raises:
        NearfieldError: the call failed.
    """
    deadline = budget.deadline(usual_s)
    waits = 0
    while True:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise error_of(
                Status(
                    grpc.StatusCode.DEADLINE_EXCEEDED,
                    "the time was over before the request was sent",
                    request_id=budget.request_id,
                )
            )
        try:
            answer = yield Call(rpc, request, left_s, budget.request_id)
        except ResourceExhaustedError as error:
            pause = _told_wait(error, retry, deadline)
            if pause is None or waits == retry.told_waits:
                raise
        else:
            assert isinstance(answer, rpc.answer), type(answer)
            return answer
        waits += 1
        yield pause


def _told_wait(error: StatusError, retry: Retry, deadline: float) -> Pause | None:
    """Give the pause that the server asks for, where it is short enough to be made.

    It is drawn out by up to a fifth, so that callers who were told the same do not come back
    together.
    """
    delay_s = error.retry_delay_s
    if delay_s is None or delay_s > retry.longest_told_wait_s:
        return None
    drawn_out_s = delay_s * random.uniform(1.0, 1.2)
    return Pause(drawn_out_s) if time.monotonic() + drawn_out_s < deadline else None
