"""From the bytes of a request to a message, within bounds."""

from google.protobuf.message import DecodeError, Message

from server.errors import InvalidRequestError, Violation
from server.message_cost import BATCH_FIELD, MalformedMessageError, MessageCost
from server.message_reader import NO_MESSAGE
from server.request_memory import Hold, RequestMemory


class RequestParser:
    """Parses the requests of one method; for one event loop."""

    def __init__(self, request: type[Message], memory: RequestMemory, most_elements: int) -> None:
        self._parse = request.FromString
        self._cost = MessageCost(request)
        self._memory = memory
        self._most_elements = most_elements

    def hold(self, data: bytes, caller: str) -> Hold:
        """Hold the memory that a request will take, until the block ends.

        Raises:
            InvalidRequestError: it is no message, has too many elements, or is too large.
            OverloadedError: there is no memory for it now.
        """
        try:
            measured = self._cost.measure(data, self._memory.share)
        except MalformedMessageError:
            raise no_message() from None
        if measured.elements > self._most_elements:
            more = " or more" if measured.bytes > self._memory.share else ""
            problem = f"expected 1 to {self._most_elements} elements, got {measured.elements}{more}"
            raise InvalidRequestError((Violation(BATCH_FIELD, problem),))
        return self._memory.take(caller, measured)

    def parse(self, data: bytes) -> Message:
        """Parse a request whose memory is held.

        Raises:
            InvalidRequestError: it is no message of this type.
        """
        try:
            return self._parse(data)
        except DecodeError:
            raise no_message() from None


def no_message() -> InvalidRequestError:
    """Say that what came is no message."""
    return InvalidRequestError((Violation("request", NO_MESSAGE),))
