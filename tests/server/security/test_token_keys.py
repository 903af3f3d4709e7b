import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from server.security.errors import TokenKeysError
from server.security.token_keys import TokenKeys, read_public_keys, read_secret
from tests.server.security.support import private_pem, public_pem

RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
JWK: dict[str, dict[str, Any]] = {
    "RS256": RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True),
    "ES256": ECAlgorithm.to_jwk(P256.public_key(), as_dict=True),
    "EdDSA": OKPAlgorithm.to_jwk(ED25519.public_key(), as_dict=True),
}


def jwks(folder: Path, *entries: object) -> Path:
    path = folder / "keys.json"
    path.write_text(json.dumps({"keys": entries}), "utf-8")
    return path


def pem(folder: Path, content: bytes) -> Path:
    path = folder / "keys.pem"
    path.write_bytes(content)
    return path


def algorithms(keys: TokenKeys) -> dict[str, str]:
    return {key_id: key.algorithm for key_id, key in keys.by_id.items()}


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA, "RS256"), (P256, "ES256"), (ED25519, "EdDSA")]
)
def test_pem_has_one_key_and_its_kind_chooses_the_algorithm(
    tmp_path: Path, key: rsa.RSAPrivateKey, algorithm: str
) -> None:
    keys = read_public_keys(pem(tmp_path, public_pem(key)))
    assert keys.only is not None
    assert keys.only.algorithm == algorithm
    assert keys.find(None) is keys.find("any") is keys.only


def test_keys_of_a_jwks_are_found_by_id_alone(tmp_path: Path) -> None:
    entries = [{**entry, "kid": name} for name, entry in JWK.items()]
    keys = read_public_keys(jwks(tmp_path, *entries))
    assert algorithms(keys) == {name: name for name in JWK}
    assert keys.find(None) is None
    assert keys.find("other") is None
    assert keys.find(["RS256"]) is None


def test_only_key_of_a_jwks_checks_tokens_without_an_id_but_none_of_another(tmp_path: Path) -> None:
    keys = read_public_keys(jwks(tmp_path, {**JWK["ES256"], "kid": "one"}))
    assert keys.find(None) is keys.find("one") is keys.only
    assert keys.find("two") is None


def test_key_of_a_jwks_without_ids_checks_every_token(tmp_path: Path) -> None:
    keys = read_public_keys(jwks(tmp_path, JWK["ES256"]))
    assert keys.find(None) is keys.find("whatever") is keys.only


@pytest.mark.parametrize(
    "other",
    [
        {**JWK["RS256"], "use": "enc"},
        {**JWK["RS256"], "alg": "RS512"},
        {**JWK["RS256"], "alg": "PS256"},
        {"kty": "oct", "k": "c3dvcmRmaXNoc3dvcmRmaXNoc3dvcmRmaXNoc3dvcmRmaXNo"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "new"},
    ],
)
def test_keys_that_are_for_something_else_are_passed_over(
    tmp_path: Path, other: dict[str, object]
) -> None:
    keys = read_public_keys(jwks(tmp_path, {**other, "kid": "x"}, {**JWK["ES256"], "kid": "y"}))
    assert algorithms(keys) == {"y": "ES256"}
    with pytest.raises(TokenKeysError, match="the JWKS has none"):
        read_public_keys(jwks(tmp_path, other))


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([JWK["RS256"], JWK["ES256"]], "a kid for every key"),
        ([{**JWK["RS256"], "kid": "a"}, {**JWK["ES256"], "kid": "a"}], "every kid once"),
        ([{**RSAAlgorithm.to_jwk(RSA, as_dict=True), "kid": "a"}], "expected public keys"),
        ([{**ECAlgorithm.to_jwk(P256, as_dict=True), "kid": "a"}], "expected public keys"),
        (["swordfish"], "expected a JWKS"),
    ],
)
def test_jwks_that_cannot_be_right_is_refused(
    tmp_path: Path, entries: list[object], said: str
) -> None:
    with pytest.raises(TokenKeysError, match=said) as caught:
        read_public_keys(jwks(tmp_path, *entries))
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "PUBLIC KEY in PEM"),
        (b"{", "expected a JWKS"),
        (b'{"keys": 5}', "expected a JWKS"),
        (b"swordfish", "PUBLIC KEY in PEM"),
        (b"-----BEGIN PUBLIC KEY-----\nswordfish\n-----END PUBLIC KEY-----", "PUBLIC KEY in PEM"),
        (private_pem(RSA), "PUBLIC KEY in PEM"),
        (public_pem(RSA) + public_pem(P256), "a JWKS for more"),
        (public_pem(rsa.generate_private_key(65537, 1024)), "RSA of 2048 bits"),
        (public_pem(ec.generate_private_key(ec.SECP384R1())), "P-256"),
    ],
)
def test_file_without_a_key_that_fits_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(TokenKeysError, match=said) as caught:
        read_public_keys(pem(tmp_path, content))
    assert "swordfish" not in str(caught.value)


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for read in (read_public_keys, read_secret):
        with pytest.raises(TokenKeysError, match="nothing: cannot be read"):
            read(tmp_path / "nothing")


def test_secret_is_the_file_without_the_space_around_it(tmp_path: Path) -> None:
    keys = read_secret(pem(tmp_path, b" " + b"s" * 32 + b"\n"))
    assert keys.only is not None
    assert (keys.only.algorithm, keys.only.key) == ("HS256", b"s" * 32)
    assert "ssss" not in repr(keys)


def test_short_secret_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TokenKeysError, match="at least 32 bytes, got 31"):
        read_secret(pem(tmp_path, b"s" * 31 + b"\n\n"))
