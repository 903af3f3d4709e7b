import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from contextvars import copy_context
from pathlib import Path
from typing import Any, Protocol, cast

import pytest

import nearfield
from nearfield import AsyncClient, Client, Connection, Retry, Timeouts
from nearfield.testing import FakeServer

ROOT = Path(nearfield.__file__).parents[1]
QUICK = Retry(first_backoff_s=0.01, longest_backoff_s=0.02)


class Connect(Protocol):
    def __call__(
        self,
        target: str | Sequence[str] | None = None,
        *,
        timeouts: Timeouts | None = None,
        retry: Retry | None = None,
        connection: Connection | None = None,
    ) -> Client: ...


class Blocking:
    """An AsyncClient behind the methods of Client: each call runs the loop until it is done."""

    def __init__(self, make: Callable[[], AsyncClient]) -> None:
        self._runner = asyncio.Runner()
        self._client = make()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        return lambda *args, **kwargs: self._runner.run(
            method(*args, **kwargs), context=copy_context()
        )

    def shut(self) -> None:
        self._runner.run(self._client.close())
        self._runner.close()


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


@pytest.fixture(params=["Client", "AsyncClient"])
def connect(request: pytest.FixtureRequest, server: FakeServer) -> Iterator[Connect]:
    """Make clients of one kind; each test runs with either."""
    with ExitStack() as stack:

        def connect(
            target: str | Sequence[str] | None = None,
            *,
            timeouts: Timeouts | None = None,
            retry: Retry | None = None,
            connection: Connection | None = None,
        ) -> Client:
            where, again = target or server.target, retry or QUICK
            if request.param == "Client":
                client = Client(where, timeouts=timeouts, retry=again, connection=connection)
                return stack.enter_context(client)
            blocking = Blocking(
                lambda: AsyncClient(where, timeouts=timeouts, retry=again, connection=connection)
            )
            stack.callback(blocking.shut)
            return cast("Client", blocking)

        yield connect


@pytest.fixture
def client(connect: Connect) -> Client:
    return connect()
