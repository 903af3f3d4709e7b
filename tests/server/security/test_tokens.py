import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm

from server.security.callers import UNLIMITED, Role
from server.security.errors import CredentialsExpiredError, CredentialsInvalidError
from server.security.token_keys import read_public_keys, read_secret
from server.security.tokens import TokenRules, Tokens
from server.security.watched import Watched
from tests.server.security.support import (
    AUDIENCE,
    ISSUER,
    PATIENT,
    Clock,
    PrivateKey,
    make_token,
    public_pem,
    put,
)

RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
Make = Callable[..., Tokens]


@pytest.fixture
def clock() -> Clock:
    return Clock(time.time())


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Make:
    """Make tokens that are checked with this public key."""

    def made(key: PrivateKey = P256, **rules: Any) -> Tokens:  # noqa: ANN401
        path = put(tmp_path / "key.pem", public_pem(key))
        watched = Watched(path, read_public_keys, Clock())
        return Tokens(watched, TokenRules(ISSUER, AUDIENCE, **rules), clock)

    return made


def in_s(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA, "RS256"), (P256, "ES256"), (ED25519, "EdDSA")]
)
def test_subject_of_a_good_token_is_the_caller(make: Make, key: PrivateKey, algorithm: str) -> None:
    tokens = make(key)
    token = make_token(key, algorithm)
    for _ in range(2):  # checked, then remembered
        caller = tokens.caller(token)
        assert (caller.name, set(caller.roles)) == ("jwt:ada", {Role.INFERENCE})
        assert caller.limits is UNLIMITED


def test_secret_of_a_file_checks_hs256_and_nothing_else(tmp_path: Path, clock: Clock) -> None:
    secret = b"s" * 40
    watched = Watched(put(tmp_path / "secret", secret), read_secret, Clock())
    tokens = Tokens(watched, TokenRules(ISSUER, AUDIENCE), clock)
    assert tokens.caller(make_token(secret, "HS256")).name == "jwt:ada"
    for token in (make_token(secret * 2, "HS512"), make_token(P256, "ES256")):
        with pytest.raises(CredentialsInvalidError):
            tokens.caller(token)


def test_token_cannot_choose_its_algorithm(make: Make) -> None:
    """Signed by HMAC with the public key as the secret, or not signed at all."""
    good = make_token(RSA, "RS256")
    claims = good.split(".")[1]

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).decode().rstrip("=")

    head = f"{part(json.dumps({'alg': 'HS256', 'typ': 'JWT'}).encode())}.{claims}"
    mac = part(hmac.digest(public_pem(RSA), head.encode(), hashlib.sha256))
    none = f"{part(json.dumps({'alg': 'none', 'typ': 'JWT'}).encode())}.{claims}."
    tokens = make(RSA)
    assert tokens.caller(good).name == "jwt:ada"
    for forged in (f"{head}.{mac}", none, make_token("", "none")):
        with pytest.raises(CredentialsInvalidError):
            tokens.caller(forged)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": None},
        {"iss": "https://other.example"},
        {"iss": None},
        {"exp": None},
        {"exp": "soon"},
        {"exp": float("inf")},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 257},
        {"sub": "ada\nlovelace"},
        {"nbf": in_s(3600)},
        {"iat": in_s(3600)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_token_that_breaks_a_rule_is_nobodys(make: Make, changes: dict[str, object]) -> None:
    with pytest.raises(CredentialsInvalidError):
        make().caller(make_token(P256, "ES256", **changes))


def test_audience_may_be_one_of_several(make: Make) -> None:
    token = make_token(P256, "ES256", aud=["another", AUDIENCE])
    assert make().caller(token).name == "jwt:ada"


def test_token_of_another_key_is_nobodys(make: Make) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(CredentialsInvalidError):
        make().caller(make_token(other, "ES256"))


def test_clocks_may_differ_by_the_leeway_and_no_more(make: Make) -> None:
    tokens = make(leeway_s=60.0)
    assert tokens.caller(make_token(P256, "ES256", exp=in_s(-30))).name == "jwt:ada"
    assert tokens.caller(make_token(P256, "ES256", nbf=in_s(30))).name == "jwt:ada"
    with pytest.raises(CredentialsExpiredError):
        tokens.caller(make_token(P256, "ES256", exp=in_s(-90)))
    with pytest.raises(CredentialsInvalidError):
        tokens.caller(make_token(P256, "ES256", nbf=in_s(90)))


def test_remembered_token_ends_with_its_time(make: Make, clock: Clock) -> None:
    tokens = make(leeway_s=10.0)
    token = make_token(P256, "ES256", exp=int(clock.now) + 100)
    assert tokens.caller(token).name == "jwt:ada"
    clock.now = int(clock.now) + 109.9
    assert tokens.caller(token).name == "jwt:ada"
    clock.now += 0.1
    for _ in range(2):
        with pytest.raises(CredentialsExpiredError):
            tokens.caller(token)


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (["inference", "admin"], {Role.INFERENCE, Role.ADMIN}),
        ("openid catalogue", {Role.CATALOGUE}),
        (["king", 7, None, ["admin"]], set()),
        ({"admin": True}, set()),
        (None, set()),
    ],
)
def test_roles_are_a_list_or_a_text_and_foreign_ones_do_not_count(
    make: Make, roles: object, expected: set[Role]
) -> None:
    assert set(make().caller(make_token(P256, "ES256", roles=roles)).roles) == expected


