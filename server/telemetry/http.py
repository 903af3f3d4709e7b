"""/metrics, /livez and /readyz over HTTP, on a port of their own."""

import logging
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
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
"""Seconds that a client may take to ask, or to read."""
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
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Tell the log; a client that left is none of our business."""
        log.debug("a request for metrics broke off", exc_info=True)


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
