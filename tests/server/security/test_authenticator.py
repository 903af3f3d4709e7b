import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from server.security.authenticator import (
    Authenticator,
    Everybody,
    Known,
    KnownCallers,
    Metadata,
    watch_callers,
)
from server.security.callers import ANYBODY, Role
from server.security.callers_file import CertificateLine, edit_lines
from server.security.certificates import Peer
from server.security.errors import (
    CredentialsInvalidError,
    CredentialsMissingError,
    UnauthenticatedError,
)
from server.security.gate import open_gate
from server.security.settings import SecuritySettings
from server.security.watched import Watched
from tests.server.security.support import (
    AUDIENCE,
    ISSUER,
    NOW,
    PATIENT,
    Clock,
    add_key,
    make_token,
    public_pem,
)

SIGNER = ec.generate_private_key(ec.SECP256R1())
PROXY: Peer = {"peer_dns": [b"proxy.example"]}


def nobody() -> Peer:
    return {}


def proxy() -> Peer:
    return PROXY


def stranger() -> Peer:
    return {"peer_dns": [b"stranger.example"]}


@pytest.fixture
def callers(tmp_path: Path) -> Path:
    path = tmp_path / "callers.jsonl"
    line = CertificateLine(
        id="dns:proxy.example", name="proxy", roles=frozenset({Role.INFERENCE}), created=NOW
    )
    edit_lines(path, lambda _: (line,))
    return path


@pytest.fixture
def key(callers: Path) -> str:
    return add_key(callers)


@pytest.fixture
def known(callers: Path, key: str) -> Watched[Known]:
    return watch_callers(callers, wall=time.time, monotonic=Clock())


@pytest.fixture
def authenticator(tmp_path: Path, callers: Path, key: str) -> Authenticator:
    keys = tmp_path / "issuer.pem"
    keys.write_bytes(public_pem(SIGNER))
    settings = SecuritySettings(
        callers_file=callers, jwt_keys_file=keys, jwt_issuer=ISSUER, jwt_audience=AUDIENCE
    )
    return open_gate(settings, "127.0.0.1").authenticator


def name(authenticator: Authenticator, metadata: Metadata, peer: Callable[[], Peer]) -> str:
    return authenticator.authenticate(metadata, peer).name


def test_key_may_come_in_either_header(authenticator: Authenticator, key: str) -> None:
    for metadata in (
        [("x-request-id", "1"), ("authorization", f"Bearer {key}")],
        [("authorization", f"bearer {key}")],
        [("x-api-key", key), ("user-agent", "grpc")],
    ):
        assert name(authenticator, metadata, nobody) == "shop"


def test_token_and_certificate_name_their_callers(authenticator: Authenticator) -> None:
    token = make_token(SIGNER, "ES256")
    assert name(authenticator, [("authorization", f"Bearer {token}")], nobody) == "jwt:ada"
    assert name(authenticator, [], proxy) == "proxy"
    assert authenticator.authenticate(None, proxy).name == "proxy"


def test_key_speaks_before_the_certificate_of_the_connection(
    authenticator: Authenticator, key: str
) -> None:
    assert name(authenticator, [("x-api-key", key)], proxy) == "shop"


def test_wrong_key_is_not_saved_by_the_certificate(authenticator: Authenticator) -> None:
    with pytest.raises(CredentialsInvalidError):
        authenticator.authenticate([("x-api-key", "nf_aaaaaaaaaa_b")], proxy)


def test_connection_is_not_asked_where_the_metadata_tells(
    authenticator: Authenticator, key: str
) -> None:
    def asked() -> Peer:
        raise AssertionError("asked")

    assert name(authenticator, [("x-api-key", key)], asked) == "shop"


def test_two_credentials_in_one_call_are_refused(authenticator: Authenticator, key: str) -> None:
    both = [("x-api-key", key), ("authorization", f"Bearer {key}")]
    for metadata in (both, both[:1] * 2):
        with pytest.raises(CredentialsInvalidError, match="got several"):
            authenticator.authenticate(metadata, nobody)


def test_call_without_credentials_is_told_what_to_bring(authenticator: Authenticator) -> None:
    for peer in (nobody, stranger):
        with pytest.raises(CredentialsMissingError, match="authorization: Bearer"):
            authenticator.authenticate([("x-request-id", "1")], peer)


@PATIENT
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["authorization", "x-api-key", "other"]),
            st.text()
            | st.binary()
            | st.text().map(lambda text: f"Bearer {text}")
            | st.text().map(lambda text: f"nf_{text}")
            | st.from_regex(r"nf_[a-z2-7]{10}_[a-z2-7]{52}"),
        )
    )
)
def test_metadata_of_any_shape_is_refused_and_not_repeated(
    authenticator: Authenticator, metadata: list[tuple[str, str | bytes]]
) -> None:
    with pytest.raises(UnauthenticatedError) as caught:
        authenticator.authenticate(metadata, nobody)
    told = str(caught.value)
    assert all(str(value) not in told for _, value in metadata if len(value) > 12)


@pytest.mark.parametrize("text", ["nf_aaaaaaaaaa_\ud800", "\udfff.a.b", "nf_ключ", "é"])
def test_text_that_no_header_can_carry_is_nobodys(authenticator: Authenticator, text: str) -> None:
    for metadata in ([("x-api-key", text)], [("authorization", f"Bearer {text}")]):
        with pytest.raises(CredentialsInvalidError):
            authenticator.authenticate(metadata, nobody)


def test_kind_of_credentials_that_the_server_does_not_take_is_nobodys(
    tmp_path: Path, callers: Path, key: str
) -> None:
    keys = tmp_path / "issuer.pem"
    keys.write_bytes(public_pem(SIGNER))
    by_file = SecuritySettings(callers_file=callers)
    by_token = SecuritySettings(jwt_keys_file=keys, jwt_issuer=ISSUER, jwt_audience=AUDIENCE)
    for settings, value in ((by_file, make_token(SIGNER, "ES256")), (by_token, key)):
        known = open_gate(settings, "127.0.0.1").authenticator
        with pytest.raises(CredentialsInvalidError):
            known.authenticate([("authorization", f"Bearer {value}")], nobody)


def test_key_is_taken_and_refused_as_the_file_changes(known: Watched[Known], callers: Path) -> None:
    authenticator = KnownCallers(known, None)
    fresh = add_key(callers, "radio")
    known.look()
    assert name(authenticator, [("x-api-key", fresh)], nobody) == "radio"
    edit_lines(callers, lambda lines: [line for line in lines if line.name != "radio"])
    known.look()
    with pytest.raises(CredentialsInvalidError):
        authenticator.authenticate([("x-api-key", fresh)], nobody)


def test_broken_file_keeps_its_callers_and_the_log_says_so_without_its_content(
    known: Watched[Known], callers: Path, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    authenticator = KnownCallers(known, None)
    callers.write_text(callers.read_text("utf-8") + key, "utf-8")
    known.look()
    assert name(authenticator, [("x-api-key", key)], nobody) == "shop"
    (told,) = caplog.records
    assert told.levelno == logging.ERROR
    assert "line 3" in told.message
    assert key.rpartition("_")[2] not in caplog.text


def test_everybody_is_one_caller_with_every_role_where_authentication_is_off() -> None:
    caller = Everybody().authenticate([("x-api-key", "whatever")], nobody)
    assert caller is ANYBODY
    assert caller.roles == set(Role)
