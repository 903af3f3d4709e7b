"""An operation as steps that touch no network: what to send, how long to pause, what to return.

An operation is a generator. It yields a Call or a Pause, is sent the answer, or has the call's
error thrown into it, and returns its result. Client performs the steps by blocking, AsyncClient by
awaiting; everything else exists once, in the generators.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar
from uuid import uuid4

from google.protobuf.message import Message

from nearfield.errors import ArgumentError
from nearfield.rpcs import Rpc

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
