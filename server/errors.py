"""What a call can fail with: one tree, drawn here; server.statuses turns it into gRPC.

ServiceError
├── InvalidRequestError       fields that break the contract, each named
├── UnknownUserError          no such user, and nothing else is known of the person
├── UnknownItemError          no such item
├── SpaceMismatchError        a vector of another space
├── PageExpiredError          a page of a generation that no longer answers
├── FeaturizerMismatchError   the featurizer is not the generation's
├── FeaturizerMissingError    this server has no featurizer
├── OverloadedError           too many calls of a kind under way
├── BusyError                 the wait would be too long
├── ResponseTooLargeError     more was asked for than fits a message
├── DeadlinePassedError       the caller no longer waits
├── MessageLateError          a message of the call does not come
├── ShuttingDownError         the server is going down
├── GenerationUnknownError    the server has no such generation
├── GenerationRefusedError    a generation did not pass its trial
├── NothingBeforeError        no generation to roll back to
├── GenerationsBusyError      another change of generations is under way
├── GenerationInvalidError    what was sent is no generation
├── StorageFullError          there is no room for what was sent
└── FaultError                our own bug; its text stays in the log

StartError                 the server cannot start; never crosses the wire
├── CannotListenError
│   ├── PortTakenError
│   ├── HostUnknownError
│   └── SocketPathError
├── WrongFeaturizerError
└── MissingProviderError
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Violation:
    """One field of a request that breaks the contract."""

    field: str
    """Path of the field inside the request, for example "user.history[3].weight"."""
    problem: str
    """What was expected and what came."""


class ServiceError(Exception):
    """A call, or an element of a batch, that cannot be answered."""


class InvalidRequestError(ServiceError):
    """Fields of the request break the contract."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        self.violations = violations
        super().__init__("; ".join(f"{each.field}: {each.problem}" for each in violations[:3]))


class UnknownUserError(ServiceError):
    """The generation has no such user, and the request says nothing else of the person."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        super().__init__(
            f"user.user_id: the generation has no user {shown(user_id)}, and the request gives "
            "neither history nor demographics"
        )


class UnknownItemError(ServiceError):
    """The generation has no such item."""

    def __init__(self, item_id: str) -> None:
        self.item_id = item_id
        super().__init__(f"item_id: the generation has no item {shown(item_id)}")


class SpaceMismatchError(ServiceError):
    """A vector comes from another vector space than the generation's."""

    def __init__(self, space_id: str, expected: str) -> None:
        self.space_id = space_id
        self.expected = expected
        super().__init__(
            f"vector.space_id: expected {expected}, got {shown(space_id)}; vectors of different "
            "spaces cannot be compared"
        )


class PageExpiredError(ServiceError):
    """A page token is of another generation than the one that answers."""

    def __init__(self, generation: str, expected: str) -> None:
        self.generation = generation
        self.expected = expected
        super().__init__(
            f"page_token: is of generation {shown(generation)}, {expected} answers; begin with the "
            "first page"
        )


class FeaturizerMismatchError(ServiceError):
    """The featurizer is not the one that the generation was built with."""

    def __init__(self, what: str, expected: str, got: str) -> None:
        super().__init__(
            f"the text featurizer's {what} is {got}, the generation was built with {expected}; "
            "known items are not affected"
        )


class FeaturizerMissingError(ServiceError):
    """This server runs without a featurizer."""

    def __init__(self) -> None:
        super().__init__("new_item: this server runs without a featurizer")


class OverloadedError(ServiceError):
    """As much of a kind as the server takes is under way."""

    def __init__(self, limit: int, kind: str, unit: str = "places") -> None:
        super().__init__(f"all of the server's {limit} {unit} for {kind} are taken")


class BusyError(ServiceError):
    """An answer would take longer than the server lets callers wait, or than the caller does."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"the server is too busy for {kind} at the moment")


class ResponseTooLargeError(ServiceError):
    """The answer does not fit a message."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            f"the answer is {size} bytes long, the limit is {limit}; ask for fewer elements, a "
            "smaller k, or without titles and explanations"
        )


class DeadlinePassedError(ServiceError):
    """The caller's deadline passed before the answer was there."""

    def __init__(self) -> None:
        super().__init__("the deadline passed before the answer was ready")


class MessageLateError(ServiceError):
    """A call began, and its message, or the next one, did not come."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"expected a message of this call within {seconds:g} s, got none")


class ShuttingDownError(ServiceError):
    """The server is going down and takes no more work."""

    def __init__(self) -> None:
        super().__init__("the server is shutting down")


class GenerationUnknownError(ServiceError):
    """The server has no generation of that name."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the server has no generation {shown(name)}")


class GenerationRefusedError(ServiceError):
    """A generation did not pass; the one that answered answers on."""

    def __init__(self, path: Path, why: str) -> None:
        self.name = path.name
        self.why = why.replace(f"{path}/", "").replace(str(path), path.name)
        """Names files inside the generation; where that is on this machine is nobody's business."""
        super().__init__(f"generation {self.name}: {self.why}; the one that answered answers on")


class NothingBeforeError(ServiceError):
    """There is no generation to roll back to."""

    def __init__(self) -> None:
        super().__init__("there is no generation that answered before this one")


class GenerationsBusyError(ServiceError):
    """Another change of generations is under way."""

    def __init__(self) -> None:
        super().__init__("another change of generations is under way")


class GenerationInvalidError(ServiceError):
    """What was sent is no generation, or was damaged on the way."""


class StorageFullError(ServiceError):
    """The server's disk has no room for what was sent."""

    def __init__(self) -> None:
        super().__init__("the server's disk has no room for this generation; nothing of it is kept")


class FaultError(ServiceError):
    """A bug of ours; what went wrong is in the log, under the request id."""

    def __init__(self) -> None:
        super().__init__("internal error; the server's log has it under the request id")


class StartError(Exception):
    """The server cannot start."""


class CannotListenError(StartError):
    """There is an address that the server cannot listen on."""


class HostUnknownError(CannotListenError):
    """The name of the host does not resolve."""

    def __init__(self, host: str, why: str) -> None:
        super().__init__(
            f"cannot listen on {host}: the host name does not resolve ({why}); give an address of "
            "this machine, or a name that /etc/hosts or DNS knows"
        )


class SocketPathError(CannotListenError):
    """No Unix socket can be made at a path."""

    def __init__(self, address: str, problem: str) -> None:
        super().__init__(f"cannot listen on {address}: {problem}")


class PortTakenError(CannotListenError):
    """Something listens there already, or the address is not ours."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"cannot listen on {address}: it is in use or is not this machine's; choose another "
            "with --port or --host"
        )


class WrongFeaturizerError(StartError):
    """The featurizer cannot serve this generation."""


class MissingProviderError(StartError):
    """The execution provider that was insisted on does not run here."""


def shown(value: str, most: int = 80) -> str:
    """Write a caller's value so that it is short and safe in a message: ASCII, quoted."""
    short = value if len(value) <= most else f"{value[:most]}…"
    return ascii(short)