def test_claim_of_the_roles_can_be_another(make: Make) -> None:
    tokens = make(roles_claim="https://example.org/roles")
    claims = {"roles": ["admin"], "https://example.org/roles": ["inference"]}
    assert set(tokens.caller(make_token(P256, "ES256", **claims)).roles) == {Role.INFERENCE}


def test_token_is_believed_no_longer_than_its_key_is_there(tmp_path: Path, clock: Clock) -> None:
    path = put(tmp_path / "key.pem", public_pem(P256))
    watched = Watched(path, read_public_keys, Clock())
    tokens = Tokens(watched, TokenRules(ISSUER, AUDIENCE), clock)
    old = make_token(P256, "ES256")
    assert tokens.caller(old).name == "jwt:ada"
    put(path, public_pem(ED25519))
    watched.look()
    with pytest.raises(CredentialsInvalidError):
        tokens.caller(old)
    assert tokens.caller(make_token(ED25519, "EdDSA")).name == "jwt:ada"


def test_keys_are_rotated_without_a_token_refused(tmp_path: Path, clock: Clock) -> None:
    other = ec.generate_private_key(ec.SECP256R1())

    def entry(key: ec.EllipticCurvePrivateKey, kid: str) -> dict[str, Any]:
        return {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid}

    both = [entry(P256, "old"), entry(other, "new")]
    path = put(tmp_path / "keys.json", json.dumps({"keys": both[:1]}).encode())
    watched = Watched(path, read_public_keys, Clock())
    tokens = Tokens(watched, TokenRules(ISSUER, AUDIENCE), clock)
    old = make_token(P256, "ES256", "old")
    new = make_token(other, "ES256", "new")
    assert tokens.caller(old).name == "jwt:ada"
    put(path, json.dumps({"keys": both}).encode())
    watched.look()
    assert tokens.caller(old).name == tokens.caller(new).name == "jwt:ada"
    for token in (make_token(other, "ES256"), make_token(other, "ES256", "old")):
        with pytest.raises(CredentialsInvalidError):
            tokens.caller(token)


def test_no_more_tokens_are_remembered_than_said(make: Make) -> None:
    tokens = make(ED25519, remembered=3)
    made = [make_token(ED25519, "EdDSA", sub=f"user-{number}") for number in range(10)]
    for number, token in enumerate(made):
        assert tokens.caller(token).name == f"jwt:user-{number}"
        assert tokens.caller(made[0]).name == "jwt:user-0"
        assert len(tokens) <= 3


@PATIENT
@given(st.text(st.characters(codec="ascii")))
def test_text_that_is_no_token_is_nobodys(make: Make, text: str) -> None:
    with pytest.raises(CredentialsInvalidError):
        make().caller(text)


@PATIENT
@given(
    header=st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
    | st.fixed_dictionaries({"alg": st.just("ES256"), "kid": st.text() | st.lists(st.text())})
)
def test_header_of_any_shape_is_nobodys(make: Make, header: object) -> None:
    _, claims, signature = make_token(P256, "ES256").split(".")
    head = base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=")
    with pytest.raises(CredentialsInvalidError):
        make().caller(f"{head}.{claims}.{signature}")


@pytest.mark.parametrize("header", ["[" * 5000, '{"a":' * 5000, '{"alg": ' + "9" * 5000 + "}"])
def test_header_that_json_chokes_on_is_nobodys(make: Make, header: str) -> None:
    head = base64.urlsafe_b64encode(header.encode()).decode().rstrip("=")
    with pytest.raises(CredentialsInvalidError):
        make().caller(f"{head}.e30.AA")
