from datetime import timedelta

import pytest

from server.security.callers import Role
from server.security.callers_file import CertificateLine
from server.security.certificates import Certificates, Peer
from server.security.errors import CredentialsExpiredError
from tests.server.security.support import NOW, Clock

CLOCK = Clock(NOW.timestamp())


def line(identity: str, name: str, **changes: object) -> CertificateLine:
    told = {"id": identity, "name": name, "roles": ["inference"], "created": NOW, **changes}
    return CertificateLine.model_validate(told)


KNOWN = Certificates(
    (
        line("uri:spiffe://example.org/shop", "by-uri", roles=["admin"]),
        line("dns:shop.example", "by-dns"),
        line("cn:shop", "by-cn"),
        line("dns:gone.example", "gone", revoked=NOW),
        line("dns:late.example", "late", expires=NOW),
        line("dns:soon.example", "soon", expires=NOW + timedelta(seconds=1)),
    ),
    CLOCK,
)


def found(peer: Peer) -> str | None:
    caller = KNOWN.caller(peer)
    return None if caller is None else caller.name


@pytest.mark.parametrize(
    ("peer", "name"),
    [
        ({"peer_uri": [b"spiffe://example.org/shop"]}, "by-uri"),
        ({"peer_dns": [b"other.example", b"shop.example"]}, "by-dns"),
        ({"peer_dns": [b"shop.example"], "peer_uri": [b"spiffe://example.org/shop"]}, "by-uri"),
        ({"x509_common_name": [b"shop"]}, "by-cn"),
        ({"peer_dns": [b"soon.example"]}, "soon"),
    ],
)
def test_first_name_that_is_known_is_the_callers(peer: Peer, name: str) -> None:
    assert found(peer) == name


def test_roles_are_the_lines() -> None:
    caller = KNOWN.caller({"peer_uri": [b"spiffe://example.org/shop"]})
    assert caller is not None
    assert caller.roles == {Role.ADMIN}


@pytest.mark.parametrize(
    "peer",
    [
        {},
        {"peer_dns": [b"spiffe://example.org/shop"]},
        {"peer_uri": [b"shop.example"]},
        {"peer_email": [b"shop.example"]},
        {"x509_subject_alternative_name": [b"shop.example"]},
        {"peer_dns": [b"SHOP.example.evil"]},
        {"peer_dns": [b"gone.example"]},
        {"peer_dns": [b"\xff\xfe"]},
    ],
)
def test_name_of_another_kind_is_nobodys(peer: Peer) -> None:
    assert found(peer) is None


def test_common_name_does_not_count_beside_an_alternative_name() -> None:
    assert found({"x509_common_name": [b"shop"], "peer_dns": [b"other.example"]}) is None


def test_line_that_has_ended_lets_nobody_in() -> None:
    with pytest.raises(CredentialsExpiredError):
        found({"peer_dns": [b"late.example"]})
