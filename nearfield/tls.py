"""Which server to believe, and how to prove who calls."""

from dataclasses import dataclass
from pathlib import Path

import grpc

from nearfield.errors import ArgumentError


@dataclass(frozen=True)
class Tls:
    """TLS, from files in PEM; mutual where a certificate of one's own is given.

    The files are read when the client is made. gRPC has a copy of the system's usual authorities,
    used where no `ca` is given.
    """

    ca: Path | None = None
    """Certificates of the authorities that are believed; None for the usual public ones."""
    certificate: Path | None = None
    """The caller's own certificate, with what leads to its authority; None for none."""
    key: Path | None = None
    """Its private key. Needed with `certificate`, and only there."""

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            missing = "key" if self.key is None else "certificate"
            raise ArgumentError(f"{missing}: expected certificate and key together, got one")

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files.

        Raises:
            ArgumentError: one cannot be read.
        """
        return grpc.ssl_channel_credentials(
            root_certificates=_read("ca", self.ca),
            private_key=_read("key", self.key),
            certificate_chain=_read("certificate", self.certificate),
        )


def _read(field: str, file: Path | None) -> bytes | None:
    if file is None:
        return None
    try:
        return file.read_bytes()
    except OSError as error:
        raise ArgumentError(f"{field}: expected a file in PEM, got {file}: {error}") from error
