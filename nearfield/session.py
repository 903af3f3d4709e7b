"""What a client remembers between calls: its options and the server's limits."""

from nearfield import responses
from nearfield.asking import ask
from nearfield.options import Options
from nearfield.retries import Retries
from nearfield.rpcs import GET_SERVER_INFO
from nearfield.server_info import ServerInfo
from nearfield.steps import Budget, Steps
from nearfield.v1.info_pb2 import GetServerInfoRequest


class Session:
    """Options, what its calls share about trying again, and what the server last said of itself.

    Safe to share between threads: what is remembered is replaced as one value, and two threads
    that both find nothing both ask.
    """

    def __init__(self, options: Options, retries: Retries) -> None:
        self.options = options
        self.retries = retries
        self._info: ServerInfo | None = None

    def without_told_waits(self) -> "Session":
        """Start a session with the same purses whose calls leave a full server to the caller."""
        return Session(self.options, self.retries.without_told_waits())

    def ask_info(self, budget: Budget) -> Steps[ServerInfo]:
        """Ask the server about itself, and remember what it says."""
        answer = yield from ask(
            GET_SERVER_INFO,
            GetServerInfoRequest(request_id=budget.request_id),
            self.retries,
            budget,
            self.options.timeouts.info_s,
        )
        self._info = info = responses.server_info(answer)
        return info

    def known_info(self, budget: Budget) -> Steps[ServerInfo]:
        """Give what the server said about itself; ask only where nothing is remembered."""
        return self._info or (yield from self.ask_info(budget))

    def forget_info(self) -> None:
        """Ask again next time: the server's limits seem to have changed."""
        self._info = None
