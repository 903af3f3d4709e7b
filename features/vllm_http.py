"""Questions to a vLLM server over HTTP: timeouts, bearer token, retries with backoff."""

import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from weakref import WeakSet

import httpx
import numpy as np

from features.errors import (
    FeatureError,
    FeaturizerBadAnswer,
    FeaturizerRefused,
    FeaturizerUnavailable,
    FeaturizerUnreachable,
)
from features.proxies import proxy_of

Headers = Callable[[], Mapping[str, str]]
"""Gives headers for the next question, such as those that continue a trace."""

# What timed out is not among them: the server is busy, asking again adds to its load, and whoever
# waits has waited `timeout_s` already.
_CONNECTION_ERRORS = (httpx.NetworkError, httpx.ProxyError, httpx.RemoteProtocolError)
_MAX_BACKOFF_S = 30.0
_TELLTALE = 16
"""Letters of a text by which it is known again."""


READ_BYTES = 1024
"""Bytes of a text in UTF-8 that cost time: an encoder of 256 tokens reads about as many, fewer
where each sign is a token."""


@dataclass(frozen=True)
class VllmSettings:
    """How to talk to a vLLM server.

    Raises:
        FeatureError: a number is out of its range, or the address is none.
    """

    base_url: str = "http://127.0.0.1:8000/v1"
    """Address of the API, `/v1` included."""

    model: str = "all-MiniLM-L6-v2"
    """Name under which the server serves the encoder."""

    revision: str = ""
    """Revision of the encoder's files, as `folder_revision` gives it. Empty: hash them where the
    server runs on this machine, else the model's name has to do."""

    dimensions: int | None = None
    """Length of the vectors that must come. None: whatever the first answer has."""

    batch_size: int = 32
    """Most texts in one request. More wait longer for their answer, fewer leave the server idle."""

    batch_bytes: int | None = None
    """Most bytes of text in one request, counting of each its first `READ_BYTES`, so
    that long texts are answered as soon as short ones. None: any number."""

    concurrency: int = 4
    """Requests on their way at once, over all callers. More only queue in the server."""

    timeout_s: float = 120.0
    """Seconds to wait for one connection or answer, without a retry: a busy server gets no busier.
    The default is for bulk: `concurrency` batches of long texts on a CPU. Online, set it lower."""

    retries: int = 4
    """Further attempts after connection errors and answers of 500 and above."""

    backoff_s: float = 0.25
    """Longest wait before the first retry, in seconds; it doubles each time, up to 30."""

    api_key: str = field(default="", repr=False)
    """Sent as a bearer token, where not empty."""

    def __post_init__(self) -> None:
        for name in ("batch_size", "concurrency", "timeout_s", "backoff_s"):
            if not getattr(self, name) > 0:
                raise FeatureError(f"{name} must be above 0, got {getattr(self, name)}")
        if self.batch_bytes is not None and self.batch_bytes <= 0:
            raise FeatureError(f"batch_bytes must be above 0 or None, got {self.batch_bytes}")
        if self.retries < 0:
            raise FeatureError(f"retries must be at least 0, got {self.retries}")
        if not self.base_url.startswith(("http://", "https://")):
            raise FeatureError(f"base_url must begin with http:// or https://: {self.base_url!r}")

    @property
    def is_local(self) -> bool:
        """Whether the server runs on this machine, judged by its address."""
        host = httpx.URL(self.base_url).host
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


