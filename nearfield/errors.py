"""What can go wrong, as one tree.

NearfieldError
├── ArgumentError                   an argument cannot be put into a request; nothing was sent
├── ClientClosedError               the client was closed before or during the call
├── EventLoopError                  an AsyncClient was used in a second event loop beside its own
├── BadAnswerError                  the answer breaks the contract
└── StatusError                     a call, or an element of a batch, ended with a gRPC status:
    ├── CallCancelledError              CANCELLED
    ├── UnknownError                    UNKNOWN, and codes that gRPC does not define
    ├── InvalidArgumentError            INVALID_ARGUMENT
    ├── DeadlineExceededError           DEADLINE_EXCEEDED
    ├── NotFoundError                   NOT_FOUND
    ├── AlreadyExistsError              ALREADY_EXISTS
    ├── PermissionDeniedError           PERMISSION_DENIED
    ├── ResourceExhaustedError          RESOURCE_EXHAUSTED
    ├── FailedPreconditionError         FAILED_PRECONDITION
    │   └── SpaceMismatchError              vectors of two spaces were to be compared
    ├── AbortedError                    ABORTED
    ├── OutOfRangeError                 OUT_OF_RANGE
    ├── UnimplementedError              UNIMPLEMENTED
    ├── InternalError                   INTERNAL
    ├── UnavailableError                UNAVAILABLE
    ├── DataLossError                   DATA_LOSS
    └── UnauthenticatedError            UNAUTHENTICATED
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import grpc

from nearfield.enums import Reason

DOMAIN = "nearfield"
"""Domain of the reasons that a nearfield server gives."""


class NearfieldError(Exception):
    """Root of everything that the client raises on purpose."""


class ArgumentError(NearfieldError, ValueError):
    """An argument cannot be put into a request; nothing was sent."""


class ClientClosedError(NearfieldError):
    """The client was closed before or during the call."""


class EventLoopError(NearfieldError, RuntimeError):
    """An AsyncClient was used in a second event loop while its own was not closed."""


class BadAnswerError(NearfieldError):
    """The answer breaks the contract, so that there is nothing sound to return."""


@dataclass(frozen=True)
class FieldViolation:
    """One field of a request that breaks the contract."""

    field: str
    """Path of the field inside the request, for example "user.history[3].weight"."""
    description: str
    """What was expected and what came."""


@dataclass(frozen=True)
class Status:
    """Everything that is known about a failure."""

    code: grpc.StatusCode
    """The gRPC code; its class of error is CLASS_OF_CODE's."""
    message: str
    """A sentence for people."""
    reason: str = ""
    """Why, for programs: one of Reason, or empty where gRPC or a proxy failed the call."""
    domain: str = ""
    """Who gave the reason: "nearfield" for the server itself."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """What the reason is about, for example the item_id."""
    violations: tuple[FieldViolation, ...] = ()
    """The fields that break the contract."""
    retry_delay_s: float | None = None
    """How long the server asks to wait before trying again, in seconds; None where it does not."""
    request_id: str = ""
    """Id of the call, which finds it in the server's log."""
    unsent: bool = False
    """Whether no server can have seen the request: there was no connection to send it over."""


class StatusError(NearfieldError):
    """A call, or an element of a batch, ended with a gRPC status other than OK."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status = status

    def __str__(self) -> str:
        reason = f" ({self.reason})" if self.reason else ""
        request = f" [request {self.request_id}]" if self.request_id else ""
        return f"{self.code.name}{reason}: {self.message}{request}"

    @property
    def code(self) -> grpc.StatusCode:
        """The gRPC code."""
        return self.status.code

    @property
    def message(self) -> str:
        """A sentence for people."""
        return self.status.message

    @property
    def reason(self) -> str:
        """Why, for programs: one of Reason, or empty where gRPC or a proxy failed the call."""
        return self.status.reason

    @property
    def domain(self) -> str:
        """Who gave the reason: "nearfield" for the server itself."""
        return self.status.domain

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the reason is about, for example the item_id."""
        return self.status.metadata

    @property
    def violations(self) -> tuple[FieldViolation, ...]:
        """The fields that break the contract."""
        return self.status.violations

    @property
    def retry_delay_s(self) -> float | None:
        """How long the server asks to wait, in seconds; None where it does not."""
        return self.status.retry_delay_s

    @property
    def request_id(self) -> str:
        """Id of the call, which finds it in the server's log."""
        return self.status.request_id

    @property
    def unsent(self) -> bool:
        """Whether no server can have seen the request: there was no connection to send it over."""
        return self.status.unsent


class CallCancelledError(StatusError):
    """The call was cancelled, by the server or on the way to it."""


class UnknownError(StatusError):
    """The status says nothing that this client understands."""


class InvalidArgumentError(StatusError):
    """Fields of the request break the contract; `violations` names them."""


class DeadlineExceededError(StatusError):
    """The call's time was over before the answer was there."""


class NotFoundError(StatusError):
    """The generation has no such user or item."""


class AlreadyExistsError(StatusError):
    """What was to be made exists."""


class PermissionDeniedError(StatusError):
    """The caller is known and may not do this."""


class ResourceExhaustedError(StatusError):
    """The server is full, or the message is too long."""


class FailedPreconditionError(StatusError):
    """The server cannot do this as it stands; trying again does not help."""


class SpaceMismatchError(FailedPreconditionError):
    """Vectors of two spaces were to be compared, here or in the server."""


class AbortedError(StatusError):
    """The call was given up for another one's sake."""


class OutOfRangeError(StatusError):
    """The request goes past the end of what there is."""


class UnimplementedError(StatusError):
    """The server does not know this call; it is older, or no nearfield server."""


class InternalError(StatusError):
    """A fault of the server; the request id finds it in the server's log."""


class UnavailableError(StatusError):
    """The server, or the featurizer behind it, cannot be reached now."""


class DataLossError(StatusError):
    """Data was lost or damaged."""


class UnauthenticatedError(StatusError):
    """The caller did not say, or could not prove, who it is."""


CLASS_OF_CODE: Mapping[grpc.StatusCode, type[StatusError]] = MappingProxyType(
    {
        grpc.StatusCode.CANCELLED: CallCancelledError,
        grpc.StatusCode.UNKNOWN: UnknownError,
        grpc.StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
        grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceededError,
        grpc.StatusCode.NOT_FOUND: NotFoundError,
        grpc.StatusCode.ALREADY_EXISTS: AlreadyExistsError,
        grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
        grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhaustedError,
        grpc.StatusCode.FAILED_PRECONDITION: FailedPreconditionError,
        grpc.StatusCode.ABORTED: AbortedError,
        grpc.StatusCode.OUT_OF_RANGE: OutOfRangeError,
        grpc.StatusCode.UNIMPLEMENTED: UnimplementedError,
        grpc.StatusCode.INTERNAL: InternalError,
        grpc.StatusCode.UNAVAILABLE: UnavailableError,
        grpc.StatusCode.DATA_LOSS: DataLossError,
        grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    }
)
"""The one table from codes to errors: every code but OK; a test holds it to that."""

CLASS_OF_REASON: Mapping[str, type[StatusError]] = MappingProxyType(
    {Reason.SPACE_MISMATCH: SpaceMismatchError}
)
"""Reasons that have a class of their own, below the class of their code."""


def error_of(status: Status) -> StatusError:
    """Make the error of a status: the most specific class wins."""
    general = CLASS_OF_CODE.get(status.code, UnknownError)
    special = CLASS_OF_REASON.get(status.reason) if status.domain == DOMAIN else None
    return (special if special and issubclass(special, general) else general)(status)
