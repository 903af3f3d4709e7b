"""A proxy that lets nobody through and counts who came."""

import socket
import threading
from types import TracebackType
from typing import Self

import pytest

REFUSAL = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy", "all_proxy")
SPARED = ("no_grpc_proxy", "no_proxy")


class RefusingProxy:
    """Listens on this machine and answers 502 to whatever is asked."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.asked: list[str] = []
        """The first line of each request, in order."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def name(self, monkeypatch: pytest.MonkeyPatch, *variables: str) -> None:
        """Let these variables of the environment name it, and no other a proxy."""
        for each in (*VARIABLES, *SPARED):
            monkeypatch.delenv(each, raising=False)
            monkeypatch.delenv(each.upper(), raising=False)
        for each in variables:
            monkeypatch.setenv(each, self.url)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self.asked.append(connection.recv(4096).partition(b"\r\n")[0].decode())
                connection.sendall(REFUSAL)
