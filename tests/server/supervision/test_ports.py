"""Addresses that are taken, not ours, not known, or no port at all."""

import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from server.addresses import address_of, unix_path
from server.errors import CannotListenError, HostUnknownError, PortTakenError, SocketPathError
from server.exit_codes import CANNOT_LISTEN
from server.exits import status_of
from server.supervision.ports import take_port


@pytest.fixture
def path() -> Iterator[Path]:
    """A path that is short enough, wherever tests keep their files."""
    with TemporaryDirectory(prefix="nf-") as folder:
        yield Path(folder) / "s"


def listen(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()
    return listening


def refused(host: str, port: int = 0) -> CannotListenError:
    with pytest.raises(CannotListenError) as caught:
        take_port(host, port)
    assert status_of(caught.value) == CANNOT_LISTEN
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_port_is_kept_until_it_is_let_go(host: str) -> None:
    kept, port = take_port(host, 0)
    with socket.socket(socket.AF_INET6 if host == "::1" else socket.AF_INET) as other:
        with pytest.raises(OSError, match="in use"):
            other.bind((host, port))
        kept.close()
        other.bind((host, port))


@pytest.mark.parametrize("host", ["nobody.invalid", "a" * 64 + ".example", "no host", "unix"])
def test_host_name_that_nobody_knows_is_told_as_that(host: str) -> None:
    error = refused(host, 50051)
    assert isinstance(error, HostUnknownError)
    assert f"cannot listen on {host}: the host name does not resolve (" in str(error)


def test_address_of_another_machine_is_not_ours() -> None:
    assert isinstance(refused("192.0.2.1", 50051), PortTakenError)


def test_socket_that_a_killed_server_left_is_replaced_and_removed_at_the_end(path: Path) -> None:
    listen(path).close()
    kept, port = take_port(f"unix:{path}", 50051)
    assert (port, path.exists()) == (0, False)
    with listen(path):
        kept.close()
    assert not path.exists()


def test_socket_that_somebody_listens_on_is_left_alone(path: Path) -> None:
    with listen(path):
        assert isinstance(refused(f"unix:{path}"), PortTakenError)
        assert path.is_socket()


def test_path_that_can_be_no_socket_is_told_with_why(path: Path) -> None:
    path.write_text("precious")
    for given, why in (
        (path, "no socket"),
        (path.parent / "none" / "s", "none does not exist"),
        (path.parent / ("s" * 120), "at most 107 bytes"),
        (path / "s", "s does not exist"),
    ):
        error = refused(f"unix:{given}")
        assert isinstance(error, SocketPathError)
        assert why in str(error)
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("host", "path", "address"),
    [
        ("unix:/run/nearfield.sock", "/run/nearfield.sock", "unix:/run/nearfield.sock"),
        ("unix:///run/nearfield.sock", "/run/nearfield.sock", "unix:/run/nearfield.sock"),
        ("unix:here.sock", "here.sock", "unix:here.sock"),
    ],
)
def test_socket_is_written_as_grpc_does(host: str, path: str, address: str) -> None:
    assert unix_path(host) == Path(path)
    assert address_of(host, 50051) == address


def test_hosts_are_written_with_their_port() -> None:
    assert address_of("localhost", 1) == "localhost:1"
    assert address_of("::1", 1) == "[::1]:1"
