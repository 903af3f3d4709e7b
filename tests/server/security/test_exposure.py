from collections.abc import Mapping

import pytest

from server.security.errors import ExposedError
from server.security.exposure import check_exposure, is_loopback
from server.security.settings import SecuritySettings

HERE = ("127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "localhost", "unix:/run/s")
BEYOND = ("0.0.0.0", "::", "192.168.1.7", "::ffff:10.0.0.1", "example.org", "localhost.org", "")
WAYS = (
    {"callers_file": "f"},
    {"jwt_keys_file": "f", "jwt_issuer": "i", "jwt_audience": "a"},
    {"jwt_secret_file": "f", "jwt_issuer": "i", "jwt_audience": "a"},
)
TLS = {"tls_cert": "c", "tls_key": "k"}
OFF = {"authentication": "off"}
INSISTED = {"insecure_allowed": True}


def check(host: str, *parts: Mapping[str, object]) -> None:
    told: dict[str, object] = {}
    for part in parts:
        told |= part
    check_exposure(host, SecuritySettings.model_validate(told))


@pytest.mark.parametrize("host", HERE)
def test_addresses_of_this_machine_alone(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", BEYOND)
def test_addresses_that_others_reach(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", [*HERE, *BEYOND])
@pytest.mark.parametrize("parts", [(), (TLS,), (TLS, {"tls_client_ca": "a"}), (INSISTED,)])
def test_nobody_could_call_and_the_refusal_says_what_to_give(
    host: str, parts: tuple[Mapping[str, object], ...]
) -> None:
    with pytest.raises(ExposedError, match=r"--security\.callers-file.*--security\.authentication"):
        check(host, *parts)


@pytest.mark.parametrize("host", HERE)
@pytest.mark.parametrize("part", [OFF, *WAYS])
def test_this_machine_needs_no_tls(host: str, part: Mapping[str, object]) -> None:
    check(host, part)


@pytest.mark.parametrize("host", BEYOND)
@pytest.mark.parametrize("part", [{}, TLS])
def test_off_beyond_this_machine_is_refused_with_tls_too(
    host: str, part: Mapping[str, object]
) -> None:
    with pytest.raises(ExposedError, match=r"authentication is off.*--security\.insecure-allowed"):
        check(host, OFF, part)


@pytest.mark.parametrize("host", BEYOND)
@pytest.mark.parametrize("part", WAYS)
def test_keys_in_the_clear_beyond_this_machine_are_refused(
    host: str, part: Mapping[str, object]
) -> None:
    with pytest.raises(ExposedError, match=r"in the clear.*--security\.tls-cert"):
        check(host, part)


@pytest.mark.parametrize("host", BEYOND)
@pytest.mark.parametrize(
    "parts", [*((way, TLS) for way in WAYS), *((way, INSISTED) for way in WAYS), (OFF, INSISTED)]
)
def test_protected_and_insisted_addresses_are_taken(
    host: str, parts: tuple[Mapping[str, object], ...]
) -> None:
    check(host, *parts)