class VllmHttp:
    """A connection pool to one server; threads may share it.

    A server on this machine is reached without a proxy; elsewhere the environment says which one
    is used (features.proxies), and what goes wrong names its variable.

    Raises:
        FeatureError: the environment names a proxy that is none.
    """

    def __init__(
        self,
        settings: VllmSettings,
        rng: np.random.Generator,
        *,
        headers: Headers = lambda: {},
    ) -> None:
        self._settings = settings
        self._headers = headers
        self._rng = rng
        self._closed = threading.Event()
        self._connections = _Connections()
        proxy = None if settings.is_local else proxy_of(settings.base_url)
        self._way = f" (by way of the proxy that {proxy.variable} names)" if proxy else ""
        self._client = httpx.Client(
            timeout=settings.timeout_s,
            trust_env=False,  # it would find a proxy to this machine, and tell nobody its variable
            proxy=proxy.url if proxy else None,
            headers={"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else {},
        )

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed.is_set()

    def ask(self, method: str, path: str, body: object = None) -> object:
        """Send a question and return the JSON of its answer.

        Retried are connection errors and status 500 and above, and nothing else.

        Raises:
            FeaturizerUnavailable: no attempt was answered, or not in time.
            FeaturizerUnreachable: no connection could be made.
            FeaturizerRefused: a status of 300 to 499; the message quotes the server.
            FeaturizerBadAnswer: the answer is not HTTP or not JSON.
        """
        url = self._settings.base_url.rstrip("/") + path
        response = self._send(method, url, body)
        if not response.is_success:
            raise FeaturizerRefused(f"{url}{self._way} answered {_quote(response, body)}")
        try:
            answer: object = response.json()
        except ValueError as error:
            raise FeaturizerBadAnswer(f"{url}{self._way} did not answer JSON: {error}") from error
        return answer

    def _send(self, method: str, url: str, body: object) -> httpx.Response:
        attempts = 0
        server = url + self._way
        traced = {"trace": self._connections.trace}
        failure = FeaturizerUnavailable
        reason = "nothing was sent: closed"
        while attempts <= self._settings.retries and not self._closed.wait(self._pause_s(attempts)):
            attempts += 1
            try:
                response = self._client.request(
                    method, url, json=body, headers=self._headers(), extensions=traced
                )
            except _CONNECTION_ERRORS as error:
                failure, reason = _kind(error), f"{type(error).__name__}: {error}"
                continue
            except httpx.TimeoutException as error:
                raise _kind(error)(
                    f"{server} did not answer within {self._settings.timeout_s:g} s"
                ) from error
            except httpx.HTTPError as error:
                raise FeaturizerBadAnswer(f"{server}: {type(error).__name__}: {error}") from error
            if response.status_code < 500:
                return response
            failure, reason = FeaturizerUnavailable, f"status {_quote(response, body)}"
        raise failure(f"{server} failed, attempts: {attempts}, the last by {reason}")

    def _pause_s(self, attempts: int) -> float:
        if attempts == 0:
            return 0.0
        longest = min(self._settings.backoff_s * 2.0 ** (attempts - 1), _MAX_BACKOFF_S)
        return longest * float(self._rng.uniform(0.5, 1.0))

    def close(self) -> None:
        """End questions and waiting retries, close connections; closing twice is harmless."""
        self._closed.set()
        self._connections.shut_down()
        self._client.close()


class _Connections:
    """The sockets of a client's connections.

    A thread that waits for an answer does not notice that another one closed its socket; it notices
    that the socket was shut down.
    """

    def __init__(self) -> None:
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._lock = threading.Lock()
        self._over = False

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take note of a connection; httpcore tells of all that it does for a request."""
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            made = info["return_value"].get_extra_info("socket")
            with self._lock:
                self._sockets.add(made)
                over = self._over
            if over:
                _shut_down(made)

    def shut_down(self) -> None:
        """Let nothing more come or go."""
        with self._lock:
            self._over = True
            sockets = list(self._sockets)
        for each in sockets:
            _shut_down(each)


def _shut_down(connection: socket.socket) -> None:
    with suppress(OSError):  # it is closed
        socket.socket.shutdown(connection, socket.SHUT_RDWR)  # under TLS, too


def _kind(error: httpx.TransportError) -> type[FeaturizerUnavailable]:
    """Tell a server that is not there from one that has trouble."""
    absent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
    return FeaturizerUnreachable if absent else FeaturizerUnavailable


def _quote(response: httpx.Response, body: object) -> str:
    """Write an answer's status and beginning, but not where it repeats what was asked.

    Errors go to logs, and what people ask does not belong there.
    """
    said = response.text
    asked = body.get("input", []) if isinstance(body, dict) else []
    if any(text[:_TELLTALE] in said for text in asked):
        said = "(it repeats a text)"
    return f"{response.status_code}: {said[:300]}"
