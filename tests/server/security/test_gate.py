"""Every way in, over the wire."""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from server.security.callers import CallerLimits, Role
from server.security.errors import CallersFileError, ExposedError
from server.security.gate import open_gate
from server.security.keys import main as keys
from server.security.settings import SecuritySettings
from tests.server.security.support import (
    AUDIENCE,
    ISSUER,
    Authority,
    add_key,
    make_token,
    public_pem,
    put,
)
from tests.server.security.wire import ask, channel, guarded
from tests.server.support import detail, reason, retry_s, rich_status

AUTHORITY = Authority("ours")
SIGNER = ed25519.Ed25519PrivateKey.generate()
SPIFFE = "spiffe://example.org/radio"


@asynccontextmanager
async def serving(settings: SecuritySettings) -> AsyncIterator[str]:
    """Serve as the application does, and give the address."""
    gate = open_gate(settings, "127.0.0.1")
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((guarded(gate),))
    port = gate.listen(server, "127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


async def refused(opened: grpc.aio.Channel, *metadata: tuple[str, str]) -> Status:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(opened, *metadata)
    return rich_status(caught.value)


def secured(tls: Mapping[str, object], **told: object) -> SecuritySettings:
    return SecuritySettings.model_validate({**tls, **told})


def bearer(credential: str) -> tuple[str, str]:
    return ("authorization", f"Bearer {credential}")


@pytest.fixture
def tls(tmp_path: Path) -> dict[str, Path]:
    pair = AUTHORITY.issue()
    return {
        "tls_cert": put(tmp_path / "server.pem", pair.chain),
        "tls_key": put(tmp_path / "server.key", pair.key),
    }


@pytest.fixture
def callers(tmp_path: Path) -> Path:
    return tmp_path / "callers.jsonl"


async def test_key_over_tls(tls: dict[str, Path], callers: Path) -> None:
    key = add_key(callers)
    settings = secured(tls, callers_file=callers)
    async with serving(settings) as address, channel(address, AUTHORITY.pem) as opened:
        assert await ask(opened, bearer(key)) == b"shop"
        assert await ask(opened, ("x-api-key", key)) == b"shop"
        assert reason(await refused(opened)) == "CREDENTIALS_MISSING"
        assert reason(await refused(opened, bearer(f"{key}x"))) == "CREDENTIALS_INVALID"


async def test_token_over_tls(tls: dict[str, Path], tmp_path: Path) -> None:
    public = put(tmp_path / "issuer.pem", public_pem(SIGNER))
    settings = secured(tls, jwt_keys_file=public, jwt_issuer=ISSUER, jwt_audience=AUDIENCE)
    async with serving(settings) as address, channel(address, AUTHORITY.pem) as opened:
        for _ in range(2):
            assert await ask(opened, bearer(make_token(SIGNER, "EdDSA"))) == b"jwt:ada"
        old = make_token(SIGNER, "EdDSA", exp=1)
        assert reason(await refused(opened, bearer(old))) == "CREDENTIALS_EXPIRED"
        without_roles = await refused(opened, bearer(make_token(SIGNER, "EdDSA", roles=[])))
        assert reason(without_roles) == "ROLE_MISSING"


async def test_certificate_of_the_client(tls: dict[str, Path], callers: Path) -> None:
    given = ("--file", str(callers), "--name", "radio", "--role", "inference")
    assert keys(["certificate", *given, "--id", f"uri:{SPIFFE}"]) == 0
    authority = put(callers.with_name("clients.pem"), AUTHORITY.pem)
    settings = secured(tls, tls_client_ca=authority, callers_file=callers)
    radio = AUTHORITY.issue("radio", (x509.UniformResourceIdentifier(SPIFFE),))
    stranger = AUTHORITY.issue("stranger", (x509.DNSName(SPIFFE.removeprefix("spiffe://")),))
    key = add_key(callers)
    async with serving(settings) as address:
        async with channel(address, AUTHORITY.pem, radio) as opened:
            assert await ask(opened) == b"radio"
            assert await ask(opened, bearer(key)) == b"shop"
        async with channel(address, AUTHORITY.pem, stranger) as opened:
            assert reason(await refused(opened)) == "CREDENTIALS_MISSING"
            assert await ask(opened, bearer(key)) == b"shop"


async def test_role_that_is_missing_is_named(callers: Path) -> None:
    key = add_key(callers, roles=(Role.ADMIN, Role.CATALOGUE))
    async with (
        serving(SecuritySettings(callers_file=callers)) as address,
        grpc.aio.insecure_channel(address) as opened,
    ):
        status = await refused(opened, bearer(key))
        info = detail(status, ErrorInfo)
        assert status.code == grpc.StatusCode.PERMISSION_DENIED.value[0]
        assert info is not None
        assert (info.reason, info.metadata["role"]) == ("ROLE_MISSING", "inference")


async def test_caller_beyond_its_rate_hears_how_long_to_wait(callers: Path) -> None:
    key = add_key(callers, limits=CallerLimits(calls_per_s=0.01, burst_calls=2))
    other = add_key(callers, "other")
    async with (
        serving(SecuritySettings(callers_file=callers)) as address,
        grpc.aio.insecure_channel(address) as opened,
    ):
        assert [await ask(opened, bearer(key)) for _ in range(2)] == [b"shop"] * 2
        status = await refused(opened, bearer(key))
        assert status.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
        assert reason(status) == "RATE_LIMITED"
        wait = retry_s(status)
        assert wait is not None
        assert 50 < wait <= 100
        assert await ask(opened, bearer(other)) == b"other"


async def test_limits_of_the_server_hold_for_who_has_none(callers: Path) -> None:
    key = add_key(callers)
    limits = CallerLimits(calls_per_s=0.01)
    async with (
        serving(SecuritySettings(callers_file=callers, limits=limits)) as address,
        grpc.aio.insecure_channel(address) as opened,
    ):
        assert await ask(opened, bearer(key)) == b"shop"
        assert reason(await refused(opened, bearer(key))) == "RATE_LIMITED"


async def test_log_has_nothing_of_what_callers_bring(
    callers: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key, token = add_key(callers), make_token(SIGNER, "EdDSA")
    public = put(tmp_path / "issuer.pem", public_pem(SIGNER))
    told: dict[str, object] = {
        "jwt_keys_file": public,
        "jwt_issuer": ISSUER,
        "jwt_audience": AUDIENCE,
    }
    settings = secured(told, callers_file=callers)
    wrong = (f"{key}a", f"{token}a", key.swapcase(), make_token(SIGNER, "EdDSA", exp=1))
    async with (
        serving(settings) as address,
        grpc.aio.insecure_channel(address) as opened,
    ):
        for good in (key, token):
            await ask(opened, bearer(good))
        for bad in wrong:
            status = await refused(opened, bearer(bad))
            assert bad not in str(status)
    written = caplog.text.lower()
    for credential in (key, token, *wrong):
        assert credential.lower() not in written
        assert credential.lower().rpartition("_")[2][-20:] not in written


async def test_everybody_gets_in_where_authentication_is_off() -> None:
    async with (
        serving(SecuritySettings(authentication="off")) as address,
        grpc.aio.insecure_channel(address) as opened,
    ):
        assert await ask(opened) == b"anybody"
        assert await ask(opened, bearer("whatever")) == b"anybody"


def test_gate_does_not_open_onto_the_network_by_oversight(callers: Path) -> None:
    add_key(callers)
    with pytest.raises(ExposedError):
        open_gate(SecuritySettings(callers_file=callers), "0.0.0.0")
    with pytest.raises(ExposedError):
        open_gate(SecuritySettings(), "127.0.0.1")


def test_gate_does_not_open_over_a_broken_file(callers: Path) -> None:
    callers.write_text("broken", "utf-8")
    with pytest.raises(CallersFileError, match="line 1"):
        open_gate(SecuritySettings(callers_file=callers), "127.0.0.1")
