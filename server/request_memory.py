"""How much memory requests may take together while they are under way."""

from types import TracebackType

from server.errors import InvalidRequestError, OverloadedError, Violation
from server.message_cost import Measure


class Hold:
    """Memory of one request; `with` it for as long as the request is needed."""

    __slots__ = ("_bytes", "_caller", "_memory")

    def __init__(self, memory: "RequestMemory", caller: str, size: int) -> None:
        self._memory = memory
        self._caller = caller
        self._bytes = size

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._memory.give_back(self._caller, self._bytes)


class RequestMemory:
    """Counts the memory of requests under way, in all and for each caller; for one event loop.

    No caller gets more than half, so that there is room for others.
    """

    def __init__(self, most: int) -> None:
        self.share = most // 2
        """Most bytes of one caller, and so of one request."""
        self._most = most
        self._taken = 0
        self._by_caller: dict[str, int] = {}

    def take(self, caller: str, measured: Measure) -> Hold:
        """Hold the memory of a request until the block ends.

        Raises:
            InvalidRequestError: it alone takes more than one caller may have.
            OverloadedError: there is no room for it now.
        """
        size = measured.bytes
        if size > self.share:
            problem = f"expected a message that takes at most {self.share} bytes once it is parsed"
            raise InvalidRequestError((Violation("request", f"{problem}, this one takes more"),))
        of_caller = self._by_caller.get(caller, 0) + size
        if of_caller > self.share or self._taken + size > self._most:
            raise OverloadedError(self._most, "requests under way", "bytes")
        self._by_caller[caller] = of_caller
        self._taken += size
        return Hold(self, caller, size)

    def give_back(self, caller: str, size: int) -> None:
        """Count a request as gone."""
        self._taken -= size
        left = self._by_caller.get(caller, 0) - size
        if left > 0:
            self._by_caller[caller] = left
        else:
            self._by_caller.pop(caller, None)
