import logging
import sys
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from server.security.errors import CertificateError
from server.security.tls import Certificate, TlsFiles, read_identity
from tests.server.security.support import NOW, Authority, Clock, Pair, PrivateKey, put
from tests.server.security.wire import call, channel, echo

OLD, NEW = Authority("old"), Authority("new")
Spoil = Callable[[TlsFiles], object]


def lay(files: TlsFiles, pair: Pair, client_ca: bytes | None = None) -> None:
    put(files.cert, pair.chain)
    put(files.key, pair.key)
    if files.client_ca is not None and client_ca is not None:
        put(files.client_ca, client_ca)


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    files = TlsFiles(tmp_path / "server.pem", tmp_path / "server.key", None)
    lay(files, OLD.issue())
    return files


@pytest.fixture
def mutual(tmp_path: Path) -> TlsFiles:
    files = TlsFiles(tmp_path / "server.pem", tmp_path / "server.key", tmp_path / "clients.pem")
    lay(files, OLD.issue(), OLD.pem)
    return files


@asynccontextmanager
async def serving(certificate: Certificate) -> AsyncIterator[str]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((echo(),))
    port = server.add_secure_port("127.0.0.1:0", certificate.credentials())
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


async def test_new_connections_see_the_new_certificate_and_old_ones_go_on(files: TlsFiles) -> None:
    async with serving(Certificate(files)) as address, channel(address, OLD.pem) as old:
        assert await call(old) is None
        lay(files, NEW.issue())
        async with channel(address, NEW.pem) as new:
            assert await call(new) is None
        async with channel(address, OLD.pem) as late:
            assert await call(late) is grpc.StatusCode.UNAVAILABLE
        assert await call(old) is None


async def test_pair_that_is_half_replaced_serves_on_as_it_was(
    files: TlsFiles, caplog: pytest.LogCaptureFixture
) -> None:
    pair = NEW.issue()
    async with serving(Certificate(files)) as address:
        put(files.cert, pair.chain)
        for _ in range(2):
            async with channel(address, OLD.pem) as still:
                assert await call(still) is None
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
        assert "the certificate of before serves on" in caplog.text
        put(files.key, pair.key)
        async with channel(address, NEW.pem) as new:
            assert await call(new) is None


async def test_clients_authority_is_replaced_with_the_rest(mutual: TlsFiles) -> None:
    old_client, new_client = OLD.issue("client", ()), NEW.issue("client", ())
    async with (
        serving(Certificate(mutual)) as address,
        channel(address, OLD.pem, old_client) as old,
    ):
        assert await call(old) is None
        lay(mutual, NEW.issue(), NEW.pem)
        async with channel(address, NEW.pem, new_client) as new:
            assert await call(new) is None
        async with channel(address, NEW.pem, old_client) as late:
            assert await call(late) is grpc.StatusCode.UNAVAILABLE
        assert await call(old) is None


async def test_client_without_a_certificate_does_not_get_in(mutual: TlsFiles) -> None:
    async with serving(Certificate(mutual)) as address:
        async with channel(address, OLD.pem) as bare:
            assert await call(bare) is grpc.StatusCode.UNAVAILABLE
        async with channel(address, OLD.pem, NEW.issue("client", ())) as foreign:
            assert await call(foreign) is grpc.StatusCode.UNAVAILABLE


async def test_client_without_tls_does_not_get_in(files: TlsFiles) -> None:
    async with (
        serving(Certificate(files)) as address,
        grpc.aio.insecure_channel(address) as plain,
    ):
        assert await call(plain) is grpc.StatusCode.UNAVAILABLE


GOOD_KEYS: dict[str, PrivateKey] = {
    "RSA": rsa.generate_private_key(65537, 2048),
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
}
BAD_KEYS: dict[str, PrivateKey] = {
    "short RSA": rsa.generate_private_key(65537, 1024),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}


@pytest.mark.parametrize("name", GOOD_KEYS)
async def test_kinds_of_keys_that_are_taken_serve(files: TlsFiles, name: str) -> None:
    lay(files, OLD.issue(key=GOOD_KEYS[name]))
    async with serving(Certificate(files)) as address, channel(address, OLD.pem) as opened:
        assert await call(opened) is None


@pytest.mark.parametrize("name", BAD_KEYS)
def test_kinds_of_keys_that_clients_would_not_take_are_refused(files: TlsFiles, name: str) -> None:
    lay(files, OLD.issue(key=BAD_KEYS[name]))
    with pytest.raises(CertificateError, match="expected a key of RSA with 2048 bits"):
        Certificate(files)


def test_files_that_have_not_changed_give_nothing_new(files: TlsFiles) -> None:
    certificate = Certificate(files)
    assert certificate.newer() is None
    lay(files, NEW.issue())
    assert certificate.newer() is not None
    assert certificate.newer() is None


