"""/metrics, /livez and /readyz over HTTP, on a port of their own."""

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from server.errors import PortTakenError
from server.telemetry.exposition import Exposition, Page
from server.telemetry.settings import TelemetrySettings

log = logging.getLogger(__name__)

Readiness = Callable[[], str]
"""Says what is missing before calls can be answered; empty where nothing is."""
PATIENCE_S = 10.0
"""Seconds that a client may take, from its connection to the end of its answer."""
MOST_CONNECTIONS = 16
"""Connections at once, each with a thread. Where another one comes, the oldest is closed."""
MAKES_WAY_S = 0.5
"""Seconds within which a connection that is closed lets go of its thread."""
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class _Answer:
    status: HTTPStatus
    page: Page


class MetricsServer:
    """Answers from threads of its own, from `start` to `close`.

    /livez says that the process runs, /readyz whether calls are answered. Nobody is asked who they
    are, so `host` had better be loopback or a network that is trusted.

    Raises:
        PortTakenError: the address cannot be listened on.
    """

    def __init__(self, host: str, port: int, exposition: Exposition, ready: Readiness) -> None:
        self._exposition = exposition
        self._ready = ready
        self._scraping = threading.Lock()
        handler = partial(_Handler, self.answer)
        try:
            self._server = _server_at(host)((host, port), handler)
        except OSError as error:
            raise PortTakenError(f"{host}:{port}") from error
        self.port: int = self._server.server_address[1]
        """Where it listens."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="metrics", daemon=True
        )

    def start(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        log.info("metrics on port %d", self.port)
        return self

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        """Answer until the block ends."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Answer no more."""
        self.close()

    def answer(self, path: str, accept: str) -> _Answer:
        """Answer a path."""
        match path.partition("?")[0]:
            case "/metrics":
                with self._scraping:  # many at once would only take the core from each other
                    return _Answer(HTTPStatus.OK, self._exposition.page(accept))
            case "/livez":
                return _text(HTTPStatus.OK, "alive")
            case "/readyz":
                missing = self._ready()
                status = HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK
                return _text(status, missing or "ready")
        return _text(HTTPStatus.NOT_FOUND, "there are /metrics, /livez and /readyz")


def metrics_server(
    settings: TelemetrySettings, exposition: Exposition, ready: Readiness
) -> AbstractContextManager[object]:
    """Open what the settings ask for; nothing where they ask for no port.

    Raises:
        PortTakenError: the address cannot be listened on.
    """
    if settings.metrics_port is None:
        return nullcontext()
    return MetricsServer(settings.metrics_host, settings.metrics_port, exposition, ready)


class _Server(ThreadingHTTPServer):
    """Bounds its threads, and the time that each connection has."""

    request_queue_size = 128  # where it is full, who connects tries again a second later
    daemon_threads = True
    block_on_close = False  # close waits for nobody who reads slowly

    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401 - the base's
        self._places = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._lock = threading.Lock()
        self._began: dict[socket.socket, float] = {}
        super().__init__(*arguments)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Answer in a thread, where one is free or becomes free."""
        if not self._places.acquire(blocking=False):
            self._end(lambda connections: list(connections)[:1])
            if not self._places.acquire(timeout=MAKES_WAY_S):
                self.shutdown_request(request)
                return
        with self._lock:
            self._began[request] = time.monotonic()
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread could be started
            self._leave(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Answer, then give the thread back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._leave(request)

    def service_actions(self) -> None:
        """Close connections whose time is over; called twice a second."""
        late = time.monotonic() - PATIENCE_S
        self._end(lambda connections: [each for each, at in connections.items() if at < late])

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Tell the log; a client that left is none of our business."""
        log.debug("a request for metrics broke off", exc_info=True)

    def _end(self, choose: Callable[[dict[socket.socket, float]], list[socket.socket]]) -> None:
        """End connections; their threads notice."""
        with self._lock:
            for each in choose(self._began):
                with suppress(OSError):  # it has ended
                    each.shutdown(socket.SHUT_RDWR)

    def _leave(self, request: socket.socket) -> None:
        with self._lock:
            del self._began[request]
        self._places.release()


class _ServerV6(_Server):
    address_family = socket.AF_INET6


def _server_at(host: str) -> type[_Server]:
    return _ServerV6 if ":" in host else _Server


class _Handler(BaseHTTPRequestHandler):
    timeout = PATIENCE_S
    server_version = "nearfield"
    sys_version = ""

    def __init__(self, answer: Callable[[str, str], _Answer], *arguments: Any) -> None:  # noqa: ANN401
        self._answer = answer
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Answer with a body."""
        self.wfile.write(self._head())

    def do_HEAD(self) -> None:
        """Answer without one."""
        self._head()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing: it is asked every few seconds."""

    def _head(self) -> bytes:
        try:
            answer = self._answer(self.path, self.headers.get("Accept", ""))
        except Exception:
            log.exception("no answer to %s", self.path.partition("?")[0][:80])
            answer = _text(HTTPStatus.INTERNAL_SERVER_ERROR, "the server's log has it")
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.page.content_type)
        self.send_header("Content-Length", str(len(answer.page.content)))
        self.end_headers()
        return answer.page.content


def _text(status: HTTPStatus, words: str) -> _Answer:
    return _Answer(status, Page(f"{words}\n".encode(), TEXT))
