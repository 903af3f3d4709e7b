"""What can be set about security."""

from pathlib import Path
from typing import Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from server.security.callers import UNLIMITED, CallerLimits

MOST_LEEWAY_S = 300.0
WAYS_IN = ("callers_file", "jwt_keys_file", "jwt_secret_file")


class SecuritySettings(BaseModel):
    """Who may call, and how connections are protected.

    Authentication is on unless it is switched off here, so a server that was told of no caller
    does not start.
    """

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")

    authentication: Literal["required", "off"] = "required"
    """Whether callers have to say who they are. required needs callers_file, jwt_keys_file or
    jwt_secret_file. With off everybody who reaches the port may do everything; beyond loopback it
    needs insecure_allowed too."""
    insecure_allowed: bool = False
    """Listen beyond this machine without TLS, or with authentication off, all the same. For servers
    behind a proxy that does both."""

    tls_cert: Path | None = None
    """The server's certificate in PEM, with those between it and the root after it. Read again when
    it changes. None for no TLS."""
    tls_key: Path | None = Field(default=None, validate_default=True)
    """Private key of tls_cert in PEM, without a password. Read again when it changes."""
    tls_client_ca: Path | None = Field(default=None, validate_default=True)
    """Authorities in PEM; with them every client has to show a certificate that one has signed
    (mutual TLS). Read again when it changes."""

    callers_file: Path | None = Field(default=None, validate_default=True)
    """API keys and client certificates that are let in, with their roles and limits, as `python -m
    server.security.keys` writes it. Read again when it changes."""

    jwt_keys_file: Path | None = Field(default=None, validate_default=True)
    """Public key in PEM or JWKS that JSON Web Tokens are checked with, by RS256, ES256 or EdDSA.
    Read again when it changes."""
    jwt_secret_file: Path | None = Field(default=None, validate_default=True)
    """Secret that tokens are checked with by HS256, in place of jwt_keys_file: at least 32 bytes.
    Who has it can make tokens."""
    jwt_issuer: str = Field(default="", validate_default=True)
    """What a token's `iss` has to be."""
    jwt_audience: str = Field(default="", validate_default=True)
    """What a token's `aud` has to be, or have among others: the name of this service there."""
    jwt_roles_claim: str = "roles"
    """Claim of a token that has the roles: a list of them, or one text with spaces."""
    jwt_leeway_s: float = Field(default=30.0, ge=0, le=MOST_LEEWAY_S)
    """Seconds by which the issuer's clock may differ. Longer believes a token for longer after its
    end."""
    jwt_remembered: PositiveInt = 10_000
    """Tokens that are remembered as checked, until they expire. Fewer save memory, about 700 bytes
    each, and cost a check of the signature more often."""

    limits: CallerLimits = UNLIMITED
    """Limits of each caller that has none of its own in callers_file. With several worker processes
    each process takes its share of them."""
    remembered_callers: PositiveInt = 100_000
    """Callers whose use is counted, at about 400 bytes each. Beyond it the one quiet for longest is
    forgotten."""

    @field_validator("tls_key")
    @classmethod
    def _beside_cert(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if (key is None) != (info.data.get("tls_cert") is None):
            raise PydanticCustomError("alone", "expected both tls_cert and tls_key, or neither")
        return key

    @field_validator("tls_client_ca")
    @classmethod
    def _over_tls(cls, authority: Path | None, info: ValidationInfo) -> Path | None:
        if authority is not None and info.data.get("tls_cert") is None:
            raise PydanticCustomError("no_tls", "expected tls_cert and tls_key beside it")
        return authority

    @field_validator(*WAYS_IN)
    @classmethod
    def _wanted(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        if file is not None and info.data.get("authentication") == "off":
            raise PydanticCustomError(
                "not_wanted", "expected none, because authentication is off: nobody would be asked"
            )
        return file

    @field_validator("jwt_secret_file")
    @classmethod
    def _one_kind(cls, secret: Path | None, info: ValidationInfo) -> Path | None:
        if secret is not None and info.data.get("jwt_keys_file") is not None:
            raise PydanticCustomError("two_kinds", "expected none, because jwt_keys_file is given")
        return secret

    @field_validator("jwt_issuer", "jwt_audience")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        files = ("jwt_keys_file", "jwt_secret_file")
        if not value and any(info.data.get(each) is not None for each in files):
            raise PydanticCustomError("unknown", "expected a value, because tokens are checked")
        return value
