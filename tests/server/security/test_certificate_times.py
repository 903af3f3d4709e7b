"""A client certificate whose time ends while its bearer goes on, by every way to go on."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc.experimental.session_cache import ssl_session_cache_lru

from server.security.authenticator import Authenticator, Metadata
from server.security.callers import Caller
from server.security.callers_file import CertificateLine, edit_lines
from server.security.certificates import CertificateTimes, Peer
from server.security.errors import (
    CredentialsExpiredError,
    CredentialsInvalidError,
    CredentialsMissingError,
)
from server.security.gate import Clocks, Gate, open_gate
from server.security.settings import SecuritySettings
from tests.server.security.support import NOW, Authority, Clock, Pair, add_key, put
from tests.server.security.wire import ALONE, ask, guarded
from tests.server.support import reason, rich_status

AUTHORITY = Authority("ours")
ENDS = NOW + timedelta(days=2)
BEARER = AUTHORITY.issue("radio", (), until=ENDS)


def peer_of(pair: Pair) -> Peer:
    return {"x509_pem_cert": [pair.chain]}


@asynccontextmanager
async def serving(gate: Gate) -> AsyncIterator[str]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((guarded(gate),))
    port = gate.listen(server, "127.0.0.1:0")
    await server.start()
    try:
        yield f"localhost:{port}"  # sessions are kept by name
    finally:
        await server.stop(0)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW.timestamp())


@pytest.fixture
def callers(tmp_path: Path) -> Path:
    path = tmp_path / "callers.jsonl"
    told = {"id": "cn:radio", "name": "radio", "roles": ["inference"], "created": NOW}
    edit_lines(path, lambda _: (CertificateLine.model_validate(told),))
    return path


def gate_of(folder: Path, clock: Clock, **told: object) -> Gate:
    pair = AUTHORITY.issue()
    files = {
        "tls_cert": put(folder / "server.pem", pair.chain),
        "tls_key": put(folder / "server.key", pair.key),
        "tls_client_ca": put(folder / "ca.pem", AUTHORITY.pem),
    }
    settings = SecuritySettings.model_validate({**files, **told})
    return open_gate(settings, "127.0.0.1", clocks=Clocks(clock, time.monotonic))


class Watching:
    """Notes which calls come over a session that was resumed."""

    def __init__(self, inner: Authenticator) -> None:
        self._inner = inner
        self.resumed: list[bool] = []

    def authenticate(self, metadata: Metadata | None, peer: Callable[[], Peer]) -> Caller:
        """Ask the one inside."""
        self.resumed.append(list(peer()["ssl_session_reused"]) == [b"true"])
        return self._inner.authenticate(metadata, peer)


def connect(address: str, sessions: object = None) -> grpc.aio.Channel:
    credentials = grpc.ssl_channel_credentials(AUTHORITY.pem, BEARER.key, BEARER.chain)
    options: list[tuple[str, object]] = [*ALONE]
    if sessions is not None:
        options.append(("grpc.ssl_session_cache", sessions))
    return grpc.aio.secure_channel(address, credentials, options=options)


async def refusal(opened: grpc.aio.Channel, *metadata: tuple[str, str]) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(opened, *metadata)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    return reason(rich_status(caught.value))


async def test_open_and_resumed_connections_end_with_their_certificate(
    tmp_path: Path, callers: Path, clock: Clock
) -> None:
    key = ("x-api-key", add_key(callers))
    gate = gate_of(tmp_path, clock, callers_file=callers)
    watching = Watching(gate.authenticator)
    gate = replace(gate, authenticator=watching)
    new_cache: Any = ssl_session_cache_lru  # has no types
    sessions = new_cache(8)
    async with serving(gate) as address:
        opened, resumed, fresh = (connect(address, each) for each in (sessions, sessions, None))
        async with opened, resumed, fresh:
            assert await ask(opened) == b"radio"
            clock.now = ENDS.timestamp() + 1
            for each in (opened, resumed, fresh):
                assert await refusal(each) == "CREDENTIALS_EXPIRED"
                assert await refusal(each, key) == "CREDENTIALS_EXPIRED"
            clock.now = ENDS.timestamp()
            assert await ask(resumed, key) == b"shop"
    assert watching.resumed == [False, False, False, True, True, False, False, True]


async def test_certificate_is_held_to_its_time_where_nobody_is_asked_who_calls(
    tmp_path: Path, clock: Clock
) -> None:
    async with (
        serving(gate_of(tmp_path, clock, authentication="off")) as address,
        connect(address) as opened,
    ):
        assert await ask(opened)
        clock.now = ENDS.timestamp() + 1
        assert await refusal(opened) == "CREDENTIALS_EXPIRED"


def test_every_certificate_has_its_own_time(clock: Clock) -> None:
    times = CertificateTimes(clock)
    early = AUTHORITY.issue(begins=NOW - timedelta(days=9), until=NOW - timedelta(seconds=1))
    late = AUTHORITY.issue(begins=NOW + timedelta(seconds=1))
    for _ in range(2):  # read, then remembered
        times.check(peer_of(BEARER))
        with pytest.raises(CredentialsExpiredError, match="client certificate has expired"):
            times.check(peer_of(early))
        with pytest.raises(CredentialsInvalidError, match="does not hold yet"):
            times.check(peer_of(late))
    clock.now += 1
    times.check(peer_of(late))


def test_connection_without_a_readable_certificate_is_refused(clock: Clock) -> None:
    times = CertificateTimes(clock)
    with pytest.raises(CredentialsMissingError):
        times.check({})
    with pytest.raises(CredentialsInvalidError):
        times.check({"x509_pem_cert": [b"none"]})


def test_what_is_remembered_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.security.certificates.REMEMBERED", 2)
    times = CertificateTimes(clock)
    pairs = [AUTHORITY.issue() for _ in range(3)]
    for each in (*pairs, *pairs):
        times.check(peer_of(each))
    assert len(times._times) == 2
