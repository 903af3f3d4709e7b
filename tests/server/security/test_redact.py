import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from server.security.api_keys import make_key
from server.security.redact import REDACTED, redact, redact_text
from tests.server.security.support import PATIENT, make_token, private_pem

SIGNER = ec.generate_private_key(ec.SECP256R1())
KEY = make_key()
TOKEN = make_token(SIGNER, "ES256")
PEM = private_pem(SIGNER).decode()
PASSWORD = "correct horse battery staple".replace(" ", "-")

SECRET_NAMES = (
    "authorization",
    "Authorization",
    "x-api-key",
    "api_key",
    "vllm_api_key",
    "NEARFIELD_VLLM_API_KEY",
    "key",
    "keys",
    "token",
    "page_token",
    "refresh-token",
    "jwt",
    "password",
    "db_password",
    "client_secret",
    "private_key",
    "set-cookie",
    "credentials",
)
NAMES = st.text() | st.sampled_from(["event", "level", "caller", "method", "keyboard", "monkey"])
HARMLESS = st.text() | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
RECOGNISED = st.sampled_from(
    (
        KEY.key,
        KEY.key.upper(),
        TOKEN,
        f"Bearer {TOKEN}",
        f"bearer {PASSWORD}",
        PEM,
        PEM.encode(),
        f"https://ada:{PASSWORD}@example.org/x",
        f"password={PASSWORD}",
        f'{{"api_key": "{PASSWORD}"}}',
        f"x-api-key: {PASSWORD}",
    )
)


@dataclass(frozen=True)
class Opaque:
    """Something that a renderer can only write by its repr."""

    content: object


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.tuples(inner, inner, inner)
            | st.dictionaries(NAMES, inner, max_size=4)
            | st.builds(Opaque, inner)
        ),
        max_leaves=12,
    )


def written(event: Mapping[str, Any]) -> str:
    """Write an event in every way that a renderer might."""
    return json.dumps(event, default=repr) + repr(event) + str(event)


def clean(text: str) -> bool:
    """Tell whether no part of a secret is left."""
    secrets = (KEY.key.rpartition("_")[2], TOKEN.rpartition(".")[2], PASSWORD, PEM.split("\n")[1])
    return not any(secret.lower() in text.lower() for secret in secrets)


@PATIENT
@given(st.dictionaries(NAMES, nested(HARMLESS | RECOGNISED)))
def test_secret_that_is_known_by_its_looks_is_nowhere_in_what_is_written(
    event: dict[str, Any],
) -> None:
    assert clean(written(redact(None, "info", event)))


@PATIENT
@given(
    event=st.dictionaries(NAMES, nested(HARMLESS)),
    name=st.sampled_from(SECRET_NAMES),
    secret=nested(st.just(PASSWORD)),
    depth=st.integers(0, 12),
)
def test_whatever_has_the_name_of_a_secret_is_nowhere_in_what_is_written(
    event: dict[str, Any], name: str, secret: object, depth: int
) -> None:
    planted: dict[str, Any] = {name: secret}
    for level in range(depth):
        planted = {"inner": [planted] if level % 2 else planted}
    assert clean(written(redact(None, "info", {**event, **planted})))


@pytest.mark.parametrize("kind", [list, tuple])
def test_pairs_of_metadata_are_redacted_by_their_names(kind: type) -> None:
    pairs = [kind(("authorization", "swordfish")), kind((b"x-api-key", b"swordfish"))]
    pairs.append(kind(("user-agent", "grpc")))
    told = redact(None, "info", {"metadata": pairs})
    assert "swordfish" not in written(told)
    assert "grpc" in written(told)


ORDINARY = {
    "event": "call",
    "method": "/nearfield.v1.InfoService/GetServerInfo",
    "caller": "shop",
    "key_id": KEY.id,
    "keyboard": "qwerty",
    "tokens": 17,
    "max_tokens": 256,
    "took_ms": 1.5,
    "error": "expected the scheme Bearer in authorization",
    "metric": "nf_requests_total",
    "versions": ["1.2.3", "nearfield.v1"],
    "found": {"eyes": "ey.es.ok", "nothing": None, "good": True},
    "url": "http://127.0.0.1:8000/v1",
}


def test_event_without_secrets_stays_as_it_is() -> None:
    assert redact(None, "info", dict(ORDINARY)) == ORDINARY


def test_object_without_secrets_stays_the_same_object() -> None:
    value = Opaque("harmless")
    assert redact(None, "info", {"value": value})["value"] is value


def test_id_of_a_key_stays_to_tell_whose_it_was() -> None:
    assert redact_text(f"refused {KEY.key}!") == f"refused nf_{KEY.id}_{REDACTED}!"


def test_secret_in_a_name_is_redacted_too() -> None:
    assert clean(written(redact(None, "info", {KEY.key: 1, "inner": {TOKEN: 2, (KEY.key, 1): 3}})))


def test_structure_without_end_is_cut() -> None:
    endless: dict[str, Any] = {"password": PASSWORD}
    endless["again"] = endless
    assert clean(written(redact(None, "info", endless)))


def test_traceback_in_a_log_of_structlog_is_redacted() -> None:
    lines: list[str] = []

    class Sink:
        def msg(self, line: str) -> None:
            lines.append(line)

        error = msg

    log = structlog.wrap_logger(
        Sink(),
        processors=[
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(),
        ],
    )
    try:
        raise ValueError(f"bad header authorization: Bearer {KEY.key}")
    except ValueError:
        log.error("call failed", exc_info=True, metadata=(("x-api-key", KEY.key),))
    (line,) = lines
    assert "ValueError: bad header" in line
    assert clean(line)