def test_connections_at_once_read_a_change_once(files: TlsFiles) -> None:
    certificate = Certificate(files)
    pairs = [NEW.issue() for _ in range(30)]
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns as often as they can
    try:
        with ThreadPoolExecutor(8) as pool:
            for pair in pairs:
                lay(files, pair)
                found = list(pool.map(lambda _: certificate.newer(), range(8)))
                assert len([each for each in found if each is not None]) == 1
    finally:
        sys.setswitchinterval(usual)


def locked(path: Path) -> bytes:
    key = load_pem_private_key(path.read_bytes(), None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"p"))


def without(name: str) -> Spoil:
    return lambda files: path_of(files, name).unlink()


def with_other(name: str, content: bytes) -> Spoil:
    return lambda files: put(path_of(files, name), content)


def path_of(files: TlsFiles, name: str) -> Path:
    path: Path = getattr(files, name)
    return path


SPOILT: dict[str, tuple[Spoil, str]] = {
    "cert gone": (without("cert"), r"server\.pem: cannot be read"),
    "key gone": (without("key"), r"server\.key: cannot be read"),
    "cert is none": (with_other("cert", b"swordfish"), "expected certificates in PEM"),
    "cert is empty": (with_other("cert", b""), "expected certificates in PEM"),
    "key is none": (with_other("key", b"swordfish"), "expected a private key in PEM"),
    "key has a password": (lambda files: put(files.key, locked(files.key)), "without a password"),
    "key of another": (with_other("key", OLD.issue().key), "expected the key of"),
    "expired": (
        lambda files: lay(files, OLD.issue(until=NOW - timedelta(seconds=1))),
        "that holds now",
    ),
    "authority gone": (without("client_ca"), r"clients\.pem: cannot be read"),
    "authority is none": (with_other("client_ca", b"swordfish"), "expected certificates in PEM"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_files_that_cannot_serve_are_refused_at_the_start(mutual: TlsFiles, name: str) -> None:
    spoil, said = SPOILT[name]
    spoil(mutual)
    with pytest.raises(CertificateError, match=said) as caught:
        Certificate(mutual)
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize("name", SPOILT)
def test_files_that_cannot_serve_change_nothing_later(
    mutual: TlsFiles, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    certificate = Certificate(mutual)
    before = certificate.identity
    SPOILT[name][0](mutual)
    assert certificate.newer() is None
    assert certificate.identity is before
    assert "swordfish" not in caplog.text
    assert len(caplog.records) == 1


def test_certificate_that_does_not_hold_yet_is_refused(files: TlsFiles) -> None:
    with pytest.raises(CertificateError, match="that holds now"):
        read_identity(files, NOW - timedelta(days=90))


def test_certificate_that_did_not_hold_yet_serves_when_it_does(files: TlsFiles) -> None:
    clock = Clock((NOW - timedelta(days=59)).timestamp())
    certificate = Certificate(files, clock)
    lay(files, NEW.issue(begins=NOW - timedelta(days=59) + timedelta(seconds=90)))
    served = []
    for _ in range(4):
        served.append(certificate.newer() is not None)
        clock.now += 40
    assert served == [False, False, False, False]
    clock.now += 20
    assert certificate.newer() is not None
    assert certificate.newer() is None


def test_private_key_is_not_printed(files: TlsFiles) -> None:
    printed = repr(read_identity(files, NOW))
    assert "not_after" in printed
    assert "BEGIN" not in printed


def test_end_is_told_two_weeks_before_and_then_every_day(
    files: TlsFiles, caplog: pytest.LogCaptureFixture
) -> None:
    lay(files, OLD.issue(until=NOW + timedelta(days=20)))
    clock = Clock(NOW.timestamp())
    certificate = Certificate(files, clock)
    told = []
    for _ in range(20):
        clock.now += timedelta(hours=12).total_seconds()
        caplog.clear()
        certificate.newer()
        told.append(len(caplog.records))
    days = [sum(told[day : day + 2]) for day in range(0, 20, 2)]
    assert days == [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]
    lay(files, OLD.issue(until=NOW + timedelta(days=30)))
    caplog.clear()
    caplog.set_level(logging.INFO)
    certificate.newer()
    assert [record.levelno for record in caplog.records] == [logging.INFO]


def test_end_of_a_replacement_is_told_as_soon_as_it_serves(
    files: TlsFiles, caplog: pytest.LogCaptureFixture
) -> None:
    lay(files, OLD.issue(until=NOW + timedelta(days=2)))
    certificate = Certificate(files)
    lay(files, OLD.issue(until=NOW + timedelta(days=3)))
    certificate.newer()
    # Where another test has opened the logs, that it serves is among the records too.
    warnings = [each.message for each in caplog.records if each.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert f"{NOW + timedelta(days=3)}" in warnings[1]


def test_end_is_told_at_the_start_where_it_is_near(
    files: TlsFiles, caplog: pytest.LogCaptureFixture
) -> None:
    lay(files, OLD.issue(until=NOW + timedelta(days=13)))
    ends = Certificate(files).identity.not_after
    assert ends == (NOW + timedelta(days=13)).replace(microsecond=0, tzinfo=UTC)
    (told,) = caplog.records
    assert f"{datetime.fromtimestamp(ends.timestamp(), UTC)}" in told.message
